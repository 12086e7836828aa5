"""Who gets in to a server of ours: connections and their limits, host names, tokens."""
