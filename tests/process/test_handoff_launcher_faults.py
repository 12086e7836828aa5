"""The launcher may die at any moment: its workers live on and are found again, never doubled."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from bench.installation import is_alive, send
from handoff.exit_codes import ExitCode
from handoff.rollout.launcher_client import LauncherClient
from handoff.rollout.table import Phase
from handoff.wire import Kind
from tests.process.hurt import ENTRY, PERIOD_S, Hurt, verify_counts, verify_nothing_lost

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)


def test_a_killed_launcher_finds_its_worker_again(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        hurt.kill_launcher()
        hurt.wait_cycles(2)
        hurt.up()
        assert hurt.owner() == owner
        assert hurt.workers() == [owner.pid], "adopted, no twin"
        hurt.wait(lambda: any(child["owner"] for child in hurt.children()), "the adopted owner")
        done = hurt.replace(hurt.release("v1"))
        assert done.returncode == ExitCode.DONE, done
        hurt.wait(lambda: not is_alive(owner), "the end of the adopted one")
        verify_nothing_lost(hurt)
        assert len(hurt.kinds("seize")) == 1


def test_an_adopted_owner_that_dies_is_restarted(tmp_path: Path) -> None:
    """It is not the new launcher's child: its death is seen all the same."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        hurt.kill_launcher()
        hurt.up()
        hurt.wait_adopted(hurt.the_owner())
        owner = hurt.kill_owner()
        hurt.wait_other_owner(owner)
        verify_nothing_lost(hurt)


def test_a_launcher_killed_in_a_bake_finds_both_releases_again(tmp_path: Path) -> None:
    """The way back stays warm, and nothing of the bake is forgotten."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        previous = hurt.the_owner()
        command = hurt.background("replace", "--tree", str(hurt.release("v1")), "--bake", "12")
        hurt.wait(lambda: hurt.the_owner() != previous, "the take")
        owner = hurt.the_owner()
        hurt.kill_launcher()
        assert command.wait(60) == ExitCode.FAILED, "its line to the launcher broke"
        hurt.up()
        assert hurt.workers() == sorted([owner.pid, previous.pid])
        hurt.wait(lambda: not is_alive(previous), "the end of the bake")
        assert hurt.owner() == owner
        assert hurt.version() == "v1"
        verify_nothing_lost(hurt)


def test_launcher_and_worker_killed_restart_what_owns_not_what_is_on_disk(
    tmp_path: Path,
) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        assert hurt.replace(hurt.release("v1")).returncode == ExitCode.DONE
        hurt.wait_cycles(1)
        hurt.kill_launcher()
        owner = hurt.kill_owner()
        hurt.wait(lambda: not is_alive(owner), "its end")
        time.sleep(2 * PERIOD_S)
        hurt.start(hurt.release("v0"), ENTRY)
        assert hurt.version() == "v1"
        verify_nothing_lost(hurt)


def test_a_second_launcher_of_a_home_is_refused(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        second = hurt.call("run", ENTRY, "--tree", str(hurt.release("v0")), "--app", "bench")
        assert second.returncode == ExitCode.ANOTHER
        assert "hint:" in second.stderr
        assert hurt.owner() == owner
        hurt.wait_cycles(1)
        verify_nothing_lost(hurt)


def test_down_drains_and_leaves_no_owner(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up("--standby")
        owner = hurt.the_owner()
        launcher = hurt.launcher
        assert launcher is not None
        assert hurt.down() == ExitCode.DONE
        assert launcher.returncode == 0
        assert hurt.workers() == []
        record = hurt.record()
        assert record is not None
        assert record.ownership.owner is None
        assert record.ownership.last_owner is not None
        assert record.progress.phase.value == "settled"
        assert not is_alive(owner)
        verify_counts(hurt)
        assert hurt.call("down").returncode == ExitCode.NOT_RUNNING
        assert hurt.call("status").returncode == ExitCode.NOT_RUNNING
        # What was drained starts again where it stopped.
        hurt.up()
        verify_nothing_lost(hurt)


def test_term_to_the_launcher_drains_like_down(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        launcher = hurt.launcher
        assert launcher is not None
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(60) == 0
        hurt.launcher = None
        assert hurt.workers() == []
        assert hurt.owner() is None
        verify_counts(hurt)


def test_term_while_the_first_worker_boots_leaves_nobody(tmp_path: Path) -> None:
    """An init system that loses patience with a start must not leave half of it behind."""
    with Hurt(tmp_path) as hurt:
        launcher = hurt.run(hurt.release("v0", boot_s=8 * PERIOD_S), ENTRY)
        hurt.launcher = launcher
        hurt.wait(lambda: hurt.workers() != [], "a worker that boots")
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(60) == 0
        hurt.launcher = None
        assert hurt.workers() == []
        assert hurt.reports() == []


def test_an_abort_with_nothing_running_does_nothing_now_or_later(tmp_path: Path) -> None:
    """A wish that found nothing must not strike the next deploy."""
    with Hurt(tmp_path) as hurt:
        hurt.up("--standby")
        owner = hurt.the_owner()
        assert hurt.ask(Kind.STOP_CANDIDATE, deploy="nothing")["ok"]
        assert hurt.ask(Kind.GIVE_BACK, deploy="nothing")["ok"]
        hurt.wait_cycles(2)
        assert hurt.owner() == owner
        deploy = hurt.put(hurt.release("v1"), bake=3)
        assert deploy.phase is Phase.PERMANENT, deploy
        verify_nothing_lost(hurt)


def test_a_launcher_stopped_for_a_while_costs_no_cycle(tmp_path: Path) -> None:
    """Nothing that decides anything depends on it."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner, launcher = hurt.the_owner(), hurt.launcher
        assert launcher is not None
        launcher.send_signal(signal.SIGSTOP)
        hurt.wait_cycles(4)
        launcher.send_signal(signal.SIGCONT)
        hurt.wait_cycles(1)
        assert hurt.owner() == owner
        verify_nothing_lost(hurt)


