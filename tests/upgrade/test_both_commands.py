"""Commands of one release about a bot that the other one runs, and who runs which code here."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from handoff.exit_codes import ExitCode
from tests.upgrade.mixed import NAMES, Mixed, holds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_each_installation_sees_its_own_engine(tmp_path: Path, engines: Engines) -> None:
    """Otherwise everything here would compare this release with itself."""
    with Mixed(tmp_path, engines) as bot:
        for installed in bot.installations.values():
            seen = "import deploy, foresight, handoff, state\n"
            seen += (
                "print(*(each.__file__ for each in (deploy, foresight, handoff, state)), sep='|')"
            )
            done = subprocess.run(
                installed.python_command(seen), check=True, capture_output=True, text=True, cwd="/"
            )
            assert all(path.startswith(f"{installed.engine}/") for path in done.stdout.split("|"))


@pytest.mark.parametrize(("running", "asking"), [NAMES, tuple(reversed(NAMES))])
def test_the_commands_of_one_release_work_on_a_bot_of_the_other(
    tmp_path: Path, engines: Engines, running: str, asking: str
) -> None:
    with Mixed(tmp_path, engines) as bot:
        bot.carry(running, body="from foresight.book import SCHEMA", schema="SCHEMA")
        bot.launch(bot.installations[running])
        owner = bot.owner()
        bot.run_cycles(1)  # it owns before its first cycle
        # 0.2.0 cannot print an owner with members that it does not know; it reads and keeps them.
        seeing = asking if running == "previous" else running
        (status,) = bot.said(seeing, "status", "--json")
        assert (status["running"], status["release"]) == (True, owner.release)
        assert status["owner"]["pid"] == owner.pid
        assert [child["pid"] for child in status["children"]] == [owner.pid]
        assert str(owner.pid) in bot.foresight(seeing, "status").stdout
        rows = bot.said(asking, "cycles", "--json")
        assert {row["release"] for row in rows} == {owner.release}
        assert rows[-1]["effects"] == 1
        for command, paused in (("pause", True), ("resume", False)):
            assert bot.foresight(asking, command).returncode == ExitCode.DONE
            (status,) = bot.said(running, "status", "--json")
            assert status["control"]["paused"] is paused
        (shown,) = bot.said(asking, "state", "show", "--json")
        assert shown["record"]["ownership"]["owner"]["worker"] == owner.worker
        (plan,) = bot.said(asking, "deploy", "--plan", "--json")
        assert plan, "what it would do"
        assert bot.foresight(asking, "logs").returncode == ExitCode.DONE
        bot.down(asking)
        (checked,) = bot.said(asking, "cycles", "--check", "--json")
        assert holds(checked), checked
