"""The evidence: what proves an installation from outside, whoever hurt it meanwhile.

Demonstration, drill and bench share it. It runs the real `foresight` command, reads the record
and the journal, hears a witness that the engine does not know, asks the exchange for its own
books, and judges the counts. The production code knows nothing of it.
"""
