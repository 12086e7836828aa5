"""Whatever happens to the owner, every cycle is carried out once, by it or by a standby."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.chained import Body
from bench.installation import is_alive, send
from handoff.exit_codes import ExitCode
from tests.process.hurt import ENTRY, PERIOD_S, Hurt, verify_nothing_lost

if TYPE_CHECKING:
    from state.record import WorkerId

pytestmark = pytest.mark.timeout(180)
KILLS = 4


def _kill_at_random_phases(hurt: Hurt, *, standby: bool) -> list[WorkerId]:
    draw = random.Random()  # noqa: S311 - moments of a test, no secret
    killed: list[WorkerId] = []
    for _ in range(KILLS):
        if standby:
            hurt.wait(lambda: _warm_beside_owner(hurt), "a warm standby")
        time.sleep(draw.uniform(0, 2 * PERIOD_S))
        killed.append(hurt.kill_owner())
        hurt.wait_other_owner(killed[-1])
        hurt.wait_cycles(1)
    return killed


def _warm_beside_owner(hurt: Hurt) -> bool:
    owner = hurt.owner()
    return any(
        child["warm"] and owner is not None and int(child["pid"]) != owner.pid
        for child in hurt.children()
    )


def test_a_killed_owner_without_a_standby_is_restarted_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        killed = _kill_at_random_phases(hurt, standby=False)
        verify_nothing_lost(hurt)
        seizes = hurt.kinds("seize")[1:]
        assert [line.evidence["old_pid"] for line in seizes] == [each.pid for each in killed]
        assert {line.evidence["proof"] for line in seizes} == {"dead"}


def test_a_killed_owner_with_a_standby_is_followed_by_it(tmp_path: Path) -> None:
    """The standby was there before the death: nothing has to start."""
    with Hurt(tmp_path) as hurt:
        hurt.up("--standby")
        hurt.wait(lambda: _warm_beside_owner(hurt), "a warm standby")
        waiting = set(hurt.workers())
        hurt.kill_owner()
        hurt.wait_cycles(1)
        assert hurt.the_owner().pid in waiting
        killed = _kill_at_random_phases(hurt, standby=True)
        verify_nothing_lost(hurt)
        assert len(hurt.kinds("seize")) == 2 + len(killed)


@pytest.mark.parametrize("place", ["observe", "decide", "commit", "perform", "performed"])
def test_an_owner_that_dies_at_a_place_is_finished_by_its_standby(
    tmp_path: Path, place: str
) -> None:
    """Before, during and after decide and perform: the effect has one id and happens once."""
    with Hurt(tmp_path) as hurt:
        dying = hurt.release("dying", place=place, fault="kill", once=True)
        hurt.launcher = hurt.run(dying, ENTRY)
        hurt.wait((tmp_path / "struck-dying").exists, "the fault")
        hurt.wait_cycles(2)
        verify_nothing_lost(hurt)
        assert len(hurt.kinds("seize")) == 2
        record = hurt.record()
        assert record is not None
        body = msgspec.json.decode(record.body, type=Body)
        # The newest effect's receipt waits for the next decision; each earlier one came once.
        assert body.confirmed == body.links - 1
        assert len(record.receipts) == 1


@pytest.mark.parametrize("options", [(), ("--standby",)], ids=["alone", "standby"])
def test_an_owner_stopped_beyond_the_limit_is_killed_and_can_do_nothing_when_continued(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up(*options)
        if options:
            hurt.wait(lambda: _warm_beside_owner(hurt), "a warm standby")
        owner = hurt.the_owner()
        send(owner, signal.SIGSTOP)
        hurt.wait_other_owner(owner)
        send(owner, signal.SIGCONT)
        hurt.wait(lambda: not is_alive(owner), "the end of the stopped one")
        hurt.wait_cycles(2)
        assert hurt.owner() != owner
        verify_nothing_lost(hurt)
        assert hurt.kinds("seize")[-1].evidence == {
            "proof": "overdue",
            "old_pid": owner.pid,
            "old_start_ticks": owner.start_ticks,
        }


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="tells who holds a lock")
@pytest.mark.parametrize("options", [(), ("--standby",)], ids=["alone", "standby"])
def test_an_owner_stopped_in_the_middle_of_a_commit_is_killed_too(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """It holds the record's lock and gives it back to nobody but its standby, by its death."""
    with Hurt(tmp_path) as hurt:
        hurt.up(*options)
        if options:
            hurt.wait(lambda: _warm_beside_owner(hurt), "a warm standby")
        owner = hurt.the_owner()
        _stop_in_commit(hurt, owner)
        hurt.wait_other_owner(owner)
        assert not is_alive(owner)
        verify_nothing_lost(hurt)


