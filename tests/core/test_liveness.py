"""Who lives where: the rule on which every seize, every adoption and every refusal rests."""

from __future__ import annotations

import pytest

from handoff.liveness import (
    HOME,
    Judgement,
    Lock,
    Process,
    Seen,
    Side,
    Verdict,
    Word,
    judge,
    judge_shared,
)

INODE = 7
HERE = Side("boot", "pid:[1]", "m" * 32)
OTHER_BOOT = HERE._replace(boot_id="earlier")
OTHER_NAMESPACE = HERE._replace(pid_namespace="pid:[2]")
OTHER_MACHINE = OTHER_BOOT._replace(machine="n" * 32)
MOVED, EXCLUSIVE = Word(moved=True), Word(exclusive=True)
LIVES = Process.RUNS
FREE, HELD, OTHER, MISSING = Lock.FREE, Lock.HELD, Lock.OTHER, Lock.MISSING


def verdict(
    told: Side, seen: Seen, *, inode: int = INODE, here: Side = HERE, word: Word | None = None
) -> Verdict:
    return judge(told, inode, here, seen, word or Word()).verdict


@pytest.mark.parametrize("lock", list(Lock))
def test_in_one_namespace_the_process_decides_and_never_the_lock(lock: Lock) -> None:
    """The lock of a block clone has the same inode and is free, and its owner lives."""
    assert verdict(HERE, Seen(LIVES, HOME, lock)) is Verdict.HERE
    assert judge(HERE, INODE, HERE, Seen(Process.GONE, lock=lock)).is_dead


def test_whoever_holds_the_lock_of_another_home_makes_this_one_a_copy() -> None:
    """Its launcher would adopt and end the original's owner, and both would decide."""
    seen = Seen(LIVES, "/original", OTHER)
    for word in (Word(), MOVED, EXCLUSIVE):
        assert judge(HERE, INODE, HERE, seen, word) == Judgement(Verdict.COPY, "/original")


def test_a_copy_whose_original_is_dead_is_a_move() -> None:
    seen = Seen(Process.GONE, lock=OTHER)
    assert verdict(HERE, seen) is Verdict.MOVED
    assert verdict(HERE, seen._replace(lock=FREE)) is Verdict.DEAD


def test_what_cannot_be_seen_is_not_dead() -> None:
    hidden, closed = Seen(Process.HIDDEN, lock=FREE), Seen(LIVES, "", FREE)
    for seen in (hidden, closed):
        assert verdict(HERE, seen) is Verdict.UNPROVEN
        assert verdict(HERE, seen, word=EXCLUSIVE) is Verdict.UNPROVEN
        assert verdict(HERE, seen, word=MOVED) is Verdict.MOVED
        assert verdict(HERE, seen._replace(lock=HELD), word=MOVED) is Verdict.UNSEEN


@pytest.mark.parametrize("machine", ["", HERE.machine])
@pytest.mark.parametrize("told", [OTHER_BOOT, OTHER_NAMESPACE])
def test_a_reboot_or_a_new_container_over_the_same_home_comes_up(told: Side, machine: str) -> None:
    """Nobody is there to say a word at night; a machine without an id is no reason to wait."""
    assert verdict(told, Seen(lock=FREE), here=HERE._replace(machine=machine)) is Verdict.DEAD
    assert verdict(told._replace(machine=""), Seen(lock=FREE)) is Verdict.DEAD


def test_containers_of_one_boot_are_on_one_machine_whatever_ids_they_were_given() -> None:
    told = OTHER_NAMESPACE._replace(machine="n" * 32)
    assert verdict(told, Seen(lock=FREE)) is Verdict.DEAD
    assert verdict(told, Seen(lock=HELD)) is Verdict.UNSEEN


def test_a_lock_that_is_held_is_a_life_whatever_is_vouched_for() -> None:
    for word in (Word(), MOVED, EXCLUSIVE):
        assert verdict(OTHER_NAMESPACE, Seen(lock=HELD), word=word) is Verdict.UNSEEN


