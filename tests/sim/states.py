"""The states of a small configuration, and what must hold in each of them.

Owns the values that an enumeration walks over and its guarantees. Which step leads from one to
the next is in `steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from typing_extensions import override

from state.record import Delivery, Phase, Record

if TYPE_CHECKING:
    from collections.abc import Iterator


class Config(NamedTuple):
    """One small configuration.

    Attributes:
        slots: For each worker its release, and whether it is the candidate of a deploy.
        cycles: How many cycles there are.
        bake: Clean cycles of a bake.
        crashes: How many processes are killed, overdue owners included.
        starts: How many are started again; -1 as many as died, and then all cycles must be
            settled in the end from wherever it came to.
        lost: How many answers of the store are lost after the write landed.
        bad: How many cycles of the new release are bad.
        refuses: The venue refuses a second effect with the same id.
        enforces: The venue refuses an effect after its `not_after`.
        leases: How many owners are replaced without a proof of their death.
        stops: How many owners are stopped in the ordinary way.
        promotes: How often an operator says that a bake has lasted long enough.
        poison: A cycle that kills whoever decides or performs it, and which of both.
        delivery: What an unknown outcome of the effects allows.
    """

    slots: tuple[tuple[int, bool], ...]
    cycles: int = 2
    bake: int = 1
    crashes: int = 1
    starts: int = 1
    lost: int = 0
    bad: int = 0
    refuses: bool = False
    enforces: bool = False
    leases: int = 0
    stops: int = 0
    promotes: int = 0
    poison: tuple[int, str] = (0, "")
    delivery: Delivery = Delivery.BY_ID

    @override
    def __str__(self) -> str:
        """Name what is in it."""
        workers = "+".join(f"r{release}{'!' * new}" for release, new in self.slots)
        parts = [workers, f"{self.cycles} cycles", f"bake {self.bake}", f"{self.crashes} crashes"]
        parts += [f"{self.starts} starts", f"{self.lost} lost", f"{self.bad} bad"]
        parts += [f"{self.leases} leases"] * (self.leases > 0)
        parts += [f"{self.stops} stops"] * (self.stops > 0)
        parts += [f"{self.promotes} promotions"] * (self.promotes > 0)
        parts += ["poison to {1} {0}".format(*self.poison)] * (self.poison[0] > 0)
        parts += [self.delivery.value] * (self.delivery is not Delivery.BY_ID)
        parts += ["refuses duplicates" if self.refuses else "answers by id"]
        return ", ".join(parts) + ", enforces not_after" * self.enforces


class Local(NamedTuple):
    """What one worker is and knows.

    Attributes:
        life: Which incarnation it is; a new process is a new worker.
        release: The release that it runs.
        candidate: It waits to take.
        seen: Its evidence, as the fields of `Evidence` with the owner's name, and its proof.
        epoch: The epoch that it owns, as it believes; 0 where it follows.
        cycle: The cycle that it performs; 0 between cycles.
        fresh: It planned the effect of that cycle itself.
        sends: How often it sent that effect.
        verdicts: What it found out about effects.
        marked: Effects that were unproven when it came to own.
        spent: The step before it cost its limit of owners.
        settled: It has settled a cycle itself.
    """

    life: int
    release: int
    candidate: bool
    alive: bool = True
    seen: tuple[int, str, int, str, str] | None = None
    epoch: int = 0
    cycle: int = 0
    fresh: bool = False
    sends: int = 0
    verdicts: tuple[tuple[str, str], ...] = ()
    marked: tuple[str, ...] = ()
    spent: bool = False
    settled: bool = False


class Budget(NamedTuple):
    """What may still go wrong; a negative number never ends."""

    crashes: int
    starts: int
    lost: int
    bad: int
    leases: int
    stops: int
    promotes: int = 0


class State(NamedTuple):
    """One state of everything.

    Attributes:
        record: The record, encoded; what it means is kept beside.
        locals: The workers.
        flying: Requests under way, by effect.
        executed: For each cycle's effect how often it was executed.
        final: Effects with a receipt, and which.
        decided: Cycles that were decided.
        handed: Receipts that a decision was handed.
        late: Effects whose `not_after` passed at the venue.
        cost: Owners of the owning release that were replaced since the last progress.
        due: The boundary of the next step has passed.
        shown: The bake that an operator looks at: its release and epoch; None where none is.
        promoted: That operator's word landed on the bake under way.
        clean: Clean cycles of that bake.
        budget: What may still go wrong.
    """

    record: bytes
    locals: tuple[Local, ...]
    flying: tuple[str, ...] = ()
    executed: tuple[str, ...] = ()
    final: tuple[tuple[str, str], ...] = ()
    decided: tuple[int, ...] = ()
    handed: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    cost: int = 0
    due: bool = False
    shown: tuple[str, int] | None = None
    promoted: bool = False
    clean: int = 0
    budget: Budget = Budget(0, 0, 0, 0, 0, 0)


class Broken(Exception):
    """A guarantee does not hold in a state that can be reached."""


def broken_in(state: State, record: Record) -> Iterator[str]:
    """Yield the guarantees that do not hold in a state."""
    yield from _broken_effects(state, record)
    yield from _broken_shape(record, max(state.decided, default=0))


def effect_name(cycle: int, delivery: Delivery) -> str:
    """Name the one effect of a cycle."""
    return str(cycle) if delivery is Delivery.BY_ID else f"{cycle} {delivery.value}"


def _broken_effects(state: State, record: Record) -> Iterator[str]:
    twice = {name for name in state.executed if state.executed.count(name) > 1}
    known = [each.effect_id for each in record.outbox] + [name for name, _ in state.final]
    lost = [cycle for cycle in state.decided if str(cycle) not in {each[:1] for each in known}]
    if lost:
        yield f"the effects of cycles {lost} are forgotten"
    for effect in record.outbox if record.progress.phase is Phase.SETTLED else ():
        if effect.delivery is Delivery.AT_MOST_ONCE:
            yield f"{effect.effect_id} is carried, and nobody can ask about it"
    if twice:
        yield f"effects {sorted(twice)} are executed twice"
    for name, verdict in state.final:
        if verdict == "expired" and name in state.executed:
            yield f"effect {name} is written off although it was executed"
    names = [name for name, _ in state.final]
    if len(names) != len(set(names)):
        yield "an effect has two receipts"


def _broken_shape(record: Record, decided: int) -> Iterator[str]:
    held, body = record.ownership, msgspec.json.decode(record.body)
    if (record.rollout is None) != (held.previous is None):
        yield "a bake and the way back do not go together"
    if record.fallback is not None and record.rollout is None:
        yield "a fallback is left although nobody can come back"
    if held.owner is not None and int(held.owner.release) < body["v"]:
        yield f"r{held.owner.release} owns a body of version {body['v']}"
    if body["n"] != decided:
        yield f"the body of cycle {body['n']} came back at cycle {record.progress.cycle}"
    if held.previous is not None:
        back = msgspec.json.decode(record.fallback.body) if record.fallback else body
        if int(held.previous.release) < back["v"] or back["n"] != decided:
            yield f"r{held.previous.release} could not come back"


def is_done(record: Record, cycles: int) -> bool:
    """Tell whether every cycle is settled; what is doubtful may be carried on."""
    return record.progress.cycle == cycles and record.progress.phase is Phase.SETTLED


def is_stuck(state: State, record: Record, cycles: int) -> bool:
    """Tell whether nothing is left to do although something is due."""
    somebody = any(local.alive for local in state.locals)
    due = record.progress.cycle < cycles or record.progress.phase is Phase.DECIDED
    return somebody and due and _has_part(state, record)


def _has_part(state: State, record: Record) -> bool:
    """Somebody alive runs the release that owns, or may come back."""
    held = record.ownership
    owning = held.owner or held.last_owner
    known = {each.release for each in (owning, held.previous) if each is not None}
    return any(local.alive and str(local.release) in known for local in state.locals)
