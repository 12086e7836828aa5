"""The trading system: slots, windows, strategies, venues, and the `foresight` command."""
