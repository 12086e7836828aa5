"""The exercise of CONTRIBUTING: a gate of one's own, from its diff to a refused release.

What a newcomer is told to write is tried as it stands there, on a copy of this tree.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import engine
from tests.process.bot import Bot
from tests.upgrade.engines import Installation

if TYPE_CHECKING:
    from deploy.history import Entry

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]
LINES_MAX, FILES_MAX = 40, 3


def solution() -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return str(diff)


def test_the_exercise_is_small() -> None:
    lines = solution().splitlines()
    files = [line for line in lines if line.startswith("+++ ")]
    changed = [line for line in lines if line[:1] in {"+", "-"} and line[1:3] not in {"++", "--"}]
    assert 0 < len(files) <= FILES_MAX
    assert 0 < len(changed) < LINES_MAX


def solved(place: Path) -> Installation:
    """Return an installation of this tree with the exercise done."""
    tree = place / "tree"
    engine.copy(tree)
    apply = ["git", "apply", "-"]
    subprocess.run(apply, input=solution(), cwd=tree, text=True, check=True)
    return Installation(place / "installation", tree)


def ended(bot: Bot, python: str) -> Entry:
    before = len(bot.deploys())
    bot.request(bot.project.git("rev-parse", "HEAD"), python=python)
    bot.wait(lambda: len(bot.deploys()) > before, "the end of the deploy")
    return bot.deploys()[-1]


def test_the_exercise_refuses_a_release_that_says_nothing_and_deploys_one_that_does(
    tmp_path: Path,
) -> None:
    python = solved(tmp_path).python
    with Bot(tmp_path) as bot:
        bot.up()
        bot.project.version("2")
        refused = ended(bot, python)
        assert (refused.outcome, refused.gates[-1].name) == ("refused", "changelog")
        assert "CHANGELOG.md says nothing new" in refused.reason
        bot.project.write("CHANGELOG.md", "- It counts faster.\n")
        bot.project.commit("Say so")
        deployed = ended(bot, python)
        assert deployed.outcome == "permanent", deployed.reason
        assert [gate.evidence for gate in deployed.gates if gate.name == "changelog"] == [
            "new lines: 1"
        ]
