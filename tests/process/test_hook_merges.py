"""Merges go live by themselves: all of them, once, whatever else is going on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from deploy import convergence, git_hook
from deploy.branch import Policy
from tests.process.bot import Bot
from tests.process.git_project import Project

pytestmark = pytest.mark.timeout(120)


class Moving(convergence.Follower):
    """A branch whose head moves while it is looked at."""

    def __init__(self, home: Path, policy: Policy, heads: list[str]) -> None:
        super().__init__(home, policy, by="hook", python="", now_ns=time.time_ns)
        self.heads = heads
        self.dealt_with: list[str] = []

    @override
    def head(self) -> str:
        return self.heads.pop(0) if len(self.heads) > 1 else self.heads[0]

    @override
    def converge(self) -> str:
        self.dealt_with.append(self.heads[0])
        if len(self.dealt_with) == 1:  # another merge, whose hook finds this one at work
            (self._home / "run" / git_hook.ASKED).touch()
        return "dealt with"


def test_a_moving_head_is_dealt_with_once_it_stands(tmp_path: Path) -> None:
    """And what comes in the meantime is not lost: the one at work looks once more."""
    project, home = Project(tmp_path / "project"), tmp_path / "home"
    (home / "run").mkdir(parents=True)
    git_directory = project.path / ".git"
    policy = Policy(repository=str(project.path), shared=str(git_directory), branch="main")
    convergence.write_policy(home, policy)
    follower = Moving(home, policy, ["a", "b", "c", "d"])
    said: list[str] = []
    git_hook.run(home, git_directory, received=False, follower=follower, say=said.append)
    assert follower.dealt_with == ["d", "d"]
    assert not (home / "run" / git_hook.ASKED).exists()


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        yield running


def branches(bot: Bot, number: int) -> list[str]:
    """Make branches that can be merged one after another."""
    names = [f"feature-{each}" for each in range(number)]
    for each, name in enumerate(names):
        bot.project.git("checkout", "--quiet", "-b", name)
        bot.project.version(f"{each + 2}")
    bot.project.git("checkout", "--quiet", "main")
    return names


def test_ten_merges_within_a_second_are_one_deploy_of_the_newest(bot: Bot) -> None:
    bot.install_hook()
    bot.up()
    names = branches(bot, 10)
    heads = [bot.project.merge(name, "--no-ff") for name in names]
    bot.wait_live(heads[-1])
    took = [entry for entry in bot.deploys() if entry.cycle is not None]
    assert [(entry.commit, entry.outcome, entry.by) for entry in took] == [
        (heads[-1], "permanent", "hook")
    ]
    assert {entry.outcome for entry in bot.deploys()} <= {"permanent", "superseded"}


def test_a_merge_during_a_bake_is_deployed_after_it(bot: Bot) -> None:
    bot.install_hook(bake=6)
    bot.up()
    first, second = branches(bot, 2)
    one = bot.project.merge(first)
    bot.wait(lambda: (found := bot.current()) is not None and found.phase == "baking", "a bake")
    two = bot.project.merge(second)
    bot.wait_live(two)
    assert bot.outcomes() == [(one, "permanent"), (two, "permanent")]


def test_a_merge_into_another_branch_changes_nothing(bot: Bot) -> None:
    bot.install_hook()
    bot.up()
    names = branches(bot, 2)
    bot.project.git("checkout", "--quiet", "-b", "elsewhere")
    bot.project.merge(names[0])
    bot.wait(lambda: "elsewhere is checked out" in bot.hook_log(), "the hook's word")
    assert bot.outcomes() == []


def test_a_merge_while_nothing_runs_is_said_and_forgotten_by_the_hook(bot: Bot) -> None:
    bot.install_hook()
    bot.up()
    (name,) = branches(bot, 1)
    bot.end()
    bot.project.merge(name)
    bot.wait(lambda: "no launcher answers" in bot.hook_log(), "the hook's word")
    bot.up()
    assert bot.outcomes() == []
