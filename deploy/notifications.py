"""The companion that tells people: deploys, missed cycles, pauses and halts.

Owns the place in history and record up to which it has told (`run/notified.json`), a queue for
each address, and the sending. It only reads what others write, in a process of its own: an
address that is dead delays nobody, not even another address. A message is taken off its queue
before it is sent, so a restart sends none twice; the one under way at that moment may be lost.

Addresses are secrets. They are read from a file of mode 0600, and never printed: a log line
names an address by its number and its scheme.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import stat
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy import history, notices
from deploy.errors import AddressesUnusable
from state.atomic_file import SystemFiles, make_directory, replace_file
from state.errors import RecordMissing, StateError
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot
from state.record import Control, Missed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.notices import Notice
    from state.record import Record

CURSOR: Final = "notified.json"
LOOK_S: Final = 1.0
QUEUE_MAX: Final = 100  # for one address; beyond it the oldest go, and that is said
ATTEMPTS_MAX: Final = 4
PAUSE_S: Final = (2.0, 10.0, 60.0)  # before the second, third and fourth attempt
TIMEOUT_S: Final = 5.0  # to connect, and to wait for an answer
HUNG_S: Final = 120.0  # after that an attempt counts as failed, whatever it still waits for
FILE_BYTES_MAX: Final = 64 * 1024
JOURNAL_MISS: Final = "miss"  # kind of the journal's line for a cycle that was given up

assert len(PAUSE_S) == ATTEMPTS_MAX - 1
assert HUNG_S > 2 * TIMEOUT_S


class Cursor(msgspec.Struct, kw_only=True):
    """Up to where people have been told.

    Attributes:
        deploys_bytes: Length of the history that was read.
        missed_cycle: The newest missed cycle that was told of.
        control: The operator's wish that was told of.
        queues: Messages not yet attempted, by address (a digest of it).
    """

    deploys_bytes: int = 0
    missed_cycle: int = -1
    control: Control = Control()
    queues: dict[str, list[notices.Notice]] = {}


class Target:
    """One address, and at most one message on its way to it.

    Args:
        number: Its place in the file, from 1.
        send: Sends a notice; returns whether it got there.
        scheme: What kind of address it is.
        key: Digest of the address.
    """

    def __init__(
        self, number: int, *, send: Callable[[Notice], bool], scheme: str, key: str
    ) -> None:
        """Begin with nothing under way."""
        self.name = f"#{number} {scheme}"
        self.key = key
        self._send = send
        self._notice: Notice | None = None
        self._attempts = 0
        self._thread: threading.Thread | None = None
        self._since_s = 0.0
        self._next_s = 0.0
        self._arrived = False

    @property
    def is_free(self) -> bool:
        """Whether it can take another message."""
        hung = self._thread is not None and self._thread.is_alive()
        return self._notice is None and not hung

    def begin(self, notice: Notice) -> None:
        """Take a message."""
        assert self.is_free, "one at a time"
        self._notice, self._attempts, self._next_s = notice, 0, 0.0

    def step(self, now_s: float) -> str:
        """Go on as far as possible without waiting; return what is worth a line in the log."""
        if self._notice is None:
            return ""
        if self._thread is None:
            if now_s >= self._next_s:
                self._attempt(self._notice, now_s)
            return ""
        hung = self._thread.is_alive()
        if hung and now_s - self._since_s < HUNG_S:
            return ""
        if not hung:
            self._thread = None
        return self._attempted(now_s, arrived=self._arrived and not hung)

    def _attempt(self, notice: Notice, now_s: float) -> None:
        self._arrived = False
        self._attempts += 1
        self._since_s = now_s
        self._thread = threading.Thread(target=self._run, args=(notice,), daemon=True)
        self._thread.start()

    def _run(self, notice: Notice) -> None:
        self._arrived = self._send(notice)

    def _attempted(self, now_s: float, *, arrived: bool) -> str:
        if arrived:
            self._notice = None
            return f"{self.name}: sent"
        if self._attempts == ATTEMPTS_MAX or self._thread is not None:
            self._notice = None
            return f"{self.name}: given up after {self._attempts} attempts"
        self._next_s = now_s + PAUSE_S[self._attempts - 1]
        return f"{self.name}: attempt {self._attempts} failed"


class Notifier:
    """Reads what happened and tells the targets.

    Args:
        home: The state directory.
        targets: Where to send.
        say: Told what was done; never an address.
    """

    def __init__(self, home: Path, targets: list[Target], say: Callable[[str], None]) -> None:
        """Go on where the one before stopped; the first one begins with the present."""
        self._home = home
        self._targets = targets
        self._say = say
        self._said = ""
        self._cursor = read_cursor(home)

    def run(self) -> None:
        """Look until TERM or INT comes."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(LOOK_S):
            self.look(time.monotonic())

    def look(self, now_s: float) -> None:
        """Look once, queue what is new, and let every target go on."""
        try:
            self._queue(self._news())
        except (StateError, OSError) as error:
            self._tell(f"error: {error}")
        for target in self._targets:
            queue = self._cursor.queues.get(target.key, [])
            if queue and target.is_free:
                notice = queue.pop(0)
                if not self._write_cursor():
                    queue.insert(0, notice)  # what cannot be noted down would be sent twice
                    continue
                target.begin(notice)
            words = target.step(now_s)
            if words:
                self._say(words)

    def _news(self) -> list[Notice]:
        """Return what has happened since, and move the cursor behind it: all of it or nothing."""
        cursor, record = self._cursor, self._record()
        if record is None:
            return []
        entries, deploys_bytes = self._deploys()
        missed = self._missed(record)
        found = [notices.of_deploy(record.app, entry) for entry in entries]
        found.append(notices.of_missed(record.app, missed))
        found.append(notices.of_control(record.app, cursor.control, record.control))
        cursor.deploys_bytes, cursor.control = deploys_bytes, record.control
        cursor.missed_cycle = missed[-1].cycle if missed else cursor.missed_cycle
        return [notice for notice in found if notice is not None]

    def _queue(self, news: list[Notice]) -> None:
        if not news:
            return
        for target in self._targets:
            queue = self._cursor.queues.setdefault(target.key, [])
            queue.extend(news)
            if len(queue) > QUEUE_MAX:
                self._say(f"{target.name}: {len(queue) - QUEUE_MAX} messages dropped")
                del queue[:-QUEUE_MAX]
        self._write_cursor()

    def _deploys(self) -> tuple[tuple[history.Entry, ...], int]:
        """Return the deploys that ended since, and the length of the history behind them."""
        path = self._home / history.HISTORY
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                start = min(self._cursor.deploys_bytes, size)
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            return (), 0
        whole = data[: data.rfind(b"\n") + 1]
        return history.history_of(whole).entries, start + len(whole)

    def _missed(self, record: Record) -> list[Missed]:
        """Return the cycles that were given up since, oldest first."""
        since = self._cursor.missed_cycle + 1
        named = {each.cycle: each for each in record.progress.missed if each.cycle >= since}
        if not named:
            return []
        # The record has room for the newest ones only; the journal has them all.
        for line in read_lines(self._home / "journal", since_cycle=since):
            if line.kind == JOURNAL_MISS and since <= line.cycle <= max(named):
                reason = str(line.evidence.get("reason", ""))
                named.setdefault(line.cycle, Missed(cycle=line.cycle, reason=reason))
        return [named[cycle] for cycle in sorted(named)]

    def _record(self) -> Record | None:
        return _record(self._home)

    def _write_cursor(self) -> bool:
        known = {target.key for target in self._targets}
        queues = self._cursor.queues
        self._cursor.queues = {key: queue for key, queue in queues.items() if key in known}
        path = self._home / "run" / CURSOR
        try:
            make_directory(SystemFiles(), path.parent)
            replace_file(SystemFiles(), path, msgspec.json.encode(self._cursor))
        except OSError as error:
            self._tell(f"error: {error}")
            return False
        return True

    def _tell(self, words: str) -> None:
        if words != self._said:
            self._say(words)
        self._said = words


