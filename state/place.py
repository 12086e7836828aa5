"""A host, as a record names it, and when two names are of one.

Owns that comparison alone: which of a host's names proves what of a process is not asked here.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A host, as a record names it: by its name and, where it has one, its machine id."""

    host: str = ""
    machine: str = ""

    def is_of(self, other: Place) -> bool:
        """Tell whether two names are of one host: machine ids tell, names where one lacks them."""
        if self.machine and other.machine:
            return self.machine == other.machine
        return self.host == other.host
