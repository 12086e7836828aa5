"""Three loops of the kinds that people run, deployed twice with a changed state and killed once.

They run as anybody would run them, beside each other, against a feed, prices and a sensor that
change all the time; what they did is read from the chat and from the table.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from typing_extensions import override

from bench.installation import Installation
from handoff import Context
from handoff.cadence import Schedule
from handoff.deciding import replay_with
from handoff.release_files import read_manifest
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines
from state.record import Progress, Record, decode_record, encode_record
from state.replay import replay_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.journal_frames import Line
    from state.replay import ReplayedLines

pytestmark = pytest.mark.timeout(180)
EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
NAMES: Final = ("feed_to_chat", "price_alert", "poller")
PERIOD_S: Final = 1
DEPLOY_TRIES_MAX: Final = 3
BUDGET_S: Final = 0.8  # a busy machine answers late
HEADLINES_SHOWN: Final = 100  # of the newest: no outage here lasts for as many

STEPS: Final = """
def with_count(old):
    return {**old, "cycles": 0}


def without_count(new):
    return {name: value for name, value in new.items() if name != "cycles"}


def renamed(old):
    return {**without_count(old), "turns": old["cycles"]}


def named_back(new):
    return {**{name: new[name] for name in new if name != "turns"}, "cycles": new["turns"]}


"""
# The feed's first state is a list: what counts needs a dict around it.
AROUND: Final = """
def with_count(old):
    return {"known": old, "cycles": 0}


def without_count(new):
    return new["known"]


def renamed(old):
    return {"known": old["known"], "turns": old["cycles"]}


def named_back(new):
    return {"known": new["known"], "cycles": new["turns"]}


