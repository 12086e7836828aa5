"""Durable, fenced JSON state: one record, one journal, one primitive to change both.

Names are imported when they are first used, so that a program which needs one of them
does not load them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from state.etcd_store import EtcdStore
    from state.journal_reader import read_lines, verify_chain, verify_cycles
    from state.local_store import LocalStore, read_only_snapshot
    from state.memory_store import MemoryStore
    from state.record import (
        Delivery,
        Effect,
        Evidence,
        Outcome,
        Receipt,
        Record,
        Timeline,
        WorkerId,
        evidence_of,
    )
    from state.schema import Schema
    from state.store import Change, Note, Store

__all__ = [
    "Change",
    "Delivery",
    "Effect",
    "EtcdStore",
    "Evidence",
    "LocalStore",
    "MemoryStore",
    "Note",
    "Outcome",
    "Receipt",
    "Record",
    "Schema",
    "Store",
    "Timeline",
    "WorkerId",
    "evidence_of",
    "read_lines",
    "read_only_snapshot",
    "verify_chain",
    "verify_cycles",
]

_HOME: Final = {
    "Change": "state.store",
    "Delivery": "state.record",
    "Effect": "state.record",
    "EtcdStore": "state.etcd_store",
    "Evidence": "state.record",
    "LocalStore": "state.local_store",
    "MemoryStore": "state.memory_store",
    "Note": "state.store",
    "Outcome": "state.record",
    "Receipt": "state.record",
    "Record": "state.record",
    "Schema": "state.schema",
    "Store": "state.store",
    "Timeline": "state.record",
    "WorkerId": "state.record",
    "evidence_of": "state.record",
    "read_lines": "state.journal_reader",
    "read_only_snapshot": "state.local_store",
    "verify_chain": "state.journal_reader",
    "verify_cycles": "state.journal_reader",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
