"""The spot venue over HTTP: who may ask, what its JSON says, and its routes."""
