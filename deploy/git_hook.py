"""What runs when a merge calls our hook.

Owns one process per merge: it waits until the branch is quiet, and one of them deals with all that
came close together. The hook is a hint, never the source: what it misses, the watcher finds
(`convergence` is the same for both). Where hooks lie is `hook_files`' matter.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from deploy import convergence
from deploy.git_tree import opened
from state.atomic_file import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG: Final = "hook.log"
LOG_BYTES_MAX: Final = 1 << 20  # a line for each merge: years of them
ASKED: Final = "hook.asked"
LOCK: Final = "hook.lock"
SETTLE_S: Final = 0.5  # merges that follow each other faster become one deploy
SETTLE_S_MAX: Final = 10.0  # somebody who merges without end gets a deploy all the same
REBASE_S_MAX: Final = 10.0  # a rebase calls the hook a moment before it has put its branch back
POLL_S: Final = 0.05
ROUNDS_MAX: Final = 100  # merges that came while the ones before were dealt with

_REBASING: Final = ("rebase-merge", "rebase-apply")


def run(
    home: Path,
    git_directory: Path,
    *,
    received: bool,
    follower: convergence.Follower,
    say: Callable[[str], None],
) -> None:
    """Act on a merge: once for all that come close together.

    Args:
        home: The state directory.
        git_directory: Where the hook was called.
        received: The branch is known to have been pushed to.
        follower: Deals with the branch's head.
        say: Told what was done.

    Raises:
        DeployError: The branch cannot be read; the next merge, or the watcher, tries again.
        HandoffError: Nothing runs.
        StateError: The record cannot be read.
    """
    policy = convergence.read_policy(home)
    wait_rebased(git_directory)
    name, shared = opened(git_directory)
    if str(shared) != policy.shared:
        say(f"{shared} is not the repository of this installation")
        return
    if not received and name != policy.branch:
        say(f"{name or 'no branch'} is checked out, {policy.branch} goes live")
        return
    asked = home / "run" / ASKED
    asked.touch(mode=FILE_MODE)
    lock = FileLock(home / "run" / LOCK, 0, FILE_MODE, thread_local=False, fallback_to_soft=False)
    for _ in range(ROUNDS_MAX):
        if not asked.exists():
            return
        # Whoever holds the lock looks at the mark once more after giving it back.
        try:
            lock.acquire()
        except Timeout:
            say("another one is at it")
            return
        try:
            while asked.exists():
                asked.unlink()
                _wait_settled(follower)
                say(follower.converge())
        finally:
            lock.release()


def wait_rebased(git_directory: Path) -> None:
    """Wait until a rebase has put its branch back, within a bound."""
    deadline_s = time.monotonic() + REBASE_S_MAX
    while any((git_directory / name).exists() for name in _REBASING):
        if time.monotonic() > deadline_s:
            return
        _pause(POLL_S)


def cut_log(home: Path) -> None:
    """Begin the hook's log again before it grows without bound."""
    path = home / "logs" / LOG
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES_MAX:
            path.rename(path.with_suffix(".old.log"))


def drop_git_variables() -> None:
    """Forget what git told its hook: it would redirect every git command of this process."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]


def _wait_settled(follower: convergence.Follower) -> None:
    """Wait until the head has stayed the same for a moment."""
    deadline_s = time.monotonic() + SETTLE_S_MAX
    head = follower.head()
    since_s = time.monotonic()
    while time.monotonic() - since_s < SETTLE_S and time.monotonic() < deadline_s:
        _pause(POLL_S)
        now = follower.head()
        if now != head:
            head, since_s = now, time.monotonic()


def _pause(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - nothing tells when a branch is quiet
