"""A record that is put back never has a cycle decided again, or an effect done twice.

Six ways of putting one back, in steady state and at each step of a commit, the owner alive or
dead. The runbook of an older release advised the first of them.
"""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from state.errors import RecordBehind, StateError
from state.record import Phase
from tests.faulty_files import Killed
from tests.homes import open_store
from tests.put_back import WAYS, HookedFiles, Life, Pair, pair_in, put, repair, survive
from tests.records import B, note, seize

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)
STEPS = ("decide", "settle")
STEPS_MIN = 10  # calls of a commit at which there is something to put back


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def lived(home: Path, step: str) -> Life:
    """Return a life in which a step is due next."""
    life = Life(home)
    life.begin()
    life.go_on(2)
    if step == "settle":
        life.decide()
    return life


def copied(template: Life, home: Path, files: HookedFiles | None = None) -> Life:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(template.home, home)
    life = Life(home, files)
    life.executed, life.history = template.executed.copy(), list(template.history)
    return life


def each_pair(way: str, life: Life) -> Iterator[Pair]:
    """Yield what a way puts in the place of what is there now."""
    now = pair_in(life.home)
    yield from (pair for pair in WAYS[way](now, life.history[-3:-1]) if pair != now)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("alive", [True, False], ids=["alive", "dead"])
def test_between_two_commits(home: Path, way: str, step: str, alive: bool) -> None:  # noqa: FBT001 - a parameter
    template = lived(home.with_name("template"), step)
    pairs = list(each_pair(way, template))
    assert pairs
    for pair in pairs:
        life = copied(template, home)
        life.store.read()
        put(home, pair)
        if alive:
            finish_alive(life, step)
        survive(life)


def finish_alive(life: Life, step: str) -> None:
    """Let the owner go on without knowing; what it cannot follow makes it leave."""
    try:
        life.decide() if step == "decide" else life.settle()
        life.go_on(1)
    except StateError:
        return
    life.check()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("alive", [True, False], ids=["alive", "dead"])
def test_at_each_step_of_a_commit(home: Path, way: str, step: str, alive: bool) -> None:  # noqa: FBT001 - a parameter
    template = lived(home.with_name("template"), step)
    struck = 0
    for count, choice in itertools.product(range(24), range(2)):
        life = copied(template, home, HookedFiles())
        life.store.read()
        done = put_back_at(life, count, way, choice, alive=alive)
        run_step(life, step)
        life.files.before = lambda *_: None
        if done:
            struck += 1
            survive(life)
    assert struck >= STEPS_MIN


def put_back_at(life: Life, count: int, way: str, choice: int, *, alive: bool) -> list[Pair]:
    """Put a record back before the call with this number; the list fills when it happens."""
    left = [count]
    done: list[Pair] = []

    def before(*_: str) -> None:
        if left[0] == 0:
            pairs = list(itertools.islice(each_pair(way, life), choice, choice + 1))
            done.extend(pairs)
            for pair in pairs:
                put(life.home, pair)
            if pairs and not alive:
                left[0] -= 1
                raise Killed
        left[0] -= 1

    life.files.before = before
    return done


def run_step(life: Life, step: str) -> None:
    try:
        life.decide() if step == "decide" else life.settle()
    except (Killed, StateError):
        return


def test_one_line_is_decided_again_unattended_and_more_by_an_operator(home: Path) -> None:
    """What is two decisions old was put there by somebody, who is to hear of it."""
    template = lived(home.with_name("template"), "settle")
    now, older, oldest = (template.history[index] for index in (-1, -2, -4))
    life = copied(template, home)
    put(home, Pair(older.record, None))
    life.go_on(0)
    assert pair_in(home).record != now.record
    life = copied(template, home)
    put(home, Pair(oldest.record, None))
    life.restart()
    with pytest.raises(RecordBehind, match="r1") as refused:
        life.store.read()
    assert (refused.value.release, refused.value.cycle) == ("r1", 13)
    assert "foresight state repair" in refused.value.hint
    repair(home)
    assert life.store.read().progress.cycle == 13
    assert life.store.read().progress.phase is Phase.DECIDED
    assert pair_in(home).record == now.record


def test_what_a_line_between_carries_needs_no_release_and_nobody_who_looks_on(home: Path) -> None:
    """A seize says the body: a record put back from before it comes forward with no code at all."""
    life = lived(home, "settle")
    life.store.transact(lambda record: seize(record, B), note("seize"))
    life.settle()
    now, before_the_decision = pair_in(home).record, life.history[-3]
    put(home, Pair(before_the_decision.record, None))
    open_store(home, files=life.files, replay=None).read()
    assert pair_in(home).record == now


def test_what_is_put_back_is_brought_to_the_very_bytes(home: Path) -> None:
    template = lived(home.with_name("template"), "settle")
    expected = pair_in(template.home).record
    for way in WAYS:
        for pair in each_pair(way, template):
            life = copied(template, home)
            put(home, pair)
            repair(life.home)
            assert pair_in(home).record == expected, way
