"""What was read of a home directory at one moment, and what could not be.

Owns the plain values between the reading of files and the view that is made of them.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.history import Entry
from foresight.book import Book
from foresight.dashboard.cycles import CycleLine
from foresight.dashboard.deploys import ReleaseName
from state.hosts_seen import HostsSeen
from state.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something the reader must know first.

    Attributes:
        level: `stop` (nothing can be trusted or nothing goes on) or `warn`.
        text: What is wrong.
        hint: What to do, or an empty string.
    """

    level: str
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process as the launcher wrote it down."""

    name: str
    role: str
    pid: int
    release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another bot of this user on this machine.

    Attributes:
        name: Of its application.
        port: Of its page.
    """

    name: str
    port: int


class Sign(enum.StrEnum):
    """What a process shows of itself."""

    UNKNOWN = "unknown"  # none is named, or it cannot be seen
    RUNS = "runs"
    STOPPED = "stopped"  # by a signal: it does nothing until it is continued
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was read.

    Attributes:
        record: The record, or None if it could not be read.
        book: Its body, likewise.
        lines: Newest journal lines, oldest first.
        names: Releases by id.
        deploys: Finished deploys, oldest first.
        current: The deploy under way, or None.
        children: Processes of the launcher.
        chained: Journal lines whose place in the chain was checked.
        troubles: What could not be read, and why.
        owner: What the owner's process shows of itself.
        launcher: The same of the newest launcher.
        neighbours: Other bots of this user.
        lacks_inputs: A release bakes, and gets too little of the world for a clean cycle.
        hosts: What was heard of all hosts that share the record; None where it is of one.
        elsewhere: The owner's host where that is another one, or an empty string.
    """

    record: Record | None = None
    book: Book | None = None
    lines: Sequence[CycleLine] = ()
    names: Mapping[str, ReleaseName] = field(default_factory=dict)
    deploys: Sequence[Entry] = ()
    current: Entry | None = None
    children: Sequence[Child] = ()
    chained: int = 0
    troubles: Sequence[Trouble] = ()
    owner: Sign = Sign.UNKNOWN
    launcher: Sign = Sign.UNKNOWN
    neighbours: Sequence[Neighbour] = ()
    lacks_inputs: bool = False
    hosts: HostsSeen | None = None
    elsewhere: str = ""
