"""A lock that a worker holds for as long as it lives: proof of death where its pid says nothing.

Owns one small file for each worker under `run/lives`. The kernel gives the lock back at any kind
of death, also at that of a whole container, whose processes nobody outside can name. The record
names the file by its inode, so a copy of it proves nothing. What the file shows is looked at by
`life_signs`, what that means is said by `liveness`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from handoff.life_signs import LIVES, file_id_of, is_free, is_name

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from handoff.life_signs import FileId

SWEPT_AFTER_S: Final = 3600.0  # files of the dead; none of a worker that is just starting


def hold(home: Path, worker: str, *, keep: Collection[str] = ()) -> int | None:
    """Take a worker's lock before it can own anything; its end is the end of the process.

    Args:
        home: The state directory.
        worker: Name of this worker, unique among all.
        keep: Names of workers whose files may still be asked about.

    Returns:
        The descriptor that holds it; None if it cannot be had, on a full disk for example.
    """
    assert is_name(worker), "a name that a worker gave itself"
    directory = home / "run" / LIVES
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _sweep(directory, {worker, *keep})
        descriptor = _locked(directory / worker)
    except OSError:
        return None
    # A helper that outlives this process must not speak for it.
    os.register_at_fork(after_in_child=partial(_close_own, descriptor, file_id_of(descriptor)))
    return descriptor


def _close_own(descriptor: int, held: FileId) -> None:
    with contextlib.suppress(OSError):
        if file_id_of(descriptor) == held:
            os.close(descriptor)


def _locked(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    with contextlib.suppress(OSError):
        # For the release before this one; on a full disk the lock is there all the same.
        os.pwrite(descriptor, str(os.fstat(descriptor).st_ino).encode(), 0)
    return descriptor


def _sweep(directory: Path, keep: Collection[str]) -> None:
    now_s = time.time()  # noqa: TID251 - compared with the times of files
    for path in directory.iterdir():
        with contextlib.suppress(OSError):
            if path.name not in keep and now_s - path.stat().st_mtime > SWEPT_AFTER_S:
                _remove_free(path)


def _remove_free(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if is_free(descriptor):
            path.unlink()
    finally:
        os.close(descriptor)
