"""A plain loop on the engine: one function of a cycle and its state, replaced while it runs."""
