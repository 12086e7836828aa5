"""Running another program to its end, within a bound.

Owns the one place of this package that starts a process. The child leads a session of its
own, so that at the limit, or when we are interrupted, all of its children end with it.
Never a shell: arguments are a list. What the output means is the caller's matter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from deploy.errors import ProgramMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TIMED_OUT: Final = -int(signal.SIGKILL)  # the exit code of a child that we ended
END_WAIT_S: Final = 5.0  # a killed group gives its pipes back at once, unless the disk hangs


class Account(NamedTuple):
    """Whom a child runs as; needs root where it is somebody else."""

    user: int
    group: int


class Finished(NamedTuple):
    """How a program ended.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        output: What it wrote to stdout, empty where that went to a file.
        errors: What it wrote to stderr, empty where that went to a file.
        timed_out: It was ended because the limit passed.
    """

    code: int
    output: bytes
    errors: bytes
    timed_out: bool


def run(
    arguments: Sequence[str],
    *,
    limit_s: float,
    environment: Mapping[str, str],
    directory: Path | None = None,
    feed: bytes = b"",
    into: BinaryIO | None = None,
    both: bool = False,
    account: Account | None = None,
) -> Finished:
    """Run a program and wait for its end, at most `limit_s` seconds.

    Args:
        arguments: The program and its arguments.
        limit_s: Longest time it may take; then it and its children are killed.
        environment: All of the child's environment variables.
        directory: Where it runs; here if None.
        feed: What it reads from stdin.
        into: An open file for its stdout; into memory if None.
        both: Its stderr goes where its stdout goes.
        account: Whom it runs as; as we do if None.

    Raises:
        ProgramMissing: There is no such program.
    """
    try:
        child = subprocess.Popen(
            list(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if into is None else into,
            stderr=subprocess.STDOUT if both else subprocess.PIPE,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            user=None if account is None else account.user,
            group=None if account is None else account.group,
            extra_groups=None if account is None else [],
        )
    except FileNotFoundError as error:
        raise ProgramMissing(arguments[0]) from error
    with child:
        return _wait_finished(child, feed, limit_s)


def _wait_finished(child: subprocess.Popen[bytes], feed: bytes, limit_s: float) -> Finished:
    try:
        output, errors = child.communicate(feed, timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(child)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=END_WAIT_S)
        return Finished(TIMED_OUT, b"", b"", timed_out=True)
    except BaseException:
        _end(child)
        raise
    return Finished(child.returncode, output or b"", errors or b"", timed_out=False)


def _end(child: subprocess.Popen[bytes]) -> None:
    # Not reaped yet, so the number is still this child's and no stranger's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
