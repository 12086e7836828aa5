"""The one record: who owns the timeline, how far it got, what is pending, the body.

Owns the shape of the document, its digest and its format number. Which change is
allowed when is in `transitions`; where the bytes live is a store's matter. No file,
clock or lock enters here.

Compatibility: a field is only ever added, with a default, as `LATER` says, and never changes
type; an enumeration gets no new value, because an older release reads one as damage. Fields that
this code does not know survive a rewrite (`open_struct`).
"""

from __future__ import annotations

import enum
from typing import ClassVar, Final

import msgspec

from state.errors import RecordDamaged, RecordForeign
from state.open_struct import OpenStruct, decode_open, encode_open
from state.seal import SealBroken, digest_of, seal, unseal

FORMAT: Final = 1
MISSED_KEPT_MAX: Final = 64  # recent missed cycles in the record; the journal has them all
MARKS_MAX: Final = 64  # words of an operator to the application
EMPTY_BODY: Final = b"null"


class Phase(enum.Enum):
    """How far the newest cycle got."""

    DECIDED = "decided"  # committed with its effects; some may not be final
    SETTLED = "settled"  # nothing of it is pending but doubtful effects


class Delivery(enum.Enum):
    """What an unknown outcome of an effect allows."""

    BY_ID = "by_id"  # ask by id; the same effect may be sent again once proven absent
    AT_MOST_ONCE = "at_most_once"  # never sent again, whatever became of it
    AT_LEAST_ONCE = "at_least_once"  # sent again until an answer came


class Fate(enum.Enum):
    """What is known of a pending effect."""

    PLANNED = "planned"  # not known to have been attempted
    DOUBTFUL = "doubtful"  # perhaps attempted, outcome unknown: what is allowed is in `absence`


class Outcome(enum.Enum):
    """How an effect ended, as the next decision sees it."""

    CONFIRMED = "confirmed"  # the outside world executed it
    REFUSED = "refused"  # the outside world refused it; it never executed
    EXPIRED = "expired"  # proven never executed, and too late now
    UNKNOWN = "unknown"  # it may have executed, and nobody will find out any more


class Timeline(OpenStruct, frozen=True, kw_only=True):
    """How wall-clock time maps to the application's time.

    Attributes:
        origin_ns: Wall-clock instant, nanoseconds UTC, at which both clocks agree.
        speed: Application seconds per wall-clock second, at least 1.
    """

    origin_ns: int = 0
    speed: int = 1


class Cadence(OpenStruct, frozen=True, kw_only=True):
    """Which cycle number begins when: part of what a number in this record means.

    Attributes:
        period_ns: Length of a cycle in application time, nanoseconds, above 0.
        offset_ns: Application time of the boundary of cycle 0, nanoseconds.
    """

    period_ns: int
    offset_ns: int = 0


class WorkerId(OpenStruct, frozen=True, kw_only=True):
    """One worker process, told apart from every other that ever lived.

    A process is pid, start ticks, boot id and pid namespace together; a pid alone is
    reused. `worker` is a random name for humans and logs.

    Attributes:
        machine: The host's machine id, or an empty string where it has none.
        lock: Inode of the lock that it holds for as long as it lives; 0 where it has none.
    """

    LATER: ClassVar = ("machine", "lock")
    worker: str
    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_ticks: int
    release: str
    machine: str = ""
    lock: int = 0


class Ownership(OpenStruct, frozen=True, kw_only=True):
    """Who may write cycles.

    Attributes:
        epoch: Rises by one at each change of owner: the fencing token.
        owner: The worker that may write, or None between owners.
        last_owner: The newest owner that there was; None before the first.
        since_cycle: First cycle that this epoch may decide.
        previous: During a bake, the owner before it: the warm way back.
    """

    epoch: int = 0
    owner: WorkerId | None = None
    last_owner: WorkerId | None = None
    since_cycle: int = 0
    previous: WorkerId | None = None

    @property
    def newest(self) -> WorkerId | None:
        """The owner, or between owners the last one; None before the first."""
        return self.owner or self.last_owner

    @property
    def release(self) -> str:
        """The release of the newest owner, or an empty string."""
        newest = self.newest
        return newest.release if newest is not None else ""


class Missed(OpenStruct, frozen=True, kw_only=True):
    """A cycle that the catch-up policy gave up, and why."""

    cycle: int
    reason: str


class Progress(OpenStruct, frozen=True, kw_only=True):
    """The newest cycle, how far it got, and the release that decided it.

    Attributes:
        attempts: How many owners of the owning release the next step of this progress has cost.
    """

    LATER: ClassVar = ("attempts",)
    cycle: int
    phase: Phase = Phase.SETTLED
    release: str = ""
    missed: tuple[Missed, ...] = ()
    attempts: int = 0


class SchemaId(OpenStruct, frozen=True, kw_only=True):
    """Which schema some stored JSON follows.

    Attributes:
        name: The application's name for it.
        version: Rises with every change of shape, from 1.
        fingerprint: Digest of the shape, so that a change without a new version shows.
    """

    name: str
    version: int
    fingerprint: str


