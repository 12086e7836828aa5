"""Journal lines as etcd has them: by number, by what they led to, the oldest that is kept.

Owns putting a value together from its chunks. A line that goes while it is looked for is gone: the
newest are kept and no others. After a repair there may be a hole before the oldest that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from state.errors import LockTimeout, RecordMissing
from state.etcd import keys as plans
from state.etcd import wire
from state.etcd.put_back import Kept

if TYPE_CHECKING:
    from collections.abc import Collection

    from state.errors import EtcdOlder
    from state.etcd.session import Session
    from state.journal_frames import Line

READINGS_MAX: Final = 4  # of a value whose chunks went while they were read
AT_ONCE: Final = 4  # lines of one answer: each may have a mebibyte


class Lines:
    """The lines of one application; a `Source` of a host's journal.

    Args:
        session: Who asks.
        keys: The application's.
    """

    def __init__(self, session: Session, keys: plans.Keys) -> None:
        """Keep both."""
        self._session = session
        self._keys = keys

    def newest(self) -> int:
        """Return the number of the newest line; 0 where there is none."""
        stored = self._session.read(wire.get(self._keys.counter)).get(self._keys.counter)
        return int(stored.value) if stored is not None else 0

    def line(self, number: int) -> Line:
        """Return a line.

        Raises:
            RecordMissing: It is not there, or not any more.
        """
        key = self._keys.line(number)
        for _ in range(READINGS_MAX):
            stored = self._session.read(wire.get(key)).get(key)
            if stored is None:
                raise RecordMissing(key.decode())
            data = self.whole(stored.value)
            if data is not None:
                return plans.line_of(data)
        raise LockTimeout  # it goes while it is read

    def number_of(self, result: str) -> int | None:
        """Return the number of the line that led to a record; None where it is not there."""
        return self.newest_of({result})

    def newest_of(self, results: Collection[str]) -> int | None:
        """Return the number of the newest line that led to one of some records; None for none."""
        newest = self.newest()
        oldest = _oldest(newest)
        for last in range(newest, oldest - 1, -AT_ONCE):
            numbers = range(last, max(oldest - 1, last - AT_ONCE), -1)
            found = self._session.read(*(wire.get(self._keys.line(each)) for each in numbers))
            for number in numbers:
                stored = found.get(self._keys.line(number))
                if stored is not None and plans.mark_of(stored.value).result in results:
                    return number
        return None

    def oldest_line(self) -> Line:
        """Return the oldest line that is kept."""
        for _ in range(READINGS_MAX):
            first, end = self._keys.line(_oldest(self.newest())), self._keys.lines_end
            for stored in self._session.read(wire.get(first, end, limit=1)).values():
                data = self.whole(stored.value)
                if data is not None:
                    return plans.line_of(data)
        raise LockTimeout  # they go faster than they are read

    def older(self, fact: str) -> EtcdOlder:
        """Return the refusal of an etcd that knows less than was seen of it."""
        return self._session.older(fact)

    def said_of(self, home: str) -> int:
        """Return the newest settled cycle that a home has said it has; -1 for none.

        It said so to the very etcd whose lines these are: a copy knows what was said before it.
        """
        key = self._keys.journal(home)
        found = self._session.read(wire.get(key)).get(key)
        return -1 if found is None else msgspec.json.decode(found.value, type=Kept).last

    def whole(self, value: bytes) -> bytes | None:
        """Return a value with its chunks put together; None where one of them is gone."""
        chunks = plans.chunks_of(self._keys, value)
        parts: list[bytes] = []
        for key in chunks:
            part = self._session.chunk(key)
            if part is None:
                return None
            parts.append(part)
        return b"".join(parts) if chunks else value


def _oldest(newest: int) -> int:
    return max(1, newest - plans.LINES_KEPT + 1)
