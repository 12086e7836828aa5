"""One record, two engines in turn: a commit of either may end at any call, and the other opens.

What one of them wrote and did not finish, the other finishes or takes back, and nothing is
decided or sent twice. Formats are the same; the order of the writes is not.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from state.cycle_audit import effective
from state.journal_reader import read_lines, verify_chain, verify_cycles
from state.local_store import read_only_snapshot
from state.record import encode_record
from tests.upgrade.mixed import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PROGRAM = Path(__file__).with_name("store_engine.py")
PAIRS = [NAMES, tuple(reversed(NAMES))]


class StoreOf:
    """The store of one engine, in a process of its own."""

    def __init__(self, tree: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), str(tree)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, home: Path, step: str, **words: object) -> dict[str, Any]:
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"home": str(home), "step": step, **words}) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the store raised what it should not"
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def stores(engines: Engines) -> Iterator[dict[str, StoreOf]]:
    found = {name: StoreOf(engines.of(name)) for name in NAMES}
    yield found
    for store in found.values():
        store.end()


class Bot:
    """An owner whose engine changes, and the outside world."""

    _nonces = itertools.count()

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sent: Counter[str] = Counter()

    def begin(self, store: StoreOf, *, bake: bool) -> None:
        store(self.home, "create")
        self._do(store, "own")
        if bake:
            self._do(store, "bake")
        self.run(store)

    def run(self, store: StoreOf) -> None:
        """Finish what is in hand, asking about it, then run a cycle."""
        record = store(self.home, "read")
        if record["phase"] == "decided":
            for each in record["outbox"]:
                self.sent[each] += not self.sent[each]
            self._do(store, "settle")
        self.decide(store)
        self._do(store, "settle")

    def decide(self, store: StoreOf, kill_at: int | None = None) -> bool:
        """Decide and send; return whether it lived to do so."""
        decided = self._do(store, "decide", kill_at)
        for each in decided.get("outbox", ()):
            self.sent[each] += 1
        return not decided["killed"]

    def settle(self, store: StoreOf, kill_at: int | None = None) -> bool:
        return not self._do(store, "settle", kill_at)["killed"]

    def verify_once(self) -> None:
        """See that nothing was decided or sent twice, nor left out."""
        record = read_only_snapshot(self.home / "state")
        digest = encode_record(record)[1]
        verify_chain(self.home / "journal", digest=digest, cycle=record.progress.cycle)
        assert verify_cycles(self.home / "journal").is_complete
        decided = [
            f"{line.cycle}-{json.loads(bytes(line.inputs))}"
            for line in effective(read_lines(self.home / "journal"))
            if line.kind == "decide"
        ]
        assert self.sent == Counter(decided)

    def _do(self, store: StoreOf, step: str, kill_at: int | None = None) -> dict[str, Any]:
        return store(self.home, step, nonce=str(next(self._nonces)), kill_at=kill_at)


def copied(template: Bot, home: Path) -> Bot:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(template.home, home)
    bot = Bot(home)
    bot.sent = template.sent.copy()
    return bot


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("step", ["decide", "settle"])
@pytest.mark.parametrize("bake", [False, True], ids=["steady", "bake"])
def test_a_commit_that_ends_at_any_call_is_opened_by_the_other_engine(
    tmp_path: Path, stores: dict[str, StoreOf], one: str, other: str, step: str, *, bake: bool
) -> None:
    template = Bot(tmp_path / "template")
    template.begin(stores[one], bake=bake)
    if step == "settle":
        template.decide(stores[one])
    for count in range(99):
        bot = copied(template, tmp_path / "home")
        act = bot.decide if step == "decide" else bot.settle
        lived = act(stores[one], kill_at=count)
        for name in (other, one, other):
            bot.run(stores[name])
        bot.verify_once()
        if lived:
            break
    assert count > 10


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("step", ["decide", "settle"])
@pytest.mark.parametrize("bake", [False, True], ids=["steady", "bake"])
def test_a_damaged_record_is_rebuilt_from_the_other_engine_s_newest_line(
    tmp_path: Path, stores: dict[str, StoreOf], one: str, other: str, step: str, *, bake: bool
) -> None:
    """To the very bytes: what either engine adds to a record must not change how it encodes."""
    bot = Bot(tmp_path / "home")
    bot.begin(stores[one], bake=bake)
    bot.decide(stores[one])
    if step == "settle":
        bot.settle(stores[one])
    path = bot.home / "state" / "record.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    stores[other](bot.home, "read")
    assert path.read_bytes() == whole
    bot.run(stores[other])
    bot.verify_once()


@pytest.mark.parametrize("way", ["copied", "moved"])
def test_what_this_engine_opened_first_may_be_opened_by_the_previous_one(
    tmp_path: Path, stores: dict[str, StoreOf], way: str
) -> None:
    """A record put back that the previous one opens first is not covered."""
    bot = Bot(tmp_path / "home")
    bot.begin(stores["previous"], bake=False)
    bot.decide(stores["previous"])
    record, previous = (bot.home / "state" / f"record{each}.json" for each in ("", ".prev"))
    if way == "copied":
        shutil.copyfile(previous, record)
    else:
        previous.replace(record)
    assert stores["this"](bot.home, "read")["phase"] == "decided"
    bot.run(stores["previous"])
    bot.verify_once()
