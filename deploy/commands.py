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
import tempfile
import time
from typing import IO, TYPE_CHECKING, BinaryIO, Final, NamedTuple

from deploy.errors import ProgramMissing
from handoff.child_signals import see_children_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TIMED_OUT: Final = -int(signal.SIGKILL)  # the exit code of a child that we ended
POLL_S: Final = 0.25  # how soon the wish to stop is noticed
OUTPUT_BYTES_MAX: Final = 1 << 20  # of each stream, from its end
_NEUTRAL: Final = "/"
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
    stop: Callable[[], bool] | None = None,
) -> Finished:
    """Run a program and wait for its end, at most `limit_s` seconds.

    Args:
        arguments: The program and its arguments.
        limit_s: Longest time it may take; then it and its children are killed.
        environment: All of the child's environment variables.
        directory: Where it runs; the root directory if None, for where we stand may be gone.
        feed: What it reads from stdin.
        into: An open file for its stdout; into memory if None.
        both: Its stderr goes where its stdout goes.
        account: Whom it runs as; as we do if None.
        stop: Asked a few times a second; True ends it like the limit.

    Raises:
        ProgramMissing: There is no such program.
    """
    see_children_end()  # an installer that failed would count as one that did not
    try:
        child = subprocess.Popen(
            list(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if into is None else into,
            stderr=subprocess.STDOUT if both else subprocess.PIPE,
            env=dict(environment),
            cwd=directory or _NEUTRAL,
            start_new_session=True,
            user=None if account is None else account.user,
            group=None if account is None else account.group,
            extra_groups=None if account is None else [],
        )
    except FileNotFoundError as error:
        raise ProgramMissing(arguments[0]) from error
    with child:
        return _wait_finished(child, feed, limit_s, stop)


def run_pair(
    source: Sequence[str],
    sink: Sequence[str],
    *,
    limit_s: float,
    environments: tuple[Mapping[str, str], Mapping[str, str]],
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Finished, Finished]:
    """Run two programs, the first one's stdout into the second one's stdin, to their ends.

    Args:
        source: The first program and its arguments.
        sink: The second one.
        limit_s: Longest time both may take; then they and their children are killed.
        environments: All environment variables of the first and of the second.
        stop: Asked a few times a second; True ends both like the limit.

    Raises:
        ProgramMissing: There is no such program.
    """
    deadline_s = time.monotonic() + limit_s
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        first = stack.enter_context(
            _started(source, environments[0], stdin=subprocess.DEVNULL, stderr=files[0])
        )
        stack.callback(_end, first)  # whatever happens, it does not outlive this call
        second = stack.enter_context(
            _started(sink, environments[1], stdin=first.stdout, stderr=files[1], stdout=files[2])
        )
        stack.callback(_end, second)
        assert first.stdout is not None
        first.stdout.close()  # so that the first one notices if the second one is gone
        for child in (second, first):
            while not _ended(child) and time.monotonic() < deadline_s and not stop():
                pass
        timed_out = first.poll() is None or second.poll() is None
        for child in (first, second):
            if child.poll() is None:
                _end(child)
                child.wait(END_WAIT_S)
        errors, words, output = (_tail(file) for file in files)
        return (
            Finished(first.returncode, b"", errors, timed_out=timed_out),
            Finished(second.returncode, output, words, timed_out=timed_out),
        )


def _started(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int | IO[bytes] | None,
    stderr: BinaryIO,
    stdout: int | BinaryIO = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    see_children_end()
    try:
        return subprocess.Popen(
            list(arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(environment),
            cwd=_NEUTRAL,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ProgramMissing(arguments[0]) from error


def _ended(child: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(POLL_S)
    return child.poll() is not None


def _tail(file: BinaryIO) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - OUTPUT_BYTES_MAX))
    return file.read()


def _wait_finished(
    child: subprocess.Popen[bytes],
    feed: bytes,
    limit_s: float,
    stop: Callable[[], bool] | None,
) -> Finished:
    try:
        output, errors = _heard(child, feed, limit_s, stop)
    except subprocess.TimeoutExpired:
        _end(child)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=END_WAIT_S)
        return Finished(TIMED_OUT, b"", b"", timed_out=True)
    except BaseException:
        _end(child)
        raise
    return Finished(child.returncode, output or b"", errors or b"", timed_out=False)


def _heard(
    child: subprocess.Popen[bytes],
    feed: bytes,
    limit_s: float,
    stop: Callable[[], bool] | None,
) -> tuple[bytes | None, bytes | None]:
    """Return all that a child wrote.

    Raises:
        TimeoutExpired: It did not end in time, or was to stop.
    """
    if stop is None:
        return child.communicate(feed, timeout=limit_s)
    deadline_s = time.monotonic() + limit_s
    told: bytes | None = feed
    while True:
        try:
            return child.communicate(told, timeout=POLL_S)
        except subprocess.TimeoutExpired:
            told = None  # what was not taken yet is kept by it, and given once
            if stop() or time.monotonic() > deadline_s:
                raise


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is not None:
        return
    # Not reaped yet, so the number is still this child's and no stranger's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
