"""The steps of a small configuration: who may do what next, over the real transitions.

Owns a model of what a worker does beside the transitions: looking, seizing, deciding, sending,
asking. The simulation runs the real one; here every order of its steps can be tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from state import transitions
from state.errors import Refused
from state.record import (
    Effect,
    Evidence,
    Fallback,
    Fate,
    Outcome,
    Phase,
    Progress,
    Receipt,
    Record,
    Rollout,
    SchemaId,
    WorkerId,
    evidence_of,
)
from state.transitions import Cleanliness, Proof
from tests.sim.states import Broken, Config, Local, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMAS: Final = {
    1: SchemaId(name="b", version=1, fingerprint="1"),
    2: SchemaId(name="b", version=2, fingerprint="2"),
}
START: Final = Record(
    app="model", progress=Progress(cycle=0), schema=SCHEMAS[1], body=Raw(b'{"v":1,"n":0}')
)
SENDS_MAX: Final = 2  # of one effect by one worker

Step = tuple[str, State]


class Model:
    """The steps of one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._records: dict[bytes, Record] = {}

    def first(self) -> State:
        workers = tuple(Local(1, release, new) for release, new in self.config.slots)
        budget = (self.config.crashes, self.config.starts, self.config.lost, self.config.bad)
        return State(self._key(START), workers, budget=budget)

    def record_of(self, state: State) -> Record:
        return self._records[state.record]

    def _key(self, record: Record) -> bytes:
        key = msgspec.json.encode(record)
        self._records.setdefault(key, record)
        return key

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step that can be next, and where it leads."""
        yield from self._venue(state)
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
        for effect in sorted(set(state.flying)):
            rest = list(state.flying)
            rest.remove(effect)
            left = state._replace(flying=tuple(rest))
            yield f"request {effect} is lost", left
            duplicate = self.config.refuses and effect in state.executed
            executed = state.executed if duplicate else tuple(sorted((*state.executed, effect)))
            yield f"request {effect} arrives", left._replace(executed=executed)

    def _crash(self, state: State, index: int) -> Iterator[Step]:
        crashes, starts, lost, bad = state.budget
        if crashes:
            dead = self._with(state, index, alive=False)
            yield f"worker {index} dies", dead._replace(budget=(crashes - 1, starts, lost, bad))

    def _start(self, state: State, index: int) -> Iterator[Step]:
        """Start a standby in the place of a dead worker, as the launcher would."""
        crashes, starts, lost, bad = state.budget
        held = self.record_of(state).ownership
        owning = held.owner or held.last_owner
        if not starts or owning is None:
            return
        for release in {owning.release, *([held.previous.release] if held.previous else [])}:
            local = Local(state.locals[index].life + 1, int(release), candidate=False)
            started = self._put(state, index, local)
            yield (
                f"worker {index} starts as r{release}",
                started._replace(budget=(crashes, starts - 1, lost, bad)),
            )

    # --- who follows -------------------------------------------------------------------

    def _follow(self, state: State, index: int) -> Iterator[Step]:
        record, local = self.record_of(state), state.locals[index]
        me = self._identity(state, index)
        if record.ownership.owner == me:
            yield f"worker {index} owns", self._owning(state, index, record)
            return
        seen = self._seen(state, record)
        if seen != local.seen:
            yield f"worker {index} looks", self._with(state, index, seen=seen)
        if local.seen is None:
            return
        rollout = Rollout(deploy_id="d", of=self.config.bake)
        proof = Proof(local.seen[4]) if local.seen[4] else None
        if proof is not None and self._may_seize(record, local):
            yield from self._change(
                state,
                index,
                "seizes",
                lambda found: transitions.seize(
                    found,
                    worker=me,
                    seen=self._evidence(state, local),
                    proof=proof,
                    attempt="",
                    rollout=rollout if local.candidate else None,
                ),
            )
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
        )

    def _own(self, state: State, index: int) -> Iterator[Step]:
        record, local = self.record_of(state), state.locals[index]
        me, number = self._identity(state, index), self.record_of(state).progress.cycle + 1
        crashes, starts, lost, bad = state.budget
        if record.ownership.owner != me:
            yield f"worker {index} notices", self._lost(state, index)
        if bad and record.rollout is not None and local.release == 2:
            step = self._apply(
                state,
                lambda found: transitions.release(found, worker=me, epoch=local.epoch, attempt=""),
            )
            after = self._with(step or state, index, alive=False)
            yield (
                f"worker {index} has a bad cycle",
                after._replace(budget=(crashes, starts, lost, bad - 1)),
            )
        if number > self.config.cycles:
            return
        decided = self._apply(state, lambda found: self._decide(found, me, local, number))
        if decided is None:
            yield f"worker {index} is refused {number}", self._lost(state, index)
            return
        decided = self._note_decision(decided, record, number)
        yield (
            f"worker {index} decides {number}",
            self._with(decided, index, cycle=number, fresh=True, sends=0, verdicts=()),
        )
        if lost:
            unsure = self._lost(decided, index)
            yield (
                f"worker {index} decides {number} and does not hear of it",
                unsure._replace(budget=(crashes, starts, lost - 1, bad)),
            )

    @staticmethod
    def _decide(record: Record, me: WorkerId, local: Local, number: int) -> Record:
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
            effects=(Effect(effect_id=str(number), kind="e"),),
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

    # --- who performs ------------------------------------------------------------------

    def _perform(self, state: State, index: int) -> Iterator[Step]:
        local = state.locals[index]
        name, known = str(local.cycle), dict(local.verdicts)
        if name not in known:
            yield from self._pursue(state, index, name)
        record = self.record_of(state)
        for effect in record.outbox:
            if effect.fate is Fate.DOUBTFUL and effect.effect_id not in known:
                yield from self._ask_doubtful(state, index, effect.effect_id)
        if name in known:
            yield from self._settle(state, index)

    def _pursue(self, state: State, index: int, name: str) -> Iterator[Step]:
        """The effect of the cycle in hand: send it, ask about it, or leave it doubtful."""
        local = state.locals[index]
        sent = self._with(state, index, sends=local.sends + 1)
        sent = sent._replace(flying=tuple(sorted((*state.flying, name))))
        if local.fresh and local.sends == 0:
            yield f"worker {index} sends {name}", sent
            return
        if name in state.executed:
            yield self._verdict(state, index, name, "confirmed")
        elif name not in state.flying:
            # Nothing can be under way any more, and the venue says that it never came.
            if local.sends < SENDS_MAX:
                yield f"worker {index} sends {name} again", sent
            yield self._verdict(state, index, name, "expired")
        elif self.config.refuses and local.sends < SENDS_MAX:
            yield f"worker {index} sends {name} again", sent
        yield self._verdict(state, index, name, "doubtful")

    def _ask_doubtful(self, state: State, index: int, name: str) -> Iterator[Step]:
        if name in state.executed:
            yield self._verdict(state, index, name, "confirmed")
        elif name not in state.flying:
            yield self._verdict(state, index, name, "expired")

    def _verdict(self, state: State, index: int, name: str, verdict: str) -> Step:
        verdicts = tuple(sorted((*state.locals[index].verdicts, (name, verdict))))
        return f"worker {index} finds {name} {verdict}", self._with(state, index, verdicts=verdicts)

    def _settle(self, state: State, index: int) -> Iterator[Step]:
        local, me = state.locals[index], self._identity(state, index)
        fates: dict[str, Receipt | Fate] = {
            name: Fate.DOUBTFUL
            if verdict == "doubtful"
            else Receipt(effect_id=name, kind="e", outcome=Outcome(verdict))
            for name, verdict in local.verdicts
        }
        settled = self._apply(
            state,
            lambda found: transitions.settle(
                found,
                worker=me,
                epoch=local.epoch,
                cycle=local.cycle,
                fates=fates,
                cleanliness=Cleanliness.CLEAN if local.fresh else Cleanliness.OUTSIDE,
                attempt="",
            ),
        )
        if settled is None:
            yield f"worker {index} is refused to settle", self._lost(state, index)
            return
        final = [each for each in local.verdicts if each[1] != "doubtful"]
        settled = settled._replace(final=tuple(sorted((*state.final, *final))))
        yield (
            f"worker {index} settles {local.cycle}",
            self._with(settled, index, cycle=0, fresh=False, sends=0, verdicts=()),
        )

    # --- records and workers -----------------------------------------------------------

    def _change(
        self, state: State, index: int, word: str, change: Callable[[Record], Record]
    ) -> Iterator[Step]:
        after = self._apply(state, change)
        if after is None:
            yield f"worker {index} is refused", self._with(state, index, seen=None)
            return
        self._check_owner_change(state, after, word)
        yield f"worker {index} {word}", self._owning(after, index, self.record_of(after))

    def _apply(self, state: State, change: Callable[[Record], Record]) -> State | None:
        try:
            record = change(self.record_of(state))
        except Refused:
            return None
        return state._replace(record=self._key(record))

    def _check_owner_change(self, state: State, after: State, word: str) -> None:
        old, new = self.record_of(state), self.record_of(after)
        if new.ownership.epoch != old.ownership.epoch + 1:
            message = "an owner changes without a new epoch"
            raise Broken(message)
        owner = old.ownership.owner
        if word == "seizes" and owner is not None and self._lives(state, owner):
            message = "a living owner is seized from"
            raise Broken(message)

    def _lost(self, state: State, index: int) -> State:
        return self._with(
            state, index, epoch=0, cycle=0, fresh=False, sends=0, verdicts=(), seen=None
        )

    @staticmethod
    def _put(state: State, index: int, local: Local) -> State:
        workers = (*state.locals[:index], local, *state.locals[index + 1 :])
        return state._replace(locals=workers)

    def _with(self, state: State, index: int, **changes: Any) -> State:  # noqa: ANN401 - fields of Local
        return self._put(state, index, state.locals[index]._replace(**changes))

    @staticmethod
    def _name(index: int, life: int, release: int) -> WorkerId:
        return WorkerId(
            worker=f"{index}.{life}",
            host="",
            boot_id="",
            pid_namespace="",
            pid=index,
            start_ticks=life,
            release=str(release),
        )

    def _identity(self, state: State, index: int) -> WorkerId:
        local = state.locals[index]
        return self._name(index, local.life, local.release)

    def _everybody(self, state: State) -> Iterator[WorkerId]:
        held = self.record_of(state).ownership
        yield from (each for each in (held.owner, held.last_owner, held.previous) if each)
        yield from (self._identity(state, index) for index in range(len(state.locals)))

    def _lives(self, state: State, worker: WorkerId) -> bool:
        local = state.locals[worker.pid]
        return local.alive and local.life == worker.start_ticks
