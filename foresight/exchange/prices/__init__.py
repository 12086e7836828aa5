"""What assets cost at every instant: synthetic or recorded candles, and the tape between them."""
