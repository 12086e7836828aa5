"""The port to a place where the record lives, and what a journal line needs to be told.

Owns the one primitive, `Store.transact`. The local, in-memory and etcd stores implement
it; nothing above this package knows which one it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from state.journal_frames import Health
from state.record import Record

Change = Callable[[Record], Record]
"""A pure function that returns the next record or raises `Refused`."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps of a change besides the record itself.

    Attributes:
        kind: Name of the transition: take, seize, decide, settle, miss, release, command.
        inputs: What `observe` returned, raw JSON; `null` for every kind but decide.
        inputs_schema: Version of the inputs' schema; 0 where there are none.
        unavailable: Why there were no inputs, or an empty string.
        scheduled_ns: The cycle's boundary, wall-clock nanoseconds UTC; 0 where none.
        started_ns: When work on the cycle began.
        evidence: Further facts for an operator: proof of death, reason, pids.
        health: How much of what was asked for `observe` got; None where nobody counted.
        approval: Of a take, where several hosts deploy: the deploy that approved it, by when it
            began, which has to live still; 0 where nothing is asked.
    """

    kind: str
    inputs: msgspec.Raw = msgspec.Raw(b"null")
    inputs_schema: int = 0
    unavailable: str = ""
    scheduled_ns: int = 0
    started_ns: int = 0
    evidence: dict[str, str | int | float] = {}
    health: Health | None = None
    approval: int = 0


class Store(Protocol):
    """A fenced place for one record. Every method may block on the medium."""

    def read(self) -> Record:
        """Return the record, durable: what is returned survives a power cut.

        Raises:
            RecordMissing: There is none.
            RecordDamaged: It cannot be repaired by rule.
            RecordForeign: It belongs to another app, timeline or a newer format.
        """
        ...

    def create(self, record: Record) -> Record:
        """Write the first record; return the one that is there if there is one already."""
        ...

    def transact(self, change: Change, note: Note) -> Record:
        """Apply `change` to the newest record as one atomic, durable, journalled step.

        Args:
            change: The transition, applied under the store's fence. Where another writer may come
                between, it is applied anew to what that one wrote: it has no effects of its own.
            note: What the journal line says besides.

        Returns:
            The record as it is now.

        Raises:
            Refused: The transition said no; nothing changed.
            WriteFailed: The medium said no, or could not be reached; nothing changed.
            OutcomeUnknown: The write may have landed; read and compare the attempt.
            LockTimeout: The fence was not free within the bound; nothing changed.
        """
        ...

    def token(self) -> object:
        """Return a cheap value that differs after every change of the record."""
        ...

    def close(self) -> None:
        """Give back descriptors and connections; the store is unusable afterwards."""
        ...
