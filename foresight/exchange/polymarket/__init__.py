"""The prediction venue over HTTP: who may ask, identifiers, what its JSON says, and its routes."""