@pytest.mark.parametrize("lock", [FREE, OTHER, MISSING])
def test_another_machine_needs_a_word(lock: Lock) -> None:
    """Its lock is free here, because it was never held here."""
    assert verdict(OTHER_MACHINE, Seen(lock=lock)) is Verdict.ELSEWHERE
    assert judge(OTHER_MACHINE, INODE, HERE, Seen(lock=lock)).is_doubtful, "nobody gave one"
    for word in (MOVED, EXCLUSIVE):
        assert verdict(OTHER_MACHINE, Seen(lock=lock), word=word) is Verdict.MOVED


@pytest.mark.parametrize(
    "seen", [Seen(lock=OTHER), Seen(lock=MISSING), Seen(lock=FREE, network=True)]
)
def test_where_the_lock_proves_nothing_an_earlier_boot_of_this_machine_does(seen: Seen) -> None:
    """A home moved to another disk while the machine was down."""
    assert verdict(OTHER_BOOT, seen) is Verdict.MOVED
    for told in (OTHER_BOOT._replace(machine=""), OTHER_NAMESPACE):
        assert verdict(told, seen) is Verdict.UNPROVEN
        assert verdict(told, seen, word=MOVED) is Verdict.MOVED
        assert verdict(told, seen, word=EXCLUSIVE) is Verdict.MOVED


def test_what_the_release_before_wrote_is_judged_as_it_judges() -> None:
    """It wrote neither inode nor machine; the host's name, which it asks about, proves nothing."""

    def former(told: Side, seen: Seen) -> Verdict:
        return verdict(told._replace(machine=""), seen, inode=0)

    assert former(HERE, Seen(LIVES)) is Verdict.HERE
    assert former(HERE, Seen(Process.GONE)) is Verdict.DEAD
    assert former(HERE, Seen(Process.HIDDEN)) is Verdict.UNSEEN
    assert former(OTHER_BOOT, Seen()) is Verdict.DEAD
    assert former(OTHER_NAMESPACE, Seen(lock=FREE)) is Verdict.DEAD
    assert former(OTHER_NAMESPACE, Seen(lock=OTHER)) is Verdict.UNSEEN


def test_a_boot_id_that_cannot_be_seen_is_not_another_boot() -> None:
    """A unit with `ProcSubset=pid` hides it: the owner that ran before it lives all the same."""
    unseen = HERE._replace(boot_id="")
    for told, here in ((HERE, unseen), (unseen, HERE)):
        assert verdict(told, Seen(lock=HELD), here=here) is Verdict.UNSEEN
        assert verdict(told, Seen(lock=MISSING), here=here) is Verdict.UNPROVEN
        assert verdict(told, Seen(lock=HELD), here=here, inode=0) is Verdict.UNSEEN
        assert verdict(told, Seen(lock=FREE), here=here) is Verdict.DEAD


def shared(told: Side, seen: Seen, here: Side = HERE) -> Verdict:
    return judge_shared(told, here, seen).verdict


def test_beside_an_etcd_what_is_of_another_boot_is_elsewhere_and_lives() -> None:
    assert shared(HERE, Seen(Process.GONE)) is Verdict.DEAD
    assert shared(HERE, Seen(LIVES, HOME)) is Verdict.HERE
    assert shared(OTHER_NAMESPACE, Seen(lock=FREE)) is Verdict.DEAD
    for seen in (Seen(), Seen(lock=FREE), Seen(lock=MISSING)):
        assert shared(OTHER_BOOT, seen) is Verdict.UNSEEN


@pytest.mark.parametrize("seen", [Seen(Process.GONE), Seen(Process.GONE, lock=FREE)])
def test_two_hosts_that_hide_their_boots_are_not_one(seen: Seen) -> None:
    """Every host's first pid namespace has one name: without a boot a pid is any host's."""
    unseen = HERE._replace(boot_id="")
    assert shared(unseen, seen, here=unseen) is Verdict.UNSEEN
    assert shared(unseen, Seen(LIVES, HOME), here=unseen) is Verdict.HERE
