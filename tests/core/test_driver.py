"""A deploy's driver, with a launcher that tells what a test wants: each message is one event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest

from handoff.errors import WireBroken
from handoff.gate_verdict import failed, passed
from handoff.rollout import driver as replace
from handoff.rollout.driver import Driver, Limits, Watcher
from handoff.rollout.events import (
    AbortAsked,
    BakeEnded,
    Built,
    CandidateExited,
    CandidateReady,
    CandidateStarted,
    CandidateWarming,
    CycleSettled,
    Event,
    GateFailed,
    GatePassed,
    OwnershipReturned,
    TimeLimitPassed,
    Took,
)
from handoff.rollout.launcher_client import RequestRefused
from handoff.rollout.table import Deploy, Phase
from handoff.wire import Kind, Message
from handoff.wish import Wish
from state.mirror import MIRROR
from state.record import Rollout
from state.record_file import RECORD
from tests import records

if TYPE_CHECKING:
    from pathlib import Path


FRESH = {"pid": 7, "connected": False, "warm": False, "owner": False}


class Launcher:
    """Answers every request, and tells one message after another; then it is gone."""

    def __init__(self, *tells: Message | None, found: Message | None = None) -> None:
        self.asked: list[Kind] = []
        self.told: list[tuple[Kind, dict[str, object]]] = []
        self._tells = list(tells)
        self._found = found or FRESH

    def __call__(self, _home: Path) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def ask(self, kind: Kind, **members: object) -> Message:
        self.asked.append(kind)
        self.told.append((kind, members))
        return self._found

    def event(self, _timeout_s: float) -> Message | None:
        if not self._tells:
            text = "the launcher hung up"
            raise WireBroken(text)
        return self._tells.pop(0)


def mine(kind: Kind, **members: Any) -> Message:  # noqa: ANN401 - JSON members
    return {"kind": kind.value, "deploy": "d1", "release": "r2", "pid": 7, **members}


HELLO = mine(Kind.HELLO)
PASSED = mine(Kind.GATE, gate="schema", passed=True, reason="version 2", seconds=0.5)
READY = mine(Kind.READY)
TOOK = mine(Kind.TOOK, cycle=12, boundary_ms=1000, of=2)
EXITED = mine(Kind.EXITED, how="killed by SIGKILL")
RETURNED = mine(Kind.SEIZED, deploy="", release="r1", cycle=13)


class Story:
    """One deploy with such a launcher: how it ended, what happened, what was asked for.

    Args:
        launcher: The launcher.
        patch: Puts it in the place of the real one's client.
        limits: Time limits of the phases.
        aborts_in: The phase in which somebody wants it undone, or None.
    """

    def __init__(
        self,
        launcher: Launcher,
        patch: pytest.MonkeyPatch,
        home: Path,
        *,
        limits: Limits | None = None,
        aborts_in: Phase | None = None,
    ) -> None:
        patch.setattr(replace, "LauncherClient", launcher)
        self.happened: list[Event] = []
        self.phase = Phase.BUILDING
        self._aborts_in = aborts_in
        watcher = Watcher(moved=self._moved, interrupt=self._interrupt)
        driver = Driver(
            home, deploy_id="d1", release="r2", wish=Wish(bake=2), limits=limits, watcher=watcher
        )
        self.deploy = driver.run()
        self.asked = launcher.asked

    def _moved(self, deploy: Deploy, event: Event, _before: Phase) -> None:
        self.phase = deploy.phase
        if isinstance(event, GatePassed | GateFailed):
            as_told = msgspec.structs.replace(event.verdict, seconds=0.0)  # as long as it took
            event = type(event)(as_told)
        self.happened.append(event)

    def _interrupt(self) -> Event | None:
        return AbortAsked("alice") if self.phase is self._aborts_in else None


STARTED = [
    Built("r2"),
    CandidateStarted(7),
    CandidateWarming(),
    GatePassed(passed("boot", "pid 7 says hello")),
]


def test_a_good_deploy_is_told_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user, the history and a deployer hear is made of these events, in this order."""
    settled = mine(Kind.SETTLED, cycle=12, clean_cycles=1, of=2)
    ended = mine(Kind.SETTLED, deploy="", cycle=13)
    launcher = Launcher(HELLO, PASSED, READY, TOOK, settled, ended)
    story = Story(launcher, monkeypatch, tmp_path)
    assert story.happened == [
        *STARTED,
        GatePassed(passed("schema", "version 2")),
        CandidateReady(),
        Took(12, 1000, bakes=True),
        CycleSettled(12, 1, 2),
        BakeEnded(),
    ]
    assert story.deploy.phase is Phase.PERMANENT
    assert story.asked == [Kind.SUBSCRIBE, Kind.START_CANDIDATE, Kind.APPROVE]


