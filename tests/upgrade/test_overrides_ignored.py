"""What is said of overrides where a release ignores them, or cannot be asked.

The previous release ignores the variable in which they travel. Who rolls back to it, or looks at a
bot that it runs, reads that a stake which was lowered is not lowered there.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from foresight import overrides
from foresight.cli import overriding, planning
from foresight.cli.installation import Installation
from handoff.launcher.engine_config import EngineConfig, write_engine_config
from handoff.plain import prepare_home
from handoff.tree_snapshot import snapshot_tree
from state.record import Ownership
from tests.process.cli_project import Project, record_of
from tests.records import worker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = pytest.mark.timeout(120)

KEY = "risk.stake_window_usdc"
TOLD = {KEY: "1", "risk.of_later": "2"}
IGNORED = [f"override  {key} = {TOLD[key]}, which this release ignores" for key in sorted(TOLD)]


class Bot:
    """A home that keeps overrides, and whose record was owned by a release of some engine."""

    def __init__(self, place: Path, engine: Path) -> None:
        self.project = Project(place)
        self.home = self.project.home
        prepare_home(self.home)
        tree = place / "tree"
        shutil.copytree(engine, tree)
        shutil.copy(self.project.tree / "foresight.toml", tree)
        self.release = snapshot_tree(self.home, tree, "foresight.trader:create").release
        told = tuple(overrides.as_variable(TOLD).items())
        config = EngineConfig(app="demo", first_release=self.release, environment=told)
        write_engine_config(self.home, config)
        owner = replace(worker("a"), release=self.release)
        self.project.record(replace(record_of(), ownership=Ownership(epoch=1, last_owner=owner)))

    def status(self) -> list[str]:
        """Return what `status` says of overrides."""
        done = self.project.run("status")
        assert "Traceback" not in done.stderr
        whole = re.sub(r"\n {10}(?=\S)", " ", done.stdout)  # what was too wide for its line
        return [line for line in whole.splitlines() if line.startswith("override")]

    def planned(self) -> list[str]:
        """Return what a rollback and the plan of a deploy to this release say."""
        installation = Installation(self.project.tree / "foresight.toml")
        said = overriding.lines_of(overriding.shown(installation, self.release))
        assert list(planning._overrides(installation, self.release)) == said  # noqa: SLF001 - without a commit of it
        return said


@pytest.fixture(autouse=True)
def _its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_where_the_previous_release_ignores_overrides_that_is_said(
    tmp_path: Path, engines: Engines
) -> None:
    bot = Bot(tmp_path, engines.previous)
    assert bot.status() == IGNORED
    assert bot.planned() == IGNORED


def test_of_this_release_each_is_said_by_what_it_stands_for(
    tmp_path: Path, engines: Engines
) -> None:
    bot = Bot(tmp_path, engines.this)
    said = [IGNORED[0], f"override  {KEY} = 1.0 instead of 25.0"]
    assert bot.status() == said
    assert bot.planned() == said


def test_a_release_that_could_not_be_asked_is_not_said_to_ignore_anything(
    tmp_path: Path, engines: Engines
) -> None:
    """It may well trade by them: whoever read that it ignores a lowered stake read a lie."""
    broken = tmp_path / "broken"
    shutil.copytree(engines.this, broken)
    (broken / "foresight" / "overridden.py").write_text("raise RuntimeError('no disk')\n")
    bot = Bot(tmp_path, broken)
    reason = "RuntimeError: no disk (foresight/overridden.py, line 1)"
    said = [
        f"override  {key} = {TOLD[key]}; the release could not be asked: {reason}"
        for key in sorted(TOLD)
    ]
    assert bot.status() == said
    assert bot.planned() == said
