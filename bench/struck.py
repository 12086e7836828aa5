"""One blow of a series, as it is written down."""

from __future__ import annotations

from typing import NamedTuple


class Struck(NamedTuple):
    """One blow.

    Attributes:
        whom: `owner`, `candidate`, `worker`, `launcher`, `deployer`, `copy` or `record`.
        signal: Name of the signal, or what came of it.
        pid: Of the process; 0 where none was struck.
        start_ticks: When it was started: with the pid, who it was.
        at_ns: When, nanoseconds UTC.
    """

    whom: str
    signal: str
    pid: int
    start_ticks: int
    at_ns: int
