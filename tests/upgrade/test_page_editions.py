"""A companion that releases bring, under a launcher that knows nothing of that."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Final

import pytest

from handoff.launcher.edition_file import read_editions
from handoff.launcher.edition_rules import Known
from handoff.launcher.listeners import address_of, bind
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from tests.upgrade.engines import Engines, said_by
from tests.upgrade.mixed import Mixed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

READS: Final = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from handoff.engine_config import read_engine_config
page, = read_engine_config(Path(json.load(sys.stdin))).companions
print(json.dumps({"argv": page.argv, "listen": page.listen}))
"""
TELLS: Final = """
import asyncio, socket, sys
from pathlib import Path
from handoff.companion_line import keep_telling
line = Path(sys.argv[1], "run", "control.sock")
asyncio.run(keep_telling(line, socket.socket(fileno=int(sys.argv[2]))))
"""


def test_a_launcher_before_editions_keeps_the_installations_own_and_takes_it_for_no_worker(
    tmp_path: Path, engines: Engines
) -> None:
    """The next one hears that it serves, and gets its socket."""
    with Mixed(tmp_path, engines) as bot:
        bot.carry("this")
        bot.launch(bot.installations["previous"])
        with bind("127.0.0.1:0") as free:
            address = address_of(free)
        argv = bot.installations["this"].python_command(TELLS, str(bot.home), "{fd}")
        path = bot.home / "run" / "engine.json"
        plain = json.loads(path.read_bytes())
        page = {"name": "page", "argv": argv, "listen": address, "in_release": ["page"]}
        path.write_text(json.dumps(plain | {"companions": [page]}), encoding="utf-8")
        assert said_by(engines.previous, READS, str(bot.home)) == {"argv": argv, "listen": address}

        bot.signal_launcher(signal.SIGHUP)
        bot.wait(lambda: len(bot.pids()) == 2, "the page")
        bot.run_cycles(4)
        roles = {child["name"]: child["role"] for child in bot.children()}
        assert roles.pop("page") == "companion"
        assert list(roles.values()) == ["heir"], "the page was taken for a worker"
        pids = sorted(bot.pids())

        bot.kill_launcher()
        bot.relaunch(bot.installations["this"])

        def known() -> Known:
            return read_editions(bot.home).get("page", Known())

        bot.wait(lambda: bool(known().why), "that no release brings such a page")
        assert "No module named page" in known().why
        assert sorted(bot.pids()) == pids, "adopted, and goes on"
        with LauncherClient(bot.home) as client:
            bot.wait(lambda: address in client.ask(Kind.STATUS)["listening"].values(), "its socket")
        bot.end()
