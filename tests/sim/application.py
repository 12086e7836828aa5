"""The application of the simulation: bodies that form a chain, effects, releases with faults.

Each decision links its body to the body before it, so that a body which is older than what was
committed shows. Release 1 writes schema version 1; others write version 1 or 2, some with a
fault that shows when they decide.
"""

from __future__ import annotations

import enum
import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from typing_extensions import override

from handoff.cadence import Cadence
from handoff.limits import NS
from handoff.workload import (
    Absent,
    Cycle,
    Decision,
    NotReady,
    Pending,
    Ready,
    Unavailable,
    Unknown,
    Violation,
    Workload,
    effect,
    receipt,
)
from state.record import Delivery, Effect, Outcome, Receipt
from state.schema import Schema

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Sequence

    from state.journal_frames import Health
    from tests.sim.clockwork import Process
    from tests.sim.faults import Faults
    from tests.sim.venue import Venue

CHAIN_START: Final = "start"


class Fault(enum.Enum):
    """What is wrong with a release."""

    NONE = "none"
    RAISES = "raises"  # decide raises
    VIOLATES = "violates"  # decide returns a body that must not be
    OBSERVE = "observe"  # observe raises what is no failure of the outside world
    SLOW = "slow"  # decide takes longer than its budget
    DIES = "dies"  # the process dies while it decides
    HANGS = "hangs"  # the process never returns from decide
    COLD = "cold"  # it cannot warm up
    BLIND = "blind"  # it takes its own mistake for the outside world's
    OVERLONG = "overlong"  # its cycles take longer than the period
    NO_WAY_BACK = "no_way_back"  # its step down fails on the body that it makes


class Release(NamedTuple):
    """One release: its name, the version of its body's schema, what is wrong with it."""

    name: str
    version: int
    fault: Fault


class Inputs(msgspec.Struct, frozen=True):
    """What a cycle observes."""

    number: int


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """Version 1 of the body: the chain, and the receipts that the last decision was handed."""

    cycle: int = -1
    chain: str = CHAIN_START
    before: str = ""
    handed: tuple[str, ...] = ()
    version: int = 1


class Body2(msgspec.Struct, frozen=True, kw_only=True):
    """Version 2 of the body: one member has another name, one is new."""

    cycle: int = -1
    link: str = CHAIN_START
    before: str = ""
    handed: tuple[str, ...] = ()
    version: int = 2
    broken: bool = False


AnyBody = Body | Body2


def _up(plain: dict[str, Any]) -> dict[str, Any]:
    plain["link"] = plain.pop("chain")
    return plain | {"version": 2}


def _down(plain: dict[str, Any]) -> dict[str, Any]:
    if plain.pop("broken"):
        message = "this body has no shape that the release before it reads"
        raise ValueError(message)
    plain["chain"] = plain.pop("link")
    return plain | {"version": 1}


SCHEMAS: Final[dict[int, Schema[Any]]] = {
    1: Schema("sim.body", 1, Body),
    2: Schema("sim.body", 2, Body2, up={1: _up}, down={2: _down}),
}
INPUTS: Final = Schema("sim.inputs", 1, Inputs)


def chain_of(body: AnyBody) -> str:
    """Return the link that the next decision continues."""
    return body.link if isinstance(body, Body2) else body.chain


class Place(enum.Enum):
    """Where a poisoned cycle ends the process that comes to it."""

    OBSERVE = "observe"
    DECIDE = "decide"
    PERFORM = "perform"
    RESOLVE = "resolve"


class Poison(NamedTuple):
    """A cycle that no owner survives, whatever its release.

    Attributes:
        cycle: Its number.
        place: What of it kills; doing something outside kills while there is trouble only.
    """

    cycle: int
    place: Place


def draw_poison(rng: random.Random, first_cycle: int, cycles_max: int) -> Poison:
    """Draw one of the cycles to come, and what of it kills."""
    return Poison(first_cycle + rng.randrange(2, cycles_max), rng.choice(list(Place)))


class Traits(NamedTuple):
    """What the application does in one simulation.

    Attributes:
        period_ns: Length of a cycle, application time.
        catch_up_ns: The catch-up limit, or None.
        effects_max: Effects of a decision at most.
        orders_alone: Every effect is of the ordinary kind, delivered by id, in a lane of its own.
        bounded: Effects have a time after which they must not be sent.
        poison: A cycle that no owner survives, or None.
    """

    period_ns: int
    catch_up_ns: int | None
    effects_max: int
    orders_alone: bool
    bounded: bool
    poison: Poison | None = None


