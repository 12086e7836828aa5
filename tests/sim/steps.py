"""The steps of a small configuration: who may do what next, over the real transitions.

Owns a model of what a worker does beside the transitions: looking, seizing, deciding, sending,
asking. The simulation runs the real one; here every order of its steps can be tried.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Raw

from state import transitions
from state.attempts import ATTEMPTS_MAX, attempts_after_seize, attempts_spent
from state.record import (
    Delivery,
    Effect,
    Evidence,
    Fallback,
    Phase,
    Progress,
    Record,
    Rollout,
    SchemaId,
    WorkerId,
    evidence_of,
)
from state.transitions import Proof
from tests.sim.performing import Performing, Step
from tests.sim.promoting import DEPLOY, promotions
from tests.sim.states import Broken, Budget, Local, State, effect_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMAS: Final = {
    1: SchemaId(name="b", version=1, fingerprint="1"),
    2: SchemaId(name="b", version=2, fingerprint="2"),
}
START: Final = Record(
    app="model", progress=Progress(cycle=0), schema=SCHEMAS[1], body=Raw(b'{"v":1,"n":0}')
)


class Model(Performing):
    """The steps of one configuration."""

    def first(self) -> State:
        workers = tuple(Local(1, release, new) for release, new in self.config.slots)
        config = self.config
        budget = Budget(
            crashes=config.crashes,
            starts=config.starts,
            lost=config.lost,
            bad=config.bad,
            leases=config.leases,
            stops=config.stops,
            promotes=config.promotes,
        )
        return State(self._key(START), workers, budget=budget)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step that can be next, and where it leads."""
        yield from self._venue(state)
        yield from promotions(state, self.record_of(state), self._apply)
        for index, local in enumerate(state.locals):
            if local.alive:
                yield from self._crash(state, index)
                if local.epoch == 0:
                    yield from self._follow(state, index)
                elif local.cycle:
                    yield from self._perform(state, index)
                else:
                    yield from self._own(state, index)
            else:
                yield from self._start(state, index)

    # --- the world ---------------------------------------------------------------------

    def _venue(self, state: State) -> Iterator[Step]:
        for cycle in state.decided if self.config.enforces else ():
            name = effect_name(cycle, self.config.delivery)
            if name not in state.late:
                late = tuple(sorted((*state.late, name)))
                yield f"not_after of {name} passes", state._replace(late=late)
        once = self.config.refuses or self.config.delivery is Delivery.AT_LEAST_ONCE
        for effect in sorted(set(state.flying)):
            rest = list(state.flying)
            rest.remove(effect)
            left = state._replace(flying=tuple(rest))
            yield f"request {effect} is lost", left
            refused = effect in state.late or (once and effect in state.executed)
            executed = state.executed if refused else tuple(sorted((*state.executed, effect)))
            yield f"request {effect} arrives", left._replace(executed=executed)

    def _crash(self, state: State, index: int) -> Iterator[Step]:
        budget = state.budget
        if budget.crashes:
            dead = self._with(state, index, alive=False)
            left = budget._replace(crashes=budget.crashes - 1)
            yield f"worker {index} dies", dead._replace(budget=left)

    def _start(self, state: State, index: int) -> Iterator[Step]:
        """Start a standby in the place of a dead worker, as the launcher would."""
        budget = state.budget
        held = self.record_of(state).ownership
        if not budget.starts:
            return
        for release in {held.release or "1", *([held.previous.release] if held.previous else [])}:
            local = Local(state.locals[index].life + 1, int(release), candidate=False)
            started = self._put(state, index, local)
            yield (
                f"worker {index} starts as r{release}",
                started._replace(budget=budget._replace(starts=max(budget.starts - 1, -1))),
            )

    # --- who follows -------------------------------------------------------------------

    def _follow(self, state: State, index: int) -> Iterator[Step]:
        record, local = self.record_of(state), state.locals[index]
        me = self._identity(state, index)
        if record.ownership.owner == me:
            yield f"worker {index} owns", self._owning(state, index, record)
            return
        seen = self._seen(state, record)
        if local.seen is None or seen[:4] != local.seen[:4] or (seen[4] and not local.seen[4]):
            yield f"worker {index} looks", self._with(state, index, seen=seen)
        if local.seen is None:
            return
        yield from self._lease_ends(state, index)
        rollout = Rollout(deploy_id=DEPLOY, of=self.config.bake)
        if local.seen[4] and self._may_seize(record, local):
            yield from self._seize(state, index, rollout)
        if self._may_take(record, local):
            yield from self._change(
                state,
                index,
                "takes",
                lambda found: transitions.take(
                    found,
                    candidate=me,
                    seen=self._evidence(state, local),
                    now_ns=0,
                    deadline_ns=1,
                    rollout=rollout,
                    attempt="",
                ),
            )

    def _seize(self, state: State, index: int, rollout: Rollout) -> Iterator[Step]:
        local, me = state.locals[index], self._identity(state, index)
        assert local.seen is not None, "looked before it asked"
        # Without a poison no count reaches its limit, whatever was due.
        for due in (False, True) if self.config.poison[0] and not state.due else (True,):
            record = self.record_of(state)
            spent = attempts_after_seize(record, worker=me, due=due) >= ATTEMPTS_MAX
            if spent and record.rollout is not None:
                # The baking release is at fault, and the launcher starts the previous one.
                yield f"worker {index} leaves as faulty", self._with(state, index, alive=False)
                continue
            change = partial(
                transitions.seize,
                worker=me,
                seen=self._evidence(state, local),
                proof=Proof(local.seen[4]),
                attempt="",
                due=due,
                rollout=rollout if local.candidate else None,
            )
            yield from self._change(state._replace(due=due), index, "seizes", change)

    def _lease_ends(self, state: State, index: int) -> Iterator[Step]:
        """The owner lives, and may send; it is only known that it can write no more."""
        record, local, leases = self.record_of(state), state.locals[index], state.budget.leases
        assert local.seen is not None, "looked before it asked"
        owner = record.ownership.owner
        if not leases or owner is None or local.seen[4] or not self._lives(state, owner):
            return
        if local.seen != self._seen(state, record):
            return
        seen = (*local.seen[:4], Proof.LEASE_ENDED.value)
        after = self._with(state, index, seen=seen)
        left = state.budget._replace(leases=leases - 1)
        yield f"worker {index} sees the lease end", after._replace(budget=left)

    @staticmethod
    def _may_seize(record: Record, local: Local) -> bool:
        held = record.ownership
        owning = held.owner or held.last_owner
        if owning is None:
            return not local.candidate
        known = {owning.release} | ({held.previous.release} if held.previous else set())
        if str(local.release) in known:
            return True
        return local.candidate and record.rollout is None

    @staticmethod
    def _may_take(record: Record, local: Local) -> bool:
        previous = record.ownership.previous
        if record.rollout is not None:
            return previous is not None and previous.release == str(local.release)
        return local.candidate and record.ownership.owner is not None

    def _seen(self, state: State, record: Record) -> tuple[int, str, int, str, str]:
        owner = record.ownership.owner
        proof = ""
        if owner is None:
            proof = Proof.NONE.value
        elif not self._lives(state, owner):
            proof = Proof.DEAD.value
        evidence = evidence_of(record)
        name = owner.worker if owner else ""
        return (evidence.epoch, name, evidence.cycle, evidence.phase.value, proof)

    def _evidence(self, state: State, local: Local) -> Evidence:
        assert local.seen is not None, "looked before it asked"
        epoch, name, cycle, phase, _ = local.seen
        owner = next((each for each in self._everybody(state) if each.worker == name), None)
        return Evidence(epoch=epoch, owner=owner, cycle=cycle, phase=Phase(phase))

    # --- who owns ----------------------------------------------------------------------

    def _owning(self, state: State, index: int, record: Record) -> State:
        in_hand = record.progress.phase is Phase.DECIDED
        return self._with(
            state,
            index,
            epoch=record.ownership.epoch,
            cycle=record.progress.cycle if in_hand else 0,
            candidate=False,
            seen=None,
            fresh=False,
            sends=0,
            verdicts=(),
            marked=tuple(each.effect_id for each in record.outbox if each.unproven),
            spent=attempts_spent(record),
            settled=False,
        )

    def _own(self, state: State, index: int) -> Iterator[Step]:
        record, local = self.record_of(state), state.locals[index]
        me, number = self._identity(state, index), self.record_of(state).progress.cycle + 1
        budget = state.budget
        if record.ownership.owner != me:
            yield f"worker {index} notices", self._lost(state, index)
        if budget.bad and record.rollout is not None and local.release == 2:
            step = self._apply(
                state,
                lambda found: transitions.release(found, worker=me, epoch=local.epoch, attempt=""),
            )
            after = self._with(step or state, index, alive=False)
            left = budget._replace(bad=budget.bad - 1)
            yield f"worker {index} has a bad cycle", after._replace(budget=left)
        if number > self.config.cycles:
            return
        yield from self._stop(state, index)
        if local.spent:
            yield from self._miss(state, index, number)
            return
        if self.config.poison == (number, "decide"):
            yield f"worker {index} dies of {number}", self._dead(state, index)
            return
        decided = self._apply(state, lambda found: self._decide(found, me, local, number))
        if decided is None:
            yield f"worker {index} is refused {number}", self._lost(state, index)
            return
        decided = self._note_decision(decided, record, number)
        yield (
            f"worker {index} decides {number}",
            self._with(decided, index, cycle=number, fresh=True, sends=0, verdicts=(), marked=()),
        )
        if budget.lost:
            unsure = self._lost(decided, index)
            yield (
                f"worker {index} decides {number} and does not hear of it",
                unsure._replace(budget=budget._replace(lost=budget.lost - 1)),
            )

    def _stop(self, state: State, index: int) -> Iterator[Step]:
        """An operator stops the owner between two cycles."""
        me, epoch, stops = (
            self._identity(state, index),
            state.locals[index].epoch,
            state.budget.stops,
        )
        step = self._apply(state, partial(transitions.release, worker=me, epoch=epoch, attempt=""))
        if stops and step is not None:
            after = self._with(step, index, alive=False)
            left = state.budget._replace(stops=stops - 1)
            yield f"worker {index} is stopped", after._replace(budget=left)

    def _miss(self, state: State, index: int, number: int) -> Iterator[Step]:
        me, epoch = self._identity(state, index), state.locals[index].epoch
        change = partial(
            transitions.miss, worker=me, epoch=epoch, cycle=number, reason="", attempt=""
        )
        missed = self._apply(state, change)
        if missed is None:
            yield f"worker {index} is refused {number}", self._lost(state, index)
            return
        self._check_given_up(state, number)
        yield f"worker {index} gives {number} up", self._between(missed, index)

    def _decide(self, record: Record, me: WorkerId, local: Local, number: int) -> Record:
        body = b'{"v":%d,"n":%d}' % (local.release, number)
        fallback = None
        if record.rollout is not None and local.release == 2:
            fallback = Fallback(schema=SCHEMAS[1], body=Raw(b'{"v":1,"n":%d}' % number))
        return transitions.decide(
            record,
            worker=me,
            epoch=local.epoch,
            cycle=number,
            body=Raw(body),
            schema=SCHEMAS[local.release],
            effects=(
                Effect(
                    effect_id=effect_name(number, self.config.delivery),
                    kind="e",
                    delivery=self.config.delivery,
                ),
            ),
            fallback=fallback,
            attempt="",
        )

    @staticmethod
    def _note_decision(state: State, before: Record, number: int) -> State:
        if number in state.decided:
            message = f"cycle {number} is decided twice"
            raise Broken(message)
        names = tuple(each.effect_id for each in before.receipts)
        if set(names) & set(state.handed):
            message = f"receipts {names} are handed over again"
            raise Broken(message)
        return state._replace(
            decided=(*state.decided, number), handed=tuple(sorted((*state.handed, *names)))
        )

    # --- changes of owner ---------------------------------------------------------------

    def _change(
        self, state: State, index: int, word: str, change: Callable[[Record], Record]
    ) -> Iterator[Step]:
        after = self._apply(state, change)
        if after is None:
            yield f"worker {index} is refused", self._with(state, index, seen=None)
            return
        self._check_owner_change(state, index, after, word)
        held = self.record_of(state).ownership
        same = held.release == str(state.locals[index].release)
        replaced = word == "seizes" and held.owner is not None
        after = after._replace(cost=state.cost + replaced if same else 0)
        # Beside those that the step itself kills there are only those of the configuration.
        if after.cost > ATTEMPTS_MAX + self.config.crashes + self.config.leases:
            message = f"one step cost {after.cost} owners, and is still tried"
            raise Broken(message)
        yield f"worker {index} {word}", self._owning(after, index, self.record_of(after))

    def _check_owner_change(self, state: State, index: int, after: State, word: str) -> None:
        old, new = self.record_of(state), self.record_of(after)
        if new.ownership.epoch != old.ownership.epoch + 1:
            message = "an owner changes without a new epoch"
            raise Broken(message)
        owner = old.ownership.owner
        seen = state.locals[index].seen
        lease = seen is not None and seen[4] == Proof.LEASE_ENDED.value
        if word == "seizes" and owner is not None and self._lives(state, owner) and not lease:
            message = "a living owner is seized from"
            raise Broken(message)
