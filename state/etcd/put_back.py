"""What is known of an etcd that was put back from a copy, and what that allows.

Owns the judgement alone: nothing is read or sent here. Each home that keeps a journal is known to
etcd by a key of its own; a repair is asked for on each of their hosts, and each says how far its
journal goes. The furthest is what happened. It may be written back once every home that could have
gone further was heard, or an operator has named it as lost; and only where nobody who was heard
tells another history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from state.coverage import Covered
from state.cycle_audit import CycleRange
from state.errors import StateError
from state.place import Place
from state.record import Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from state.record import WorkerId

HEARD_S: Final = 3600  # how long what a host said counts; then it is asked again


class RepairRefused(StateError):
    """The etcd cannot be repaired from here, or not yet; nothing changed."""

    def __init__(self, reason: str, hint: str, rows: Sequence[Row] = ()) -> None:
        """Keep what is wrong, what to do, and how far each journal goes."""
        super().__init__(reason)
        self.hint = hint
        self.rows = tuple(rows)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A home that keeps a journal.

    Attributes:
        home: Its random name.
        host: Name of its host.
        machine: Machine id of its host, or empty.
        last: The newest settled cycle in its journal when that was said; -1 where it was not.
        holes: Cycles that its journal never had.
    """

    home: str
    host: str = ""
    machine: str = ""
    last: int = -1
    holes: tuple[CycleRange, ...] = ()

    @property
    def place(self) -> Place:
        """Its host."""
        return Place(self.host, self.machine)

    @property
    def covered(self) -> Covered:
        """What its journal has."""
        return Covered(self.last, self.holes)

    def words(self) -> str:
        """Return it as people read it."""
        return f"{self.host} (home {self.home})"


class Heard(Kept, frozen=True, kw_only=True):
    """How far a home's journal goes.

    Attributes:
        epoch: Of its newest line.
        cycle: Likewise.
        phase: Likewise.
        result: Digest of the record that it led to.
        beyond: How many lines of commands and the like follow the one that first got as far.
        at_ms: When that was said, milliseconds since 1970 UTC.
    """

    epoch: int
    cycle: int
    phase: Phase
    result: str
    beyond: int = 0
    at_ms: float = 0.0

    @property
    def reached(self) -> tuple[int, bool, int]:
        """What orders journals by how far they go."""
        return self.cycle, self.phase is Phase.SETTLED, self.epoch

    def where(self) -> str:
        """Return how far it goes, in words."""
        return f"cycle {self.cycle} {self.phase.value}, epoch {self.epoch}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one host.

    Attributes:
        host: Its name.
        home: Of its home, where that is known; a host that owned once may have none any more.
        is_heard: Whether it has said how far its journal goes.
        is_lost: Whether an operator has named it as lost.
        where: How far its journal goes, in words; empty where it was not heard.
    """

    host: str
    home: str = ""
    is_heard: bool = False
    is_lost: bool = False
    where: str = ""

    def words(self) -> str:
        """Return it as people read it."""
        who = f"{self.host} (home {self.home})" if self.home else self.host
        lost = ", named as lost" if self.is_lost else ""
        return f"{who}: {self.where or 'not heard'}{lost}"


def rows_of(
    heard: Iterable[Heard], kept: Iterable[Kept], named: Iterable[Place], without: Collection[str]
) -> tuple[Row, ...]:
    """Return what is known of each host that may have gone on.

    Args:
        heard: Who has said how far its journal goes.
        kept: The homes that etcd knows, as far as it does.
        named: Hosts whose workers owned, by the journals and the record.
        without: Names of hosts or homes that an operator has given up.
    """
    rows: dict[str, Row] = {}
    by_home: dict[str, Kept] = {each.home: each for each in [*kept, *heard]}
    said = {each.home: each for each in heard}
    for home, each in sorted(by_home.items(), key=lambda item: (item[1].host, item[0])):
        lost = not {each.host, home}.isdisjoint(without)
        where = said[home].where() if home in said else ""
        rows[home] = Row(
            host=each.host, home=home, is_heard=home in said, is_lost=lost, where=where
        )
    for place in sorted(set(named)):
        if not any(each.place.is_of(place) for each in by_home.values()):
            rows[f"@{place.host}"] = Row(host=place.host, is_lost=place.host in without)
    return tuple(rows.values())


def require_known(rows: Sequence[Row], without: Collection[str]) -> None:
    """Refuse a name that no host and no home has: it was meant for another one.

    Raises:
        RepairRefused: There is one.
    """
    known = {name for row in rows for name in (row.host, row.home) if name}
    for name in without:
        if name not in known:
            reason = f"--without {name} names no host that wrote or followed the record"
            raise RepairRefused(reason, f"known are {', '.join(sorted(known))}", rows)


def require_nobody_owns(owner: WorkerId | None, rows: Sequence[Row], *, is_bound: bool) -> None:
    """Refuse to go on beside an owner whose lease lives: it runs, or did until seconds ago.

    Raises:
        RepairRefused: There is one.
    """
    if owner is not None and is_bound:
        reason = f"worker {owner.worker} on {owner.host} holds a lease: it runs, or did just now"
        hint = "stop the launchers of all hosts; a lease that nobody renews ends within seconds"
        raise RepairRefused(reason, hint, rows)


def require_all_heard(rows: Sequence[Row]) -> None:
    """Refuse to go on while a host that may have gone further has not said so.

    Raises:
        RepairRefused: There is one.
    """
    unheard = [row for row in rows if not row.is_heard and not row.is_lost]
    if not unheard:
        return
    names = ", ".join(row.host for row in unheard)
    reason = f"not heard: {names}; a journal there may go further than all others"
    name = unheard[0].home or unheard[0].host
    hint = f"run `state repair` on each; one that is lost for good is named: --without {name}"
    raise RepairRefused(reason, hint, rows)


def furthest(heard: Iterable[Heard], without: Collection[str]) -> Heard | None:
    """Return the home whose journal goes furthest, of those that are not given up."""
    left = [each for each in heard if {each.host, each.home}.isdisjoint(without)]
    return max(left, key=lambda each: (each.reached, each.beyond), default=None)


def require_one_history(
    heard: Iterable[Heard], is_in: Collection[str], rows: Sequence[Row], without: Collection[str]
) -> None:
    """Refuse two histories: one of them would be forgotten, with what it has done.

    Args:
        heard: Who was heard.
        is_in: Digests of records, of which the history that is kept led to these.
        rows: What is known of each host.
        without: Names of hosts or homes that an operator has given up.

    Raises:
        RepairRefused: Somebody's journal ends where that history never was.
    """
    for each in heard:
        if each.result in is_in or not {each.host, each.home}.isdisjoint(without):
            continue
        reason = f"the journal of {each.words()} tells another history: it ends at {each.where()}"
        hint = f"what only it has done is given up by --without {each.home}"
        raise RepairRefused(reason, hint, rows)
