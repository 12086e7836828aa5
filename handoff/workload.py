"""What an application implements, and the values that pass between it and the engine.

Owns the contract. The first five members are mandatory, the rest have defaults.
`decide` is pure: it gets everything through its arguments and returns everything in its
result, so the same code serves live, paper, backtest, replay, shadow and verification.
No process, file, clock or ownership rule enters here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from state.journal_frames import Health
from state.record import Control, Delivery, Effect, Outcome, Receipt, Timeline
from state.schema import require_finite

if TYPE_CHECKING:
    from handoff.cadence import Cadence
    from state.schema import Schema

BodyT = TypeVar("BodyT")
InputsT = TypeVar("InputsT")
PayloadT = TypeVar("PayloadT")


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle as the application sees it; all of it is recorded or derived.

    Attributes:
        number: The cycle's number.
        now_ns: Application time of its boundary, nanoseconds UTC; stands in for a clock.
        seed: 64 bits; stands in for randomness.
        control: What the operator asked for (paused, halted).
        epoch: Epoch of the owner that decides it.
        release: Release of the owner that decides it.
    """

    number: int
    now_ns: int
    seed: int
    control: Control = Control()
    epoch: int = 0
    release: str = ""


class Unavailable(msgspec.Struct, frozen=True):
    """The outside world gave no inputs; the cycle is decided without them.

    It counts neither for nor against a release that bakes.
    """

    reason: str


class Decision(msgspec.Struct, Generic[BodyT], frozen=True, kw_only=True):
    """What a cycle decided: the body from now on, and the effects it wants."""

    body: BodyT
    effects: Sequence[Effect] = ()


class TwiceDecided(msgspec.Struct, Generic[InputsT], frozen=True, kw_only=True):
    """A recorded cycle as it was decided, and as this code decides it on the same facts.

    Attributes:
        cycle: The cycle.
        inputs: What was observed, as it was recorded.
        decided: The effects that were decided.
        wanted: The effects that this code wants.
    """

    cycle: Cycle
    inputs: InputsT | Unavailable
    decided: Sequence[Effect]
    wanted: Sequence[Effect]


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """What wanting other effects would have come to, as far as the record tells.

    It passes between releases: a member that is added has a default.

    Attributes:
        of: What is counted, in the plural, e.g. "messages".
        more: Wanted now and not decided then.
        fewer: Decided then and not wanted now.
        changed: Wanted both times, not alike.
        amount_micro: What these would have earned above what was decided, in millionths of
            the unit: whole, so that a sum is exact. Only what could be judged is in it.
        unit: Of the amount, e.g. "EUR"; empty where there is none.
        basis: What the amount assumes, e.g. "at list prices".
        unended: Of those counted, how many cannot be judged yet: the record ends before them.
        unjudged: How many cannot be judged for another reason.
    """

    of: str = "effects"
    more: int = 0
    fewer: int = 0
    changed: int = 0
    amount_micro: int = 0
    unit: str = ""
    basis: str = ""
    unended: int = 0
    unjudged: int = 0

    @property
    def judged(self) -> int:
        """How many of those counted are in the amount."""
        return self.more + self.fewer + self.changed - self.unended - self.unjudged


class Ready(msgspec.Struct, frozen=True):
    """The follower could run the next cycle: its streams and caches cover it."""


class NotReady(msgspec.Struct, frozen=True):
    """The follower could not run the next cycle yet."""

    reason: str


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the outside world agrees with the body; differences keep a worker out."""

    differences: tuple[str, ...] = ()


class Pending(msgspec.Struct, frozen=True):
    """The effect was accepted; its outcome is asked for in a later cycle."""

    reason: str = ""


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """The outside world never saw the effect.

    Attributes:
        enforced: The other side itself refuses the effect from now on (`not_after` passed
            there), so that absence is final even if a request is still under way.
        repeatable: The other side refuses a second effect with this id, so that sending it
            again is safe even if a request is still under way.
    """

    enforced: bool = False
    repeatable: bool = False


class Unknown(msgspec.Struct, frozen=True):
    """The outside world could not be asked, or gave no clear answer."""

    reason: str = ""


class Violation(msgspec.Struct, frozen=True):
    """A body that must not be: it is never committed."""

    reason: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What an application's factory is told about where it runs.

    Attributes:
        app: Name of the application, as in the record.
        release: Id of this release.
        tree: Absolute path of the release's own, immutable code tree.
        home: Absolute path of the state directory; read it, never write it.
        timeline: How wall-clock time maps to application time.
    """

    app: str
    release: str
    tree: str
    home: str
    timeline: Timeline


