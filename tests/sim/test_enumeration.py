"""Every order of steps of configurations small enough to be seen whole, and some of larger ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from state import transitions
from tests.sim.enumerate import ALL, PAIR, explore
from tests.sim.states import Config

if TYPE_CHECKING:
    from state.record import Record, WorkerId

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
