"""A bot's whole life in six environments that are not kind; `make world` tries all of them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.world.environments import FIXED_SIX, WORLDS, World, can_be
from tests.world.project import project
from tests.world.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(400)

SIX = [each for each in WORLDS if each.name in FIXED_SIX]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("world", SIX, ids=[each.name for each in SIX])
def test_a_bot_lives_there_and_what_is_ordered_is_done(
    world: World, tmp_path: Path, template: Path
) -> None:
    """Each was a traceback, an order that did nothing, or a worker that nobody watched."""
    if not can_be(world):
        pytest.skip("user namespaces are not permitted")
    outcome = Trial(world, tmp_path / "world", template).run()
    assert not outcome.faults, "\n".join(outcome.faults)


def test_what_still_runs_is_seen_and_ended(tmp_path: Path, template: Path) -> None:
    """A trial that sees nobody would call every leftover clean."""
    trial = Trial(World(name="one that nobody leaves"), tmp_path / "world", template)
    trial.place.mkdir()
    left = subprocess.Popen(["/bin/sleep", "300"], cwd=trial.place)
    try:
        assert trial.end_what_is_left(patience_s=0) == ["/bin/sleep 300 "]
        assert left.wait(10) < 0
    finally:
        left.kill()
