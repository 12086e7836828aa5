"""Ports of companions against real launchers: whose they are, and what becomes of a taken one."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from typing_extensions import override

from foresight.checkup import examine
from foresight.cli.addresses import Bound, bound_for, is_ours
from foresight.cli.installation import Installation
from foresight.cli.serving import PortLost, running_page
from foresight.config import Config, Engine
from handoff.launcher.engine_config import (
    Companion,
    EngineConfig,
    read_engine_config,
    write_engine_config,
)
from handoff.launcher.listeners import address_of, bind
from handoff.processes import HAS_PIDFD
from tests.process.bot import Bot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from foresight.finding import Finding
    from handoff.wire import Message

TOLD: Final = "EXCHANGE_URL"
ANSWERS: Final = """
import os, socket
with socket.socket(fileno=3) as listener:
    while True:
        connection, _ = listener.accept()
        connection.sendall(str(os.getpid()).encode())
        connection.close()
"""

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
]


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        yield running


def companion(bot: Bot, address: str, *, told: str = "") -> Companion:
    """Return a companion that answers with its pid."""
    argv = (sys.executable, "-c", ANSWERS, str(bot.home))
    return Companion("exchange", argv, listen=address, told=told)


def pid_at(address: str) -> int:
    """Return who answers there; 0 for nobody."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            return int(connection.recv(64) or b"0")
    except OSError:
        return 0


def bound_when_free(bot: Bot, address: str) -> socket.socket:
    """Return a socket of a stranger there: what a killed process held is free a little later."""
    found: list[socket.socket] = []

    def is_bound() -> bool:
        try:
            found.append(bind(address))
        except OSError:
            return False
        return True

    bot.wait(is_bound, "a free port")
    return found[0]


def said(bot: Bot, *events: str) -> list[dict[str, Any]]:
    lines = (bot.home / "logs" / "launcher.log").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each["event"] in events]


def test_a_launcher_gets_the_very_socket_that_was_bound_for_it(bot: Bot) -> None:
    """A port that is bound, let go and bound again is anybody's in between."""
    bound = bound_for(bot.home, "exchange", "127.0.0.1:0")
    assert bound.listener is not None
    with bound.listener:
        bot.up(companion(bot, bound.address), handed={"exchange": bound.listener})
    bot.wait(lambda: pid_at(bound.address) != 0, "an answer")
    assert said(bot, "port_bound", "port_taken", "port_moved") == []


def test_the_port_of_an_adopted_companion_is_ours_and_bound_again_when_it_ends(bot: Bot) -> None:
    """Taken for a stranger's, the address would change under a worker that was told it."""
    first = bound_for(bot.home, "exchange", "127.0.0.1:0")
    assert first.listener is not None
    with first.listener:
        bot.up(companion(bot, first.address), handed={"exchange": first.listener})
    bot.wait(lambda: pid_at(first.address) != 0, "an answer")
    pid = pid_at(first.address)
    bot.kill_launcher()
    assert is_ours(bot.home, "exchange", first.address)
    assert not is_ours(bot.home, "page", first.address), "of another name"
    again = bound_for(bot.home, "exchange", "127.0.0.1:0")
    assert again == Bound(first.address)
    bot.up(companion(bot, again.address))
    bot.wait(lambda: bool(bot.children()), "an answer of the launcher")
    assert pid_at(first.address) == pid, "adopted, not started again"
    assert said(bot, "port_bound", "port_taken", "port_moved") == []
    bot.kill("exchange")
    bot.wait(lambda: pid_at(first.address) not in (0, pid), "another one there")
    assert [each["address"] for each in said(bot, "port_bound")] == [first.address]


def test_a_stranger_on_the_port_moves_it_before_a_first_worker_is_told(bot: Bot) -> None:
    """Told the taken one, no worker would ever get warm: a bot without an owner."""
    with bind("127.0.0.1:0") as stranger:
        taken = address_of(stranger)
        bot.up(companion(bot, taken, told=TOLD))
        moved = read_engine_config(bot.home).companions[0].listen
        assert moved != taken
        bot.wait(lambda: pid_at(moved) != 0, "an answer")
    assert [each["address"] for each in said(bot, "port_moved")] == [moved]


