"""What the history says of a deploy is what became of it, whatever went wrong beside it."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy import history, requests
from deploy.deployer import Deployer
from handoff.gate_verdict import GateName, GateResult
from handoff.rollout.launcher_client import LauncherClient, RequestRefused
from handoff.rollout.table import Phase
from handoff.wire import Kind
from handoff.wish import Wish
from state.errors import WriteFailed
from tests.process.bot import Bot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        running.up()
        yield running


def deployer_of(
    bot: Bot, commit: str, say: Callable[[dict[str, Any]], None], *, bake: int = 2
) -> Deployer:
    """Return a deployer that runs in this process, so that a test knows where it is."""
    request = requests.Request(
        deploy=f"d{secrets.token_hex(4)}",
        repository=str(bot.project.path),
        ref=commit,
        commit=commit,
        by="mia",
        requested_ns=time.time_ns(),
        wish=Wish(bake=bake),
    )
    requests.write_request(bot.home, request)
    return Deployer(bot.home, request, now_ns=time.time_ns, say=say)


def candidate_of(bot: Bot) -> int:
    (pid,) = [int(each["pid"]) for each in bot.children() if each["role"] == "candidate"]
    return pid


def test_a_stray_file_beside_the_releases_refuses_no_deploy(bot: Bot) -> None:
    """What cannot be tidied up afterwards says nothing about the release that owns."""
    (bot.home / "releases" / "notes.txt").write_text("mine", encoding="utf-8")
    second = bot.project.version("2")
    bot.request(second)
    bot.wait_live(second)
    assert bot.outcomes() == [(second, "permanent")]


def test_a_launcher_that_dies_between_approval_and_take_leaves_the_outcome_open(bot: Bot) -> None:
    """The candidate may take without it; that it was refused would be a lie."""
    second = bot.project.version("2")
    candidates: list[int] = []

    def trouble() -> None:
        time.sleep(0.5)  # the approval is on its way to the candidate, which is stopped
        bot.kill_launcher()
        os.kill(candidates[0], signal.SIGCONT)
        bot.wait(lambda: bot.live() == second, "the take")
        bot.up()

    steps = threading.Thread(target=trouble)

    def say(step: dict[str, Any]) -> None:
        if step == {"phase": Phase.READY.value}:
            candidates.append(candidate_of(bot))
            os.kill(candidates[0], signal.SIGSTOP)
            steps.start()

    entry = deployer_of(bot, second, say).run()
    steps.join()
    assert (entry.outcome, entry.reason) == (history.Outcome.PERMANENT, "")
    assert bot.live() == second


def test_what_ended_a_deploy_is_said_before_how_it_ended(bot: Bot) -> None:
    """It read `permanent`, and below it that the release took its first cycle."""
    said: list[dict[str, Any]] = []
    entry = deployer_of(bot, bot.project.version("2"), said.append, bake=0).run()
    assert entry.outcome == history.Outcome.PERMANENT
    words = [step.get("event") or step.get("phase") for step in said[:-1]]
    assert words[-3:] == ["Took", "permanent", "ended"], words


def test_a_disk_that_is_full_for_a_moment_does_not_end_a_bake(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far a deploy has come is advice; the release owns all the same."""
    second = bot.project.version("2")
    write, failed = history.write_current, list[str]()

    def full_once(home: Path, entry: history.Entry) -> None:
        if entry.phase == Phase.BAKING.value and not failed:
            failed.append(entry.phase)
            raise WriteFailed(str(home), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        write(home, entry)

    monkeypatch.setattr(history, "write_current", full_once)
    entry = deployer_of(bot, second, lambda _: None).run()
    assert failed
    assert (entry.outcome, entry.reason) == (history.Outcome.PERMANENT, "")


def test_the_newest_request_stays_the_newest_when_the_clock_was_set_back(bot: Bot) -> None:
    """The one before would take its place, and what was merged last never go live."""
    first, second = bot.project.version("2"), bot.project.version("3")
    hour_ns = 3600 * 10**9
    bot.request(first, bake=4, requested_ns=time.time_ns() + hour_ns)
    bot.wait(lambda: (now := bot.current()) is not None and now.phase == "baking", "a bake")
    bot.request(second)
    bot.wait_live(second)
    assert bot.outcomes() == [(first, "permanent"), (second, "permanent")]
    third = bot.project.version("4")
    bot.request(third)
    bot.wait_live(third)
    assert bot.outcomes()[2:] == [(third, "permanent")], "also where only the history knows those"


class Killed(BaseException):
    """Ends a deployer as SIGKILL does: nothing of it goes on."""


def test_a_deployer_started_again_in_a_bake_asks_no_gate_a_second_time(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers live by then: memory for a third one is nobody's need."""
    second = bot.project.version("2")

    def killed_in_bake(step: dict[str, Any]) -> None:
        if step == {"phase": Phase.BAKING.value}:
            raise Killed

    first = deployer_of(bot, second, killed_in_bake)
    with pytest.raises(Killed):
        first.run()
    monkeypatch.setattr("deploy.host.memory_available_bytes", lambda: 0)
    said: list[dict[str, Any]] = []
    (request,) = requests.open_requests(bot.home)
    entry = Deployer(bot.home, request, now_ns=time.time_ns, say=said.append).run()
    assert (entry.outcome, entry.reason) == (history.Outcome.PERMANENT, "")
    assert not [step for step in said if "gate" in step]
    assert bot.outcomes() == [(second, "permanent")]


def test_each_gate_of_the_candidate_is_said_once_with_its_evidence(bot: Bot) -> None:
    """Whoever follows the deploy shows it by these names, and the history keeps the same."""
    said: list[dict[str, Any]] = []
    entry = deployer_of(bot, bot.project.version("2"), said.append).run()
    assert entry.outcome == history.Outcome.PERMANENT
    steps = [step for step in said if step.get("event") == "GatePassed"]
    told = [(step["gate"], step["evidence"], step["seconds"]) for step in steps]
    of_candidate = [gate for gate in entry.gates if gate.name in {step["gate"] for step in steps}]
    names = ["boot", "cadence", "schema", "warm", "reconcile", "observe"]
    assert [gate for gate, _, _ in told] == names
    assert told == [(gate.name, gate.evidence, gate.seconds) for gate in of_candidate]


def test_how_it_ended_is_written_once_the_disk_has_room(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts a deployer again gives up after a few times; a disk is full for longer."""
    second = bot.project.version("2")
    finish, failed = history.finish, list[str]()

    def full_twice(home: Path, entry: history.Entry) -> None:
        if len(failed) < 2:
            failed.append(entry.outcome)
            raise WriteFailed(str(home), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        finish(home, entry)

    monkeypatch.setattr(history, "finish", full_twice)
    deployer_of(bot, second, lambda _: None).run()
    assert failed == ["permanent"] * 2
    assert bot.outcomes() == [(second, "permanent")]
    assert requests.open_requests(bot.home) == []


def test_an_approval_that_is_asked_for_again_after_the_take_is_no_refusal(bot: Bot) -> None:
    """A driver that was started again may have looked a moment before the take."""
    deploy = bot.request(bot.project.version("2"), bake=1000)
    bot.wait(lambda: (now := bot.current()) is not None and now.phase == "baking", "a bake")
    with LauncherClient(bot.home) as client:
        assert client.ask(Kind.APPROVE, deploy=deploy, bake=1000)["ok"]
        with pytest.raises(RequestRefused, match="no candidate"):
            client.ask(Kind.APPROVE, deploy="dother", bake=1)


def test_a_release_that_ran_comes_back_without_a_trial_and_fenced_like_any_other(bot: Bot) -> None:
    """In an emergency nobody waits for what it has proven before."""
    first, began = bot.live(), bot.record()
    assert began is not None
    assert began.ownership.owner is not None
    second = bot.project.version("2")
    bot.request(second)
    bot.wait_live(second)
    bot.request("", release=began.ownership.owner.release, bake=0, shadow=1000)
    bot.wait_live(first)
    asked = {gate.name: gate.result for gate in bot.deploys()[-1].gates}
    assert asked[GateName.REPLAY] == GateResult.SKIPPED
    assert GateName.SHADOW not in asked
    assert asked[GateName.SCHEMA] == GateResult.PASSED, "what keeps the state whole is asked"
    back = bot.record()
    assert back is not None
    assert back.rollout is None
    assert back.ownership.epoch == began.ownership.epoch + 2


def test_a_rollback_in_a_bake_is_that_return_and_waits_for_nothing(bot: Bot) -> None:
    """It waited for the end of the bake, which may be hours away, and deployed again then."""
    first = bot.live()
    second = bot.project.version("2")
    bot.request(second, bake=1000)
    bot.wait(lambda: bot.live() == second, "the bake")
    record = bot.record()
    assert record is not None
    assert record.ownership.previous is not None
    wanted = record.ownership.previous.release
    bot.request("", release=wanted, bake=0)
    bot.wait(lambda: bot.live() == first, "the return", limit_s=20.0)
    bot.wait_live(first)
    ended = [(entry.release, entry.outcome) for entry in bot.deploys()]
    assert ended[0][1] == "returned"
    assert ended[1] == (wanted, "permanent")
    record = bot.record()
    assert record is not None
    assert record.rollout is None
