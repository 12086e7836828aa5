"""The local exchange: spot prices and an Up/Down prediction board behind real HTTP."""
