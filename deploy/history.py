"""The deploys that were: one line each, and the one that is under way.

Owns `deploys.jsonl` (append-only, a line per finished deploy) and `run/deploy.json` (the
deploy in progress, so that a deployer that was killed goes on or says no). Neither decides
anything: who owns stands in the record. A line that cannot be read is counted, not guessed.
"""

from __future__ import annotations

import contextlib
import enum
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from filelock import FileLock, Timeout

from deploy.errors import HistoryBusy, HistoryUnreadable
from handoff.gate_verdict import GateVerdict
from handoff.plain_text import storable
from state.atomic_file import (
    FILE_MODE,
    SystemFiles,
    discard,
    make_directory,
    replace_file,
    sync,
    write_all,
)
from state.errors import WriteFailed
from state.moments import milliseconds, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

HISTORY: Final = "deploys.jsonl"
CURRENT: Final = "deploy.json"
LOCK: Final = "deploys.lock"
LOCK_LIMIT_S: Final = 10.0  # a holder writes one line
OUTPUT_CHARS_MAX: Final = 8000  # of a dead release's stderr: two screens of traceback
TAIL_BYTES: Final = 1 << 18  # a deploy that ended twice ended within the last hundred or so

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Outcome(enum.StrEnum):
    """How a deploy ended."""

    PERMANENT = "permanent"  # it owns, and its bake is over
    REFUSED = "refused"  # it never owned; the old release went on
    RETURNED = "returned"  # it owned; the previous release owns again
    SUPERSEDED = "superseded"  # a newer request took its place before it owned
    ABORTED = "aborted"  # somebody asked for its end
    SKIPPED = "skipped"  # the followed branch moved, and its policy wants no deploy of that


# Whoever takes over from a dead owner has no boundary of its own, and no cycle in its line.
_OWNED: Final = frozenset({Outcome.PERMANENT.value, Outcome.RETURNED.value})


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename={"from_release": "from"}):
    """One deploy, under way or finished.

    A newer program may add members and words: unknown members are ignored, and outcome,
    phase and gate results are plain text for that reason.

    Attributes:
        deploy: Its id.
        requested_at: When it was asked for, RFC 3339.
        requested_ms: The same, milliseconds since 1970 UTC.
        by: Who asked: a user, a hook, the watcher.
        ref: What was asked for.
        release: Id of the release.
        commit: Its full commit.
        subject: First line of its message.
        from_release: Id of the release that owned when it was asked for.
        gates: What each gate said.
        boundary: Where it took, RFC 3339; empty before.
        boundary_ms: The same, milliseconds since 1970 UTC.
        cycle: First cycle it owned.
        phase: Where it is; while it is under way.
        outcome: One of `Outcome`, or empty while it is under way.
        reason: Why it did not become permanent.
        phases: Seconds it spent in each phase.
        output: End of what a release that died had written to stderr.
        commits: What came with it beside what ran, newest first: `<12 digits> <subject>`, and in
            the last of them how many more.
    """

    deploy: str
    requested_at: str
    requested_ms: int
    by: str
    ref: str = ""
    release: str = ""
    commit: str = ""
    subject: str = ""
    from_release: str = ""
    gates: tuple[GateVerdict, ...] = ()
    boundary: str = ""
    boundary_ms: int | None = None
    cycle: int | None = None
    phase: str = ""
    outcome: str = ""
    reason: str = ""
    phases: dict[str, float] = {}
    output: str = ""
    commits: tuple[str, ...] = ()


class History(NamedTuple):
    """What the history says.

    Attributes:
        entries: Finished deploys, oldest first.
        unreadable: Lines that could not be read: a torn one, or another program's.
    """

    entries: tuple[Entry, ...]
    unreadable: int


def requested(deploy: str, *, now_ns: int, by: str, ref: str, from_release: str) -> Entry:
    """Return a deploy that was just asked for."""
    return Entry(
        deploy=deploy,
        requested_at=rfc3339(now_ns),
        requested_ms=asked_ms(now_ns),
        by=by,
        ref=ref,
        from_release=from_release,
    )


def asked_ms(requested_ns: int) -> int:
    """Return a moment as `Entry.requested_ms` says it, milliseconds since 1970 UTC."""
    return round(milliseconds(requested_ns))


def entry_line(entry: Entry) -> bytes:
    """Return a finished deploy as one line; what a release said is cut to its end."""
    assert entry.outcome, "a deploy under way is not history"
    short = msgspec.structs.replace(entry, output=entry.output[-OUTPUT_CHARS_MAX:], phase="")
    return _encoded(short) + b"\n"


def _encoded(entry: Entry) -> bytes:
    try:
        return msgspec.json.encode(entry)
    except UnicodeEncodeError:
        # Words with a name in them that is no text: a deploy without a line would never end.
        return msgspec.json.encode(_escaped(msgspec.to_builtins(entry)))