class Effect(OpenStruct, frozen=True, kw_only=True):
    """Something to be done outside, planned by a decision.

    Attributes:
        effect_id: Deterministic: the same decision on the same inputs gives the same id.
        kind: Which of the application's effects it is.
        payload: JSON that the application needs to perform it, all of it.
        schema_version: Version of the payload's schema.
        delivery: What an unknown outcome allows.
        lane: Effects of one lane run one after another, lanes run side by side.
        after: Id of an effect that must be final first, or an empty string.
        not_after_ns: Wall-clock UTC instant after which it must not be sent, or None.
        cycle: The cycle that planned it.
        fate: What is known of it.
        unproven: An owner that may still send it was replaced without proof of its death.
    """

    LATER: ClassVar = ("unproven",)
    effect_id: str
    kind: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    schema_version: int = 1
    delivery: Delivery = Delivery.BY_ID
    lane: str = ""
    after: str = ""
    not_after_ns: int | None = None
    cycle: int = 0
    fate: Fate = Fate.PLANNED
    unproven: bool = False


class Receipt(OpenStruct, frozen=True, kw_only=True):
    """How an effect ended; handed to the next decision once."""

    effect_id: str
    kind: str
    outcome: Outcome
    payload: msgspec.Raw = msgspec.Raw(b"null")
    schema_version: int = 1
    reason: str = ""


class Control(OpenStruct, frozen=True, kw_only=True):
    """What an operator asked for; it survives restarts and deploys.

    Attributes:
        paused: The application takes on nothing new.
        halted: No effect at all is planned or sent; nothing is closed either.
        by: Who asked last.
        at_ns: When, nanoseconds UTC.
        note: Why, in the operator's words.
        marks: Words to the application alone, at most `MARKS_MAX`: what was asked, and when,
            nanoseconds UTC; each later than all before it.
    """

    LATER: ClassVar = ("marks",)
    paused: bool = False
    halted: bool = False
    by: str = ""
    at_ns: int = 0
    note: str = ""
    marks: dict[str, int] = msgspec.field(default_factory=dict)


class Rollout(OpenStruct, frozen=True, kw_only=True):
    """A bake under way: `clean_cycles` of `of` are done."""

    deploy_id: str
    clean_cycles: int = 0
    of: int = 0


class Fallback(OpenStruct, frozen=True, kw_only=True):
    """The body in the shape that the previous release reads."""

    schema: SchemaId
    body: msgspec.Raw


class Record(OpenStruct, frozen=True, kw_only=True):
    """Everything durable that decides anything.

    Attributes:
        format: Version of this document's own shape.
        app: Name of the application; a record of another app is refused.
        timeline: Part of the record's identity: another one is refused.
        attempt: Id of the write that produced this generation.
        outbox: Effects planned and not yet final.
        receipts: Outcomes waiting for the next decision.
        schema: Schema of `body`; None before the first decision.
        body: The application's own state, raw JSON.
        cadence: What its cycle numbers mean; None where no owner has said it yet.
    """

    LATER: ClassVar = ("cadence",)
    format: int = FORMAT
    app: str
    timeline: Timeline = Timeline()
    attempt: str = ""
    ownership: Ownership = Ownership()
    progress: Progress
    outbox: tuple[Effect, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    control: Control = Control()
    rollout: Rollout | None = None
    schema: SchemaId | None = None
    fallback: Fallback | None = None
    body: msgspec.Raw = msgspec.Raw(EMPTY_BODY)
    cadence: Cadence | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker saw when it decided to become owner."""

    epoch: int
    owner: WorkerId | None
    cycle: int
    phase: Phase


def evidence_of(record: Record) -> Evidence:
    """Return what `take` and `seize` compare against the record they meet."""
    return Evidence(
        epoch=record.ownership.epoch,
        owner=record.ownership.owner,
        cycle=record.progress.cycle,
        phase=record.progress.phase,
    )


def encode_record(record: Record) -> tuple[bytes, str]:
    """Return the sealed document and its digest."""
    return seal(encode_open(record), field="digest")


def decode_record(data: bytes, *, where: str) -> tuple[Record, str]:
    """Read a sealed document.

    Args:
        data: The bytes of a record file.
        where: What to call them in an error.

    Returns:
        The record and its digest.

    Raises:
        RecordDamaged: The bytes are not what was written.
        RecordForeign: A newer format wrote them.
    """
    try:
        document, digest = unseal(data, field="digest")
        _check_format(document)
        return decode_open(document, Record), digest
    except (SealBroken, msgspec.DecodeError) as error:
        raise RecordDamaged(where, str(error)) from error


class _Format(msgspec.Struct):
    format: int = 0


def _check_format(document: bytes) -> None:
    # Read on its own and first: a newer format may have changed every other field.
    version = msgspec.json.decode(document, type=_Format).format
    if version > FORMAT:
        raise RecordForeign(field="format", found=str(version), expected=f"at most {FORMAT}")


def check_identity(record: Record, *, app: str, timeline: Timeline) -> None:
    """Refuse a record of another application or timeline.

    Raises:
        RecordForeign: The record belongs elsewhere.
    """
    if record.app != app:
        raise RecordForeign(field="app", found=record.app, expected=app)
    if record.timeline.speed != timeline.speed:
        found, expected = str(record.timeline.speed), str(timeline.speed)
        raise RecordForeign(field="timeline speed", found=found, expected=expected)
    if record.timeline.origin_ns != timeline.origin_ns:
        found, expected = str(record.timeline.origin_ns), str(timeline.origin_ns)
        raise RecordForeign(field="timeline origin", found=found, expected=expected)


def header_of(record: Record) -> Record:
    """Return the record without its bodies: what a journal line carries of it."""
    bare = msgspec.Raw(EMPTY_BODY)
    fallback = record.fallback
    if fallback is not None:
        fallback = msgspec.structs.replace(fallback, body=bare)
    return msgspec.structs.replace(record, body=bare, fallback=fallback)


def body_digest(record: Record) -> str:
    """Return the digest of the body's bytes."""
    return digest_of(bytes(record.body))