OLDER_WORDS = """
from handoff.worker.channel import LauncherChannel

_tell = LauncherChannel.tell


def tell(channel, kind, **members):
    if kind.value == "settled" and channel._writer is not None:
        channel._writer.write(b'{"kind":"aiming","cycle":7,"boundary_ms":1}\\n')
    _tell(channel, kind, **members)


LauncherChannel.tell = tell
"""


def test_a_word_that_a_worker_of_an_older_engine_says_is_ignored(tmp_path: Path) -> None:
    """Messages are taken out of the engine in time; who still sends one is no stranger."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0")
        module = tree / "faulty_worker.py"
        module.write_text(module.read_text("utf-8") + OLDER_WORDS, encoding="utf-8")
        hurt.start(tree, ENTRY)
        owner = hurt.the_owner()
        with LauncherClient(hurt.home) as subscriber:
            subscriber.ask(Kind.SUBSCRIBE)
            heard = [""]
            for _ in range(2):
                hurt.wait(
                    lambda: _next_kind(subscriber, heard) == Kind.SETTLED.value, "the word after"
                )
        assert "aiming" not in heard
        assert hurt.the_owner() == owner
        verify_nothing_lost(hurt)


def _next_kind(subscriber: LauncherClient, heard: list[str]) -> str:
    event = subscriber.event(PERIOD_S)
    heard += [] if event is None else [event["kind"]]
    return heard[-1]


def test_a_standby_that_dies_is_replaced_and_the_owner_goes_on(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up("--standby")
        owner = hurt.the_owner()
        hurt.wait(lambda: len(hurt.workers()) == 2, "a standby")
        (standby,) = set(hurt.workers()) - {owner.pid}
        hurt.end_process(standby)
        hurt.wait(
            lambda: len(hurt.workers()) == 2 and standby not in hurt.workers(), "a new standby"
        )
        assert hurt.owner() == owner
        send(owner, signal.SIGKILL)
        hurt.wait_other_owner(owner)
        verify_nothing_lost(hurt)


def test_each_worker_has_a_log_of_its_own_also_after_the_launcher_replaced_itself(
    tmp_path: Path,
) -> None:
    """Otherwise the last words of one that died are those of another."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        assert hurt.replace(hurt.release("v1")).returncode == ExitCode.DONE
        launcher = hurt.launcher
        assert launcher is not None
        log = tmp_path / "launcher.log"
        launcher.send_signal(signal.SIGUSR2)
        hurt.wait(lambda: "launcher_replaced" in log.read_text(encoding="utf-8"), "its new image")
        hurt.wait(lambda: bool(hurt.children()), "its answer")
        killed = hurt.replace(hurt.release("killed", place="warm", fault="kill"))
        assert killed.returncode == ExitCode.REFUSED
        assert killed.stdout.rstrip().endswith("killed by SIGKILL"), "it said nothing"
        assert hurt.replace(hurt.release("v2")).returncode == ExitCode.DONE
        for path in (hurt.home / "logs").glob("worker-*.log"):
            lines = path.read_text(encoding="utf-8").splitlines()
            pids = {json.loads(line)["pid"] for line in lines}
            assert len(pids) <= 1, path
        verify_nothing_lost(hurt)


def test_an_owner_that_was_stopped_before_its_launcher_came_is_overdue_for_it_too(
    tmp_path: Path,
) -> None:
    """Two minutes passed without an owner: the new launcher took it for one that gets warm."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0")
        hurt.start(tree, ENTRY)
        hurt.wait_cycles(2)
        old = hurt.the_owner()
        send(old, signal.SIGSTOP)
        hurt.kill_launcher()
        hurt.launcher = hurt.run(tree, ENTRY)
        hurt.wait_other_owner(old)
        verify_nothing_lost(hurt)