class Application(Workload[AnyBody, Inputs]):
    """A workload in one simulated process."""

    inputs: Schema[Any] = INPUTS

    def __init__(
        self, release: Release, traits: Traits, *, process: Process, venue: Venue, faults: Faults
    ) -> None:
        self.body = SCHEMAS[release.version]  # each release has its own
        self.cadence = Cadence(period_ns=traits.period_ns, catch_up_ns=traits.catch_up_ns)
        self._release = release
        self._traits = traits
        self._process = process
        self._venue = venue
        self._faults = faults
        self._rng = process.clockwork.rng

    # --- inputs ----------------------------------------------------------------------

    @override
    async def warm(self, body: AnyBody) -> None:
        if self._release.fault is Fault.COLD:
            message = "it cannot warm up"
            raise RuntimeError(message)
        await self._wait(50, 1.0)

    @override
    async def follow(self, cycle: Cycle, body: AnyBody) -> Ready | NotReady:
        await self._wait(10, 0.5)
        return NotReady("by chance") if self._faults.strikes("inputs", 0.2) else Ready()

    @override
    async def observe(self, cycle: Cycle, body: AnyBody) -> Inputs | Unavailable:
        self._meet_poison(Place.OBSERVE, cycle.number)
        if self._release.fault is Fault.OBSERVE:
            message = "a fault of its own"
            raise ValueError(message)
        if self._release.fault is Fault.BLIND:
            message = "no such address"
            raise ConnectionRefusedError(message)
        if self._faults.strikes("inputs", 0.1):
            message = "no route to the feed"
            raise OSError(message)
        if self._faults.strikes("inputs", 0.05):
            return Unavailable("the feed says so")
        if self._release.fault is Fault.OVERLONG:
            await pause(self._process, self._traits.period_ns * 0.4 / NS)
        await self._wait(30, 4.0)
        return Inputs(self._rng.randrange(1000))

    @override
    def health(self, inputs: Inputs | Unavailable) -> Health:
        if self._release.fault is Fault.OVERLONG:
            self._process.clockwork.block(self._process, self._traits.period_ns * 2 // 5)
        return super().health(inputs)

    async def _wait(self, short_ms: float, long_s: float) -> None:
        seconds = self._rng.uniform(1, short_ms) / 1000
        if self._faults.strikes("slow", 0.1):
            seconds = self._rng.uniform(0, long_s)
        await pause(self._process, seconds)

    # --- the decision ----------------------------------------------------------------

    @override
    def decide(
        self,
        cycle: Cycle,
        body: AnyBody,
        inputs: Inputs | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[AnyBody]:
        self._meet_poison(Place.DECIDE, cycle.number)
        self._break()
        number = inputs.number if isinstance(inputs, Inputs) else -1
        handed = tuple(each.effect_id for each in receipts)
        text = f"{chain_of(body)} {cycle.number} {number} {handed}"
        link = hashlib.sha256(text.encode()).hexdigest()[:12]
        members: dict[str, Any] = {
            "cycle": cycle.number,
            "before": chain_of(body),
            "handed": handed,
        }
        after: AnyBody
        if self._release.version == 1:
            after = Body(chain=link, **members)
        else:
            broken = self._release.fault is Fault.NO_WAY_BACK
            after = Body2(link=link, broken=broken, **members)
        return Decision(body=after, effects=self._effects(cycle))

    def _meet_poison(self, place: Place, cycle: int) -> None:
        poison = self._traits.poison
        if poison is None or poison != (cycle, place):
            return
        if self._faults.on or place in {Place.OBSERVE, Place.DECIDE}:
            self._process.die()
            self._process.require_alive()

    def _break(self) -> None:
        process = self._process
        match self._release.fault:
            case Fault.RAISES:
                message = "a fault of its own"
                raise ZeroDivisionError(message)
            case Fault.SLOW:
                process.clockwork.block(process, self._traits.period_ns)
            case Fault.OVERLONG:
                process.clockwork.block(process, self._traits.period_ns * 2 // 5)
            case Fault.DIES:
                process.die()
                process.require_alive()
            case Fault.HANGS:
                process.hang()
            case _:
                return  # it shows elsewhere

    def _effects(self, cycle: Cycle) -> list[Effect]:
        if cycle.control.halted or cycle.control.paused:
            return []
        count = cycle.seed % (self._traits.effects_max + 1)
        return [self._effect(cycle, index) for index in range(count)]

    def _effect(self, cycle: Cycle, index: int) -> Effect:
        name = f"{cycle.number}-{index}"
        # Wall-clock time equals application time here except for the speed, which is 1.
        bound_ns = cycle.now_ns + self._traits.period_ns if self._traits.bounded else None
        if self._traits.orders_alone:
            return effect("order", effect_id=name, payload=index, not_after_ns=bound_ns)
        kinds = (Delivery.BY_ID, Delivery.BY_ID, Delivery.AT_MOST_ONCE, Delivery.AT_LEAST_ONCE)
        return effect(
            "order",
            effect_id=name,
            payload=index,
            not_after_ns=bound_ns,
            delivery=kinds[(cycle.seed // 7 + index) % 4],
            lane=("", "one lane")[cycle.seed // 5 % 2],
            after=f"{cycle.number}-{index - 1}" if index and cycle.seed // 11 % 3 == 0 else "",
        )

    @override
    def invariants(self, body: AnyBody) -> Sequence[Violation]:
        return [Violation("by design")] if self._release.fault is Fault.VIOLATES else []

    # --- effects ---------------------------------------------------------------------

    @override
    async def perform(self, effect: Effect) -> Receipt | Pending:
        self._meet_poison(Place.PERFORM, cycle_of_name(effect.effect_id))
        await self._wait(5, 3.0)  # before the request is on its way
        self._process.cross("send")
        answer = await self._venue.execute(self._process, effect)
        if answer == "pending":
            return Pending("it rests")
        return self._receipt(effect, executed=answer == "executed")

    @override
    async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
        self._meet_poison(Place.RESOLVE, cycle_of_name(effect.effect_id))
        await self._wait(5, 3.0)
        answer = await self._venue.query(self._process, effect)
        match answer:
            case "executed" | "refused":
                return self._receipt(effect, executed=answer == "executed")
            case "pending":
                return Unknown("it rests")
            case _:
                repeatable = self._venue.refuses_duplicates
                return Absent(enforced=answer == "too late", repeatable=repeatable)

    @staticmethod
    def _receipt(effect: Effect, *, executed: bool) -> Receipt:
        if executed:
            return receipt(effect, Outcome.CONFIRMED)
        return receipt(effect, Outcome.REFUSED, reason="the venue said no")


def cycle_of_name(effect_id: str) -> int:
    """Return the number of the cycle that planned an effect."""
    return int(effect_id.partition("-")[0])


async def pause(process: Process, seconds: float) -> None:
    """Wait on the process's own loop."""
    woken = process.loop.create_future()
    process.loop.call_later(seconds, _wake, woken)
    await woken


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
