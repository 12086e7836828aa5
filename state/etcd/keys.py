"""What lies in etcd: the keys of an application, and what is read from them.

Owns what each key is called and holds; what a commit does to them is in `commits`. Every commit
writes all of:

    APP/record   the sealed record, or where its chunks lie
    APP/head     epoch and attempt of the last commit: what a revision alone cannot say
    APP/counter  number of the newest journal line
    APP/lines/N  the line, without a chain: each host's journal has its own
    APP/owner    who owns, for as long as its lease lives; written where the epoch changes
    APP/account  for whose account it acts, see `account`; compared where the epoch changes

What a repair needs when etcd was put back from a copy (see `put_back`):

    APP/journals/H  a home that keeps a journal, and which host it is on; for good
    APP/heard/H     how far its journal goes, said when a repair was asked for; for an hour
    APP/repairs     how often it was repaired: revisions that were seen before count no more

Beside them each worker of each host writes, and nothing is decided by what it says:

    APP/hosts/M.W  what it is and what time it is there, about once a second; see `presence`
    APP/writes/W   its wall clock, as long as its lease lives: a write proves that etcd writes

A commit is refused unless the record's revision *and* the head are those that it was made from.
A revision alone is no fence once a snapshot was put back, for numbers come again; epoch and
progress alone lose a command that came between. Of two deliveries of one commit the second is
refused by the first, so a commit whose answer was lost may be sent again as it is.

What is larger than `TOGETHER_BYTES_MAX` goes ahead in chunks, under names of the attempt and with
a lease: the commit takes the lease away, so what no commit took goes by itself. The chunks of the
record before get that lease, for whoever is still reading them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from state.errors import RecordDamaged, RecordMissing
from state.etcd import wire
from state.journal_frames import Line
from state.open_struct import OpenStruct, decode_open
from state.record import Record, decode_record

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES_KEPT: Final = 1024
_POINTER: Final = b'{"chunks":'


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the last commit left: its epoch and its attempt."""

    epoch: int = 0
    attempt: str = ""


