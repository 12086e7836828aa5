"""The prediction market as arithmetic: windows, worth, books, what an order gets, fees."""
