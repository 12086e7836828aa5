"""A worker of the previous release beside a launcher of this one, and the other way round."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from handoff.exit_codes import ExitCode
from state.journal_frames import Health
from state.journal_reader import read_lines
from tests.upgrade.mixed import Mixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

EITHER = pytest.mark.parametrize(("one", "other"), [("previous", "this"), ("this", "previous")])


@EITHER
def test_a_worker_of_the_other_release_takes_dies_and_gives_back(
    tmp_path: Path, engines: Engines, one: str, other: str
) -> None:
    """Up and down a version under a launcher that stays as it is."""
    with Mixed(tmp_path, engines) as bot:
        first = bot.carry(one)
        bot.launch(bot.installations[one])
        began = bot.owner().release
        second = bot.carry(other)
        (deployed,) = bot.said(one, "deploy", second, "--json")
        assert (deployed["outcome"], deployed["from"]) == ("permanent", began), deployed
        bot.kill_owner()
        assert bot.live() == second, "its standby is of the release that owns"
        (back,) = bot.said(other, "rollback", "--json")
        assert (back["outcome"], back["release"]) == ("permanent", began), back
        assert bot.live() == first
        bot.run_cycles(2)
        bot.down(other)
        assert bot.verify() == [began, deployed["release"], began]
        engine_of = {began: one, deployed["release"]: other}
        for line in read_lines(bot.home / "journal"):
            if line.kind == "decide":
                counts = engine_of[line.release] == "this"
                assert line.health == (Health(asked=1, answered=1) if counts else None)


def test_a_copy_of_a_home_that_a_worker_of_this_release_owns_is_refused(
    tmp_path: Path, engines: Engines
) -> None:
    """Also where the launcher is of the release before, which writes down no lock."""
    with Mixed(tmp_path, engines) as bot:
        bot.carry("previous")
        bot.launch(bot.installations["previous"])
        bot.said("previous", "deploy", bot.carry("this"), "--json")
        owner, copy = bot.owner(), tmp_path / "copy"
        copying = ["/bin/cp", "-a", str(bot.home), str(copy)]
        subprocess.run(copying, check=False, capture_output=True)  # a socket is not copied
        command = [sys.executable, "-I", "-m", "handoff", "launcher", "--home", str(copy)]
        said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert said.returncode == ExitCode.FAILED
        assert str(copy) in said.stderr
        assert str(bot.home) in said.stderr
        assert bot.owner() == owner
        bot.run_cycles(2)
        bot.down("previous")
        bot.verify()
