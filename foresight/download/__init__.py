"""Recording the candles of an exchange into files that a backtest and the local exchange read.

Owns the walk over an exchange's pages, what is kept of it, and what is missing in the end. How an
exchange is asked is `foresight.venues`' matter.
"""
