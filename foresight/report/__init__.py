"""What trades came to, as one file for people: facts, curves, charts, the document around them.

Owns the way from a book or a backtest's result to one page that needs no network, no script and no
server. Figures are `foresight.scoring`'s; nothing here decides what they mean anew.
"""
