"""The steps of a small configuration that send effects, ask about them and settle cycles.

What may be done with an effect is asked of the real rules; here every order of sending, dying and
asking can be tried. `steps` has the other half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from state import transitions
from state.absence import Absence, Next, is_repeated, when_absent
from state.attempts import ATTEMPTS_MAX
from state.errors import Refused
from state.outbox import given_up
from state.record import Delivery, Effect, Fate, Outcome, Receipt, Record, WorkerId
from state.transitions import Cleanliness
from tests.sim.promoting import counted
from tests.sim.states import Broken, Config, Local, State, effect_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.outbox import Fates

SENDS_MAX: Final = 2  # of one effect by one worker

Step = tuple[str, State]


class Performing:
    """What the owner of a cycle in hand may do next, and what every step needs."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._records: dict[bytes, Record] = {}

    def record_of(self, state: State) -> Record:
        return self._records[state.record]

    def _key(self, record: Record) -> bytes:
        key = msgspec.json.encode(record)
        self._records.setdefault(key, record)
        return key

    def _perform(self, state: State, index: int) -> Iterator[Step]:
        local, record = state.locals[index], self.record_of(state)
        name, known = effect_name(local.cycle, self.config.delivery), dict(local.verdicts)
        if local.spent:
            yield from self._settle(state, index, given_up(record.outbox))
        elif self.config.poison == (local.cycle, "perform"):
            yield f"worker {index} dies of {name}", self._dead(state, index)
        elif name not in known:
            yield from self._pursue(state, index, name)
        else:
            yield from self._ask_carried(state, index)
            yield from self._settle(state, index, _fates(local))

    def _pursue(self, state: State, index: int, name: str) -> Iterator[Step]:
        """The effect of the cycle in hand: send it, ask about it, or leave it doubtful."""
        local = state.locals[index]
        if local.fresh and local.sends == 0:
            yield f"worker {index} sends {name}", self._sent(state, index, name)
            return
        fate = Fate.DOUBTFUL if name in local.marked else Fate.PLANNED
        unproven = name in local.marked
        effect = Effect(
            effect_id=name, kind="e", delivery=self.config.delivery, fate=fate, unproven=unproven
        )
        answered = local.sends > 0 or effect.delivery is Delivery.BY_ID
        if name in state.executed and answered:
            yield self._verdict(state, index, name, "confirmed")
        elif local.sends < SENDS_MAX:
            yield from self._absent(state, index, effect)
        yield self._verdict(state, index, name, "doubtful")

    def _ask_carried(self, state: State, index: int) -> Iterator[Step]:
        """Effects of earlier cycles, after the own one, by who has settled a cycle itself."""
        local = state.locals[index]
        for effect in self.record_of(state).outbox if local.settled else ():
            name = effect.effect_id
            if name in dict(local.verdicts) or effect.cycle == local.cycle:
                continue
            if self.config.poison == (effect.cycle, "perform"):
                yield f"worker {index} dies of {name}", self._dead(state, index)
                continue
            if name in state.executed:
                yield self._verdict(state, index, name, "confirmed")
            elif name not in state.flying:
                yield from self._absent(state, index, effect)
            if effect.unproven or is_repeated(effect):
                yield self._verdict(state, index, name, "unknown")

    def _absent(self, state: State, index: int, effect: Effect) -> Iterator[Step]:
        """The venue does not have it, or cannot be asked: what the rules allow then."""
        name = effect.effect_id
        sends = {Next.SEND} if is_repeated(effect) else set()
        if effect.delivery is Delivery.BY_ID:
            behind = Absence(
                quiet=name not in state.flying,
                enforced=name in state.late,
                repeatable=self.config.refuses,
            )
            sends = {when_absent(effect, behind, may_send=may) for may in (True, False)}
        if Next.SEND in sends:
            yield f"worker {index} sends {name} again", self._sent(state, index, name)
        if Next.WRITE_OFF in sends:
            yield self._verdict(state, index, name, "expired")

    def _sent(self, state: State, index: int, name: str) -> State:
        sends = state.locals[index].sends + 1
        flying = tuple(sorted((*state.flying, name)))
        return self._with(state, index, sends=min(sends, SENDS_MAX))._replace(flying=flying)

    def _verdict(self, state: State, index: int, name: str, verdict: str) -> Step:
        verdicts = tuple(sorted((*state.locals[index].verdicts, (name, verdict))))
        return f"worker {index} finds {name} {verdict}", self._with(state, index, verdicts=verdicts)

    def _settle(self, state: State, index: int, fates: Fates) -> Iterator[Step]:
        is_fresh = state.locals[index].fresh
        yield from self._settle_as(state, index, fates, is_clean=is_fresh)
        if is_fresh and self.config.promotes:
            # Its inputs fail: whoever promoted it waits on.
            yield from self._settle_as(state, index, fates, is_clean=False)

    def _settle_as(
        self, state: State, index: int, fates: Fates, *, is_clean: bool
    ) -> Iterator[Step]:
        local, me = state.locals[index], self._identity(state, index)
        settled = self._apply(
            state,
            lambda found: transitions.settle(
                found,
                worker=me,
                epoch=local.epoch,
                cycle=local.cycle,
                fates=fates,
                cleanliness=Cleanliness.CLEAN if is_clean else Cleanliness.OUTSIDE,
                attempt="",
            ),
        )
        if settled is None:
            yield f"worker {index} is refused to settle", self._lost(state, index)
            return
        if local.spent:
            self._check_given_up(state, local.cycle)
        before, after = self.record_of(state), self.record_of(settled)
        ended = after.receipts[len(before.receipts) :]
        final = [(each.effect_id, each.outcome.value) for each in ended]
        settled = settled._replace(
            final=tuple(sorted((*state.final, *final))),
            clean=counted(state, before, after, is_clean=is_clean, bake=self.config.bake),
        )
        how = "" if is_clean or not local.fresh else " without inputs"
        yield f"worker {index} settles {local.cycle}{how}", self._between(settled, index)

    def _between(self, state: State, index: int) -> State:
        """The owner has no cycle in hand any more, and goes on."""
        settled = not state.locals[index].spent  # one that gave up has not shown that it survives
        state = self._with(state, index, cycle=0, fresh=False, sends=0, verdicts=(), marked=())
        return self._with(state, index, spent=False, settled=settled)

    def _check_given_up(self, state: State, cycle: int) -> None:
        if state.cost < ATTEMPTS_MAX:
            message = f"cycle {cycle} is given up although it cost {state.cost} owners"
            raise Broken(message)
        if self.config.poison[0] not in {0, cycle}:
            message = f"cycle {cycle} is given up for what another one does"
            raise Broken(message)

    # --- records and workers -----------------------------------------------------------

    def _apply(self, state: State, change: Callable[[Record], Record]) -> State | None:
        before = self.record_of(state)
        try:
            record = change(before)
        except Refused:
            return None
        state = state._replace(record=self._key(record))
        if record.rollout is None:
            state = state._replace(promoted=False, clean=0)
        one, other = before.progress, record.progress
        if (one.cycle, one.phase) != (other.cycle, other.phase):
            return state._replace(cost=0, due=False)
        return state

    def _dead(self, state: State, index: int) -> State:
        return self._with(state, index, alive=False)._replace(due=True)

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


def _fates(local: Local) -> dict[str, Receipt | Fate]:
    return {
        name: Fate.DOUBTFUL
        if verdict == "doubtful"
        else Receipt(effect_id=name, kind="e", outcome=Outcome(verdict))
        for name, verdict in local.verdicts
    }
