"""A deploy that meets an outage is live in the end, by itself, unless somebody wants otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from deploy import history, requests
from handoff.exit_codes import ExitCode
from tests.process.bot import WORKER, Bot
from tests.process.feeds import Fed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

SHORT: Final = {"HANDOFF_BAKE_OUTSIDE_S": "2"}


class Fedbot(Bot):
    """A bot whose worker reads a file in each cycle; without it the outside world fails."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.feed = directory / "feed"
        self.feed.touch()
        self.version("1")

    def version(self, version: str) -> str:
        """Commit another version of the worker."""
        reads = f"open({str(self.feed)!r}).close()\n        return cycle.number"
        text = WORKER.format(version=version).replace("return cycle.number", reads)
        self.project.write("worker.py", text)
        return self.project.commit(f"Version {version}")

    def wait_blind(self) -> None:
        """Wait until a bake has waited for inputs for some cycles."""
        self.wait(lambda: (now := self.current()) is not None and now.phase == "baking", "a bake")
        first = self.cycle()
        self.wait(lambda: self.cycle() > first + 3, "cycles without inputs")


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Fedbot]:
    with Fedbot(tmp_path) as running:
        yield running


def test_a_deploy_without_inputs_is_tried_again_once_they_come(bot: Fedbot) -> None:
    """Each try is a line; the request stays, the turn does not."""
    bot.up(environment=SHORT)
    first = bot.live()
    second = bot.version("2")
    deploy = bot.request(second, bake=2)
    bot.wait(lambda: bot.live() == second, "the take")
    bot.feed.unlink()
    bot.wait(lambda: len(bot.deploys()) == 1, "its return")
    (returned,) = bot.deploys()
    assert (returned.deploy, returned.outcome) == (deploy, history.Outcome.RETURNED)
    assert returned.reason.startswith("outside: no inputs in "), returned
    assert bot.live() == first
    (request,) = requests.open_requests(bot.home)
    assert (request.deploy, request.commit) == (deploy, second)
    at = bot.cycle()
    bot.wait(lambda: bot.cycle() > at + 4, "cycles of the outage")
    assert bot.live() == first, "nothing is tried while nobody gets inputs"
    assert bot.current() is None
    bot.feed.touch()
    bot.wait_live(second)
    again = bot.deploys()[-1]
    assert (again.deploy, again.outcome) == (f"{deploy}.2", history.Outcome.PERMANENT)
    assert len(bot.deploys()) == 2


def test_a_deploy_that_waits_for_inputs_is_aborted_at_once(bot: Fedbot) -> None:
    bot.up(environment=SHORT)
    first = bot.live()
    second = bot.version("2")
    deploy = bot.request(second, bake=1000)
    bot.wait(lambda: bot.live() == second, "the take")
    bot.feed.unlink()
    bot.wait(lambda: len(bot.deploys()) == 1, "its return")
    requests.ask_abort(bot.home, deploy, "carol")
    bot.wait(lambda: not requests.open_requests(bot.home), "its end")
    ended = bot.deploys()[-1]
    assert (ended.outcome, ended.reason) == (history.Outcome.ABORTED, "aborted by carol")
    bot.feed.touch()
    at = bot.cycle()
    bot.wait(lambda: bot.cycle() > at + 3, "cycles with inputs")
    assert bot.live() == first


def test_a_newer_request_ends_a_bake_that_waits_for_inputs(bot: Fedbot) -> None:
    """The fix would wait for half an hour behind what it fixes."""
    bot.up()
    second, third = bot.version("2"), bot.version("3")
    bot.request(second, bake=1000)
    bot.wait(lambda: bot.live() == second, "the take")
    bot.feed.unlink()
    bot.wait_blind()
    newer = bot.request(third, bake=1)
    bot.wait(lambda: bot.live() == third, "the newer one, still without inputs")
    returned = bot.deploys()[0]
    assert (returned.commit, returned.outcome) == (second, history.Outcome.RETURNED)
    assert returned.reason.startswith("outside: "), returned
    assert newer in returned.reason
    bot.feed.touch()
    bot.wait_live(third)
    assert bot.outcomes() == [(second, "returned"), (third, "permanent")]


def test_a_bake_with_inputs_is_not_ended_by_a_newer_request(bot: Fedbot) -> None:
    bot.up()
    second, third = bot.version("2"), bot.version("3")
    bot.request(second, bake=6)
    bot.wait(lambda: bot.live() == second, "the take")
    bot.request(third, bake=1)
    bot.wait_live(third)
    assert bot.outcomes() == [(second, "permanent"), (third, "permanent")]


def test_replace_does_not_try_again_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no deployer that could wait: the command would hang for as long as the outage."""
    monkeypatch.setenv("HANDOFF_BAKE_OUTSIDE_S", "2")
    with Fed(tmp_path, period_s=0.5) as fed:
        fed.up()
        fed.wait_cycles(2)
        fed.feed(0)
        fed.wait(lambda: fed.last_answered() == 0, "the outage")
        tree = fed.release("good")
        done = fed.call("replace", "--tree", str(tree), "--bake", "3")
        assert done.returncode == ExitCode.RETURNED, done
        assert "outside: no inputs in " in done.stdout
        assert "nothing tries again" in done.stderr
