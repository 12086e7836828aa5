"""Whatever several workers try in whatever order, the record stays true to its rules."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from state import transitions
from state.attempts import ATTEMPTS_MAX, attempts_spent
from state.errors import Refused
from state.outbox import given_up
from state.record import (
    Control,
    Fate,
    Phase,
    Record,
    WorkerId,
)
from state.transitions import Proof
from tests.records import (
    A,
    B,
    C,
    confirmed,
    decide,
    effect,
    empty,
    halted,
    miss,
    release,
    seize,
    settle,
    take,
    worker,
)


class Journey:
    """A random walk of several workers over one record, and what must hold on the way."""

    WORKERS = (A, B, C, worker("a2", "r1"))

    def __init__(self) -> None:
        self.record = empty()
        self.decided: list[int] = []
        self.passed: list[int] = []
        self.effects: list[str] = []

    def step(self, by: WorkerId, kind: str, seed: int) -> None:
        before = self.record
        try:
            after = self._changed(before, by, kind, seed)
        except Refused:
            return
        self._check(before, after, kind)
        self._check_attempts(before, after, kind)
        self.record = after

    def _changed(  # noqa: PLR0911 - one for each transition
        self, record: Record, by: WorkerId, kind: str, seed: int
    ) -> Record:
        mine: dict[str, Any] = {"worker": by, "epoch": record.ownership.epoch - seed % 5 // 4}
        match kind:
            case "take":
                return take(record, by, of=seed % 4)
            case "seize":
                return seize(record, by, proof=list(Proof)[seed % 4], due=seed % 5 > 0)
            case "decide":
                cycle = record.progress.cycle + 1 + (seed % 7 == 0)
                orders = [effect(f"{cycle}-{index}") for index in range(seed % 3)]
                return decide(record, *orders, cycle=cycle, **mine)
            case "settle":
                spent = attempts_spent(record)
                fates = dict(given_up(record.outbox) if spent else confirmed(record))
                for name in list(fates)[: seed % 2]:
                    fates[name] = Fate.DOUBTFUL
                return settle(record, fates, **mine)
            case "miss":
                return miss(record, **mine)
            case "release":
                return release(record, **mine)
            case _:
                return halted(record) if seed % 3 == 0 else _resumed(record)

    def _check(self, before: Record, after: Record, kind: str) -> None:
        owners_changed = kind in {"take", "seize"}
        assert after.ownership.epoch == before.ownership.epoch + owners_changed
        advanced = kind in {"decide", "miss"}
        assert after.progress.cycle == before.progress.cycle + advanced
        if kind == "decide":
            self.decided.append(after.progress.cycle)
            new = after.outbox[len(before.outbox) :]
            self.effects += [each.effect_id for each in new]
        if advanced:
            self.passed.append(after.progress.cycle)
        if after.progress.phase is Phase.SETTLED:
            assert all(each.fate is Fate.DOUBTFUL for each in after.outbox)
        assert (after.rollout is None) == (after.ownership.previous is None)
        assert after.rollout is not None or after.fallback is None
        kept = {each.effect_id for each in after.outbox}
        told = {each.effect_id for each in after.receipts}
        assert kept | told >= {each.effect_id for each in before.outbox}

    def _check_attempts(self, before: Record, after: Record, kind: str) -> None:
        """A step that is given up cost its limit of owners, one after another."""
        cost, costs = before.progress.attempts, after.progress.attempts
        assert costs in {cost, min(cost + 1, ATTEMPTS_MAX)} or costs == 0
        assert costs <= cost or kind == "seize"
        assert kind != "decide" or cost < ATTEMPTS_MAX
        assert costs == 0 or kind not in {"decide", "settle", "miss"}
        marked = {each.effect_id for each in before.outbox if each.unproven}
        assert marked <= {each.effect_id for each in after.outbox if each.unproven} | {
            each.effect_id for each in after.receipts
        }


def _resumed(record: Record) -> Record:
    return transitions.command(record, control=Control(), attempt="resume")


KINDS = ["take", "seize", "decide", "decide", "settle", "settle", "miss", "release", "command"]
STEPS = st.tuples(st.sampled_from(Journey.WORKERS), st.sampled_from(KINDS), st.integers(0, 59))


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=80))
def test_no_order_of_steps_repeats_a_cycle_an_epoch_or_an_effect(
    steps: list[tuple[WorkerId, str, int]],
) -> None:
    journey = Journey()
    for by, kind, seed in steps:
        journey.step(by, kind, seed)
    last = journey.record.progress.cycle
    assert journey.passed == list(range(11, last + 1))
    assert len(set(journey.decided)) == len(journey.decided)
    assert len(set(journey.effects)) == len(journey.effects)