def _escaped(value: Any) -> Any:  # noqa: ANN401 - JSON builtins have no narrower type
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_escaped(name): _escaped(member) for name, member in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value


def history_of(text: bytes) -> History:
    """Return what a history file says, whatever its last line has been through."""
    entries: list[Entry] = []
    unreadable = 0
    for line in text.split(b"\n"):
        if not line.strip():
            continue
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            unreadable += 1
    return History(tuple(entries), unreadable)


def phase_seconds(entries: Sequence[Entry]) -> list[dict[str, float]]:
    """Return what the phases of deploys that took have cost, oldest first."""
    return [entry.phases for entry in entries if entry.cycle is not None]


def owned_in(entries: Iterable[Entry]) -> list[str]:
    """Return the releases that owned before or after some deploys, in the order in which they did.

    Args:
        entries: Finished deploys, oldest first.
    """
    found: dict[str, None] = {}
    for each in entries:
        found.setdefault(each.from_release)  # the first one of all is in no line of its own
        if each.cycle is not None or each.outcome in _OWNED:
            found.setdefault(each.release)
    return [release for release in found if release]


def never_owned(entries: Sequence[Entry], release: str) -> bool:
    """Tell whether deploys of a release ended, and nothing says that it ever owned.

    Args:
        entries: Finished deploys.
        release: A release's id; of one that no entry is about nothing is known.
    """
    owned = {*owned_in(entries), *(each.from_release for each in entries)}
    return release not in owned and any(each.release == release for each in entries)


def read_history(home: Path) -> History:
    """Return every finished deploy."""
    try:
        return history_of((home / HISTORY).read_bytes())
    except FileNotFoundError:
        return History((), 0)


def ended(home: Path, deploy: str) -> Entry | None:
    """Return how a deploy ended, or None where it did not, or long ago."""
    entries = _newest_entries(home / HISTORY)
    return next((each for each in reversed(entries) if each.deploy == deploy), None)


def newest_asked(home: Path) -> Entry | None:
    """Return the deploy that was asked for last of those that ended, or None where none is known.

    What a policy skipped nobody asked for.
    """
    entries = _newest_entries(home / HISTORY)
    asked = [each for each in entries if each.outcome != Outcome.SKIPPED]
    return max(asked, key=lambda each: each.requested_ms, default=None)


def finish(home: Path, entry: Entry) -> None:
    """Write a finished deploy down; afterwards it is no longer under way.

    Doing it twice writes one line: whoever was killed in between does it again. A deploy
    that ends while it waits for another one leaves the other one's state alone.

    Raises:
        HistoryUnreadable: What says which deploy is under way is no such thing.
        HistoryBusy: Another process held the lock for too long.
        WriteFailed: The disk refused; the deploy is still under way.
    """
    with _alone(home):
        if entry.deploy not in {each.deploy for each in _newest_entries(home / HISTORY)}:
            _append(home / HISTORY, entry_line(entry))
        current = read_current(home)
        if current is not None and current.deploy == entry.deploy:
            discard(SystemFiles(), home / "run" / CURRENT)


def write_current(home: Path, entry: Entry) -> None:
    """Say how far the deploy under way has come.

    Raises:
        WriteFailed: The disk refused; what was said before still stands.
    """
    path = home / "run" / CURRENT
    make_directory(SystemFiles(), path.parent)
    try:
        replace_file(SystemFiles(), path, _encoded(entry))
    except OSError as error:
        raise WriteFailed(str(path), error) from error


def read_current(home: Path) -> Entry | None:
    """Return the deploy under way, or None where none is.

    Raises:
        HistoryUnreadable: There is something that is no deploy.
    """
    path = home / "run" / CURRENT
    try:
        return msgspec.json.decode(path.read_bytes(), type=Entry)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HistoryUnreadable(str(path), str(error)) from error


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    make_directory(SystemFiles(), home / "run")
    path = home / "run" / LOCK
    lock = FileLock(path, LOCK_LIMIT_S, FILE_MODE, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise HistoryBusy(str(path)) from error
    try:
        yield
    finally:
        lock.release()


def _newest_entries(path: Path) -> tuple[Entry, ...]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            return history_of(file.read()).entries
    except FileNotFoundError:
        return ()


def _append(path: Path, line: bytes) -> None:
    files = SystemFiles()
    try:
        descriptor = files.open(path, _FLAGS)
        try:
            _append_to(descriptor, line)
        finally:
            files.close(descriptor)
        sync(files, path.parent)
    except OSError as error:
        raise WriteFailed(str(path), error) from error


def _append_to(descriptor: int, line: bytes) -> None:
    files = SystemFiles()
    size = os.fstat(descriptor).st_size
    # A power cut may have left half a line: ours must not become the end of it.
    torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    try:
        write_all(files, descriptor, b"\n" + line if torn else line)
        files.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            files.truncate(descriptor, size)
        raise