def test_a_stranger_on_the_port_of_the_page_moves_it_and_that_is_said(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` printed an address at which another bot's page was, and its own page had none."""
    (bot.home / "run").mkdir(parents=True, exist_ok=True)
    with bind("127.0.0.1:0") as stranger:
        taken = address_of(stranger)
        bound = bound_for(bot.home, "dashboard", taken, elsewhere=True)
        assert bound.listener is not None
        with bound.listener:
            assert bound.address == address_of(bound.listener) != taken
    said = capsys.readouterr().err
    assert f"{taken}, wished for the dashboard, is taken by process {os.getpid()}" in said
    assert f"it is at {bound.address} instead ([engine] page names another port)" in said


class Said(Installation):
    """An installation whose launcher says that these processes are its own."""

    def __init__(self, home: Path, *pids: int) -> None:
        super().__init__(home / "foresight.toml")
        self.home = home
        self._pids = pids

    @override
    def launcher_status(self) -> Message:
        launcher, *pages = self._pids
        return {"pid": launcher, "children": [{"name": "dashboard", "pid": pid} for pid in pages]}


def test_the_link_with_the_token_leads_to_nobody_else(bot: Bot) -> None:
    """While nobody of ours listens, anybody may: its page would read the token out of the link."""
    (bot.home / "run").mkdir(parents=True, exist_ok=True)
    with bind("127.0.0.1:0") as listener:
        page = Companion("dashboard", ("page",), listen=address_of(listener))
        engine = EngineConfig(app="bot", first_release="", companions=(page,))
        write_engine_config(bot.home, engine)
        for pids in ((os.getpid(),), (os.getppid(), os.getpid())):
            assert running_page(Said(bot.home, *pids)) == page.listen
        with pytest.raises(PortLost, match=page.listen):
            running_page(Said(bot.home, os.getppid()))
    with pytest.raises(PortLost, match=page.listen):
        running_page(Said(bot.home, os.getpid()))


def test_doctor_names_the_address_of_the_page(bot: Bot) -> None:
    """Whoever wished another port finds the page where it is, not where it was wished."""
    (bot.home / "run").mkdir(parents=True, exist_ok=True)
    with bind("127.0.0.1:0") as once, bind("127.0.0.1:0") as chosen:
        wished, other = address_of(once), address_of(chosen)
    for listen, verdict in ((wished, "good"), (other, "odd")):
        page = Companion("dashboard", ("page",), listen=listen)
        engine = EngineConfig(app="bot", first_release="", companions=(page,))
        write_engine_config(bot.home, engine)
        findings = examine(Config(engine=Engine(page=wished)), bot.home, bot.home)
        found = next(each for each in findings if each.check == "page")
        assert found.verdict.value == verdict
        assert found.found.startswith(f"http://{listen}")


def test_doctor_says_who_has_the_port_of_the_page(bot: Bot) -> None:
    """A good page at an address that another bot answers leads to that one's figures."""
    other = bot.home.parent / "other"

    def found(home: Path) -> Finding:
        findings = examine(Config(engine=Engine(page=wished)), home, home)
        return next(each for each in findings if each.check == "page")

    with bind("127.0.0.1:0") as stranger:
        wished = address_of(stranger)
        assert found(other).found == f"{wished} is taken by process {os.getpid()}"
        assert "[engine] page" in found(other).remedy
    assert found(other).verdict.value == "good", "nobody has it"
    with bind("127.0.0.1:0") as listener:
        wished = address_of(listener)
        page = Companion("dashboard", (sys.executable, "-c", ANSWERS, str(bot.home)), listen=wished)
        bot.up(page, handed={"dashboard": listener})
    bot.wait(lambda: pid_at(wished) != 0, "an answer")
    assert found(bot.home).verdict.value == "good", "it is its own"
    assert found(other).found == f"{wished} is taken by the bot of {bot.home}"


def test_while_a_worker_lives_the_launcher_tries_on(bot: Bot) -> None:
    """A worker of the launcher before this one was told the address, and looks there."""
    first = bound_for(bot.home, "exchange", "127.0.0.1:0")
    assert first.listener is not None
    with first.listener:
        bot.up(companion(bot, first.address, told=TOLD), handed={"exchange": first.listener})
    bot.wait(lambda: pid_at(first.address) != 0, "an answer")
    pid = pid_at(first.address)
    bot.kill_launcher()
    os.kill(pid, 9)
    with bound_when_free(bot, first.address) as stranger:
        stranger.settimeout(0)
        bound = bound_for(bot.home, "exchange", "127.0.0.1:0", stays=True)
        assert bound == Bound(first.address)
        bot.up(companion(bot, bound.address, told=TOLD))
        bot.wait(lambda: bool(said(bot, "port_taken")), "that it is said")
    bot.wait(lambda: pid_at(first.address) not in (0, pid), "another one there")
    assert said(bot, "port_moved") == []
    assert [each["address"] for each in said(bot, "port_bound")] == [first.address]
    assert read_engine_config(bot.home).companions[0].listen == first.address


def test_an_adopted_companion_that_listens_elsewhere_is_started_where_it_should(bot: Bot) -> None:
    """Somebody chose another port for the page: an adopted one answers at the old one for ever."""
    first = bound_for(bot.home, "exchange", "127.0.0.1:0")
    assert first.listener is not None
    with first.listener:
        bot.up(companion(bot, first.address), handed={"exchange": first.listener})
    bot.wait(lambda: pid_at(first.address) != 0, "an answer")
    bot.kill_launcher()
    with bind("127.0.0.1:0") as listener:
        wanted = address_of(listener)
        bot.up(companion(bot, wanted), handed={"exchange": listener})
    bot.wait(lambda: pid_at(wanted) != 0, "an answer there")
    assert pid_at(first.address) == 0