class Chunks(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of a value lie that is too large for one request.

    Attributes:
        stem: What their keys begin with, below `APP/chunks/`.
        count: How many there are.
        attempt: Id of the write.
        result: Digest of the record that it led to.
    """

    stem: str
    count: int
    attempt: str
    result: str


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """A value that says where its bytes lie."""

    chunks: Chunks


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lease the owner's key goes with."""

    epoch: int
    worker: str


class Repairs(OpenStruct, frozen=True, kw_only=True):
    """How often a repair has begun this history anew, after etcd was put back from a copy.

    Attributes:
        count: How often.
        attempt: Id of the newest one's write.
    """

    LATER: ClassVar = ()
    count: int = 0
    attempt: str = ""


class LineMark(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a line to know whose commit it was; as in `Line`."""

    attempt: str = ""
    result: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in etcd at one revision.

    Attributes:
        record: The record.
        digest: Of its bytes.
        revision: At which the record was last written.
        head: The bytes of the head.
        number: Of the newest line.
        chunks: Keys of the record's chunks; none where it is whole.
        is_owner_bound: Whether the owner's key is there.
        owner_lease: Which lease it goes with; 0 where it is not there.
        account: What names the account; None where nothing does.
    """

    record: Record
    digest: str
    revision: int
    head: bytes
    number: int
    chunks: tuple[bytes, ...] = ()
    is_owner_bound: bool = False
    owner_lease: int = 0
    account: bytes | None = None


class Keys:
    """The keys of one application.

    Args:
        prefix: What they all begin with.
    """

    def __init__(self, prefix: str) -> None:
        """Make the names."""
        self._prefix = prefix.encode() + b"/"
        self.record = self._prefix + b"record"
        self.head = self._prefix + b"head"
        self.counter = self._prefix + b"counter"
        self.owner = self._prefix + b"owner"
        self.repairs = self._prefix + b"repairs"
        self.account = self._prefix + b"account"
        self.hosts = (self._prefix + b"hosts/", self._prefix + b"hosts0")
        self.journals = (self._prefix + b"journals/", self._prefix + b"journals0")
        self.heard = (self._prefix + b"heard/", self._prefix + b"heard0")
        self.lines_end = self._prefix + b"lines0"

    def host(self, mark: str, worker: str) -> bytes:
        """Return the key under which a worker of a host says what it is."""
        return b"%shosts/%s.%s" % (self._prefix, mark.encode(), worker.encode())

    def writes(self, worker: str) -> bytes:
        """Return the key by which a worker sees that etcd writes."""
        return b"%swrites/%s" % (self._prefix, worker.encode())

    def journal(self, home: str) -> bytes:
        """Return the key under which a home says that it keeps a journal."""
        return self.journals[0] + home.encode()

    def heard_of(self, home: str) -> bytes:
        """Return the key under which a home says, for a repair, how far its journal goes."""
        return self.heard[0] + home.encode()

    def line(self, number: int) -> bytes:
        """Return the key of a journal line."""
        return b"%slines/%012d" % (self._prefix, number)

    def chunk(self, stem: str, index: int) -> bytes:
        """Return the key of a chunk."""
        return b"%schunks/%s/%03d" % (self._prefix, stem.encode(), index)

    def chunks_before(self, number: int) -> tuple[bytes, bytes]:
        """Return the range of all chunks that were written for lines before one."""
        return self._prefix + b"chunks/", b"%schunks/%012d" % (self._prefix, number)

    def reading(self, *numbers: int) -> tuple[wire.Operation, ...]:
        """Return the steps that read the record, what belongs to it, and some lines."""
        names = [self.record, self.head, self.counter, self.owner, self.repairs, self.account]
        return tuple(wire.get(name) for name in [*names, *map(self.line, numbers)])


def mark_of(value: bytes) -> LineMark | Chunks:
    """Return whose commit the value of a line speaks of, its chunks unread."""
    if value.startswith(_POINTER):
        return msgspec.json.decode(value, type=Pointer).chunks
    return msgspec.json.decode(value, type=LineMark)


def chunks_of(keys: Keys, value: bytes) -> tuple[bytes, ...]:
    """Return the keys of a value's chunks, in order; none where it is whole."""
    if not value.startswith(_POINTER):
        return ()
    chunks = msgspec.json.decode(value, type=Pointer).chunks
    return tuple(keys.chunk(chunks.stem, index) for index in range(chunks.count))


def seen_of(keys: Keys, found: Mapping[bytes, wire.KeyValue], data: bytes | None) -> Seen:
    """Return what `Keys.reading` found, as a value.

    Args:
        keys: The application's.
        found: The keys that are there.
        data: The record's bytes, its chunks put together; None where there is no record.

    Raises:
        RecordMissing: There is no record.
        RecordDamaged: It is not what was written, or its head is not that of its commit.
        RecordForeign: A newer format wrote it.
    """
    stored = found.get(keys.record)
    where = keys.record.decode()
    if stored is None or data is None:
        raise RecordMissing(where)
    record, digest = decode_record(data, where=where)
    head, counter, owner = (found.get(key) for key in (keys.head, keys.counter, keys.owner))
    if head is None or counter is None:
        raise RecordDamaged(where, "its head or its counter is gone")
    known = msgspec.json.decode(head.value, type=Head)
    if (known.epoch, known.attempt) != (record.ownership.epoch, record.attempt):
        reason = f"the head is of attempt {known.attempt}, the record of {record.attempt}"
        raise RecordDamaged(where, reason)
    return Seen(
        record=record,
        digest=digest,
        revision=stored.mod_revision,
        head=head.value,
        number=int(counter.value),
        chunks=chunks_of(keys, stored.value),
        is_owner_bound=owner is not None,
        owner_lease=0 if owner is None else owner.lease,
        account=found[keys.account].value if keys.account in found else None,
    )


def repairs_in(found: Mapping[bytes, wire.KeyValue], keys: Keys) -> int:
    """Return how often a repair has begun this history anew."""
    return repairs_of(found, keys).count


def repairs_of(found: Mapping[bytes, wire.KeyValue], keys: Keys) -> Repairs:
    """Return what is known of the repairs."""
    stored = found.get(keys.repairs)
    return decode_open(stored.value, Repairs) if stored is not None else Repairs()


def line_of(data: bytes) -> Line:
    """Return a journal line from its bytes."""
    return decode_open(data, Line)