def test_a_gate_that_refuses_stops_the_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = mine(Kind.GATE, gate="warm", passed=False, reason="no venue", seconds=0.1)
    story = Story(Launcher(HELLO, refused), monkeypatch, tmp_path)
    assert story.happened == [*STARTED, GateFailed(failed("warm", "no venue"))]
    assert (story.deploy.phase, story.deploy.reason) == (Phase.REFUSED, "warm: no venue")
    assert story.asked[-1] is Kind.STOP_CANDIDATE


def test_a_candidate_that_dies_in_its_gates_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(Launcher(HELLO, EXITED), monkeypatch, tmp_path)
    assert story.happened == [*STARTED, CandidateExited("killed by SIGKILL")]
    assert story.deploy.phase is Phase.REFUSED


def test_another_release_that_owns_in_the_bake_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = mine(Kind.LEAVING, reason="a bad cycle")
    story = Story(Launcher(HELLO, READY, TOOK, RETURNED, left), monkeypatch, tmp_path)
    assert story.happened[-2:] == [Took(12, 1000, bakes=True), OwnershipReturned("")]
    assert (story.deploy.phase, story.deploy.reason) == (Phase.RETURNED, "a bad cycle")


@pytest.mark.parametrize("heard_first", ["that it left", "who owns"])
def test_an_abort_that_the_way_back_hears_of_first_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard_first: str
) -> None:
    """The previous owner is on another host, and its release says nothing but that it left."""
    said = {"reason": "no part left", "leaving": "DRAINED", "how": "exited with status 0"}
    left = mine(Kind.EXITED, **said)
    told = (left, RETURNED) if heard_first == "that it left" else (RETURNED, left)
    launcher = Launcher(HELLO, READY, TOOK, *told)
    story = Story(launcher, monkeypatch, tmp_path, aborts_in=Phase.RETURNED)
    assert story.happened[-1] == OwnershipReturned("")
    assert (story.deploy.phase, story.deploy.reason) == (Phase.RETURNED, "aborted by alice")


def test_a_phase_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is heard any more."""
    limits = Limits(gating_s=0.0)
    story = Story(Launcher(HELLO, None), monkeypatch, tmp_path, limits=limits)
    assert story.happened == [*STARTED, TimeLimitPassed(0.0)]
    assert story.deploy.phase is Phase.REFUSED


def test_a_bake_without_end_is_said_and_undone_by_nobody_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns goes on: that it hangs is a matter of the standby beside it."""
    limits = Limits(baking_s=0.0)
    launcher = Launcher(HELLO, READY, TOOK, None, RETURNED)
    story = Story(launcher, monkeypatch, tmp_path, limits=limits)
    why = "baking took longer than 0 s"
    assert story.happened[-2:] == [TimeLimitPassed(0.0), OwnershipReturned(why)]
    assert story.deploy.phase is Phase.RETURNED
    assert story.asked[-1] is Kind.APPROVE


def test_an_approved_candidate_that_neither_takes_nor_leaves_is_stopped_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may own a moment later, so its refusal waits for it; but not for ever."""
    limits = Limits(ready_s=0.0, stopping_s=0.0)
    story = Story(Launcher(HELLO, READY, None, None), monkeypatch, tmp_path, limits=limits)
    assert story.happened[-2:] == [TimeLimitPassed(0.0), TimeLimitPassed(0.0)]
    assert story.deploy.phase is Phase.REFUSED
    assert story.asked[-1] is Kind.STOP_CANDIDATE


def test_an_abort_in_the_bake_asks_for_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Launcher(HELLO, READY, TOOK, RETURNED)
    story = Story(launcher, monkeypatch, tmp_path, aborts_in=Phase.BAKING)
    assert story.happened[-2:] == [AbortAsked("alice"), OwnershipReturned("aborted by alice")]
    assert story.asked[-2:] == [Kind.APPROVE, Kind.GIVE_BACK]


def test_an_abort_that_comes_after_the_last_cycle_of_a_bake_undoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is permanent has no previous release beside it any more that could take over."""
    ended = mine(Kind.SETTLED, deploy="", cycle=13)
    launcher = Launcher(HELLO, READY, TOOK, ended)
    story = Story(launcher, monkeypatch, tmp_path, aborts_in=Phase.PERMANENT)
    assert story.happened[-1] == BakeEnded()
    assert (story.deploy.phase, story.deploy.reason) == (Phase.PERMANENT, "")
    assert Kind.GIVE_BACK not in story.asked


