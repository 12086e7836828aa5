"""Recorded cycles decided again: by another release, or to prove the journal."""
