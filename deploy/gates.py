"""Gates that a release has to pass before it is started: numbers in, a verdict out.

Owns the gates that are arithmetic on numbers. Measuring the numbers is `host`'s matter; gates
that need the release's own code run in the candidate (`handoff.worker.gates`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handoff.gate_verdict import GateName, failed, passed, skipped
from handoff.replay.comparison import impurity_of, refusal_of, words_of
from handoff.wish import DIFFER_ANY

if TYPE_CHECKING:
    from handoff.gate_verdict import GateVerdict
    from handoff.replay.comparison import Comparison
    from handoff.wish import Wish

MIB: Final = 1 << 20

# A large worker with its connections warm has 180-220 MiB, measured; where none runs yet
# there is nothing to measure.
WORKER_BYTES_DEFAULT: Final = 256 * MIB
WORKER_GROWTH: Final = 1.25  # a candidate warms up beside an owner that may be young itself
MEMORY_RESERVE_BYTES: Final = 128 * MIB  # deployer, git, and a host that must not start to swap
DISK_RESERVE_BYTES: Final = 256 * MIB  # journal and logs of the hours in which nobody looks
TREE_GROWTH: Final = 2.5  # bytecode is as large again as its sources, and blocks are rounded up
ENVIRONMENT_BYTES_DEFAULT: Final = 400 * MIB  # the whole lock with bytecode: 284 MiB, measured
FILES_RESERVE: Final = 1000  # journal, logs and records of the same hours
FILES_PER_PACKAGE: Final = 120  # with bytecode: 8 900 files and directories in 79, measured
FILES_PER_SOURCE: Final = 3  # itself, its bytecode, and at most a directory

REPLAY_CYCLES_MIN: Final = 20  # two cycles can only differ by 0, 50 or 100 %


def memory_needed(worker_bytes: int) -> int:
    """Return how much memory a second worker needs beside a first one.

    Args:
        worker_bytes: Resident size of the worker that runs; 0 where none does.
    """
    assert worker_bytes >= 0
    return round((worker_bytes or WORKER_BYTES_DEFAULT) * WORKER_GROWTH) + MEMORY_RESERVE_BYTES


def memory_gate(*, available_bytes: int, worker_bytes: int, seconds: float = 0.0) -> GateVerdict:
    """Decide whether two workers fit side by side.

    Args:
        available_bytes: What the host can give without swapping.
        worker_bytes: Resident size of the worker that runs; 0 where none does.
        seconds: How long measuring took.
    """
    needed = memory_needed(worker_bytes)
    have = f"{available_bytes // MIB} MiB available, {-(-needed // MIB)} MiB needed"
    if available_bytes < needed:
        reason = f"a second worker does not fit: {have}"
        return failed(GateName.MEMORY, reason, evidence=have, seconds=seconds)
    return passed(GateName.MEMORY, have, seconds=seconds)


def disk_needed(*, tree_bytes: int, environment_bytes: int) -> int:
    """Return how much disk a build needs, with what has to stay free.

    Args:
        tree_bytes: Size of the commit's files; 0 where its release is there already.
        environment_bytes: Size of the environment; 0 where it is there already.
    """
    assert tree_bytes >= 0
    assert environment_bytes >= 0
    return round(tree_bytes * TREE_GROWTH) + environment_bytes + DISK_RESERVE_BYTES


def files_needed(*, sources: int, packages: int) -> int:
    """Return how many files a build makes, with what has to stay free.

    Args:
        sources: Files of the commit; 0 where its release is there already.
        packages: Packages of its lock file; 0 where their environment is there already.
    """
    assert sources >= 0
    assert packages >= 0
    return sources * FILES_PER_SOURCE + packages * FILES_PER_PACKAGE + FILES_RESERVE


class Disk(NamedTuple):
    """What a disk has, and what a build wants of it.

    Attributes:
        free_bytes: What this user may still write.
        needed_bytes: What `disk_needed` returned.
        files_free: How many files this user may still make; None where nothing limits that.
        files_needed: What `files_needed` returned.
        noexec: The directory of environments, if nothing can be loaded from it.
        noexec_temporary: The directory for what is temporary, if nothing can be loaded from it.
    """

    free_bytes: int
    needed_bytes: int
    files_free: int | None = None
    files_needed: int = 0
    noexec: str = ""
    noexec_temporary: str = ""


def lacks_files(disk: Disk) -> bool:
    """Tell whether a disk has fewer inodes left than a build makes files."""
    return disk.files_free is not None and disk.files_free < disk.files_needed


def disk_gate(disk: Disk, *, seconds: float = 0.0) -> GateVerdict:
    """Decide whether a build fits on the disk, and could be loaded from there.

    Args:
        disk: What was measured.
        seconds: How long measuring took.
    """
    have = f"{disk.free_bytes // MIB} MiB free, {-(-disk.needed_bytes // MIB)} MiB needed"
    reason = f"the build does not fit: {have}" if disk.free_bytes < disk.needed_bytes else ""
    if lacks_files(disk):
        have += f"; {disk.files_free} more files (inodes), {disk.files_needed} needed"
        reason = f"the build does not fit: {have}"
    if disk.noexec:
        have += f"; {disk.noexec} is mounted noexec"
        reason = f"nothing that the build installs could be loaded: {have}"
    if reason:
        return failed(GateName.DISK, reason, evidence=have, seconds=seconds)
    said = f"; {disk.noexec_temporary} is mounted noexec" if disk.noexec_temporary else ""
    return passed(GateName.DISK, have + said, seconds=seconds)


def replay_gate(found: Comparison, wish: Wish, *, seconds: float = 0.0) -> GateVerdict:
    """Decide whether a release decides recorded cycles enough alike.

    Args:
        found: What deciding them again found.
        wish: How far it may differ; of fewer than `REPLAY_CYCLES_MIN` cycles no share is
            taken. A cycle that cannot be decided at all is refused whatever is wished.
        seconds: How long it took.
    """
    evidence = words_of(found)
    too_few = found.cycles < REPLAY_CYCLES_MIN
    if found.differ and too_few:
        evidence = f"too few for a share: {evidence}"
    reason = refusal_of(found, differ_max=DIFFER_ANY if too_few else wish.differ_max)
    impurity = impurity_of(found)
    if impurity and not found.raised and not wish.allow_differences:
        reason = f"the running release {impurity}"
    if reason:
        return failed(GateName.REPLAY, reason, evidence=evidence, seconds=seconds)
    if not found.cycles:
        return skipped(GateName.REPLAY, f"no recorded cycle to decide again ({evidence})")
    return passed(GateName.REPLAY, evidence, seconds=seconds)


def effects_gate(found: Comparison, wish: Wish, *, seconds: float = 0.0) -> GateVerdict:
    """Decide whether the running release could finish what the new one plans.

    Args:
        found: What the two releases say of themselves.
        wish: Whether there shall be a way back.
        seconds: How long asking took.
    """
    if not found.strange_kinds:
        known = "knows every kind" if found.kinds_known else "declares no kinds"
        return passed(GateName.EFFECTS, f"the running release {known}", seconds=seconds)
    strange = ", ".join(found.strange_kinds)
    if wish.irreversible:
        return passed(GateName.EFFECTS, f"there is no way back: {strange}", seconds=seconds)
    reason = f"the running release does not know {strange}: it could not come back"
    return failed(GateName.EFFECTS, f"{reason}; --irreversible accepts that", seconds=seconds)
