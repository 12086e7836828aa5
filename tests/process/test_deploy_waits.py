"""What waits for its turn, or is under way when all dies, still goes live as it was asked."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from deploy import history, jobs, requests, turn
from deploy.deployer import Deployer
from handoff.release_files import read_manifest
from handoff.rollout.table import Phase
from tests.process.bot import Bot, end_together
from tests.process.test_deploy_outcomes import Killed, deployer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        yield running


def wait_baking(bot: Bot) -> None:
    bot.wait(lambda: (now := bot.current()) is not None and now.phase == "baking", "a bake")


def deployers(bot: Bot) -> list[int]:
    return [int(each["pid"]) for each in bot.children() if each["name"].startswith("deploy-")]


def wait_waiting(bot: Bot, deploy: str) -> None:
    log = bot.home / "logs" / f"{jobs.job_name(deploy)}.log"
    bot.wait(lambda: log.exists() and '"waiting"' in log.read_text("utf-8"), "its waiting")


def test_what_was_reverted_while_it_baked_does_not_stay(bot: Bot) -> None:
    """By words alone the head differs from what ran before, and by code from what will run."""
    bot.up(bot.watcher())
    second = bot.project.version("2")
    bot.wait(lambda: bool(requests.open_requests(bot.home)), "a request")
    (request,) = requests.open_requests(bot.home)
    assert request.commit == second
    requests.write_request(
        bot.home, structs.replace(request, wish=structs.replace(request.wish, bake=8))
    )
    bot.project.git("revert", "--no-edit", "HEAD")
    bot.project.write("README.md", "Not that.\n")
    third = bot.project.commit("Say why")
    bot.wait_live(third)
    assert third not in [entry.commit for entry in bot.deploys() if entry.outcome == "skipped"]


def test_a_merge_that_waited_for_hours_behind_a_bake_goes_live(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for it again: refused, the branch and what runs would differ for good."""
    bot.up()
    bot.request(bot.project.version("2"), bake=8)
    wait_baking(bot)
    second = bot.project.version("3")
    waiting = deployer_of(bot, second, lambda _: None)
    begun_s = time.monotonic()
    late = SimpleNamespace(
        monotonic=lambda: begun_s + 10_000.0 * (time.monotonic() - begun_s), sleep=time.sleep
    )
    monkeypatch.setattr(turn, "time", late)  # a second of the bake before it is hours
    entry = waiting.run()
    assert (entry.outcome, entry.reason) == (history.Outcome.PERMANENT, "")
    assert bot.live() == second


def test_a_waiting_deploy_is_aborted_at_once(bot: Bot) -> None:
    """Not only after the bake before it, when it would have begun."""
    bot.up()
    baking = bot.request(bot.project.version("2"), bake=1000)
    wait_baking(bot)
    waiting = bot.request(bot.project.version("3"))
    wait_waiting(bot, waiting)
    requests.ask_abort(bot.home, waiting, "carol")
    bot.wait(lambda: len(bot.deploys()) == 1, "its end")
    (entry,) = bot.deploys()
    assert (entry.deploy, entry.outcome, entry.reason) == (waiting, "aborted", "aborted by carol")
    bot.wait(lambda: len(requests.open_requests(bot.home)) == 1, "the end of its request")
    assert [each.deploy for each in requests.open_requests(bot.home)] == [baking]
    record = bot.record()
    assert record is not None
    assert record.rollout is not None, "the bake before it goes on"


@pytest.mark.parametrize("dies", ["deployer", "all"])
def test_a_deploy_under_way_is_resumed_by_the_next_start(bot: Bot, dies: str) -> None:
    """Also where nobody watches the branch, and after a reboot in the middle of a bake."""
    bot.up()
    second = bot.project.version("2")
    deploy = bot.request(second, bake=8)
    wait_baking(bot)
    pids = deployers(bot)
    record = bot.record()
    assert record is not None
    assert record.ownership.owner is not None
    pids += [int(each["pid"]) for each in bot.children()] if dies == "all" else []
    bot.kill_launcher()
    end_together(pids)
    bot.up()
    bot.wait_live(second)
    (entry,) = bot.deploys()
    assert (entry.deploy, entry.outcome, entry.reason) == (deploy, "permanent", "")


def test_a_deploy_that_was_not_approved_when_all_died_is_examined_as_any_other(bot: Bot) -> None:
    """Its replay needs a running release, which comes up beside it."""
    bot.up()
    second = bot.project.version("2")
    baking = bot.request(bot.project.version("3"), bake=1000)
    wait_baking(bot)
    deploy = bot.request(second)
    wait_waiting(bot, deploy)
    pids = [int(each["pid"]) for each in bot.children()]
    bot.kill_launcher()
    end_together(pids)
    requests.ask_abort(bot.home, baking, "carol")
    bot.up()
    bot.wait_live(second)
    entries = {entry.deploy: entry for entry in bot.deploys()}
    assert (entries[baking].outcome, entries[deploy].outcome) == ("returned", "permanent")
    said = {gate.name: gate.words for gate in entries[deploy].gates}
    assert "nothing else runs" not in said["replay"]


