"""Every order of steps of configurations small enough to be seen whole, and some of larger ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from state import transitions
from state.absence import Next, when_absent
from state.errors import Refusal, Refused
from state.transitions import Cleanliness
from tests.sim import performing
from tests.sim.enumerate import ALL, HARD, PAIR, PROMOTED, explore
from tests.sim.states import Config, State
from tests.sim.steps import Model

if TYPE_CHECKING:
    from state.absence import Absence
    from state.record import Effect, Progress, Record, Rollout, WorkerId

TINY = (
    Config(PAIR, cycles=1, crashes=1, starts=1, bad=1),
    Config(PAIR, cycles=1, crashes=0, starts=1, bad=1, refuses=True),
    Config(PAIR, cycles=2, crashes=0, starts=1, bad=1),
)
STATES_MAX = 2500  # of each larger one: what is nearest to its beginning


@pytest.mark.timeout(20)
@pytest.mark.parametrize("config", TINY, ids=str)
def test_a_small_configuration_has_no_bad_state(config: Config) -> None:
    result = explore(config)
    assert (result.violation, result.path) == ("", ())
    assert result.complete
    assert result.states > 1000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("config", ALL, ids=str)
def test_a_larger_configuration_has_no_bad_state_near_its_beginning(config: Config) -> None:
    """`python -m tests.sim.enumerate` visits all of them."""
    result = explore(config, STATES_MAX)
    assert (result.violation, result.path) == ("", ())


HARD_STATES_MAX = 13_000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("config", HARD, ids=str)
def test_poison_silence_and_living_predecessors_break_nothing(config: Config) -> None:
    """Where starts never end, all cycles can be settled from wherever it came to."""
    result = explore(config, HARD_STATES_MAX)
    assert (result.violation, result.path) == ("", ())
    assert result.complete or result.states >= HARD_STATES_MAX


PROMOTED_STATES_MAX = 4000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("config", PROMOTED, ids=str)
def test_a_bake_that_is_ended_early_breaks_nothing(config: Config) -> None:
    """Whenever the operator looked and spoke, whoever died, returned or had no inputs meanwhile."""
    result = explore(config, PROMOTED_STATES_MAX)
    assert (result.violation, result.path) == ("", ())
    assert result.complete or result.states >= PROMOTED_STATES_MAX


def found_of_promotions() -> str:
    """Return the first violation of the configurations in which somebody promotes."""
    results = (explore(config, PROMOTED_STATES_MAX) for config in PROMOTED)
    return next((result.violation for result in results if result.violation), "")


def test_a_promotion_of_whatever_bakes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def any_bake(record: Record, **_: str | int) -> Rollout:
        if record.rollout is None:
            raise Refused(Refusal.NOT_BAKING, "")
        return record.rollout

    monkeypatch.setattr(transitions, "require_bake", any_bake)
    assert "an operator was shown" in found_of_promotions()


def test_a_promotion_that_is_permanent_at_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would have shown that the release still runs, and nothing could come back."""

    def at_once(record: Record, **_: str | int) -> Record:
        if record.rollout is None:
            raise Refused(Refusal.NOT_BAKING, "")
        held = replace(record.ownership, previous=None)
        return replace(record, ownership=held, rollout=None, fallback=None)

    monkeypatch.setattr(transitions, "promote", at_once)
    assert "changes more than what is wanted" in found_of_promotions()


def test_a_promotion_that_changes_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = transitions.promote

    def kept(record: Record, **words: Any) -> Record:  # noqa: ANN401 - passed on
        return replace(real(record, **words), rollout=record.rollout)

    monkeypatch.setattr(transitions, "promote", kept)
    assert "a bake goes on after" in found_of_promotions()


def test_a_promoted_bake_that_ends_without_a_clean_cycle_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = transitions.settle

    def settle(record: Record, **words: Any) -> Record:  # noqa: ANN401 - passed on
        bake = record.rollout
        if bake is not None and bake.clean_cycles >= bake.of:
            words["cleanliness"] = Cleanliness.CLEAN
        return real(record, **words)

    monkeypatch.setattr(transitions, "settle", settle)
    assert "a bake ends after" in found_of_promotions()


