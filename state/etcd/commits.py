"""What one commit writes, and the one transaction that it is.

Owns what a commit compares, writes and lets go, whole or in chunks, and what lies in etcd once it
has happened. What the keys are called, and what is read from them, is in `keys`.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from state.commit import Commit
from state.etcd import keys as plans
from state.etcd import wire
from state.etcd.keys import Chunks, Head, Keys, Owner, Pointer, Seen, mark_of
from state.open_struct import encode_open

CHUNK_LINES_KEPT: Final = plans.LINES_KEPT + 64  # a commit whose line was overtaken keeps its name
TOGETHER_BYTES_MAX: Final = 1 << 20  # etcd takes 1.5 MiB in one request, its envelope included
CHUNK_BYTES: Final = 1 << 20
CHUNKS_MAX: Final = 40  # of one commit; etcd takes 128 steps in one transaction
NO_CLAIM: Final = wire.Transaction()


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


def written(keys: Keys, commit: Commit, *, number: int, writing: str = "") -> Written:
    """Return the values of a commit: whole where they fit together, otherwise in chunks.

    Args:
        keys: The application's.
        commit: What is to be written.
        number: Of its line.
        writing: Tells it from every other writing of its attempt: one before it may arrive yet, and
            its chunks must not go with this one's lease.
    """
    record, attempt = commit.generation.record, commit.generation.record.attempt
    line = encode_open(replace(commit.line, seq=number))
    head = Head(epoch=record.ownership.epoch, attempt=attempt)
    whole = len(commit.data) + len(line) <= TOGETHER_BYTES_MAX

    def parcel(data: bytes, name: str) -> Parcel:
        if whole:
            return Parcel(value=data)
        stem = f"{number:012d}-{attempt}-{writing}-{name}"
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


def comes_to_own(new: Written, binding: Binding | None) -> bool:
    """Tell whether a commit makes somebody the owner."""
    return binding is not None and new.commit.generation.record.ownership.owner is not None


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
    if new.number > plans.LINES_KEPT:
        steps.append(wire.delete(keys.line(0), keys.line(new.number - plans.LINES_KEPT + 1)))
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


def binding_transaction(
    keys: Keys, seen: Seen, owner: Owner, *, lease: int, claim: wire.Transaction = NO_CLAIM
) -> wire.Transaction:
    """Return the transaction that binds the key of an owner whose lease is gone to a new one.

    Epoch and effects stay. It is refused once anybody wrote, or bound the key. The claim is that
    of who comes to own: while the key was away, the account could be forgotten.
    """
    compare = (wire.of_value(keys.head, seen.head), wire.at_revision(keys.owner, 0))
    step = _bound(keys, Binding(lease=lease, owner=owner))
    return wire.Transaction(
        compare=(*compare, *claim.compare),
        success=(step, *claim.success),
        failure=keys.reading(seen.number),
    )


def bound_anew(
    keys: Keys, seen: Seen, answer: wire.TransactionAnswer, *, lease: int
) -> Seen | None:
    """Return what lies in etcd once a binding has happened; None where it has not.

    Sent twice, the second finds what the first has bound.
    """
    there = answer.found().get(keys.owner)
    if not answer.succeeded and (there is None or there.lease != lease):
        return None
    return replace(seen, is_owner_bound=True, owner_lease=lease)


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
        owner_lease=seen.owner_lease if binding is None else binding.lease,
        account=seen.account if account is None else account,
    )


def is_commit(value: wire.KeyValue | None, new: Written) -> bool:
    """Tell whether a journal line is that of a commit."""
    if value is None:
        return False
    mark = mark_of(value.value)
    generation = new.commit.generation
    return (mark.attempt, mark.result) == (generation.record.attempt, generation.digest)


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