class Workload(Generic[BodyT, InputsT]):
    """Base class of an application; one instance lives in one worker."""

    body: Schema[BodyT]
    inputs: Schema[InputsT]
    cadence: Cadence
    effect_kinds: ClassVar[Mapping[str, Schema[Any]]] = {}
    # What the outside world's failures look like here, beside OSError and TimeoutError, in
    # `observe`, `perform`, `resolve`, `reconcile` and `warm`; any other exception is a fault.
    outside: ClassVar[tuple[type[Exception], ...]] = ()
    # False where reading uses up what is read (a queue, a mailbox): nobody observes beside the
    # owner then, so that a release that sees nothing is noticed by its bake's limit alone.
    observe_twice: ClassVar[bool] = True

    async def observe(self, cycle: Cycle, body: BodyT) -> InputsT | Unavailable:
        """Return all input of a cycle; the engine records it and bounds its time."""
        raise NotImplementedError

    async def observe_beside(self, cycle: Cycle, body: BodyT) -> InputsT | Unavailable:
        """Return the same beside the owner, to be compared only: the cycle is not ours.

        A candidate before its take and the previous release in a bake are asked so. Where the
        outside world counts requests, it may ask for less; what it counts then, `health` says.
        """
        return await self.observe(cycle, body)

    def decide(
        self,
        cycle: Cycle,
        body: BodyT,
        inputs: InputsT | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[BodyT]:
        """Return the next body and the effects wanted. Pure."""
        raise NotImplementedError

    async def warm(self, body: BodyT) -> None:
        """Open connections, load rules and caches; raise to refuse the release."""

    async def follow(self, cycle: Cycle, body: BodyT) -> Ready | NotReady:
        """Say, once per committed cycle, whether this worker could run the next one."""
        return Ready()

    async def reconcile(self, body: BodyT, pending: Sequence[Effect]) -> Reconciliation:
        """Compare the body with the outside world, read-only."""
        return Reconciliation()

    async def perform(self, effect: Effect) -> Receipt | Pending:
        """Do the effect. Any exception means that the outcome is unknown, never refused."""
        raise NotImplementedError

    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        """Ask the outside world what became of an effect."""
        return Unknown("this application cannot ask")

    def invariants(self, body: BodyT) -> Sequence[Violation]:
        """Return what is wrong with a body; a body with violations is never committed."""
        return ()

    def health(self, inputs: InputsT | Unavailable) -> Health:
        """Return how much of what a cycle asked for was answered. Pure.

        By default it is all or nothing. 0 of 0 is full health: nothing was due.
        """
        return Health(asked=1, answered=0 if isinstance(inputs, Unavailable) else 1)

    def appraise(self, body: BodyT, cycles: Iterable[TwiceDecided[InputsT]]) -> Appraisal | str:
        """Return what deciding otherwise would have come to. Pure; a replay asks for it.

        Args:
            body: As it was before the first of the cycles.
            cycles: Recorded ones, oldest first, from the first that this code decides otherwise
                on. Each was decided from the recorded body before it, not from the body that
                this code's own earlier decisions would have led to.

        Returns:
            Numbers, or words in their place; no words say that it cannot tell.
        """
        return ""

    async def close(self) -> None:
        """Give back connections."""


def effect(
    kind: str,
    *,
    effect_id: str,
    payload: object,
    delivery: Delivery = Delivery.BY_ID,
    lane: str = "",
    after: str = "",
    not_after_ns: int | None = None,
    schema_version: int = 1,
) -> Effect:
    """Return a planned effect whose payload is encoded as JSON.

    Args:
        kind: Which effect it is; `perform` tells them apart by it.
        effect_id: Deterministic id, unique for ever within the application.
        payload: Everything needed to perform it again, identically.
        delivery: What an unknown outcome allows.
        lane: Effects of one lane run in order; by default each effect has its own.
        after: Id of an effect that must be final first.
        not_after_ns: Wall-clock UTC nanoseconds after which it must not be sent.
        schema_version: Version of the payload's schema.

    Raises:
        ValueUnstorable: A number of the payload is not finite.
    """
    return Effect(
        effect_id=effect_id,
        kind=kind,
        payload=_payload(payload),
        delivery=delivery,
        lane=lane or effect_id,
        after=after,
        not_after_ns=not_after_ns,
        schema_version=schema_version,
    )


def receipt(
    effect: Effect, outcome: Outcome, *, payload: object = None, reason: str = ""
) -> Receipt:
    """Return how an effect ended, with what the application wants to know of it.

    Raises:
        ValueUnstorable: A number of the payload is not finite.
    """
    return Receipt(
        effect_id=effect.effect_id,
        kind=effect.kind,
        outcome=outcome,
        payload=_payload(payload),
        reason=reason,
    )


def _payload(value: object) -> msgspec.Raw:
    data = msgspec.json.encode(value)
    # msgspec writes NaN and infinity as null, which nobody could ever perform or understand.
    if b"null" in data:
        require_finite(value, "payload")
    return msgspec.Raw(data)


def is_json(raw: object) -> bool:
    """Tell whether this is raw JSON: anything else would make the record unreadable."""
    if not isinstance(raw, msgspec.Raw):
        return False  # bytes would be written as the text of their base64
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def payload_of(source: Effect | Receipt, kind: type[PayloadT]) -> PayloadT:
    """Decode the payload of an effect or a receipt.

    Raises:
        msgspec.ValidationError: It is not of this type.
    """
    return msgspec.json.decode(source.payload, type=kind)