def _stop_in_commit(hurt: Hurt, owner: WorkerId) -> None:
    inode = (hurt.home / "state" / "record.lock").stat().st_ino
    wanted = f" {owner.pid} "

    def holds() -> bool:
        rows = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        return any(wanted in row and f":{inode} " in row for row in rows if "->" not in row)

    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        if holds():
            send(owner, signal.SIGSTOP)
            if holds():
                return
            send(owner, signal.SIGCONT)
    pytest.fail("it was never met in a commit")


def test_an_owner_stopped_over_a_boundary_catches_up_when_continued(tmp_path: Path) -> None:
    """A pause below the limit is no reason to kill: it runs late what it owes, in order."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        send(owner, signal.SIGSTOP)
        time.sleep(2.2 * PERIOD_S)
        send(owner, signal.SIGCONT)
        hurt.wait_cycles(3)
        verify_nothing_lost(hurt)


def test_a_worker_drained_by_hand_is_restarted(tmp_path: Path) -> None:
    """TERM to a worker is not a wish to stop the whole: the launcher is told that by `down`."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner = hurt.the_owner()
        send(owner, signal.SIGTERM)
        hurt.wait_other_owner(owner)
        verify_nothing_lost(hurt)
        assert hurt.kinds("release")[0].worker == ""
        assert hurt.kinds("seize")[1].evidence == {"proof": "none"}


def test_an_owner_killed_in_its_bake_gives_way_to_the_previous_release(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.up()
        previous = hurt.the_owner()
        tree = hurt.release("v1")
        command = hurt.background("replace", "--tree", str(tree), "--bake", "1000")
        hurt.wait(lambda: hurt.the_owner() != previous, "the take")
        hurt.wait_cycles(1)
        hurt.kill_owner()
        assert command.wait(60) == ExitCode.RETURNED
        assert hurt.owner() == previous
        verify_nothing_lost(hurt)


def test_all_workers_killed_in_a_bake_end_with_one_owner_and_nothing_lost(
    tmp_path: Path,
) -> None:
    """The restart is of the release that owns the record; both accounts of the bake agree."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        previous = hurt.the_owner()
        hurt.background("replace", "--tree", str(hurt.release("v1")), "--bake", "6")
        hurt.wait(lambda: hurt.the_owner() != previous, "the take")
        hurt.wait_cycles(1)
        owner = hurt.kill_owner()
        send(previous, signal.SIGKILL)
        hurt.wait_other_owner(owner, previous)
        hurt.wait_cycles(6)
        assert len(hurt.workers()) == 1
        verify_nothing_lost(hurt)


def test_a_clock_that_is_false_for_a_second_costs_no_cycle(tmp_path: Path) -> None:
    """It cost two hundred, given up within that second, and then an idle minute and a half."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0", place="decide", fault="clock", once=True, catch_up_s=30.0)
        hurt.start(tree, ENTRY)
        hurt.wait((tmp_path / "struck-v0").exists, "the clock to be false")
        hurt.wait_cycles(6)
        assert hurt.kinds("miss") == []
        decided = [line.cycle for line in hurt.kinds("decide")]
        assert decided == list(range(decided[0], decided[-1] + 1))
        assert len(hurt.kinds("seize")) == 1
