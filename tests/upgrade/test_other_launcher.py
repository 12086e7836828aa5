"""The launcher changes its release under living workers: by a new process, and by becoming it."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from handoff.exit_codes import ExitCode
from tests.upgrade.engines import Installation
from tests.upgrade.mixed import NAMES, Mixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_launcher_of_either_release_adopts_what_the_other_one_started(
    tmp_path: Path, engines: Engines
) -> None:
    """Old launcher, new one, old one; the workers change sides in between."""
    with Mixed(tmp_path, engines) as bot:
        bot.carry("previous")
        bot.launch(bot.installations["previous"])
        old = bot.owner()
        bot.kill_launcher()
        bot.run_cycles(1)
        bot.launch(bot.installations["this"])
        assert bot.owner() == old, "adopted: no twin, no restart"
        bot.said("this", "deploy", bot.carry("this"), "--json")
        new = bot.owner()
        bot.kill_launcher()
        bot.run_cycles(1)
        bot.launch(bot.installations["previous"])
        assert bot.owner() == new
        bot.kill_owner()
        assert bot.owner().release == new.release, "its death is seen by whoever adopted it"
        bot.run_cycles(1)
        bot.down("previous")
        assert bot.verify() == [old.release, new.release]


def test_a_launcher_becomes_the_other_release_and_comes_back_in_the_middle_of_a_deploy(
    tmp_path: Path, engines: Engines
) -> None:
    """The same process throughout: what an init system watches never ends."""
    with Mixed(tmp_path, engines) as bot:
        upgraded = Installation(tmp_path / "installed" / "upgraded", engines.previous)
        bot.carry("previous")
        bot.launch(upgraded)
        old, launcher = bot.owner(), bot.launcher_pid()
        upgraded.become(engines.this)
        bot.replace_launcher()
        bot.run_cycles(1)
        assert (bot.owner(), bot.launcher_pid()) == (old, launcher)
        second = bot.carry("this")
        deploy = bot.foresight("this", "deploy", second, "--bake", "8", "-d")
        assert deploy.returncode == ExitCode.DONE, deploy.stderr
        bot.wait(lambda: bot.live() == second, "the take")
        upgraded.become(engines.previous)
        bot.replace_launcher()
        bot.wait(lambda: bool(bot.deploys()), "the end of the deploy")
        assert bot.outcomes() == [(second, "permanent")], bot.deploys()
        assert bot.launcher_pid() == launcher
        new = bot.owner()
        bot.wait(lambda: bot.pids() == [new.pid], "the rest to go")
        bot.down("this")
        assert bot.verify() == [old.release, new.release]


@pytest.mark.parametrize(("one", "other"), [NAMES, tuple(reversed(NAMES))])
def test_a_launcher_whose_installation_became_unusable_stays_what_it_is(
    tmp_path: Path, engines: Engines, one: str, other: str
) -> None:
    """An upgrade that was torn half-way must not take the launcher with it."""
    with Mixed(tmp_path, engines) as bot:
        upgraded = Installation(tmp_path / "installed" / "upgraded", engines.of(one))
        bot.carry("previous")
        bot.launch(upgraded)
        owner, launcher = bot.owner(), bot.launcher_pid()
        torn = tmp_path / "torn"
        torn.mkdir()
        upgraded.become(torn)
        bot.signal_launcher(signal.SIGUSR2)
        bot.wait(lambda: bot.events("replacement_refused") == 1, "the refusal")
        bot.run_cycles(1)
        assert (bot.owner(), bot.launcher_pid()) == (owner, launcher)
        upgraded.become(engines.of(other))
        bot.replace_launcher()
        bot.run_cycles(1)
        assert (bot.owner(), bot.launcher_pid()) == (owner, launcher)
        bot.down(other)
        assert bot.verify() == [owner.release]


def test_a_launcher_never_becomes_one_that_cannot_read_what_it_leaves(
    tmp_path: Path, engines: Engines
) -> None:
    """It would hold no lock after the exec, and die of what it does not understand."""
    newer = tmp_path / "newer"
    shutil.copytree(engines.this, newer)
    changed = newer / "handoff" / "launcher" / "self_replacement.py"
    text = changed.read_text(encoding="utf-8")
    assert "INHERITED_FORMAT: Final = 1\n" in text
    text = text.replace("INHERITED_FORMAT: Final = 1\n", "INHERITED_FORMAT: Final = 2\n")
    changed.write_text(text, encoding="utf-8")
    with Mixed(tmp_path, engines) as bot:
        upgraded = Installation(tmp_path / "installed" / "upgraded", newer)
        bot.carry("this")
        bot.launch(upgraded)
        owner, launcher = bot.owner(), bot.launcher_pid()
        upgraded.become(engines.this)
        bot.signal_launcher(signal.SIGUSR2)
        bot.wait(lambda: bot.events("replacement_refused") == 1, "the refusal")
        assert "leaves format 2, this one reads 1" in bot.launcher_log()
        bot.run_cycles(1)
        assert (bot.owner(), bot.launcher_pid()) == (owner, launcher)
