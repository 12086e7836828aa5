"""What rules and releases would have earned over recorded candles.

Owns counting over a recording, pure. Nothing here trades, asks a venue or reads a clock; which
files are read is a command's matter.
"""
