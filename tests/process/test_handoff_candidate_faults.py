"""Whatever a candidate does, the owner does not notice, and the deploy says how it ended."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from bench.installation import send
from handoff.exit_codes import ExitCode
from handoff.processes import identity_of
from handoff.rollout.driver import Limits, Watcher
from handoff.rollout.events import AbortAsked, Took
from handoff.rollout.table import Deploy, Phase
from tests.process.hurt import PERIOD_S, Hurt, verify_counts, verify_nothing_lost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handoff.rollout.events import Event

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hurt]:
    """One installation for all faults that its owner must not notice."""
    with Hurt(tmp_path_factory.mktemp("shared")) as hurt:
        hurt.up()
        yield hurt
        verify_nothing_lost(hurt)
        assert len(hurt.kinds("seize")) == 1, "the first worker owned to the end"
        assert hurt.kinds("take") == []


@pytest.mark.parametrize(
    ("place", "fault", "why"),
    [
        ("warm", "kill", "SIGKILL"),
        ("warm", "exit", "status 0"),
        ("warm", "raise", "told to fail"),
        ("warm", "memory", "MemoryError"),
        ("import", "raise", "told to fail"),
        ("import", "memory", "MemoryError"),
        ("import", "exit", "status 0"),
    ],
)
def test_a_candidate_that_dies_is_refused_and_costs_nothing(
    shared: Hurt, place: str, fault: str, why: str
) -> None:
    owner = shared.the_owner()
    done = shared.replace(shared.release(f"{place}-{fault}", place=place, fault=fault))
    assert done.returncode == ExitCode.REFUSED, done
    assert " refused " in done.stdout
    assert why in done.stdout
    shared.wait_cycles(2)
    assert shared.owner() == owner
    verify_counts(shared)


def test_a_candidate_killed_at_the_moment_of_approval_is_refused(shared: Hurt) -> None:
    """Between ready and take nothing of it is anywhere but in its own memory."""
    owner = shared.the_owner()

    def kill(deploy: Deploy) -> None:
        pids = [int(each["pid"]) for each in shared.children() if each["role"] == "candidate"]
        assert len(pids) == 1, deploy
        os.kill(pids[0], signal.SIGKILL)

    deploy = shared.put(shared.release("killed-ready"), watcher=Watcher(hold=kill))
    assert deploy.phase is Phase.REFUSED, deploy
    assert deploy.reason
    assert "worker_warm" not in deploy.reason, "no line of its log is a reason"
    shared.wait_cycles(1)
    assert shared.owner() == owner


def test_an_abort_before_the_take_is_refused_with_who_asked(shared: Hurt) -> None:
    owner = shared.the_owner()
    watcher = Watcher(interrupt=lambda: AbortAsked("an operator"))
    deploy = shared.put(shared.release("aborted", boot_s=3 * PERIOD_S), watcher=watcher)
    assert deploy.phase is Phase.REFUSED
    assert deploy.reason == "aborted by an operator"
    assert shared.owner() == owner


def test_a_candidate_that_hangs_is_given_up_and_blocks_nobody(tmp_path: Path) -> None:
    """It does not even hear the signal to leave; the next deploy must not wait for its end."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        hanging = hurt.release("hangs", place="warm", fault="hang")
        deploy = hurt.put(hanging, limits=Limits(starting_s=3.0, gating_s=3.0))
        assert deploy.phase is Phase.REFUSED
        assert deploy.reason.endswith("ing took longer than 3 s"), "starting or gating"
        done = hurt.replace(hurt.release("v1"))
        assert done.returncode == ExitCode.DONE, done
        assert hurt.version() == "v1"
        hurt.wait_cycles(2)
        verify_counts(hurt)


def test_a_boot_of_three_periods_costs_nothing(tmp_path: Path) -> None:
    """The old owner works until the new one is warm, however long that takes."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        done = hurt.replace(hurt.release("slow", boot_s=3 * PERIOD_S))
        assert done.returncode == ExitCode.DONE, done
        assert hurt.version() == "slow"
        verify_nothing_lost(hurt)
        take = hurt.kinds("take")[0]
        assert take.evidence["old_alive"] == 1
        assert take.evidence["old_pid"] != take.evidence["new_pid"]


def test_a_second_deploy_is_refused_at_once_and_harms_neither(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        begun = threading.Event()

        def moved(_deploy: Deploy, _event: Event, _before: Phase) -> None:
            begun.set()

        first = hurt.release("first", boot_s=6 * PERIOD_S)
        ended: list[Deploy] = []
        thread = threading.Thread(
            target=lambda: ended.append(hurt.put(first, watcher=Watcher(moved=moved)))
        )
        thread.start()
        assert begun.wait(60)
        hurt.wait(lambda: len(hurt.workers()) == 2, "the first candidate")
        second = hurt.replace(hurt.release("second"))
        assert second.returncode == ExitCode.REFUSED
        assert "is under way" in second.stdout
        assert thread.is_alive(), "the answer came at once, not after the first deploy"
        thread.join(60)
        assert [deploy.phase for deploy in ended] == [Phase.PERMANENT]
        assert hurt.version() == "first"
        verify_nothing_lost(hurt)


@pytest.mark.parametrize(
    ("place", "fault", "why"),
    [
        ("decide", "raise", "told to fail"),
        ("decide", "slow", "the budget is"),
        ("commit", "violate", "told to violate"),
        ("decide", "kill", ""),
        ("perform", "kill", ""),
    ],
)
def test_a_bad_first_cycle_gives_back(tmp_path: Path, place: str, fault: str, why: str) -> None:
    """The previous release is warm beside it and runs the very cycle that went wrong."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        done = hurt.replace(hurt.release("bad", place=place, fault=fault), bake=3)
        assert done.returncode == ExitCode.RETURNED, done
        assert " returned " in done.stdout
        assert why in done.stdout
        assert hurt.owner() == owner, "the worker that had waited, not a new one"
        verify_nothing_lost(hurt)
        record = hurt.record()
        assert record is not None
        assert record.rollout is None
        assert record.ownership.previous is None


