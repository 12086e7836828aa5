"""A bot's whole life in six environments that are not kind; `make world` tries all of them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.world.environments import FIXED_SIX, INSTALLING, WORLDS, World, can_be
from tests.world.project import project
from tests.world.trial import Outcome, Trial

pytestmark = pytest.mark.timeout(400)

STARTED_S = 10.0  # a program has been started by then

SIX = [each for each in WORLDS if each.name in FIXED_SIX]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("template"))


class Shared(NamedTuple):
    """The trial that installs, what came of it, and where the others find what it installed."""

    outcome: Outcome
    installed: Path


@pytest.fixture(scope="module")
def first(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Installing takes as long as all of the rest; whichever test runs first, this one does it."""
    place = tmp_path_factory.mktemp("first")
    (world,) = (each for each in SIX if each.name == INSTALLING)
    installed = place / "environments"
    return Shared(Trial(world, place / "world", template, installed=installed).run(), installed)


@pytest.mark.parametrize("world", SIX, ids=[each.name for each in SIX])
def test_a_bot_lives_there_and_what_is_ordered_is_done(
    world: World, tmp_path: Path, template: Path, first: Shared
) -> None:
    """Each was a traceback, an order that did nothing, or a worker that nobody watched."""
    if not can_be(world):
        pytest.skip("user namespaces are not permitted")
    before = made(first.installed)
    outcome = first.outcome
    if world.name != INSTALLING:
        outcome = Trial(world, tmp_path / "world", template, installed=first.installed).run()
    assert not outcome.faults, "\n".join(outcome.faults)
    assert len(before) == 1, "the first one left nothing"
    assert made(first.installed) == before, "it was installed again"


def made(installed: Path) -> list[int]:
    """Tell one environment that was made from another one of the same name."""
    return [path.stat().st_ino for path in installed.glob("*/environment.json")]


def test_what_still_runs_is_seen_and_ended(tmp_path: Path, template: Path) -> None:
    """A trial that sees nobody would call every leftover clean."""
    trial = Trial(World(name="one that nobody leaves"), tmp_path / "world", template)
    trial.place.mkdir()
    left = subprocess.Popen(["/bin/sleep", "300"], cwd=trial.place)
    try:
        wait_for_its_words(left.pid)
        assert trial.end_what_is_left(patience_s=0) == ["/bin/sleep 300 "]
        assert left.wait(10) < 0
    finally:
        left.kill()


def wait_for_its_words(pid: int) -> None:
    """Return when a command line is shown; a moment after its `exec` the kernel has none yet."""
    until_s = time.monotonic() + STARTED_S
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until_s, "it has no command line"
        time.sleep(0.001)