"""
VERSIONS: Final = {
    1: ("", ""),
    2: ("cycles", "version=2, up=with_count, down=without_count"),
    3: (
        "turns",
        "version=3, up={1: with_count, 2: renamed}, down={2: without_count, 3: named_back}",
    ),
}


class World:
    """A feed, prices and a sensor that change ten times a second; and a chat."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self.chats: dict[str, list[str]] = {}

    def answer(self, path: str) -> Any:  # noqa: ANN401 - plain JSON
        tenths = int((time.monotonic() - self._begun_s) * 10)
        if path == "/feed.json":
            newest = tenths // 4
            return [f"headline {n}" for n in range(max(newest - HEADLINES_SHOWN, 0), newest + 1)]
        if path == "/reading.json":
            return {"value": tenths}
        # Above every limit for a while, then below it for as long.
        return {"price": 1_000_000 if tenths // 15 % 2 else 1}

    def hear(self, path: str, text: str) -> None:
        self.chats.setdefault(path, []).append(text)


@contextmanager
def served() -> Iterator[tuple[World, str]]:
    """Serve a world on loopback; yield it and its address."""
    world = World()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(json.dumps(world.answer(self.path)).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            world.hear(self.path, json.loads(body)["text"])
            self._send(b"")

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # three loops and their candidates ask at the same moment

        @override
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: who was killed reads no answer."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield world, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def changed(text: str, pattern: str, new: str) -> str:
    found, count = re.subn(pattern, lambda _: new, text, count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    return found


def written(name: str, version: int, place: Path, address: str) -> Path:
    """Write a version of an example into a tree of its own; return the tree."""
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    text = text.replace("http://127.0.0.1:8000", address).replace("/chat", f"/chat/{name}")
    text = text.replace("Path.home()", f"Path({str(place)!r})")
    text = changed(text, r"every=\d+", f"every={PERIOD_S}, budget={BUDGET_S}")
    member, options = VERSIONS[version]
    if member:
        steps, first, state = STEPS, "", "above" if name == "price_alert" else "state"
        if name == "feed_to_chat":
            steps, first = AROUND, '    known = state["known"]\n'
            text = changed(text, "state=list, ", "")
            text = changed(text, r"known: list\[str\]", "state")
        text = changed(text, r"^@loop\(", f"{steps.lstrip()}@loop({options}, ")
        text = changed(
            text,
            r"^    \"\"\"Look .*$|^    \"\"\"Measure .*$",
            f'{first}    {state}["{member}"] += 1',
        )
    tree = place / f"v{version}"
    tree.mkdir(parents=True)
    (tree / f"{name}.py").write_text(text, encoding="utf-8")
    return tree


def kept_members(name: str) -> set[str]:
    return {
        "feed_to_chat": {"known"},
        "price_alert": {"BTC", "ETH", "SOL"},
        "poller": {"last"},
    }[name]


def settled(running: Installation) -> Record:
    record = running.record()
    assert record is not None
    return record


def live(name: str, place: Path, address: str) -> Installation:
    """Run one loop through its life: begin, deploy, kill, deploy, stop."""
    entry = f"{name}:{name}"
    trees = {version: written(name, version, place, address) for version in VERSIONS}
    with Installation(place, app=name) as running:
        running.launcher = running.run(trees[1], entry)
        running.wait(lambda: running.owner() is not None, "an owner")
        wait_cycles(running, 2)
        for version in (2, 3):
            deploy(running, trees[version])
            if version == 2:
                running.wait_other_owner(running.kill_owner())
            wait_cycles(running, 2)
        assert running.down() == 0, running.last_words()
    return running


def deploy(running: Installation, tree: Path) -> None:
    """Deploy with the command; on a busy machine the gates may find that reads come late."""
    said = ""
    for _ in range(DEPLOY_TRIES_MAX):
        done = running.call("replace", "--tree", str(tree), "--bake", "1")
        if not done.returncode:
            return
        said += done.stdout + done.stderr
    raise AssertionError(said + running.last_words())


def wait_cycles(running: Installation, number: int) -> None:
    target = settled(running).progress.cycle + number
    running.wait(lambda: settled(running).progress.cycle >= target, f"cycle {target}")


def replayed(name: str, running: Installation, lines: list[Line]) -> ReplayedLines:
    """Decide each cycle again with the code of the release that decided it."""
    timeline = settled(running).timeline
    deciding: dict[str, Callable[[Record, Line], Record]] = {}
    for release in {line.release for line in lines if line.kind == "decide"}:
        tree = read_manifest(running.home, release).tree
        spec = spec_from_file_location(f"{name}_{release}", Path(tree, f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        context = Context(
            app=name, release=release, tree=tree, home=str(running.home), timeline=timeline
        )
        workload = getattr(module, name)(context)
        schedule = Schedule(workload.cadence, timeline)
        deciding[release] = replay_with(workload, schedule, effects_too=True)
    return replay_lines(lines, lambda before, line: deciding[line.release](before, line))


def verify_proof(name: str, running: Installation) -> range:
    """Print the proof and check it; return the cycles that were decided."""
    lines = list(effective(read_lines(running.home / "journal")))
    audit, again = audit_cycles(lines), replayed(name, running, lines)
    decided = [line.cycle for line in lines if line.kind == "decide"]
    by_release = Counter(line.release for line in lines if line.kind == "decide")
    words = ", ".join(f"{count} by {release}" for release, count in by_release.items())
    sys.stdout.write(f"{name}: {again.checked} of {len(decided)} cycles again alike: {words}\n")
    assert audit.is_complete, audit
    assert audit.missed == ()
    assert (list(again.deviations), again.skipped) == ([], 0)
    assert again.checked == len(decided)
    assert len(by_release) == 3
    assert [line.kind for line in lines].count("take") == 2
    assert "dead" in {line.evidence.get("proof") for line in lines if line.kind == "seize"}
    assert decided == list(range(decided[0], decided[-1] + 1)), "each cycle once"
    return range(decided[0], decided[-1] + 1)


def verify_state(name: str, running: Installation, cycles: range) -> None:
    """The last version counts its cycles in a member that the first did not have."""
    state = msgspec.json.decode(settled(running).body)["state"]
    assert set(state) == {*kept_members(name), "turns"}
    assert 0 < state["turns"] < len(cycles)


@pytest.fixture(scope="module")
def ended(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[World, dict[str, Installation]]]:
    """Let all three live beside each other."""
    place = tmp_path_factory.mktemp("loops")
    # Three threads look at records: msgspec crashes where two are the first to decode a type.
    first = Record(app="first", progress=Progress(cycle=0))
    decode_record(encode_record(first)[0], where="the first one")
    with served() as (world, address), ThreadPoolExecutor(len(NAMES)) as lives:
        begun = {name: lives.submit(live, name, place / name, address) for name in NAMES}
        yield world, {name: each.result() for name, each in begun.items()}


def test_the_feed_reaches_the_chat_and_nothing_is_lost(
    ended: tuple[World, dict[str, Installation]],
) -> None:
    """What was under way when its owner was killed, or had no answer in time, may come again."""
    world, running = ended
    cycles = verify_proof("feed_to_chat", running["feed_to_chat"])
    verify_state("feed_to_chat", running["feed_to_chat"], cycles)
    told = world.chats["/chat/feed_to_chat"]
    first_told = set(told)
    assert first_told == {f"headline {number}" for number in range(len(first_told))}
    assert len(first_told) > len(cycles)  # a headline comes oftener than a cycle
    assert len(told) - len(first_told) <= len(first_told) / 2


def test_a_price_is_told_each_time_that_it_rises_above_its_limit(
    ended: tuple[World, dict[str, Installation]],
) -> None:
    world, running = ended
    cycles = verify_proof("price_alert", running["price_alert"])
    verify_state("price_alert", running["price_alert"], cycles)
    told = world.chats["/chat/price_alert"]
    symbols = [line.split()[0] for line in told]
    assert set(symbols) == {"BTC", "ETH", "SOL"}
    assert len(told) <= 3 * (len(cycles) / 2 + 2), "not in each cycle that it is above"


def test_a_poller_has_exactly_one_row_for_each_cycle(
    ended: tuple[World, dict[str, Installation]],
) -> None:
    """Across two deploys and a kill: none missing, none twice, each change from the row before.

    On a busy machine a whole cycle may run over its budget: that one has no inputs, and decides
    nothing that could have a row.
    """
    _, running = ended
    cycles = verify_proof("poller", running["poller"])
    verify_state("poller", running["poller"], cycles)
    with closing(sqlite3.connect(running["poller"].directory / "readings.db")) as database:
        rows = database.execute("SELECT * FROM reading ORDER BY rowid").fetchall()
    lines = effective(read_lines(running["poller"].home / "journal"))
    blind = {line.cycle for line in lines if line.kind == "decide" and line.unavailable}
    assert [row[0] for row in rows] == [cycle for cycle in cycles if cycle not in blind]
    assert len(blind) < len(rows)
    last: float | None = None
    for _, value, change in rows:
        assert change == (None if None in (last, value) else value - last)
        last = last if value is None else value
    assert last is not None, "the sensor answered"