@pytest.mark.parametrize(("bake", "code"), [(3, ExitCode.RETURNED), (0, ExitCode.DONE)])
def test_a_release_that_dies_before_it_said_that_it_took_did_not_never_own(
    tmp_path: Path, bake: int, code: ExitCode
) -> None:
    """The record says so, whoever heard of it; without a bake there is no way back from it."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        dying = hurt.release("dying", place="took", fault="kill", once=True)
        done = hurt.replace(dying, bake=bake)
        assert done.returncode == code, done
        assert "worker_warm" not in done.stdout, "no line of its log is a reason"
        assert len(hurt.kinds("take")) == 1
        hurt.wait_cycles(2)
        assert (hurt.owner() == owner) is (bake > 0)
        assert hurt.version() == ("v0" if bake else "dying")
        verify_nothing_lost(hurt)


def test_a_first_cycle_that_hangs_gives_back_after_the_overdue_limit(tmp_path: Path) -> None:
    """Only its death proves that it will not go on: it is killed first."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        done = hurt.replace(hurt.release("bad", place="decide", fault="hang"), bake=3)
        assert done.returncode == ExitCode.RETURNED, done
        assert hurt.owner() == owner
        verify_nothing_lost(hurt)
        assert hurt.kinds("seize")[-1].evidence["proof"] == "overdue"


def test_an_abort_in_the_bake_gives_back(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner, wish = hurt.the_owner(), list[AbortAsked]()

        def moved(deploy: Deploy, _event: Event, _before: Phase) -> None:
            if deploy.phase is Phase.BAKING:
                wish.append(AbortAsked("an operator"))

        watcher = Watcher(moved=moved, interrupt=lambda: wish[0] if wish else None)
        deploy = hurt.put(hurt.release("v1"), bake=1000, watcher=watcher)
        assert deploy.phase is Phase.RETURNED
        assert hurt.owner() == owner
        verify_nothing_lost(hurt)


def test_an_abort_in_the_bake_gives_back_although_who_owned_before_is_dead(tmp_path: Path) -> None:
    """The wish would be told to nobody, and the release that nobody wants become permanent."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        before, wish = hurt.the_owner(), list[AbortAsked]()

        def moved(deploy: Deploy, event: Event, _before: Phase) -> None:
            if isinstance(event, Took):
                assert send(before, signal.SIGKILL)
            if deploy.clean_cycles:
                wish.append(AbortAsked("an operator"))

        watcher = Watcher(moved=moved, interrupt=lambda: wish[0] if wish else None)
        deploy = hurt.put(hurt.release("v1"), bake=20, watcher=watcher)
        assert deploy.phase is Phase.RETURNED, deploy
        hurt.wait(lambda: hurt.version() == "v0", "a cycle of the release before")
        verify_nothing_lost(hurt)


def test_an_owner_that_dies_while_a_candidate_boots_is_replaced(tmp_path: Path) -> None:
    """The deploy goes on with whoever owns by then."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        killed: list[bool] = []

        def moved(deploy: Deploy, _event: Event, _before: Phase) -> None:
            if deploy.phase is Phase.STARTING and not killed:
                killed.append(send(hurt.the_owner(), signal.SIGKILL))

        slow = hurt.release("slow", boot_s=3 * PERIOD_S)
        deploy = hurt.put(slow, watcher=Watcher(moved=moved))
        assert killed == [True]
        assert deploy.phase is Phase.PERMANENT, deploy
        assert hurt.version() == "slow"
        verify_nothing_lost(hurt)


def test_a_killed_deployer_leaves_the_owner_alone(tmp_path: Path) -> None:
    """Nobody approves its candidate, so nothing is taken; the owner never knew."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        tree = hurt.release("v1", boot_s=4 * PERIOD_S)
        command = hurt.background("replace", "--tree", str(tree))
        hurt.wait(lambda: len(hurt.workers()) == 2, "a candidate")
        command.kill()
        command.wait(60)
        hurt.wait_cycles(8)
        assert hurt.owner() == owner
        assert identity_of(owner.pid) is not None
        verify_nothing_lost(hurt)
        assert hurt.kinds("take") == []


@pytest.mark.parametrize("whose", ["deployer", "launcher"])
def test_a_candidate_that_nobody_drives_any_more_makes_way_for_the_next_deploy(
    tmp_path: Path, whose: str
) -> None:
    """It would wait for an approval until its life is over, and every deploy with it."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        tree = hurt.release("v1", boot_s=8 * PERIOD_S)
        command = hurt.background("replace", "--tree", str(tree))
        hurt.wait(lambda: len(hurt.workers()) == 2, "a candidate")
        (abandoned,) = set(hurt.workers()) - {owner.pid}
        if whose == "deployer":
            command.kill()
        else:
            hurt.kill_launcher()
        command.wait(60)
        if whose == "launcher":
            hurt.up()
            hurt.wait(
                lambda: any(int(child["pid"]) == abandoned for child in hurt.children()),
                "its adoption",
            )
        done = hurt.replace(hurt.release("v2"))
        assert done.returncode == ExitCode.DONE, done
        assert hurt.version() == "v2"
        hurt.wait(lambda: abandoned not in hurt.workers(), "the end of the abandoned one")
        verify_nothing_lost(hurt)