def found() -> str:
    """Return the first violation of any of the hard configurations."""
    results = (explore(config, HARD_STATES_MAX) for config in HARD)
    return next((result.violation for result in results if result.violation), "")


def test_a_count_that_other_releases_inherit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def inherited(record: Record, *, worker: WorkerId, due: bool) -> int:
        held, phase = record.ownership.owner, record.progress.phase.value
        cost = held is not None and worker != held and (due or phase == "decided")
        return min(record.progress.attempts + cost, 3)

    monkeypatch.setattr(transitions, "attempts_after_seize", inherited)
    monkeypatch.setattr("tests.sim.steps.attempts_after_seize", inherited)
    real = transitions._owned_by  # noqa: SLF001 - the rule to be broken

    def owned_by(record: Record, worker: WorkerId, **words: Any) -> Record:  # noqa: ANN401 - passed on
        return replace(real(record, worker, **words), progress=record.progress)

    monkeypatch.setattr(transitions, "_owned_by", owned_by)
    assert "is given up although it cost" in found()


def test_deaths_that_nobody_counts_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(record: Record, *, worker: WorkerId, due: bool) -> int:
        return 0 * (record.progress.attempts + worker.pid + due)

    monkeypatch.setattr(transitions, "attempts_after_seize", never)
    monkeypatch.setattr("tests.sim.steps.attempts_after_seize", never)
    assert "is still tried" in found()


def test_a_stop_that_counts_as_a_death_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(record: Record, *, worker: WorkerId, due: bool) -> int:
        same = record.ownership.release == worker.release
        return min(record.progress.attempts + 1, 3) if same or due > 1 else 0

    monkeypatch.setattr(transitions, "attempts_after_seize", always)
    monkeypatch.setattr("tests.sim.steps.attempts_after_seize", always)
    assert "is given up although it cost" in found()


def test_a_cost_that_is_never_paid_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def advanced(progress: Progress, *, to: int) -> Progress:
        return replace(progress, cycle=to)

    monkeypatch.setattr(transitions, "_advanced", advanced)
    assert "is given up although it cost" in found()


def test_a_lease_that_counts_as_a_death_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "unproven", lambda outbox: outbox)
    assert "executed" in found()


def test_an_absence_that_waiting_makes_final_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(effect: Effect, absence: Absence, *, may_send: bool) -> Next:
        return when_absent(replace(effect, unproven=False), absence, may_send=may_send)

    monkeypatch.setattr(performing, "when_absent", forgetful)
    assert "executed" in found()


def test_an_absence_that_is_final_at_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(effect: Effect, absence: Absence, *, may_send: bool) -> Next:
        return when_absent(effect, replace(absence, quiet=True), may_send=may_send)

    monkeypatch.setattr(performing, "when_absent", hasty)
    assert "executed" in found()


def test_a_carried_effect_that_spoils_another_cycle_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asked about by whoever comes, it would cost later cycles theirs."""
    real = Model._owning  # noqa: SLF001 - the rule to be broken

    def owning(model: Model, state: State, index: int, record: Record) -> State:
        after = real(model, state, index, record)
        settled = after.locals[index]._replace(settled=True)
        workers = (*after.locals[:index], settled, *after.locals[index + 1 :])
        return after._replace(locals=workers)

    monkeypatch.setattr(Model, "_owning", owning)
    assert "is given up for what another one does" in found()


def test_a_doubtful_effect_that_blocks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(outbox: tuple[Effect, ...]) -> None:
        if outbox:
            raise Refused(Refusal.EFFECT_PENDING, "blocked")

    monkeypatch.setattr(transitions, "require_none_planned", blocked)
    assert "can never all be settled" in found()


def test_a_return_that_keeps_the_bake_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first design: the previous release went on counting the bake that it ended."""
    real = transitions.seize

    def seize(record: Record, *, worker: WorkerId, **words: Any) -> Record:  # noqa: ANN401 - passed on
        after = real(record, worker=worker, **words)
        if record.rollout is None or after.rollout is not None:
            return after
        return replace(after, rollout=record.rollout)

    monkeypatch.setattr(transitions, "seize", seize)
    assert "do not go together" in explore(TINY[2]).violation
