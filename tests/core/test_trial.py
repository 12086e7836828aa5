"""One cycle tried on the spot: it is what a worker would do, but nothing is sent."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff.commands.trial import ProgramBroken, Tried, found_in, lines_of, program_of, try_once
from handoff.errors import WorkloadFaulty

NOW_NS = 1_795_000_000 * 10**9
PROGRAM = """
import msgspec
from handoff import Decision, Workload, effect, every
from state import Delivery, Schema

COUNT = [0]

class Body(msgspec.Struct):
    seen: int = 0

class Program(Workload):
    body = Schema("tried", 1, Body)
    inputs = Schema("number", 1, int)
    cadence = every(1)

    async def observe(self, cycle, body):
        {observe}

    def decide(self, cycle, body, inputs, receipts):
        COUNT[0] += 1
        note = effect("note", effect_id="n1", payload=[1], delivery=Delivery.AT_LEAST_ONCE)
        return Decision(body=Body({seen}), effects=[note])

    async def perform(self, effect):
        raise AssertionError("sent")

def create(context):
    return Program()
"""


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A trial runs in the process that asks: it changes directory and what can be imported."""
    monkeypatch.chdir(Path.cwd())
    before = [*sys.path]
    yield
    sys.path[:] = before


def tried(place: Path, name: str, text: str) -> Tried:
    (place / f"{name}.py").write_text(text, encoding="utf-8")
    tree, entry = program_of(str(place / f"{name}.py"), None)
    entry, loop = found_in(tree, entry)
    assert loop is None, "a workload of its own"
    return try_once(tree, entry, home=place / "home", app="app", record=None, now_ns=NOW_NS)


def test_a_trial_shows_what_came_in_and_what_would_go_out(tmp_path: Path) -> None:
    """And nothing went out: `perform` of this program raises."""
    found = tried(tmp_path, "tried_once", PROGRAM.format(observe="return 5", seen="inputs"))
    assert lines_of(found) == [
        "Cycle 1795000000 was tried: nothing was sent, and nothing was kept.",
        "inputs   5",
        'body     {"seen":5}',
        "effect   note n1: [1]",
    ]
    assert not (tmp_path / "home").exists()


def test_a_world_that_does_not_answer_is_said(tmp_path: Path) -> None:
    text = PROGRAM.format(observe="raise OSError('no route')", seen="0")
    assert lines_of(tried(tmp_path, "tried_blind", text))[1:3] == [
        "inputs   none: OSError: no route",
        'body     as it was: {"seen":0}',
    ]


def test_a_decision_that_comes_out_otherwise_is_a_fault(tmp_path: Path) -> None:
    """Here it costs a look; in a replay it would cost the deploy."""
    text = PROGRAM.format(observe="return 5", seen="COUNT[0]")
    with pytest.raises(WorkloadFaulty, match="decide is not pure"):
        tried(tmp_path, "tried_impure", text)


def test_a_program_that_cannot_be_loaded_says_in_which_line(tmp_path: Path) -> None:
    with pytest.raises(ProgramBroken, match=r"SyntaxError: .*tried_broken\.py, line 2\)"):
        tried(tmp_path, "tried_broken", "import os\ndef (\n")


def test_a_file_with_one_loop_names_it(tmp_path: Path) -> None:
    """Who writes a loop knows of no factory: its file is enough."""
    text = "from handoff import loop\n\n@loop(every=60)\ndef look(cycle, state):\n    pass\n"
    (tmp_path / "tried_loop.py").write_text(text, encoding="utf-8")
    entry, loop = found_in(*program_of(str(tmp_path / "tried_loop.py"), None))
    assert (entry, loop is not None) == ("tried_loop:look", True)
