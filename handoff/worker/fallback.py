"""The record as the previous release of a bake reads it.

Owns who that is, and which body it gets. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from state.record import Record, WorkerId


def is_previous(worker: WorkerId, record: Record) -> bool:
    """Tell whether a worker is of the release that a bake may return to."""
    previous = record.ownership.previous
    return previous is not None and previous.release == worker.release


def as_owned_by(worker: WorkerId, record: Record) -> Record:
    """Return the record as this worker would find it as its owner.

    The previous release gets the body in the shape that it reads, written with every commit of
    a bake; the body of the release that bakes may be beyond it.
    """
    if record.fallback is None or not is_previous(worker, record):
        return record
    return replace(record, schema=record.fallback.schema, body=record.fallback.body)
