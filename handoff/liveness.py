"""Whether a worker that a record names still lives: what the facts of both sides say.

Owns that rule and nothing else: no file, process or clock enters here. What is not proven dead
is alive, and what is alive is this home's only if it holds this home's lock. A host's name says
nothing: it changes, and containers share one. Standard library only: the launcher asks as well.
"""

from __future__ import annotations

import enum

from handoff.light_typing import Final, NamedTuple

HOME: Final = "."  # where a lock lies that is this home's own
_BY_WORD: Final = "by an operator's word"
_OTHER_HOME: Final = "its home lay elsewhere on this machine"
_EARLIER: Final = "it is of an earlier boot of this machine"


class Verdict(enum.Enum):
    """What is known of a worker."""

    DEAD = "dead"
    MOVED = "moved"  # dead, and its home lay elsewhere, or somebody vouches for it
    HERE = "alive here"
    UNSEEN = "alive, out of sight"  # it holds this home's lock, and cannot be named from here
    COPY = "a copy"  # it is alive, and holds the lock of another home
    ELSEWHERE = "another machine"
    UNPROVEN = "unproven"


class Side(NamedTuple):
    """Where a process runs.

    Attributes:
        boot_id: Of the kernel.
        pid_namespace: In which its pid counts.
        machine: The machine's id; empty where it is unknown.
    """

    boot_id: str
    pid_namespace: str
    machine: str = ""


class Process(enum.Enum):
    """What the process table shows of a worker; it is asked in the worker's namespace alone."""

    GONE = "gone"  # no such pid, or one with other start ticks
    RUNS = "runs"
    HIDDEN = "hidden"  # there is such a pid, and nothing can be seen of it


class Lock(enum.Enum):
    """What this home's file of a worker's lock shows."""

    MISSING = "there is no file of its lock here"
    OTHER = "the file of its lock is another one here"
    FREE = "its lock is free"
    HELD = "its lock is held"


class Seen(NamedTuple):
    """What this process sees of a worker.

    Attributes:
        process: In the process table.
        holds: Home of the lock that the process has open: `HOME`, a path, or empty if unseen.
        lock: The file in this home.
        network: Whether this home is on a network file system, where locks prove little.
    """

    process: Process = Process.GONE
    holds: str = ""
    lock: Lock = Lock.MISSING
    network: bool = False


class Word(NamedTuple):
    """What somebody vouches for.

    Attributes:
        moved: An operator says that this worker is dead.
        exclusive: The installation promises that one machine at a time has this home.
    """

    moved: bool = False
    exclusive: bool = False


NOBODY_VOUCHES: Final = Word()


class Judgement(NamedTuple):
    """What is known of a worker, and why; of a copy, the other home."""

    verdict: Verdict
    reason: str = ""

    @property
    def is_dead(self) -> bool:
        """Whether its death is proven, or vouched for."""
        return self.verdict in (Verdict.DEAD, Verdict.MOVED)

    @property
    def is_doubtful(self) -> bool:
        """Whether it may live in another home than this one."""
        return self.verdict in (Verdict.COPY, Verdict.ELSEWHERE, Verdict.UNPROVEN)


def judge(told: Side, inode: int, here: Side, seen: Seen, word: Word = NOBODY_VOUCHES) -> Judgement:
    """Judge a worker.

    Args:
        told: Where it ran, as the record says.
        inode: Of its lock, as the record says; 0 in what the release before this one wrote.
        here: Where this process runs.
        seen: What this process sees of it.
        word: What somebody vouches for.
    """
    if told[:2] == here[:2]:
        return _same_namespace(inode, seen, word)
    if not inode:
        return _without_inode(told, here, seen)
    found = _by_lock(told, here, seen)
    if found.is_doubtful and word.moved:
        return Judgement(Verdict.MOVED, _BY_WORD)
    if found.is_doubtful and word.exclusive:
        return Judgement(Verdict.MOVED, 'by volume = "exclusive"')
    return found


def judge_shared(told: Side, here: Side, seen: Seen) -> Judgement:
    """Judge a worker of a record that hosts share; nobody has to vouch, for a lease ends instead.

    Args:
        told: Where it ran, as the record says.
        here: Where this process runs.
        seen: What this process sees of it.
    """
    if told[:2] == here[:2] and seen.process is Process.RUNS and seen.holds == HOME:
        return Judgement(Verdict.HERE)
    if not told.boot_id:  # a boot that nobody can see may be any host's, and so may a pid
        return Judgement(Verdict.UNSEEN, "its boot is unknown")
    if told[:2] == here[:2] and seen.process is Process.GONE:
        return Judgement(Verdict.DEAD)
    if told.boot_id == here.boot_id and not seen.network and seen.lock is Lock.FREE:
        return Judgement(Verdict.DEAD)  # of a container before this one, on the same disk
    return Judgement(Verdict.UNSEEN, "it is not of this home")


def _same_namespace(inode: int, seen: Seen, word: Word) -> Judgement:
    """Judge by pid and start ticks alone: a block clone has the same inodes, its lock is free."""
    if seen.process is Process.GONE:
        moved = inode and seen.lock is Lock.OTHER
        return Judgement(Verdict.MOVED, _OTHER_HOME) if moved else Judgement(Verdict.DEAD)
    if seen.process is Process.RUNS and (not inode or seen.holds):
        here = not inode or seen.holds == HOME
        return Judgement(Verdict.HERE) if here else Judgement(Verdict.COPY, seen.holds)
    reason = "its process cannot be seen in /proc"
    if not inode or seen.lock is Lock.HELD:
        return Judgement(Verdict.UNSEEN, reason)
    if word.moved:
        return Judgement(Verdict.MOVED, _BY_WORD)
    return Judgement(Verdict.UNPROVEN, reason)


def _without_inode(told: Side, here: Side, seen: Seen) -> Judgement:
    """Judge as the release before this one does, but for the name of the host."""
    if _another_boot(told, here) or seen.lock is Lock.FREE:
        return Judgement(Verdict.DEAD)
    # Nobody of that release can be said to be of another home.
    return Judgement(Verdict.UNSEEN, seen.lock.value)


def _by_lock(told: Side, here: Side, seen: Seen) -> Judgement:
    other_boot = _another_boot(told, here)
    known = bool(told.machine and here.machine)
    # One boot is one machine, whatever its containers are given for an id.
    if known and other_boot and told.machine != here.machine:
        return Judgement(Verdict.ELSEWHERE, f"it is of machine {told.machine[:8]}")
    if not seen.network and seen.lock is Lock.FREE:
        return Judgement(Verdict.DEAD)
    if not seen.network and seen.lock is Lock.HELD:
        return Judgement(Verdict.UNSEEN, seen.lock.value)
    if known and other_boot:
        return Judgement(Verdict.MOVED, _EARLIER)
    reason = "locks prove little on a network file system" if seen.network else seen.lock.value
    return Judgement(Verdict.UNPROVEN, reason)


def _another_boot(told: Side, here: Side) -> bool:
    # A side that cannot see its boot id (a unit with ProcSubset=pid) may be of any boot.
    return bool(told.boot_id and here.boot_id) and told.boot_id != here.boot_id
