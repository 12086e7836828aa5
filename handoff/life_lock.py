"""A lock that a worker holds for as long as it lives: proof of death where its pid says nothing.

Owns one small file for each worker under `run/lives`. The kernel gives the lock back at any kind
of death, also at that of a whole container, whose processes nobody outside can name. It proves
something on one running kernel only: whoever asks compares boot ids first. A copy of the file
proves nothing: it says which file it was written as.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

LIVES: Final = "lives"
SWEPT_AFTER_S: Final = 3600.0  # files of the dead; none of a worker that is just starting
_NAME: Final = re.compile(r"[0-9a-z]{1,64}")
_BYTES_MAX: Final = 32


def hold(home: Path, worker: str, *, keep: Collection[str] = ()) -> int | None:
    """Take a worker's lock before it can own anything; return the descriptor that holds it.

    Without it, on a full disk for example, the worker is as good as any; only its death cannot be
    proven from another container: then None is returned.

    Args:
        home: The state directory.
        worker: Name of this worker, unique among all.
        keep: Names of workers whose files may still be asked about.
    """
    assert _NAME.fullmatch(worker), "a name that a worker gave itself"
    directory = home / "run" / LIVES
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _sweep(directory, {worker, *keep})
        return _locked(directory / worker)
    except OSError:
        return None


def _locked(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, str(os.fstat(descriptor).st_ino).encode())
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_over(home: Path, worker: str) -> bool:
    """Tell whether a worker of this kernel is proven dead by its lock; in any doubt it lives."""
    if not _NAME.fullmatch(worker):
        return False
    try:
        descriptor = os.open(
            home / "run" / LIVES / worker, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        )
    except OSError:
        return False
    try:
        own_name = str(os.fstat(descriptor).st_ino).encode()
        return os.pread(descriptor, _BYTES_MAX, 0) == own_name and _is_free(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(directory: Path, keep: Collection[str]) -> None:
    now_s = time.time()  # noqa: TID251 - compared with the times of files
    for path in directory.iterdir():
        with contextlib.suppress(OSError):
            if path.name not in keep and now_s - path.stat().st_mtime > SWEPT_AFTER_S:
                _remove_free(path)


def _remove_free(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if _is_free(descriptor):
            path.unlink()
    finally:
        os.close(descriptor)