def test_a_driver_that_comes_back_catches_up_with_its_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before it was killed in the bake: nothing is approved a second time."""
    found = {"pid": 7, "connected": True, "warm": True, "owner": True}
    ended = mine(Kind.SETTLED, deploy="", cycle=13)
    story = Story(Launcher(ended, found=found), monkeypatch, tmp_path)
    assert story.happened == [
        Built("r2"),
        CandidateStarted(7),
        CandidateWarming(),
        CandidateReady(),
        Took(0, 0, bakes=True),
        BakeEnded(),
    ]
    assert story.asked == [Kind.SUBSCRIBE, Kind.START_CANDIDATE]


def test_an_approval_names_the_deploy_that_has_to_live_and_is_given_again_where_that_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of the etcd ends the lease that the first one went with."""
    monkeypatch.setattr(replace, "ASK_BACK_S", 0.0)
    approvals = [7, 7, 9]
    launcher = Launcher(HELLO, PASSED, READY, None, None, TOOK, RETURNED, None)
    monkeypatch.setattr(replace, "LauncherClient", launcher)
    watcher = Watcher(approve=lambda _: approvals.pop(0) if approvals else 9)
    driver = Driver(tmp_path, deploy_id="d1", release="r2", wish=Wish(bake=2), watcher=watcher)
    assert driver.run().phase is Phase.RETURNED
    given = [members for kind, members in launcher.told if kind is Kind.APPROVE]
    assert given == [
        {"deploy": "d1", "bake": 2, "approval": 7},
        {"deploy": "d1", "bake": 2, "approval": 9},
    ]


def test_an_approval_that_is_refused_ends_the_deploy_before_it_owned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Deploy) -> int:
        text = "another host's deploy is under way"
        raise RequestRefused(text)

    monkeypatch.setattr(replace, "LauncherClient", Launcher(HELLO, PASSED, READY))
    watcher = Watcher(approve=refuse)
    driver = Driver(tmp_path, deploy_id="d1", release="r2", wish=Wish(bake=2), watcher=watcher)
    ended = driver.run()
    assert (ended.phase, ended.reason) == (Phase.REFUSED, "another host's deploy is under way")


def test_who_wants_a_bake_undone_asks_the_previous_owner_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases: list[Phase] = []
    asked: list[str] = []
    monkeypatch.setattr(
        replace, "LauncherClient", Launcher(HELLO, PASSED, READY, TOOK, None, RETURNED)
    )
    watcher = Watcher(
        moved=lambda deploy, *_: phases.append(deploy.phase),
        interrupt=lambda: AbortAsked("mia") if phases[-1:] == [Phase.BAKING] else None,
        give_back=lambda deploy: asked.append(deploy.deploy_id),
    )
    driver = Driver(tmp_path, deploy_id="d1", release="r2", wish=Wish(bake=2), watcher=watcher)
    assert driver.run().phase is Phase.RETURNED
    assert asked == ["d1"]


@pytest.mark.parametrize("name", [MIRROR, RECORD])
def test_what_happens_on_another_host_is_seen_in_the_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No launcher here tells of it, whoever drives; on one host nobody looks."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / name).touch()
    before = records.owned()
    taken = records.take(before, rollout=Rollout(deploy_id="d1", of=2))
    mirror = [before, taken, records.seize(taken, records.A)]
    monkeypatch.setattr(replace, "LOOK_S", 0.0)
    monkeypatch.setattr(
        replace, "read_only_snapshot", lambda _: mirror.pop(0) if len(mirror) > 1 else mirror[0]
    )
    launcher = Launcher(HELLO, PASSED, READY, None, None, None)
    monkeypatch.setattr(replace, "LauncherClient", launcher)
    driver = Driver(tmp_path, deploy_id="d1", release="r2", wish=Wish(bake=2))
    if name == MIRROR:
        assert driver.run().phase is Phase.RETURNED
    else:
        with pytest.raises(WireBroken):
            driver.run()
