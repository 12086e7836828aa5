"""Three plain loops and what they become: no longer, and they do the same on the same feed.

The world of both is one script, so a difference is the loop's and not the weather's.
"""

from __future__ import annotations

import difflib
import importlib
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from handoff import simulate
from handoff.simulation import START_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ["feed_to_chat", "price_alert", "poller"]
CYCLES = 6
DOWN = None  # in the place of an answer

# By address, what is answered in each cycle.
SCRIPTS: dict[str, dict[str, Sequence[Any]]] = {
    "feed_to_chat": {
        "/feed.json": [["a"], ["b", "a"], DOWN, ["b", "c", "d"], ["a", "e"], []],
    },
    "price_alert": {
        "/price?symbol=BTC": [99_000, 100_001, 100_002, DOWN, 99_000, 100_500],
        "/price?symbol=ETH": [4_001, 4_001, 3_000, 4_000.5, DOWN, 4_100],
        "/price?symbol=SOL": [DOWN] * CYCLES,
    },
    "poller": {"/reading.json": [20.5, 21.0, DOWN, 20.0, 20.0, DOWN]},
}
WANTED: dict[str, list[Any]] = {
    "feed_to_chat": ["a", "b", "c", "d", "e"],
    "price_alert": [
        "ETH is above 4000: 4001",
        "BTC is above 100000: 100001",
        "ETH is above 4000: 4000.5",
        "BTC is above 100000: 100500",
    ],
    "poller": [[20.5, None], [21.0, 0.5], [None, None], [20.0, -1.0], [20.0, 0.0], [None, None]],
}


class Over(BaseException):
    """Ends a loop that never ends."""


class World:
    """Answers as the script says, cycle after cycle, and hears what is sent."""

    def __init__(self, script: dict[str, Sequence[Any]]) -> None:
        self._script = {address: iter(answers) for address, answers in script.items()}
        self.heard: list[str] = []

    def urlopen(self, asked: Any, timeout: float) -> io.BytesIO:  # noqa: ANN401 - as urllib's
        assert timeout > 0, "who waits for ever never sees the next cycle"
        if not isinstance(asked, str):
            self.heard.append(json.loads(asked.data)["text"])
            return io.BytesIO()
        answer = next(self._script[asked.removeprefix("http://127.0.0.1:8000")])
        if answer is DOWN:
            message = "down"
            raise ConnectionError(message)
        name = "price" if "price" in asked else "value"
        return io.BytesIO(json.dumps(answer if "feed" in asked else {name: answer}).encode())


def imported(name: str, world: World, place: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = importlib.import_module(name)
    monkeypatch.setattr(module, "urlopen", world.urlopen)
    for path in ("KNOWN", "ABOVE", "ROWS", "STATE"):
        if hasattr(module, path):
            monkeypatch.setattr(module, path, place / path)
    return module


def acts(name: str, world: World, place: Path) -> tuple[list[int], list[Any]]:
    """Return what was done: lines in the chat, or rows in the table and their minutes apart."""
    if name != "poller":
        return [], world.heard
    with closing(sqlite3.connect(place / "ROWS")) as database:
        rows = database.execute("SELECT minute, value, change FROM reading").fetchall()
    return [minute for minute, _, _ in rows], [[value, change] for _, value, change in rows]


def run_plain(name: str, world: World, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the program as it stands, on a clock of its own."""
    module = imported(f"examples.plain.{name}", world, place, monkeypatch)
    now = [START_NS / 1e9 + 1]
    left = iter(range(CYCLES - 1))

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if next(left, None) is None:
            raise Over

    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now[0], sleep=sleep))
    with pytest.raises(Over):
        module.main()


def run_loop(name: str, world: World, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = imported(f"examples.{name}", world, place, monkeypatch)
    declared: Callable[[], Any] = getattr(module, name)
    simulate(declared(), cycles=CYCLES)


@pytest.mark.parametrize("run", [run_plain, run_loop])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_recorded_feed_gives_the_same_acts(
    name: str,
    run: Callable[[str, World, Path, pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are held to one list, written by hand: neither is the other's proof."""
    world = World(SCRIPTS[name])
    run(name, world, tmp_path, monkeypatch)
    minutes, found = acts(name, world, tmp_path)
    assert found == WANTED[name]
    first = START_NS // 60_000_000_000
    assert minutes == ([*range(first, first + CYCLES)] if name == "poller" else [])


def lines_of(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("feed_to_chat", 33, 26), ("price_alert", 33, 26), ("poller", 36, 30)],
)
def test_a_loop_on_the_engine_is_no_longer_than_the_loop_that_it_replaces(
    name: str, before: int, after: int
) -> None:
    """The numbers stand in the guide; blank lines are not counted."""
    plain, loop = lines_of(EXAMPLES / "plain" / f"{name}.py"), lines_of(EXAMPLES / f"{name}.py")
    assert (len(plain), len(loop)) == (before, after)
    assert after <= before


@pytest.mark.parametrize(
    ("name", "written", "gone"),
    [("feed_to_chat", 5, 12), ("price_alert", 5, 12), ("poller", 5, 11)],
)
def test_a_plain_loop_is_inside_in_five_changed_lines(name: str, written: int, gone: int) -> None:
    """As `diff -w` shows it: indentation, blank lines and the file's first line are not counted."""
    files = (EXAMPLES / "plain" / f"{name}.py", EXAMPLES / f"{name}.py")
    plain, loop = ([line.strip() for line in lines_of(path)[1:]] for path in files)
    changes = [line[:2] for line in difflib.ndiff(plain, loop)]
    assert (changes.count("+ "), changes.count("- ")) == (written, gone)


@pytest.mark.parametrize("name", NAMES)
def test_what_looks_and_what_acts_is_taken_over_as_it_is(name: str) -> None:
    """A diff of the loop alone: who knows the program before knows it afterwards."""
    plain, loop = lines_of(EXAMPLES / "plain" / f"{name}.py"), lines_of(EXAMPLES / f"{name}.py")

    def functions(lines: list[str]) -> list[str]:
        begin = next(n for n, line in enumerate(lines) if line.startswith("def "))
        ends = (n for n, line in enumerate(lines) if line.startswith(("def main", "@loop")))
        return lines[begin : next(ends)]

    assert functions(plain) == functions(loop)
    assert len(functions(loop)) >= 6
