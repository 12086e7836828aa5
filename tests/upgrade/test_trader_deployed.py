"""The trader itself, deployed over the previous release with positions in its book.

The other tests here try the two engines with a worker of a few lines. This one has money in it: the
shape of the book changes under it, and the recorded cycles are not decided to the letter any more.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sysconfig
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from deploy import engine
from foresight.book import SCHEMA, Book
from handoff.exit_codes import ExitCode
from state.local_store import read_only_snapshot
from tests.process.bot import PATIENCE_S, POLL_S, BotProject
from tests.upgrade.engines import Engines, Installation
from tests.upgrade.mixed import holds

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from foresight.trades import Decided, Position
    from state.record import Record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# Its lock is empty, so that an environment costs nothing: what it imports lies where we have it.
WORKER: Final = """import sys

sys.path += {packages!r}

from foresight.trader import create  # noqa: E402

__all__ = ["create"]
"""

CONFIG: Final = """[engine]
app = "foresight"
home = "{home}"
page = "127.0.0.1:0"
speed = 30
period_s = 60.0

[board]
assets = ["BTC", "ETH", "SOL", "XRP"]

[venue]
timeout_s = 0.9

[risk]
edge_min_cents = -4.0
stake_floor_usdc = 8.0
slippage_cents = 3.0
drawdown_usdc = 0.0

[strategy.5m]
name = "late_entry"
minute = 3
minute_last = 4
threshold_sigmas = 0.2
"""


class Upgraded:
    """A bot that the previous release started, and the commands of both."""

    def __init__(self, directory: Path, engines: Engines) -> None:
        self.engines = engines
        self.home = directory / "home"
        self.project = BotProject(directory / "project")
        paths = sysconfig.get_paths()
        packages = list(dict.fromkeys([paths["purelib"], paths["platlib"]]))
        self.project.write("worker.py", WORKER.format(packages=packages))
        self.project.write("foresight.toml", CONFIG.format(home=self.home))
        self.installed = {
            name: Installation(directory / "installed" / name, engines.of(name))
            for name in ("previous", "this")
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.foresight("this", "down")

    def carry(self, name: str) -> str:
        """Commit the engine and the trader of a release; return the commit."""
        for package in engine.PACKAGES:
            shutil.rmtree(self.project.path / package, ignore_errors=True)
            source = self.engines.of(name) / package
            shutil.copytree(
                source,
                self.project.path / package,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        return self.project.commit(f"Carry the trader of {name}")

    def foresight(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the release named."""
        return self.installed[name].foresight(
            self.project.path, *words, environment=dict(os.environ)
        )

    def record(self) -> Record:
        """Return what is on record."""
        return read_only_snapshot(self.home / "state")

    def book(self) -> Book:
        """Return the book on record, whichever release wrote it."""
        record = self.record()
        found: Book = SCHEMA.decode(record.body, record.schema)
        return found

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, f"{what} did not come"
            time.sleep(POLL_S)


def received(home: Path) -> list[dict[str, Any]]:
    """Return every order that the exchange got, as its own ledger says."""
    lines = (home / "exchange" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return [entry for entry in entries if entry["type"] == "request"]


def test_the_trader_of_this_release_takes_over_from_the_previous_one_with_its_word_once(
    tmp_path: Path, engines: Engines
) -> None:
    """With `--allow-differences` positions and money go on, and nothing is bought twice."""
    with Upgraded(tmp_path, engines) as bot:
        bot.carry("previous")
        begun = bot.foresight("previous", "up", "-d")
        assert begun.returncode == ExitCode.DONE, begun.stderr
        bot.wait(lambda: len(bot.book().decided) >= 2, "two trades of the previous release")
        newer = bot.carry("this")
        bot.wait(lambda: bool(bot.book().positions), "a position of the previous release")
        before = bot.book()
        done = bot.foresight("previous", "deploy", newer, "--bake", "2", "--allow-differences")
        assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
        # Of 240 cycles 106 were decided otherwise: without the word that is refused.
        differ = re.search(r"replay: passed .* (\d+) differ", done.stdout + done.stderr)
        assert differ is not None, done.stdout + done.stderr
        assert int(differ[1])
        held = {one.entry.slug: one.cost_micro for one in before.positions.values()}
        last = bot.record().progress.cycle
        bot.wait(lambda: bot.record().progress.cycle >= last + 4, "cycles of this release")
        assert bot.foresight("this", "down").returncode == ExitCode.DONE
        book = bot.book()
        schema = bot.record().schema
        assert schema is not None
        assert (schema.version, book.venue) == (2, "local")
        assert book.decided[: len(before.decided)] == before.decided
        trades: list[Decided | Position] = [*book.decided, *book.positions.values()]
        after = {one.entry.slug: one.cost_micro for one in trades}
        assert held.items() <= after.items()
        assert not {"position_missing", "cash_adjusted"} & {one.kind for one in book.anomalies}
        orders = received(bot.home)
        slugs = [order["terms"]["slug"] for order in orders if order["verdict"] != "duplicate"]
        assert len(slugs) == len(set(slugs))
        bought = {order["terms"]["slug"] for order in orders if order["fills"]}
        assert after.keys() <= bought
        checked = json.loads(bot.foresight("this", "cycles", "--check", "--json").stdout)
        assert holds(checked), checked
        proven = json.loads(bot.foresight("this", "state", "verify", "--json").stdout)
        assert proven["ok"], proven
