"""People are told, once, and whoever cannot be told keeps nobody waiting."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from deploy import history, notifications
from deploy.errors import AddressesUnusable
from deploy.notices import Notice
from handoff.launcher.engine_config import Companion
from tests.process.bot import Bot

pytestmark = [
    pytest.mark.timeout(120),
    # The library imports every plugin it has, and some of them what is on its way out of Python.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class Mailbox:
    """A web server that keeps what is posted to it, and can be slow or refuse."""

    def __init__(self) -> None:
        box = self
        self.titles: list[str] = []
        self.bodies: list[str] = []
        self.refuses = 0
        self.hangs = threading.Event()
        self.hangs.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                box.hangs.wait(60)
                if box.refuses:
                    box.refuses -= 1
                    self.send_response(503)
                else:
                    box.titles.append(posted["title"])
                    box.bodies.append(posted["message"])
                    self.send_response(200)
                self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://mia:secret-word@127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.hangs.set()
    box.server.shutdown()
    box.server.server_close()


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        yield running


def addresses(directory: Path, *lines: str) -> Path:
    path = directory / "addresses"
    path.write_text("# who is told\n" + "\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def companion(bot: Bot, python: str, path: Path) -> Companion:
    argv = [python, "-I", "-m", "deploy", "notify", "--home", str(bot.home), "--config", str(path)]
    return Companion("notifier", tuple(argv))


def ended(home: Path, deploy: str, outcome: str = "permanent") -> None:
    entry = history.requested(deploy, now_ns=time.time_ns(), by="mia", ref="x", from_release="")
    history.finish(home, msgspec.structs.replace(entry, outcome=outcome, subject=deploy))


def record(home: Path, bot: Bot) -> None:
    """Give a home the least that there is to read."""
    bot.up()
    bot.end()
    assert (home / "state" / "record.json").exists()


def wait(notifier: notifications.Notifier, box: Mailbox, number: int) -> None:
    deadline_s = time.monotonic() + 20
    while len(box.titles) < number:
        assert time.monotonic() < deadline_s, box.titles
        notifier.look(time.monotonic())
        time.sleep(0.02)


def targets(*lines: str) -> list[notifications.Target]:
    return notifications.targets_of(list(lines), "addresses")


DEAD = "json://127.0.0.1:9/"


def test_a_running_bot_tells_of_its_deploys(bot: Bot, mailbox: Mailbox, tmp_path: Path) -> None:
    """Also beside an address where nobody listens; and no log names an address."""
    path = addresses(tmp_path, DEAD, mailbox.address)
    bot.up(companion(bot, sys.executable, path))
    cursor = bot.home / "run" / notifications.CURSOR
    bot.wait(cursor.exists, "the notifier")
    second = bot.project.version("2", "Trade less")
    bot.request(second)
    bot.wait_live(second)
    bot.wait(lambda: mailbox.titles == ["counted: deploy permanent"], "a message")
    assert "Trade less" in mailbox.bodies[0]
    bot.kill("notifier")
    bot.project.write("worker.py", "raise SystemExit('broken')\n")
    bot.request(bot.project.commit("Break it"))
    bot.wait(lambda: len(mailbox.titles) == 2, "a second message")
    assert mailbox.titles == ["counted: deploy permanent", "counted: deploy refused"]
    for written in [cursor, *(bot.home / "logs").glob("*.log")]:
        text = written.read_text("utf-8", "replace")
        assert "secret-word" not in text, written
        assert f":{mailbox.server.server_port}" not in text, written


def test_a_dead_address_delays_no_other(bot: Bot, mailbox: Mailbox) -> None:
    record(bot.home, bot)
    hanging = Mailbox()
    hanging.hangs.clear()
    said: list[str] = []
    notifier = notifications.Notifier(
        bot.home, targets(DEAD, hanging.address, mailbox.address), said.append
    )
    for each in range(5):
        ended(bot.home, f"d{each}")
    wait(notifier, mailbox, 5)
    assert hanging.titles == [], "it hangs as before"
    assert [body.split("\n")[0] for body in mailbox.bodies] == [f"d{each}" for each in range(5)]
    hanging.hangs.set()
    hanging.server.shutdown()
    hanging.server.server_close()


def test_a_refused_message_is_tried_again_and_given_up(
    bot: Bot, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "PAUSE_S", (0.05, 0.05, 0.05))
    record(bot.home, bot)
    said: list[str] = []
    notifier = notifications.Notifier(bot.home, targets(mailbox.address), said.append)
    mailbox.refuses = 2
    ended(bot.home, "d1")
    wait(notifier, mailbox, 1)
    mailbox.refuses = notifications.ATTEMPTS_MAX
    ended(bot.home, "d2")
    ended(bot.home, "d3")
    wait(notifier, mailbox, 2)
    assert [body.split("\n")[0] for body in mailbox.bodies] == ["d1", "d3"]
    assert "#1 json: given up after 4 attempts" in said


def test_nothing_is_told_twice_and_nothing_that_waits_is_lost(bot: Bot, mailbox: Mailbox) -> None:
    record(bot.home, bot)
    ended(bot.home, "before")
    first = notifications.Notifier(bot.home, targets(mailbox.address), lambda _: None)
    ended(bot.home, "d1")
    wait(first, mailbox, 1)
    mailbox.hangs.clear()
    for each in ("d2", "d3"):
        ended(bot.home, each)
    first.look(time.monotonic())
    second = notifications.Notifier(bot.home, targets(mailbox.address), lambda _: None)
    mailbox.hangs.set()
    wait(second, mailbox, 3)
    third = notifications.Notifier(bot.home, targets(mailbox.address), lambda _: None)
    for _ in range(10):
        third.look(time.monotonic())
        time.sleep(0.02)
    assert sorted(body.split("\n")[0] for body in mailbox.bodies) == ["d1", "d2", "d3"]


def test_a_queue_keeps_the_newest(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "QUEUE_MAX", 3)
    record(bot.home, bot)
    got: list[Notice] = []

    def keep(notice: Notice) -> bool:
        got.append(notice)
        return True

    said: list[str] = []
    target = notifications.Target(1, send=keep, scheme="json", key="k")
    notifier = notifications.Notifier(bot.home, [target], said.append)
    for each in range(5):
        ended(bot.home, f"d{each}")
    deadline_s = time.monotonic() + 10
    while len(got) < 3 and time.monotonic() < deadline_s:
        notifier.look(time.monotonic())
        time.sleep(0.01)
    assert [notice.body.split("\n")[0] for notice in got] == ["d2", "d3", "d4"]
    assert "#1 json: 2 messages dropped" in said


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_addresses_that_others_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    path = addresses(tmp_path, "json://u:secret-word@127.0.0.1/")
    path.chmod(mode)
    with pytest.raises(AddressesUnusable, match="others") as caught:
        notifications.read_addresses(path)
    assert "secret-word" not in str(caught.value)


def test_an_address_that_means_nothing_is_named_by_its_number(tmp_path: Path) -> None:
    path = addresses(tmp_path, DEAD, "nonsense-secret-word")
    with pytest.raises(AddressesUnusable, match="address 2") as caught:
        targets(*notifications.read_addresses(path))
    assert "secret-word" not in str(caught.value)
