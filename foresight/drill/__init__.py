"""The drill: chosen faults against the user's own running installation, and the proof.

It hurts real processes from outside, by signals and ordinary requests; the production code knows
nothing of it. What is proven is read from journal, record and the local exchange's ledger.
"""
