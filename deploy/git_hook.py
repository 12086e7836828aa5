"""Git hooks that let a merge go live: put in place, taken away, looked at, and run.

Owns the files in git's directory of hooks. A hook that is there already is kept byte for byte
under a second name, called first, and put back on removal. The hook is a hint, never the
source: what it misses, the watcher finds (`convergence` is the same for both).
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from filelock import FileLock, Timeout

from deploy import convergence
from deploy.errors import HookConflict
from deploy.git_tree import GitTree, opened
from deploy.hook_script import BARE_HOOKS, HOOKS, KEPT, Settings, script, settings_of
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

_MODE: Final = 0o755
_REBASING: Final = ("rebase-merge", "rebase-apply")


class State(NamedTuple):
    """One hook as it is.

    Attributes:
        name: Which hook.
        path: Where it is.
        settings: What it knows; None where it is absent or not ours.
        present: Whether any hook is there.
        kept: Whether another one is kept beside it.
        current: Whether it is word for word what would be installed with its settings.
    """

    name: str
    path: Path
    settings: Settings | None
    present: bool
    kept: bool
    current: bool


def look(repository: GitTree) -> list[State]:
    """Return the state of each hook."""
    names = BARE_HOOKS if repository.bare else HOOKS
    return [_look(repository.hooks_directory() / name) for name in names]


def is_installed(repository: GitTree, home: Path) -> bool:
    """Tell whether hooks of this repository act for a home."""
    shared = str(repository.common_directory())
    return any(
        state.settings is not None
        and (state.settings.home, state.settings.shared) == (str(home), shared)
        for state in look(repository)
    )


def install(repository: GitTree, settings: Settings) -> list[Path]:
    """Put our hooks in place; what is there is kept. Doing it twice changes nothing.

    Raises:
        HookConflict: A hook acts for another installation, or two strangers' hooks are there.
    """
    states = look(repository)
    for state in states:
        _require_ours_or_free(state, settings)
    for state in states:
        state.path.parent.mkdir(parents=True, exist_ok=True)
        if state.present and state.settings is None:
            state.path.rename(_kept(state.path))
        _write(state.path, script(state.name, settings))
    return [state.path for state in states]


def remove(repository: GitTree, home: Path) -> list[Path]:
    """Take our hooks for a home away and put back what was there before them.

    Returns:
        The hooks that were removed. A stranger's hook stays, also one that was written over
        ours; what had been kept then stays kept.
    """
    shared = str(repository.common_directory())
    removed: list[Path] = []
    for state in look(repository):
        ours = state.settings
        if ours is not None and (ours.home, ours.shared) != (str(home), shared):
            continue
        if state.kept and (ours is not None or not state.present):
            _kept(state.path).rename(state.path)
        elif ours is not None:
            state.path.unlink()
        else:
            continue
        removed.append(state.path)
    return removed


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


def _look(path: Path) -> State:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = b""
    settings = settings_of(text)
    return State(
        name=path.name,
        path=path,
        settings=settings,
        present=path.exists() or path.is_symlink(),
        kept=_kept(path).exists() or _kept(path).is_symlink(),
        current=settings is not None and script(path.name, settings) == text,
    )


def _require_ours_or_free(state: State, settings: Settings) -> None:
    known = state.settings
    if known is not None and (known.home, known.shared) != (settings.home, settings.shared):
        reason = f"it acts for {known.shared} and {known.home}"
        hint = "take it away first: `foresight hook remove`, with that installation's -c"
        raise HookConflict(str(state.path), reason, hint)
    if state.present and known is None and state.kept:
        reason = f"it was written over ours, and {_kept(state.path).name} is kept beside it"
        raise HookConflict(str(state.path), reason, "join the two into one, remove the other")


def _kept(path: Path) -> Path:
    return path.with_name(path.name + KEPT)


def _write(path: Path, text: bytes) -> None:
    fresh = path.with_name(f"{path.name}.foresight-{os.getpid()}")
    fresh.write_bytes(text)
    fresh.chmod(_MODE)
    fresh.rename(path)
