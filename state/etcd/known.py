"""What an etcd and one home know of a record, read for a repair; nothing is judged or changed.

Owns the reading of both. What it means is the matter of `put_back`, what is written that of
`state.etcd_repair`.
"""

from __future__ import annotations

import contextlib
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from state.atomic_file import SystemFiles
from state.errors import RecordMissing
from state.etcd import keys as plans
from state.etcd import wire
from state.etcd.put_back import HEARD_S, Heard, Kept, RepairRefused
from state.host_journal import LOCK, LOCK_TIMEOUT_NS
from state.journal_frames import BOOKKEEPING
from state.journal_reader import newest_lines, read_lines
from state.moments import milliseconds
from state.open_struct import decode_open
from state.place import Place
from state.record import Record, check_identity
from state.record_lock import RecordLock
from state.sighting import Sighting, read_seen, write_seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from state.etcd.lines import Lines
    from state.etcd.session import Session
    from state.journal_frames import Line
    from state.sighting import Seen

STOP: Final = "stop the launchers of all hosts, then repair it again"
_KeptT = TypeVar("_KeptT", bound=Kept)
_OWNING: Final = frozenset({"genesis", "seize", "take", "segment"})  # lines that name an owner
_FILES: Final = SystemFiles()


class There(NamedTuple):
    """What etcd holds: the record, where there is one, and what it knows of homes."""

    seen: plans.Seen | None
    number: int
    repairs: plans.Repairs
    kept: tuple[Kept, ...]
    heard: tuple[Heard, ...]


class Ours(NamedTuple):
    """What this home knows: the newest record and the lines that etcd may have forgotten."""

    heard: Heard
    sighting: Sighting
    lines: tuple[Line, ...]


class Known:
    """Reads both sides.

    Args:
        session: Who asks etcd.
        lines: The lines there.
        keys: The application's.
        home: The home directory.
        app: Name of the application.
        place: This host.
    """

    def __init__(
        self,
        session: Session,
        lines: Lines,
        keys: plans.Keys,
        home: Path,
        *,
        app: str,
        place: Place,
    ) -> None:
        """Keep the parts."""
        self._session = session
        self._lines = lines
        self._keys = keys
        self._home = home
        self._app = app
        self._place = place

    def there(self) -> There:
        """Read what etcd holds.

        Raises:
            RepairRefused: Somebody writes.
            OutOfReach: It does not answer.
            StateError: What lies there cannot be used.
        """
        found = self._session.read(
            *self._keys.reading(), wire.get(*self._keys.journals), wire.get(*self._keys.heard)
        )
        stored, counter = found.get(self._keys.record), found.get(self._keys.counter)
        data = None if stored is None else self._lines.whole(stored.value)
        if stored is not None and data is None:
            reason = "the record was written while it was read: somebody runs"
            raise RepairRefused(reason, STOP)
        seen = None
        with contextlib.suppress(RecordMissing):
            seen = plans.seen_of(self._keys, found, data)
            check_identity(seen.record, app=self._app, timeline=seen.record.timeline)
        return There(
            seen=seen,
            number=int(counter.value) if counter is not None else 0,
            repairs=plans.repairs_of(found, self._keys),
            kept=_all(found, self._keys.journals, Kept),
            heard=_all(found, self._keys.heard, Heard),
        )

    def ours(self, there: There, *, now_ns: int) -> Ours | None:
        """Read what this home knows; None where it never followed a record.

        Args:
            there: What etcd holds.
            now_ns: Wall-clock time, nanoseconds UTC.

        Raises:
            StateError: What lies here cannot be used.
        """
        newest = newest_lines(self._home / "journal", 1)
        if not newest:
            return None
        last = newest[-1]
        record = decode_open(last.header, Record)
        check_identity(record, app=self._app, timeline=record.timeline)
        seen = self._seen()
        lines = self._since(there.seen) or (last,)
        heard = Heard(
            home=seen.home,
            host=self._place.host,
            machine=self._place.machine,
            epoch=last.epoch,
            cycle=last.cycle,
            phase=last.phase,
            result=last.result,
            beyond=_beyond(lines),
            at_ms=milliseconds(now_ns),
        )
        return Ours(heard, seen.sighting, lines)

    def _since(self, seen: plans.Seen | None) -> tuple[Line, ...]:
        """Return this home's lines from what etcd has on; all where the two part earlier."""
        journal = self._home / "journal"
        if seen is not None:
            lines = tuple(read_lines(journal, seen.record.progress.cycle))
            if any(line.result == seen.digest for line in lines):
                return lines
        return tuple(read_lines(journal))

    def _seen(self) -> Seen:
        """Return what this home has seen; a home of an engine before this one gets a name now."""
        directory = self._home / "state"
        found = read_seen(directory)
        if found is None:
            lock = RecordLock(directory / LOCK, timeout_ns=LOCK_TIMEOUT_NS)
            try:
                with lock.held():
                    found = write_seen(_FILES, directory, Sighting())
            finally:
                lock.close()
        return found

    def say(self, heard: Heard) -> None:
        """Let others hear, for a while, how far this home's journal goes."""
        lease = self._session.grant(HEARD_S)
        step = wire.put(self._keys.heard_of(heard.home), msgspec.json.encode(heard), lease=lease)
        self._session.settle(wire.Transaction(success=(step,)), self._session.patience_s)

    def is_known(self, there: There, heard: Heard) -> bool:
        """Tell whether a journal ends in what etcd has, or had."""
        if there.seen is None:
            return False
        if there.seen.digest == heard.result or self._lines.number_of(heard.result) is not None:
            return True
        oldest = self._lines.oldest_line()  # what was before it etcd keeps no more
        return (heard.epoch, heard.cycle) < (oldest.epoch, oldest.cycle) or (
            heard.result == oldest.parent
        )

    def stays(self, there: There, heard: Heard, stays: int) -> bool:
        """Tell whether a journal ends in what stays of etcd's own history."""
        if not self.is_known(there, heard):
            return False
        number = self._lines.number_of(heard.result)
        return number is None or number <= stays


def _beyond(lines: Sequence[Line]) -> int:
    """Return how many lines at the end got no further than the one before them."""
    counting = [line for line in lines if line.kind not in BOOKKEEPING]
    reached = [(line.epoch, line.cycle, line.phase) for line in counting]
    return max(0, len(list(takewhile(lambda each: each == reached[-1], reversed(reached)))) - 1)


def named_by(there: There, ours: Ours) -> set[Place]:
    """Return the hosts whose workers owned, as far as record and lines say."""
    return {
        Place(each.host, each.machine)
        for record in _records(there, ours)
        for each in (record.ownership.owner, record.ownership.last_owner)
        if each is not None
    }


def _records(there: There, ours: Ours) -> Iterator[Record]:
    if there.seen is not None:
        yield there.seen.record
    for line in ours.lines:
        if line.kind in _OWNING or line is ours.lines[-1]:
            yield decode_open(line.header, Record)


def _all(
    found: Mapping[bytes, wire.KeyValue], within: tuple[bytes, bytes], kind: type[_KeptT]
) -> tuple[_KeptT, ...]:
    first, end = within
    return tuple(
        msgspec.json.decode(each.value, type=kind)
        for key, each in found.items()
        if first <= key < end
    )