def read_cursor(home: Path) -> Cursor:
    """Return up to where people have been told; for the first one, up to now.

    Raises:
        StateError: The record cannot be read.
        OSError: It cannot be written down.
    """
    path = home / "run" / CURSOR
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cursor)
    except (OSError, msgspec.MsgspecError):
        cursor = Cursor()  # nobody was told of anything yet: the past is not news
    told, record = home / history.HISTORY, _record(home)
    cursor.deploys_bytes = told.stat().st_size if told.exists() else 0
    if record is not None:
        cursor.missed_cycle = max((each.cycle for each in record.progress.missed), default=-1)
        cursor.control = record.control
    make_directory(SystemFiles(), path.parent)
    replace_file(SystemFiles(), path, msgspec.json.encode(cursor))
    return cursor


def _record(home: Path) -> Record | None:
    try:
        return read_only_snapshot(home / "state")
    except RecordMissing:
        return None


def read_addresses(path: Path) -> list[str]:
    """Return the addresses of a file: one a line, `#` begins a comment.

    Raises:
        AddressesUnusable: It cannot be read, or others can read it too.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            text = os.read(descriptor, FILE_BYTES_MAX).decode()
        finally:
            os.close(descriptor)
    except (OSError, UnicodeDecodeError) as error:
        raise AddressesUnusable(str(path), getattr(error, "strerror", "no text")) from error
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid not in (os.geteuid(), 0):
        raise AddressesUnusable(str(path), "others can read or change it")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def targets_of(addresses: list[str], path: str) -> list[Target]:
    """Return a target for each address.

    Raises:
        AddressesUnusable: The library is not installed, or it does not know an address.
    """
    try:
        import apprise  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise AddressesUnusable(path, "the extra `notify` is not installed") from error
    # Its log lines may quote what it was given.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    found: list[Target] = []
    for number, address in enumerate(addresses, start=1):
        service: Any = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        scheme = address.partition("://")[0] if "://" in address else "?"
        if not isinstance(service, apprise.NotifyBase):
            raise AddressesUnusable(path, f"address {number} ({scheme}) cannot be understood")
        service.socket_connect_timeout = service.socket_read_timeout = TIMEOUT_S
        key = hashlib.sha256(address.encode()).hexdigest()[:16]
        found.append(Target(number, send=_sender(apprise, service), scheme=scheme, key=key))
    return found


def _sender(apprise: Any, service: Any) -> Callable[[Notice], bool]:  # noqa: ANN401 - the library and one of its plugins
    """Return what sends a notice: text, which the library escapes for where it goes."""
    one = apprise.Apprise()
    one.add(service)

    def send(notice: Notice) -> bool:
        try:
            return bool(
                one.notify(
                    title=notice.title,
                    body=notice.body,
                    notify_type=notice.kind.value,
                    body_format=apprise.NotifyFormat.TEXT,
                )
            )
        except Exception:  # noqa: BLE001 - a plugin may raise anything; it has not arrived
            return False

    return send
