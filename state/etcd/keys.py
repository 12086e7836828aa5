"""What lies in etcd, and the one transaction that a commit is.

Owns the keys of an application and the comparisons of each write. Every commit writes all of:

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

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from state.commit import Commit
from state.errors import RecordDamaged, RecordMissing
from state.etcd import wire
from state.journal_frames import Line
from state.open_struct import decode_open, encode_open
from state.record import Record, decode_record

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES_KEPT: Final = 1024
CHUNK_LINES_KEPT: Final = LINES_KEPT + 64  # a commit whose line was overtaken keeps its name
TOGETHER_BYTES_MAX: Final = 1 << 20  # etcd takes 1.5 MiB in one request, its envelope included
CHUNK_BYTES: Final = 1 << 20
CHUNKS_MAX: Final = 40  # of one commit; etcd takes 128 steps in one transaction
NO_CLAIM: Final = wire.Transaction()
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


class Repairs(msgspec.Struct, frozen=True, kw_only=True):
    """How often a repair has begun this history anew, after etcd was put back from a copy.

    Attributes:
        count: How often.
        attempt: Id of the newest one's write.
    """

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
        account: What names the account; None where nothing does.
    """

    record: Record
    digest: str
    revision: int
    head: bytes
    number: int
    chunks: tuple[bytes, ...] = ()
    is_owner_bound: bool = False
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


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it is written: whole, or as a pointer and the chunks that go ahead."""

    value: bytes
    chunks: dict[bytes, bytes] = {}


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """All that one commit writes.

    Attributes:
        commit: The commit.
        number: Of its line.
        record: The record's value.
        line: The line's value.
        head: The bytes of the head.
    """

    commit: Commit
    number: int
    record: Parcel
    line: Parcel
    head: bytes

    @property
    def chunks(self) -> dict[bytes, bytes]:
        """What goes ahead."""
        return self.record.chunks | self.line.chunks


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the owner's key.

    Attributes:
        lease: The new owner's; 0 where it has none.
        owner: What the key says then; None leaves it away.
    """

    lease: int = 0
    owner: Owner | None = None


def written(keys: Keys, commit: Commit, *, number: int) -> Written:
    """Return the values of a commit: whole where they fit together, otherwise in chunks.

    Args:
        keys: The application's.
        commit: What is to be written.
        number: Of its line.
    """
    record, attempt = commit.generation.record, commit.generation.record.attempt
    line = encode_open(replace(commit.line, seq=number))
    head = Head(epoch=record.ownership.epoch, attempt=attempt)
    whole = len(commit.data) + len(line) <= TOGETHER_BYTES_MAX

    def parcel(data: bytes, name: str) -> Parcel:
        if whole:
            return Parcel(value=data)
        stem = f"{number:012d}-{attempt}-{name}"
        return parcel_of(keys, data, stem, attempt=attempt, result=commit.generation.digest)

    return Written(
        commit=commit,
        number=number,
        record=parcel(commit.data, "record"),
        line=parcel(line, "line"),
        head=msgspec.json.encode(head),
    )


def parcel_of(keys: Keys, data: bytes, stem: str, *, attempt: str, result: str) -> Parcel:
    """Return a value in chunks.

    Args:
        keys: The application's.
        data: The value.
        stem: What the chunks' names begin with.
        attempt: Id of the write.
        result: Digest of the record that it led to.
    """
    parts = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    pointer = Pointer(chunks=Chunks(stem=stem, count=len(parts), attempt=attempt, result=result))
    chunks = {keys.chunk(stem, index): part for index, part in enumerate(parts)}
    return Parcel(value=msgspec.json.encode(pointer), chunks=chunks)


def claimed(*claims: wire.Transaction) -> wire.Transaction:
    """Return several claims as one."""
    return wire.Transaction(
        compare=tuple(each for claim in claims for each in claim.compare),
        success=tuple(each for claim in claims for each in claim.success),
    )


