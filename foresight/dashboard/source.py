"""Reading a home directory for the page: each file once per change, none ever written.

Owns what is read, when it is read again, and the words for what cannot be read. A page that
cannot show something says so; nothing that is wrong with a file ends this process.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from deploy.errors import HistoryUnreadable
from deploy.history import CURRENT, HISTORY, Entry, read_current, read_history
from foresight.book import SCHEMA, Book
from foresight.dashboard.deploys import ReleaseName
from foresight.dashboard.journal_tail import JournalTail
from foresight.dashboard.signs import identity_in, is_of_this_side, sign_of
from foresight.dashboard.snapshot import Child, Sign, Snapshot, Trouble
from handoff.clean_text import cleaned_line
from handoff.commands.promoting import lacks_inputs
from handoff.errors import ReleaseUnusable
from handoff.launcher.edition_file import EDITIONS_FILE, read_editions
from handoff.launcher.edition_rules import Known
from handoff.plurals import counted
from handoff.processes import Identity
from handoff.release_files import read_manifest
from state.errors import RecordMissing, SchemaMismatch, StateError
from state.hosts_file import hosts_path, read_hosts
from state.local_store import read_only_snapshot
from state.mirror import is_mirrored, record_paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from state.hosts_seen import HostsSeen
    from state.record import Record

Token = tuple[int, int, int] | None

LAUNCHER: Final = "launcher.json"
COMPANION: Final = "dashboard"  # what the page is to the launcher
SHORT_CHARS: Final = 7  # of a commit, as everywhere on the page
DEPLOYS_NAMED: Final = 32  # the newest: more releases than are kept


class Source:
    """What a home directory says, kept up to date by `refresh`.

    Args:
        home: The state directory; it need not exist yet.
        release: The release that this page is of; empty for the installation's own.
    """

    def __init__(self, home: Path, release: str = "") -> None:
        """Name the files; nothing is read yet."""
        self._home = home
        self._release = release
        self._tail = JournalTail(home / "journal")
        self._files: dict[Path, tuple[Token, Callable[[], None]]] = {
            **dict.fromkeys(record_paths(home / "state"), (None, self._read_record)),
            home / HISTORY: (None, self._read_history),
            home / "run" / CURRENT: (None, self._read_current),
            home / "run" / LAUNCHER: (None, self._read_children),
            home / "run" / EDITIONS_FILE: (None, self._read_editions),
            hosts_path(home): (None, self._read_hosts),
        }
        self._first = True
        self._record: Record | None = None
        self._book: Book | None = None
        self._deploys: tuple[Entry, ...] = ()
        self._current: Entry | None = None
        self._children: tuple[Child, ...] = ()
        self._launcher: Identity | None = None
        self._hosts: HostsSeen | None = None
        self._names: dict[str, ReleaseName] = {}
        self._troubles: dict[str, Trouble] = {}

    def refresh(self) -> bool:
        """Read what has changed since the last call; return whether anything has."""
        changed = self._first
        for path, (token, read) in self._files.items():
            found = token_of(path)
            if found != token or self._first:
                self._files[path] = (found, read)
                read()
                changed = True
        self._first = False
        if self._follow_journal() or changed:
            self._name_releases()
            return True
        return False

    def snapshot(self) -> Snapshot:
        """Return what is known now; who is named in it is looked at."""
        owner = self._record.ownership.owner if self._record is not None else None
        process = identity_in(owner)
        # Of another host nothing can be seen from here, and its boot id proves nothing.
        is_elsewhere = (
            process is not None
            and not is_of_this_side(process)
            and is_mirrored(self._home / "state")
        )
        return Snapshot(
            owner=Sign.UNKNOWN if is_elsewhere else sign_of(process),
            elsewhere=cleaned_line(owner.host) if owner is not None and is_elsewhere else "",
            hosts=self._hosts,
            launcher=sign_of(self._launcher),
            lacks_inputs=self._record is not None and lacks_inputs(self._home, self._record),
            record=self._record,
            book=self._book,
            lines=tuple(self._tail.lines),
            names=dict(self._names),
            deploys=self._deploys,
            current=self._current,
            children=self._children,
            chained=self._tail.chained,
            troubles=tuple(self._troubles.values()),
        )

    def _say(self, about: str, trouble: Trouble | None) -> None:
        if trouble is None:
            self._troubles.pop(about, None)
        else:
            self._troubles[about] = trouble

    def _read_record(self) -> None:
        try:
            self._record = read_only_snapshot(self._home / "state")
        except RecordMissing as error:
            self._record = self._book = None
            text = "There is no record here yet: the system has not been started."
            self._say("record", Trouble(level="warn", text=text, hint=error.hint))
            self._say("body", None)
        except StateError as error:
            # What was read last stays on the page, below the words that say it is old.
            text = f"The record cannot be read: {error}."
            self._say("record", Trouble(level="stop", text=text, hint=error.hint))
        else:
            self._say("record", None)
            self._read_book(self._record)

    def _read_book(self, record: Record) -> None:
        self._book = None
        if record.schema is None:
            self._say("body", None)
            return
        try:
            self._book = SCHEMA.decode(record.body, record.schema)
        except SchemaMismatch as error:
            text = f"The book cannot be shown by this version of the page: {error}."
            self._say("body", Trouble(level="warn", text=text, hint="restart the page"))
        else:
            self._say("body", None)

    def _follow_journal(self) -> bool:
        try:
            changed = self._tail.advance()
        except OSError as error:
            text = f"The journal cannot be read: {error.strerror}."
            return self._journal_trouble(Trouble(level="warn", text=text))
        if not self._tail.broken:
            return self._journal_trouble(None) or changed
        text = f"The journal's chain is broken: {self._tail.broken}."
        hint = "foresight cycles --check"
        return self._journal_trouble(Trouble(level="stop", text=text, hint=hint)) or changed

    def _journal_trouble(self, trouble: Trouble | None) -> bool:
        before = self._troubles.get("journal")
        self._say("journal", trouble)
        return before != trouble

    def _read_history(self) -> None:
        try:
            history = read_history(self._home)
        except OSError as error:
            text = f"The history of deploys cannot be read: {error.strerror}."
            self._say("history", Trouble(level="warn", text=text))
            return
        self._deploys = history.entries
        self._names.clear()  # a deploy ends with some releases less
        lines = counted(history.unreadable, "line")
        text = f"{lines} of the history of deploys cannot be read."
        self._say("history", Trouble(level="warn", text=text) if history.unreadable else None)

    def _read_current(self) -> None:
        self._current = None
        self._names.clear()
        try:
            self._current = read_current(self._home)
        except (HistoryUnreadable, OSError) as error:
            text = f"The deploy under way cannot be read: {error}."
            self._say("current", Trouble(level="warn", text=text))
        else:
            self._say("current", None)

    def _read_children(self) -> None:
        # Advice of the launcher for its successor, not state: without it nothing is wrong.
        try:
            plain = json.loads((self._home / "run" / LAUNCHER).read_bytes())
            self._children = tuple(_child(each) for each in plain["children"])
            self._launcher = _launcher(plain)
        except (OSError, ValueError, KeyError, TypeError):
            self._children, self._launcher = (), None

    def _read_hosts(self) -> None:
        self._hosts = read_hosts(self._home)

    def _read_editions(self) -> None:
        known = read_editions(self._home).get(COMPANION, Known())
        is_another = bool(known.why) and known.wanted != self._release
        own = f"release {self._short(self._release)}" if self._release else "the installation"
        text = f"This page is that of {own}, not of {self._short(known.wanted)}: {known.why}."
        hint = "foresight logs --worker dashboard"
        self._say("edition", Trouble(level="warn", text=text, hint=hint) if is_another else None)

    def _short(self, release: str) -> str:
        return self._name(release).commit[:SHORT_CHARS] or release

    def _name_releases(self) -> None:
        seen = [line.release for line in self._tail.lines if line.release]
        if self._record is not None:
            held = self._record.ownership
            workers = (held.previous, held.last_owner, held.owner)
            seen += [worker.release for worker in workers if worker is not None]
        if self._book is not None:
            seen += [key.partition(":")[2] for key in self._book.tallies]
        for entry in self._deploys[-DEPLOYS_NAMED:]:
            seen += [entry.from_release, entry.release]
        for release in dict.fromkeys(seen):
            if release and release not in self._names:
                self._names[release] = self._name(release)

    def _name(self, release: str) -> ReleaseName:
        try:
            manifest = read_manifest(self._home, release)
        except ReleaseUnusable:
            deployed = (entry for entry in self._deploys if entry.release == release)
            entry = next(deployed, None)
            if entry is None:
                return ReleaseName()
            return ReleaseName(commit=entry.commit, subject=entry.subject)
        return ReleaseName(commit=manifest.commit, subject=manifest.subject, is_kept=True)


def token_of(path: Path) -> Token:
    """Return what tells one version of a file from another; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _child(plain: dict[str, Any]) -> Child:
    return Child(
        name=str(plain["name"]),
        role=str(plain["role"]),
        pid=int(plain["pid"]),
        release=str(plain.get("release", "")),
    )


def _launcher(plain: dict[str, Any]) -> Identity | None:
    """Return the launcher that wrote its children down; None where it says not who it is."""
    if "start_ticks" not in plain:
        return None
    told = int(plain["pid"]), int(plain["start_ticks"])
    return Identity(*told, str(plain["boot_id"]), str(plain["pid_namespace"]))
