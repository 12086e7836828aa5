"""A release of one engine that is good until it owns, and the way back to the other engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff.exit_codes import ExitCode
from state.journal_frames import Health
from state.journal_reader import read_lines
from tests.upgrade.mixed import Mixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

BAKE = "200"  # more cycles than any of these tests takes
FULL = Health(asked=1, answered=1)
NOTHING = Health(asked=1, answered=0)


def bake_until_it_fails(bot: Mixed, one: str, commit: str, fault: Path) -> str:
    """Deploy, let the fault come in the bake, and wait for the end; return the reason."""
    done = bot.foresight(one, "deploy", commit, "--bake", BAKE, "-d")
    assert done.returncode == ExitCode.DONE, done.stderr
    bot.wait(lambda: bot.live() == commit, "the take")
    bot.run_cycles(2)
    fault.touch()
    bot.wait(lambda: bool(bot.deploys()), "the end of the deploy")
    assert bot.outcomes() == [(commit, "returned")], bot.deploys()
    bot.run_cycles(2)
    fault.unlink()  # what was decided before it is decided again by whoever proves the state
    return bot.deploys()[0].reason


@pytest.mark.parametrize(("one", "other"), [("previous", "this"), ("this", "previous")])
def test_a_release_that_fails_in_its_bake_gives_back_to_the_other_engine(
    tmp_path: Path, engines: Engines, one: str, other: str
) -> None:
    """No cycle is skipped by it, and each says what its engine knows of its inputs."""
    with Mixed(tmp_path, engines) as bot:
        fault = tmp_path / "fault"
        first = bot.carry(one)
        bot.launch(bot.installations[one])
        began = bot.owner().release
        raising = f"assert not os.path.exists({str(fault)!r}), 'told to fail'"
        second = bot.carry(other, decide=raising)
        reason = bake_until_it_fails(bot, one, second, fault)
        assert "told to fail" in reason
        assert bot.live() == first
        bot.down(other)
        faulty = bot.deploys()[0].release
        assert bot.verify() == [began, faulty, began]
        engine_of = {began: one, faulty: other}
        for line in read_lines(bot.home / "journal"):
            if line.kind == "decide":
                assert line.health == (FULL if engine_of[line.release] == "this" else None)


def test_an_outage_in_a_bake_over_an_engine_that_cannot_observe_beside_ends_at_its_limit(
    tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The previous engine is no control group: what it cannot say is held against nobody."""
    monkeypatch.setenv("HANDOFF_BAKE_OUTSIDE_S", "3")
    with Mixed(tmp_path, engines) as bot:
        fault = tmp_path / "fault"
        first = bot.carry("previous")
        bot.launch(bot.installations["previous"])
        began = bot.owner().release
        silent = f"if os.path.exists({str(fault)!r}): raise ConnectionRefusedError('silent')"
        second = bot.carry("this", observe=silent)
        reason = bake_until_it_fails(bot, "previous", second, fault)
        assert "outside: no inputs in" in reason
        assert bot.live() == first
        bot.down("this")
        baked = bot.deploys()[0].release
        assert bot.verify() == [began, baked, began]
        lines = [each for each in read_lines(bot.home / "journal") if each.kind == "decide"]
        healths = [each.health for each in lines if each.release == baked]
        assert healths.count(NOTHING) >= 5, "never fewer cycles in a row than that"
        assert healths == sorted(healths, key=lambda health: health == NOTHING)
        assert {each.health for each in lines if each.release == began} == {None}
