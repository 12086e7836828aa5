"""Where prices come from: closed one-minute candles through ccxt."""