def commit_transaction(
    keys: Keys,
    seen: Seen,
    new: Written,
    *,
    binding: Binding | None = None,
    claim: wire.Transaction = NO_CLAIM,
    lease: int = 0,
) -> wire.Transaction:
    """Return the transaction of a commit; where it is refused, it reads what there is instead.

    Args:
        keys: The application's.
        seen: What the commit was made from.
        new: What it writes.
        binding: What becomes of the owner's key; None leaves it as it is.
        claim: What is compared and written besides by who comes to own.
        lease: Of chunks that nothing points to any more.
    """
    compare = [*standing_as(keys, seen)]
    steps = _writing(keys, new)
    steps += [wire.releasing(key) for key in new.chunks]
    steps += [wire.releasing(key, lease=lease) for key in seen.chunks]
    compare += claim.compare
    steps += claim.success
    if binding is not None:
        steps.append(_bound(keys, binding))
        if not seen.is_owner_bound:
            # Who seizes because a lease is gone does not seize beside one that was bound anew.
            compare.append(wire.at_revision(keys.owner, 0))
    if new.number > LINES_KEPT:
        steps.append(wire.delete(keys.line(0), keys.line(new.number - LINES_KEPT + 1)))
    if new.number > CHUNK_LINES_KEPT:
        steps.append(wire.delete(*keys.chunks_before(new.number - CHUNK_LINES_KEPT)))
    failure = keys.reading(seen.number, new.number)
    return wire.Transaction(compare=tuple(compare), success=tuple(steps), failure=failure)


def standing_as(keys: Keys, seen: Seen | None) -> tuple[wire.Compare, ...]:
    """Require that record and head are those that were read; None requires that there are none."""
    if seen is None:
        return tuple(wire.at_revision(key, 0) for key in (keys.record, keys.head))
    return wire.at_revision(keys.record, seen.revision), wire.of_value(keys.head, seen.head)


def genesis_transaction(
    keys: Keys, new: Written, claim: wire.Transaction = NO_CLAIM
) -> wire.Transaction:
    """Return the transaction that writes the first record, where there is none."""
    compare = standing_as(keys, None)
    steps = _writing(keys, new) + [wire.releasing(key) for key in new.chunks]
    return wire.Transaction(
        compare=(*compare, *claim.compare),
        success=(*steps, *claim.success),
        failure=keys.reading(1),
    )


def binding_transaction(keys: Keys, seen: Seen, owner: Owner, *, lease: int) -> wire.Transaction:
    """Return the transaction that binds the key of an owner whose lease is gone to a new one.

    Epoch and effects stay. It is refused once anybody wrote, or bound the key.
    """
    compare = (wire.of_value(keys.head, seen.head), wire.at_revision(keys.owner, 0))
    step = _bound(keys, Binding(lease=lease, owner=owner))
    return wire.Transaction(compare=compare, success=(step,), failure=keys.reading(seen.number))


def landed(
    seen: Seen,
    new: Written,
    binding: Binding | None,
    *,
    revision: int,
    account: bytes | None = None,
) -> Seen:
    """Return what lies in etcd once a commit has happened.

    Args:
        seen: What it was made from.
        new: What it wrote.
        binding: What became of the owner's key; None where it stayed.
        revision: Of the commit.
        account: What it claimed; None where it claimed nothing.
    """
    generation = new.commit.generation
    return Seen(
        record=generation.record,
        digest=generation.digest,
        revision=revision,
        head=new.head,
        number=new.number,
        chunks=tuple(new.record.chunks),
        is_owner_bound=seen.is_owner_bound if binding is None else bool(binding.lease),
        account=seen.account if account is None else account,
    )


def is_commit(value: wire.KeyValue | None, new: Written) -> bool:
    """Tell whether a journal line is that of a commit."""
    if value is None:
        return False
    mark = mark_of(value.value)
    generation = new.commit.generation
    return (mark.attempt, mark.result) == (generation.record.attempt, generation.digest)


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
    head, counter = found.get(keys.head), found.get(keys.counter)
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
        is_owner_bound=keys.owner in found,
        account=found[keys.account].value if keys.account in found else None,
    )


def repairs_in(found: Mapping[bytes, wire.KeyValue], keys: Keys) -> int:
    """Return how often a repair has begun this history anew."""
    stored = found.get(keys.repairs)
    return msgspec.json.decode(stored.value, type=Repairs).count if stored is not None else 0


def line_of(data: bytes) -> Line:
    """Return a journal line from its bytes."""
    return decode_open(data, Line)


def _writing(keys: Keys, new: Written) -> list[wire.Operation]:
    return [
        wire.put(keys.record, new.record.value),
        wire.put(keys.head, new.head),
        wire.put(keys.counter, b"%d" % new.number),
        wire.put(keys.line(new.number), new.line.value),
    ]


def _bound(keys: Keys, binding: Binding) -> wire.Operation:
    if binding.owner is None or not binding.lease:
        return wire.delete(keys.owner)
    return wire.put(keys.owner, msgspec.json.encode(binding.owner), lease=binding.lease)


assert 2 * CHUNKS_MAX + 16 <= wire.STEPS_MAX, "the new chunks, the old ones, and the rest"