def test_a_deployer_killed_after_its_last_line_deploys_nothing_again(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line comes first, so that no deploy is forgotten; what failed must stay gone."""
    bot.up()
    bot.project.write("worker.py", "raise SystemExit('broken')\n")
    broken = bot.project.commit("Break it")
    first = deployer_of(bot, broken, lambda _: None)

    def killed(_home: Path, _deploy: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(requests, "close_request", killed)
        with pytest.raises(Killed):
            first.run()
    assert bot.outcomes() == [(broken, "refused")], "written before the request is closed"
    (request,) = requests.open_requests(bot.home)
    said: list[dict[str, Any]] = []
    entry = Deployer(bot.home, request, now_ns=time.time_ns, say=said.append).run()
    assert entry.outcome == history.Outcome.REFUSED
    assert [step for step in said if "ended" not in step] == []
    assert requests.open_requests(bot.home) == []
    assert bot.outcomes() == [(broken, "refused")]


def test_a_bake_whose_deployer_is_started_again_keeps_its_turn(bot: Bot) -> None:
    """The newer deploy waits for its end; that it was superseded while it owned would be a lie."""
    bot.up()
    second, third = bot.project.version("2"), bot.project.version("3")

    def killed_in_bake(step: dict[str, Any]) -> None:
        if step == {"phase": Phase.BAKING.value}:
            raise Killed

    with pytest.raises(Killed):
        deployer_of(bot, second, killed_in_bake, bake=10).run()
    (request,) = requests.open_requests(bot.home)
    bot.request(third)
    again = Deployer(bot.home, request, now_ns=time.time_ns, say=lambda _: None)
    ended: list[history.Entry] = []
    thread = threading.Thread(target=lambda: ended.append(again.run()))
    thread.start()
    bot.wait_live(third)
    thread.join()
    assert bot.outcomes() == [(second, "permanent"), (third, "permanent")]


@pytest.mark.parametrize("newer", ["live", "refused", "rolled back"])
def test_a_deploy_that_was_overtaken_while_nobody_drove_it_is_not_resumed(
    bot: Bot, newer: str
) -> None:
    """It went live at the next start: an old release, over the newer one or over the way back."""
    bot.up()
    second = bot.project.version("2")

    def killed_before_its_replay(step: dict[str, Any]) -> None:
        if step == {"phase": "replaying"}:
            raise Killed

    left = deployer_of(bot, second, killed_before_its_replay)
    with pytest.raises(Killed):
        left.run()
    (request,) = requests.open_requests(bot.home)
    asked = ask_for_newer(bot, newer)
    bot.wait(lambda: len(bot.deploys()) == 1, "the newer one's end")
    live = bot.live()
    assert live != second
    bot.kill_launcher()
    bot.up()
    bot.wait(lambda: not requests.open_requests(bot.home), "the end of what was left")
    ended = bot.deploys()[-1]
    assert (ended.deploy, ended.outcome) == (request.deploy, history.Outcome.SUPERSEDED)
    assert ended.reason == f"superseded by {asked}"
    assert bot.live() == live


def ask_for_newer(bot: Bot, kind: str) -> str:
    if kind == "rolled back":
        record = bot.record()
        assert record is not None
        return bot.request("", release=record.ownership.release, bake=0)
    if kind == "refused":
        bot.project.write("worker.py", "raise SystemExit('broken')\n")
        return bot.request(bot.project.commit("Break it"))
    return bot.request(bot.project.version("3"))


@pytest.mark.parametrize("ends", ["killed", "stopped"])
def test_a_release_that_cannot_come_up_is_not_waited_for(bot: Bot, ends: str) -> None:
    """No Python of its version is on this host any more: what was asked for is what helps."""
    bot.up()
    begun = bot.cycle()  # a number of before anything was decided, if it was quick
    bot.wait(lambda: bot.cycle() > begun + 1, "decided cycles")
    record = bot.record()
    assert record is not None
    if ends == "stopped":
        bot.stop()
    bot.end()
    lose_interpreter(Path(read_manifest(bot.home, record.ownership.release).python))
    second = bot.project.version("2")
    bot.keep(second)
    bot.up(comes=False)
    bot.wait_live(second)
    assert bot.outcomes() == [(second, "permanent")]
    (skipped,) = [gate for gate in bot.deploys()[0].gates if gate.name == "replay"]
    assert skipped.result == "skipped"
    if ends == "killed":
        assert "what ran cannot be asked" in skipped.words


def lose_interpreter(python: Path) -> None:
    """Let a release be one of a Python that is on no host, and its link lead nowhere."""
    (library,) = (python.parents[1] / "lib").iterdir()
    for path in (python.parent, library.parent):
        path.chmod(0o755)
    library.rename(library.with_name("python3.98"))
    python.unlink()
    python.symlink_to("/nowhere/bin/python3")
