"""Requests for a deploy, waiting or under way: `run/deploys/<id>.json`.

Owns who is next. One deploy runs at a time; a newer request supersedes one that was not
approved yet, and waits for one that bakes. A request is a file until its deploy has ended,
so that a deployer that was killed finds it again.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
from filelock import FileLock, Timeout

from deploy.errors import RequestMissing, RequestsBusy
from handoff.rollout.events import AbortAsked, Superseded
from handoff.wish import Wish, flat_json, from_flat_json
from state.atomic_file import SystemFiles, make_directory, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK: Final = "."  # between a deploy and the number of its try
LOCK: Final = "deploys.lock"
LOCK_LIMIT_S: Final = 10.0  # far above one write on a slow disk
REQUESTS_MAX: Final = 1000  # files looked at; older ones are leftovers
MS_NS: Final = 1_000_000


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for.

    Attributes:
        deploy: Id of the deploy.
        repository: Absolute path of the git repository.
        ref: What was asked for, in the asker's words.
        commit: What it meant at that moment, in full.
        by: Who asked.
        requested_ns: When, nanoseconds UTC.
        entry_default: `module:factory` for a tree that names none.
        release: A kept release to go back to, instead of a commit to build.
        wish: What is wished of the deploy; in the file its members stand beside the others.
        aborted_by: Who wants it undone, or an empty string.
        tries: How many of its tries ended because nobody got inputs; it goes on with the next one.
    """

    deploy: str
    repository: str = ""
    ref: str = ""
    commit: str = ""
    by: str
    requested_ns: int
    entry_default: str = ""
    release: str = ""
    wish: Wish = Wish()
    aborted_by: str = ""
    tries: int = 0

    @property
    def attempt(self) -> str:
        """Id of the try under way: each is a deploy of its own to workers, record and history."""
        return attempt_of(self.deploy, self.tries)

    @property
    def attempt_before(self) -> str:
        """Id of the try before it, or an empty string."""
        return attempt_of(self.deploy, self.tries - 1) if self.tries else ""


def attempt_of(deploy: str, tries: int) -> str:
    """Return the id of a deploy's try after so many that ended without inputs."""
    return f"{deploy}{_MARK}{tries + 1}" if tries else deploy


def deploy_of(attempt: str) -> str:
    """Return which deploy a try belongs to."""
    return attempt.partition(_MARK)[0]


def write_request(home: Path, request: Request) -> None:
    """Write or replace a request, durably; the first try's is the very file of release 0.2.0."""
    files = SystemFiles()
    path = _path(home, request.deploy)
    make_directory(files, path.parent.parent)
    make_directory(files, path.parent)
    plain = msgspec.json.decode(flat_json(request), type=dict[str, object])
    if not request.tries:
        del plain["tries"]
    replace_file(files, path, msgspec.json.encode(plain))


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let nobody else change a request meanwhile: its deployer and an operator may both want to.

    Raises:
        RequestsBusy: Somebody held the lock for longer than a few writes take.
    """
    path = home / "run" / LOCK
    lock = FileLock(path, LOCK_LIMIT_S, 0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as timeout:
        raise RequestsBusy(LOCK_LIMIT_S) from timeout
    try:
        yield
    finally:
        lock.release()


def read_request(home: Path, deploy: str) -> Request:
    """Return a request.

    Raises:
        RequestMissing: There is none of that id or try: its deploy has ended, or never was.
        OSError: Whether there is one cannot be told now.
    """
    try:
        return from_flat_json(_path(home, deploy).read_bytes(), Request)
    except (FileNotFoundError, msgspec.MsgspecError) as error:
        raise RequestMissing(deploy) from error


def open_requests(home: Path) -> list[Request]:
    """Return every request whose deploy has not ended, oldest first."""
    found: list[Request] = []
    for path in sorted((home / "run" / "deploys").glob("*.json"))[-REQUESTS_MAX:]:
        try:
            found.append(from_flat_json(path.read_bytes(), Request))
        except (OSError, msgspec.MsgspecError):
            continue  # it ended between the two calls, or is not a request at all
    return sorted(found, key=lambda request: (request.requested_ns, request.deploy))


def newer_than(home: Path, request: Request) -> Request | None:
    """Return the newest request after this one, if there is any."""
    later = [
        each
        for each in open_requests(home)
        if (each.requested_ns, each.deploy) > (request.requested_ns, request.deploy)
    ]
    return later[-1] if later else None


def interruption(
    home: Path, request: Request, *, is_replaceable: bool
) -> AbortAsked | Superseded | None:
    """Return who wants a deploy undone or what replaces it, or None where it may go on.

    Args:
        home: The state directory.
        request: Its request; that somebody wants it undone is read anew.
        is_replaceable: It was not approved yet, so that a newer request supersedes it.
    """
    with contextlib.suppress(RequestMissing, OSError):  # the next look asks again
        by = read_request(home, request.deploy).aborted_by
        if by:
            return AbortAsked(by)
    newer = newer_than(home, request) if is_replaceable else None
    return None if newer is None else Superseded(newer.deploy)


def as_newest(home: Path, request: Request, *, ended_ms: int = 0) -> Request:
    """Return a new request as it is to be written: later than every other one.

    A clock that was set back in between must not make the newest wish the oldest. Later is a
    whole millisecond: the history knows no less.

    Args:
        home: The state directory.
        request: It.
        ended_ms: When the newest of those that ended was asked for, milliseconds since 1970 UTC.
    """
    latest_ns = max((each.requested_ns for each in open_requests(home)), default=0)
    requested_ns = max(request.requested_ns, latest_ns + MS_NS, (ended_ms + 1) * MS_NS)
    return msgspec.structs.replace(request, requested_ns=requested_ns)


def ask_abort(home: Path, deploy: str, by: str) -> None:
    """Ask for a deploy's end; whoever drives it acts on that.

    Raises:
        RequestMissing: It has ended already.
    """
    with _alone(home):
        request = read_request(home, deploy)
        write_request(home, msgspec.structs.replace(request, aborted_by=by))


def count_try(home: Path, deploy: str) -> Request:
    """Count a try that ended because nobody got inputs; return the request as it is now.

    Raises:
        RequestMissing: It has ended already.
    """
    with _alone(home):
        request = read_request(home, deploy)
        counted = msgspec.structs.replace(request, tries=request.tries + 1)
        write_request(home, counted)
    return counted


def close_request(home: Path, deploy: str) -> None:
    """Forget a request whose deploy is in the history."""
    path = _path(home, deploy)
    if path.parent.is_dir():
        with _alone(home):  # or an abort that comes now would write it once more
            path.unlink(missing_ok=True)


def _path(home: Path, deploy: str) -> Path:
    return home / "run" / "deploys" / f"{deploy_of(deploy)}.json"
