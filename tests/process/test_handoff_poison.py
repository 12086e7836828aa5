"""A cycle that no owner survives costs three of them; the next cycles run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff.rollout.table import Phase
from state.attempts import ATTEMPTS_MAX, GIVEN_UP
from tests.process.hurt import ENTRY, Hurt

if TYPE_CHECKING:
    from pathlib import Path

    from state.journal_frames import Line

pytestmark = pytest.mark.timeout(180)
POISONED = 16  # cycles whose number this divides: far enough from one another
FIRST_OWNER = 1
KILLERS = [("decide", "kill"), ("decide", "hang"), ("perform", "kill"), ("perform", "hang")]


def given_up(hurt: Hurt) -> list[Line]:
    """Return the lines that gave a cycle up after its owners."""
    return [line for line in hurt.lines() if line.evidence.get("reason") == GIVEN_UP]


@pytest.mark.parametrize(("place", "fault"), KILLERS)
def test_a_cycle_that_no_owner_survives_is_given_up_after_three_and_the_next_ones_run(
    tmp_path: Path, place: str, fault: str
) -> None:
    """One that was tried for ever killed an owner each time, and no later cycle came."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("poisoned", place=place, fault=fault, every=POISONED)
        hurt.launcher = hurt.run(tree, ENTRY)
        hurt.wait(lambda: bool(given_up(hurt)), "the end of the poisoned cycle")
        hurt.wait_cycles(2)
        last = given_up(hurt)[0]
        assert last.cycle % POISONED == 0
        assert last.kind == ("miss" if place == "decide" else "settle")
        seizes = [line for line in hurt.kinds("seize") if line.seq < last.seq]
        assert len(seizes) == FIRST_OWNER + ATTEMPTS_MAX
        decided = [line.cycle for line in hurt.kinds("decide")]
        assert len(set(decided)) == len(decided)
        assert (last.cycle in decided) == (place == "perform")
        assert last.cycle + 1 in decided


@pytest.mark.parametrize(("place", "fault"), KILLERS[::3])
def test_in_a_bake_the_previous_release_runs_the_cycle_that_the_new_one_does_not_survive(
    tmp_path: Path, place: str, fault: str
) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        hurt.wait_cycles(1)
        tree = hurt.release("poisoned", place=place, fault=fault)
        deploy = hurt.put(tree, bake=5)
        assert deploy.phase is Phase.RETURNED, deploy
        hurt.wait_cycles(2)
        assert hurt.version() == "v0"
        assert given_up(hurt) == []
