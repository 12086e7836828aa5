"""Who gets in: connections and their limits, host names, the token of the control page."""
