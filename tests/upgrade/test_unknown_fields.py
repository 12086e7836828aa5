"""What a newer release wrote is still there after this or the previous one has run over it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from deploy import history
from handoff.exit_codes import ExitCode
from tests.upgrade import newer
from tests.upgrade.mixed import NAMES, Mixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", NAMES)
def test_unknown_members_survive_cycles_deploys_and_deaths(
    tmp_path: Path, engines: Engines, name: str
) -> None:
    """Otherwise a step back would quietly take away what the step forward had learnt."""
    with Mixed(tmp_path, engines) as bot:
        first = bot.carry(name)
        bot.launch(bot.installations[name])
        began = bot.owner().release
        bot.run_cycles(1)
        bot.down(name)
        newer.leave_traces(bot.home)
        assert newer.lost(bot.home, (*newer.PLACES, newer.LAST_OWNER)) == []
        bot.launch(bot.installations[name])
        newer.into_plain(bot.home / "run" / "engine.json")
        bot.signal_launcher(signal.SIGHUP)
        bot.wait(lambda: bot.events("launcher_reloaded") == 1, "the configuration to be read")
        bot.run_cycles(1)
        assert newer.lost(bot.home, (*newer.PLACES, newer.LAST_OWNER)) == []
        (deployed,) = bot.said(name, "deploy", bot.carry(name, decide="VERSION = 2"), "--json")
        assert deployed["outcome"] == "permanent", deployed
        bot.kill_owner()
        bot.run_cycles(1)
        assert newer.lost(bot.home, newer.PLACES) == []
        (old, ended) = bot.said(name, "deploys", "--json")
        assert (old["outcome"], ended["deploy"]) == ("postponed", deployed["deploy"])
        assert (bot.home / history.HISTORY).read_bytes().startswith(newer.history_line())
        bot.down(name)
        assert newer.traced_lines(bot.home) == 1
        assert bot.verify() == [began, deployed["release"]]
        assert bot.project.git("rev-parse", "HEAD~1") == first


def test_a_launcher_starts_beside_children_that_it_does_not_understand(
    tmp_path: Path, engines: Engines
) -> None:
    """What a newer launcher wrote down is advice: it must not keep an older one from starting."""
    with Mixed(tmp_path, engines) as bot:
        bot.carry("this")
        bot.launch(bot.installations["this"])
        owner = bot.owner()
        bot.kill_launcher()
        path = bot.home / "run" / "launcher.json"
        plain = json.loads(path.read_bytes())
        assert [child["role"] for child in plain["children"]] == ["heir"]
        plain["children"][0]["role"] = newer.MEMBER
        plain["children"].append({"process": owner.pid})
        path.write_text(json.dumps(plain), encoding="utf-8")
        bot.launch(bot.installations["this"])
        assert (bot.owner(), bot.pids()) == (owner, [owner.pid]), "found by the record"


def test_an_operator_s_wish_takes_nothing_away(tmp_path: Path, engines: Engines) -> None:
    """The newer release may know more wishes than to pause and to halt."""
    with Mixed(tmp_path, engines) as bot:
        bot.carry("this")
        bot.launch(bot.installations["this"])
        bot.down("this")
        newer.leave_traces(bot.home)
        for command in ("pause", "resume"):
            assert bot.foresight("this", command).returncode == ExitCode.DONE
        assert newer.lost(bot.home, newer.PLACES) == []
