"""Where orders go: one interface (`base`), Polymarket through ccxt, and simulated fills."""
