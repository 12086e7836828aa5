"""What must hold after every write and at the end, told by the record, the journal and the venue.

Owns the guarantees as checks. Each returns what is broken, in words, or nothing; the first one
ends the simulation. They look at what was written and executed, never at what code meant to do.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from handoff.limits import CLOCK_DIFFERENCE_NS_MAX
from state.record import Delivery, Outcome, Phase, Receipt, Record, WorkerId
from tests.sim.application import CHAIN_START, SCHEMAS, AnyBody, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handoff.cadence import Schedule
    from tests.sim.application import Release

_EXECUTED = frozenset({Outcome.CONFIRMED})
_NEVER_EXECUTED = frozenset({Outcome.REFUSED, Outcome.EXPIRED})


class Facts(msgspec.Struct, kw_only=True):
    """What a write is judged against besides the record.

    Attributes:
        writer: Who wrote.
        kind: Name of the transition.
        replaced_pid: Whom the journal names as the owner that was replaced, if anybody.
        owner_alive: Whether the owner before this write lives.
        in_time: Whether the wall clock is before the next boundary, or before the end of the
            moment for which the owner steps aside.
        latest_ns: The latest time that the wall clock may honestly be taken for.
    """

    writer: WorkerId
    kind: str
    replaced_pid: object
    owner_alive: bool
    in_time: bool
    latest_ns: int


class Checkers:
    """Everything that was seen so far, and what it rules out.

    Args:
        record: The first record.
        releases: Every release, by name.
        schedule: When cycles begin, and when they are given up.
        executed: Says how often the venue executed an effect.
        lied: Says whether a proof of death was wrong; two workers may then have sent.
    """

    def __init__(
        self,
        record: Record,
        releases: dict[str, Release],
        schedule: Schedule,
        executed: Callable[[str], int],
        lied: Callable[[], bool],
    ) -> None:
        self.record = record
        self.decided: set[int] = set()
        self.planned: dict[str, Delivery] = {}
        self.receipts: dict[str, Receipt] = {}
        self.handed: Counter[str] = Counter()
        self._releases = releases
        self._schedule = schedule
        self._executed = executed
        self._lied = lied
        self._chain = CHAIN_START

    def written(self, after: Record, facts: Facts) -> str:
        """Return what the newest write breaks, or an empty string."""
        before, self.record = self.record, after
        checks = (self._ownership, self._bake, self._progress, self._effects, self._body)
        return next((broken for check in checks for broken in check(before, after, facts)), "")

    # --- ownership ---------------------------------------------------------------------

    def _ownership(self, before: Record, after: Record, facts: Facts) -> Iterator[str]:
        old, new = before.ownership, after.ownership
        if facts.kind in {"take", "seize"}:
            if new.epoch != old.epoch + 1 or new.owner != facts.writer:
                yield f"{facts.kind}: epoch {old.epoch} became {new.epoch}"
            if facts.replaced_pid != (old.owner.pid if old.owner else None):
                yield f"{facts.kind}: the journal names another owner than the one before"
            if facts.kind == "seize" and facts.owner_alive and not self._lied():
                yield "seized from an owner that lives"
            if facts.kind == "take" and before.progress.phase is not Phase.SETTLED:
                yield "a take with a cycle in hand: the owner before goes on performing it"
            if facts.kind == "take" and not facts.in_time:
                yield "a planned handoff came too late for its boundary"
            yield from self._successor(before, after)
            return
        if new.epoch != old.epoch:
            yield f"{facts.kind} changed the epoch from {old.epoch} to {new.epoch}"
        if facts.kind != "command" and old.owner != facts.writer:
            yield f"{facts.kind} by {facts.writer.worker}, which does not own"

    @staticmethod
    def _successor(before: Record, after: Record) -> Iterator[str]:
        """A release that never owned may own only with a way back."""
        held = before.ownership
        last, owner = held.owner or held.last_owner, after.ownership.owner
        if last is None or owner is None or before.schema is None:
            return
        known = {last.release} | ({held.previous.release} if held.previous else set())
        if owner.release not in known and before.rollout is not None:
            yield f"{owner.release} owns in the middle of another release's bake"

    @staticmethod
    def _bake(before: Record, after: Record, facts: Facts) -> Iterator[str]:
        """A bake ends by a settle, or by the return to the release before it."""
        old, new, held = before.rollout, after.rollout, before.ownership
        if old is None or new == old:
            return
        if new is not None:
            if facts.kind != "settle" or new != replace(old, clean_cycles=old.clean_cycles + 1):
                yield f"{facts.kind} made the bake {old} {new}"
        elif facts.kind in {"take", "seize"}:
            if held.previous is None or after.ownership.release != held.previous.release:
                yield f"{facts.kind} ended a bake, and nobody returned"
        elif facts.kind != "settle" or old.clean_cycles + 1 < old.of:
            yield f"{facts.kind} ended a bake at {old.clean_cycles} of {old.of}"

    # --- progress ----------------------------------------------------------------------

    def _progress(self, before: Record, after: Record, facts: Facts) -> Iterator[str]:
        old, new = before.progress, after.progress
        expected = {
            "decide": (Phase.SETTLED, old.cycle + 1, Phase.DECIDED),
            "settle": (Phase.DECIDED, old.cycle, Phase.SETTLED),
            "miss": (Phase.SETTLED, old.cycle + 1, Phase.SETTLED),
        }.get(facts.kind, (old.phase, old.cycle, old.phase))
        if (old.phase, new.cycle, new.phase) != expected:
            yield f"{facts.kind} led from {old.cycle} {old.phase} to {new.cycle} {new.phase}"
        if facts.kind == "decide":
            if new.cycle in self.decided:
                yield f"cycle {new.cycle} is decided twice"
            self.decided.add(new.cycle)
        latest_ns = facts.latest_ns + CLOCK_DIFFERENCE_NS_MAX
        if facts.kind == "decide" and latest_ns < self._schedule.boundary_ns(new.cycle):
            yield f"cycle {new.cycle} is decided before it begins"
        gave_up = facts.kind == "miss" and "catch-up" in new.missed[-1].reason
        if gave_up and not self._schedule.too_old(new.cycle, latest_ns):
            yield f"cycle {new.cycle} is given up before its time"
        if facts.kind == "miss" and new.missed[-1].cycle != new.cycle:
            yield f"cycle {new.cycle} is missed and not recorded"

    # --- effects -----------------------------------------------------------------------

    def _effects(self, before: Record, after: Record, _: Facts) -> Iterator[str]:
        old = {each.effect_id for each in before.outbox}
        new = {each.effect_id for each in after.outbox}
        for effect in after.outbox:
            if effect.effect_id not in old:
                if effect.effect_id in self.planned:
                    yield f"effect {effect.effect_id} is planned twice"
                self.planned[effect.effect_id] = effect.delivery
        known = {each.effect_id for each in before.receipts}
        fresh = [each for each in after.receipts if each.effect_id not in known]
        for receipt in fresh:
            if receipt.effect_id in self.receipts:
                yield f"effect {receipt.effect_id} has two receipts"
            self.receipts[receipt.effect_id] = receipt
        lost = old - new - {each.effect_id for each in fresh}
        if lost:
            yield f"effects {sorted(lost)} left the outbox without a receipt"
        yield from self.outcomes()

    def outcomes(self) -> Iterator[str]:
        """Yield what receipts and the venue disagree about."""
        if self._lied():
            return
        for name, delivery in self.planned.items():
            times = self._executed(name)
            if times > 1 and delivery is not Delivery.AT_LEAST_ONCE:
                yield f"effect {name} was executed {times} times"
            receipt = self.receipts.get(name)
            if receipt is None:
                continue
            if times and receipt.outcome in _NEVER_EXECUTED:
                yield f"effect {name} was written off ({receipt.reason}) although it was executed"
            if not times and receipt.outcome in _EXECUTED:
                yield f"effect {name} is confirmed although it was never executed"

    # --- the body ----------------------------------------------------------------------

    def _body(self, before: Record, after: Record, facts: Facts) -> Iterator[str]:
        owner = after.ownership.owner
        if after.schema is None:
            return
        if owner is not None and after.schema.version > self._releases[owner.release].version:
            yield f"{owner.release} owns a body of version {after.schema.version}"
        yield from self._change_of_body(before, after, facts)
        yield from self._way_back(after)

    def _change_of_body(self, before: Record, after: Record, facts: Facts) -> Iterator[str]:
        if after.body == before.body:
            return
        body: AnyBody = SCHEMAS[2].decode(after.body, after.schema)
        if facts.kind == "decide":
            if body.before != self._chain:
                yield f"cycle {body.cycle} was decided on an older body"
            self._chain = chain_of(body)
            self.handed.update(body.handed)
            twice = [name for name in body.handed if self.handed[name] > 1]
            if twice:
                yield f"receipts {twice} were handed over twice"
            if set(body.handed) != {each.effect_id for each in before.receipts}:
                yield f"cycle {body.cycle} was not handed the receipts that waited"
        elif chain_of(body) != self._chain:
            yield f"{facts.kind} brought back an older body"

    def _way_back(self, record: Record) -> Iterator[str]:
        previous = record.ownership.previous
        if (record.rollout is None) != (previous is None):
            yield "a bake and the way back do not go together"
        if record.rollout is None or previous is None or record.schema is None:
            return
        schema = record.fallback.schema if record.fallback else record.schema
        if schema.version > self._releases[previous.release].version:
            yield f"{previous.release} may come back and could not read the body"
        if record.fallback is not None:
            back: AnyBody = SCHEMAS[2].decode(record.fallback.body, record.fallback.schema)
            if chain_of(back) != self._chain and record.progress.cycle == back.cycle:
                yield "the fallback is another body"

    # --- the end -----------------------------------------------------------------------

    def unfinished(self) -> str:
        """Return what is not final although it should be, or an empty string."""
        record = self.record
        if record.progress.phase is not Phase.SETTLED:
            return f"cycle {record.progress.cycle} is in hand"
        if record.outbox:
            return f"{len(record.outbox)} effects are pending"
        waiting = {each.effect_id for each in record.receipts}
        missing = [name for name in self.planned if not self.handed[name] and name not in waiting]
        return f"receipts of {missing} were never handed over" if missing else ""
