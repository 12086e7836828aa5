"""Bringing an etcd forward that was put back from a copy, by what the hosts' journals know.

Owns the one way back: this home says how far its journal goes, and once every home was heard or is
named as lost, the host whose journal goes furthest writes the lines that etcd has forgotten, and a
record on top of them that nobody owns. Nothing runs on any host meanwhile: that is an operator's
word. What is judged of it is in `etcd.put_back`.

Written is first what nothing points to, then everything else in one transaction that compares what
was read: whoever dies before it has changed nothing, and who comes second finds it done.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from state.archive import StateNewer
from state.atomic_file import SystemFiles, make_directory, sync
from state.commit import Generation, plan_commit, with_body
from state.errors import RecordBehind
from state.etcd import commits, put_back, wire
from state.etcd import keys as plans
from state.etcd.known import STOP, Known, named_by
from state.etcd.lines import Lines
from state.etcd.put_back import RepairRefused, Row
from state.etcd.session import CHUNK_LEASE_S, Session
from state.etcd_store import EtcdStore
from state.host_journal import HostJournal
from state.journal_frames import BOOKKEEPING
from state.mirror import MIRROR
from state.moments import rfc3339
from state.open_struct import encode_open
from state.record import Phase, Record, encode_record
from state.record_file import read_generation
from state.recovery import Found, Undecided, brought_forward, release_of
from state.sighting import NAME
from state.store import Note
from state.transitions import begin_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from state.etcd.address import Cluster
    from state.etcd.known import Ours, There
    from state.etcd.put_back import Heard
    from state.journal_frames import Line
    from state.place import Place

KIND: Final = "repair"  # of the line that begins the history anew
CARRIED_MAX: Final = plans.LINES_KEPT - 24  # with it, no more than etcd keeps
ASIDE: Final = "put this home's `journal` and `state` aside, and it follows as a new one"
REPLACED: Final = "replaced"  # as of what a restore replaces
_FILES: Final = SystemFiles()


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        cycle: Newest cycle of the record.
        phase: How far it got.
        epoch: Of the record.
        digest: Of the record.
        was_older: Whether etcd had forgotten anything.
        carried: How many lines were written back.
        kept: Where this home's journal was put aside; empty where it was not.
        hosts: What was known of each host.
    """

    cycle: int
    phase: str
    epoch: int
    digest: str
    was_older: bool = False
    carried: int = 0
    kept: str = ""
    hosts: tuple[Row, ...] = ()


class Way(NamedTuple):
    """How etcd is brought forward.

    Attributes:
        base: The newest record of all.
        carried: The lines that are written back.
        at: Behind which number.
        stays: Number of the newest line that stays where it is; 0 where none does.
        results: Digests of records that this history led to.
    """

    base: Generation
    carried: tuple[Line, ...]
    at: int
    stays: int
    results: set[str]


class Back(NamedTuple):
    """A restore: etcd is brought to where this home is, wherever others are.

    Attributes:
        above: The highest epoch that this home knew of before.
        force: Also from what has gone further.
    """

    above: int = 0
    force: bool = False


class Repair:
    """One repair, asked for on one host on which nothing runs.

    Args:
        cluster: Where etcd is.
        home: The home directory.
        app: Name of the application.
        place: This host.
        now_ns: Reads the wall clock, nanoseconds UTC.
        without: Names of hosts or homes that an operator gives up.
        by: Who asks.
        back: What this home had gone to, where it was put back itself: a restore.
    """

    def __init__(
        self,
        cluster: Cluster,
        home: Path,
        *,
        app: str,
        place: Place,
        now_ns: Callable[[], int],
        without: Collection[str] = (),
        by: str = "",
        back: Back | None = None,
    ) -> None:
        """Keep the parts; nothing is connected yet."""
        self._back = back
        self._cluster = cluster
        self._home = home
        self._app = app
        self._place = place
        self._now_ns = now_ns
        self._without = frozenset(without)
        self._by = by
        self._keys = plans.Keys(cluster.prefix)
        self._session = Session(cluster)
        self._lines = Lines(self._session, self._keys)
        self._known = Known(self._session, self._lines, self._keys, home, app=app, place=place)

    def require_others_heard(self) -> None:
        """Refuse before anything is replaced here what would be refused afterwards.

        Raises:
            RepairRefused: A host that may have gone further was not heard.
            OutOfReach: Etcd does not answer.
            StateError: What lies there or here cannot be used.
        """
        there = self._known.there()
        ours = self._known.ours(there, now_ns=self._now_ns())
        if ours is not None:
            self._known.say(ours.heard)
            there = self._known.there()
        named = named_by(there, ours) if ours is not None else set()
        rows = put_back.rows_of(there.heard, there.kept, named, self._without)
        put_back.require_known(rows, self._without)
        self._require_ready(there, rows)

    def run(self, attempt: str) -> Repaired:
        """Say how far this home goes; bring etcd forward where that is due and allowed.

        Args:
            attempt: Id of the write.

        Raises:
            RepairRefused: Not from here, or not yet.
            OutOfReach: Etcd does not answer.
            StateError: What lies there or here cannot be used.
        """
        try:
            there = self._known.there()
            ours = self._known.ours(there, now_ns=self._now_ns())
            if ours is None:
                return self._follow(())
            if self._back is None:
                self._require_no_twin(there, ours)
            self._known.say(ours.heard)
            there = self._known.there()
            rows = put_back.rows_of(there.heard, there.kept, named_by(there, ours), self._without)
            put_back.require_known(rows, self._without)
            if self._back is not None:
                return self._bring_back(there, ours, rows, attempt, self._back)
            if self._is_given_up(ours):
                return self._put_aside(there, ours, rows)
            if not self._is_older(there, ours):
                return self._follow(rows)
            return self._bring_forward(there, ours, rows, attempt)
        finally:
            self._session.close()

    # --- what follows --------------------------------------------------------------

    def _require_no_twin(self, there: There, ours: Ours) -> None:
        """Refuse to speak over a copy of this home, which goes by the same name, and goes further.

        Raises:
            RepairRefused: One was heard that knows what neither this home nor etcd does.
        """
        for each in there.heard:
            said_here = each.home != ours.heard.home or _goes_on_from(ours, each)
            if not said_here and not self._known.is_known(there, each):
                reason = f"a copy of this home on {each.host} was heard: it ends at {each.where()}"
                raise RepairRefused(reason, f"run `state repair` there; {ASIDE}")

    def _is_given_up(self, ours: Ours) -> bool:
        return not {ours.heard.host, ours.heard.home}.isdisjoint(self._without)

    def _is_older(self, there: There, ours: Ours) -> bool:
        """Tell whether etcd has forgotten what this home, or another one that was heard, knows."""
        if there.repairs.count == ours.sighting.repairs and there.seen is not None:
            revision = self._session.sighting().revision
            if revision < ours.sighting.revision:
                return True
        return not all(self._known.is_known(there, each) for each in there.heard)

    def _bring_forward(
        self, there: There, ours: Ours, rows: tuple[Row, ...], attempt: str
    ) -> Repaired:
        self._require_ready(there, rows)
        furthest = put_back.furthest(there.heard, self._without)
        assert furthest is not None, "this home was heard"
        if furthest.reached == ours.heard.reached and _goes_on_from(ours, furthest):
            furthest = ours.heard
        way = self._way(there, ours, furthest, rows)
        self._require_one_history(there, way, rows)
        self._write(there, way, attempt)
        return self._follow(rows, carried=len(way.carried), was_older=True)

    def _bring_back(
        self, there: There, ours: Ours, rows: tuple[Row, ...], attempt: str, back: Back
    ) -> Repaired:
        self._require_ready(there, rows)
        further = [each.reached for each in there.heard if each.home != ours.heard.home]
        further += [_reached(there.seen.record)] if there.seen is not None else []
        if not back.force and max(further, default=ours.heard.reached) > ours.heard.reached:
            message = f"the etcd, or a host, has gone further than {ours.heard.where()}"
            raise StateNewer(message)
        way = self._ours_on_top(there, ours)
        self._require_one_history(there, way, rows)
        self._write(there, way, attempt, above=back.above)
        return self._follow(rows, carried=len(way.carried), was_older=True)

    def _require_ready(self, there: There, rows: Sequence[Row]) -> None:
        put_back.require_all_heard(rows)
        if there.seen is not None:
            owner, is_bound = there.seen.record.ownership.owner, there.seen.is_owner_bound
            put_back.require_nobody_owns(owner, rows, is_bound=is_bound)

    def _require_one_history(self, there: There, way: Way, rows: Sequence[Row]) -> None:
        is_in = way.results | {
            each.result for each in there.heard if self._known.stays(there, each, way.stays)
        }
        put_back.require_one_history(there.heard, is_in, rows, self._without)

    def _way(self, there: There, ours: Ours, furthest: Heard, rows: Sequence[Row]) -> Way:
        """Return what is written back on top of what stays."""
        seen = there.seen
        if seen is not None and self._has_gone_further(there, _reached(seen.record), furthest):
            base = Generation(seen.record, seen.digest)
            return Way(base, (), there.number, there.number, {seen.digest})
        if furthest.result != ours.heard.result:
            reason = f"the journal of {furthest.words()} goes furthest: {furthest.where()}"
            raise RepairRefused(reason, "run `state repair` there", rows)
        return self._ours_on_top(there, ours)

    def _has_gone_further(
        self, there: There, reached: tuple[int, bool, int], furthest: Heard
    ) -> bool:
        """Tell whether etcd has gone further than every journal: a halt gets no cycle further."""
        is_level = reached == furthest.reached and self._known.is_known(there, furthest)
        return is_level or reached > furthest.reached

    def _ours_on_top(self, there: There, ours: Ours) -> Way:
        """Return this home's lines on top of the newest one that etcd has of them."""
        results = {line.result for line in ours.lines}
        at = self._lines.newest_of(results) if there.seen is not None else None
        after = -1 if at is None else _last_of(ours.lines, self._lines.line(at).result)
        wanted = [line for line in ours.lines[after + 1 :] if line.kind not in BOOKKEEPING]
        if at is None or len(wanted) > CARRIED_MAX:
            # All anew, and nobody is to take the first of them for the first line of all.
            at, stays = there.number + 1, 0
        else:
            stays = at
        carried = tuple(wanted[-CARRIED_MAX:])
        return Way(self._newest(ours), carried, at, stays, results)

    def _newest(self, ours: Ours) -> Generation:
        """Return the record that this home's newest line left.

        Raises:
            RecordBehind: Its body is not in this home.
        """
        mirrored = read_generation(self._home / "state" / MIRROR)
        last = ours.lines[-1]
        try:
            return brought_forward(last, Found(newest=mirrored))
        except Undecided as undecided:
            where, why = str(self._home), "its body is in no file of this home"
            raise RecordBehind(
                where, release=release_of(last), cycle=last.cycle, why=why
            ) from undecided

    # --- what is written -----------------------------------------------------------

    def _write(self, there: There, way: Way, attempt: str, *, above: int = 0) -> None:
        for number, line in enumerate(way.carried, start=way.at + 1):
            self._carry(there, line, number, attempt)
        number = way.at + len(way.carried) + 1
        above = max(above, *(each.epoch for each in there.heard))
        if there.seen is not None:
            above = max(above, there.seen.record.ownership.epoch)
        record = begin_anew(way.base.record, above=above, attempt=attempt)
        note = Note(kind=KIND, evidence=self._evidence(len(way.carried)))
        commit = with_body(plan_commit(way.base, record, note, now_ns=self._now_ns()))
        new = commits.written(self._keys, commit, number=number)
        self._session.send_ahead(new.chunks)
        transaction = self._transaction(there, way, new)
        answer = self._session.settle(transaction, self._session.patience_s, attempt=attempt)
        if not answer.succeeded and not commits.is_commit(
            answer.found().get(self._keys.line(number)), new
        ):
            reason = "somebody wrote to the etcd while it was repaired"
            raise RepairRefused(reason, STOP)

    def _transaction(self, there: There, way: Way, new: commits.Written) -> wire.Transaction:
        """Return the commit, and beside it what forgets the lines that it replaces."""
        if there.seen is None:
            commit = commits.genesis_transaction(self._keys, new)
        else:
            spare = self._session.grant(CHUNK_LEASE_S)
            commit = commits.commit_transaction(
                self._keys, there.seen, new, binding=commits.Binding(), lease=spare
            )
        steps = list(commit.success) + self._also(there, new.commit.generation.record.attempt)
        steps.append(wire.delete(self._keys.line(new.number + 1), self._keys.lines_end))
        if not way.stays:
            steps.append(wire.delete(self._keys.line(0), self._keys.line(way.at + 1)))
        return replace(commit, success=tuple(steps))

    def _carry(self, there: There, line: Line, number: int, attempt: str) -> None:
        value = encode_open(replace(line, seq=number, chain="", previous_chain=""))
        parcel = commits.Parcel(value=value)
        if len(value) > commits.TOGETHER_BYTES_MAX:
            stem = f"{number:012d}-{attempt}-carried"
            parcel = commits.parcel_of(
                self._keys, value, stem, attempt=line.attempt, result=line.result
            )
        self._session.send_ahead(parcel.chunks)
        steps = [wire.put(self._keys.line(number), parcel.value)]
        steps += [wire.releasing(key) for key in parcel.chunks]
        compare = commits.standing_as(self._keys, there.seen)
        transaction = wire.Transaction(compare=compare, success=tuple(steps))
        self._session.settle(transaction, self._session.patience_s)

    def _evidence(self, carried: int) -> dict[str, str | int | float]:
        said: dict[str, str | int | float] = {"by": self._by, "carried": carried}
        return said | ({"without": ", ".join(sorted(self._without))} if self._without else {})

    def _also(self, there: There, attempt: str) -> list[wire.Operation]:
        """Return what a repair writes beside a commit."""
        repairs = replace(there.repairs, count=there.repairs.count + 1, attempt=attempt)
        lost = [each for each in there.kept if not {each.host, each.home}.isdisjoint(self._without)]
        return [
            wire.put(self._keys.repairs, encode_open(repairs)),
            wire.delete(*self._keys.heard),
            *(wire.delete(self._keys.journal(each.home)) for each in lost),
        ]

    # --- this home -----------------------------------------------------------------

    def _follow(
        self,
        rows: tuple[Row, ...],
        *,
        carried: int = 0,
        was_older: bool = False,
        kept: str = "",
    ) -> Repaired:
        """Let this home follow the record as it is now; say where it is.

        Raises:
            RecordMissing: There is none, and nobody is known to have had one.
        """
        home = HostJournal(self._home, now_ns=self._now_ns, place=self._place)
        store = EtcdStore(
            self._cluster, app=self._app, timeline=None, now_ns=self._now_ns, home=home
        )
        try:
            store.keep_up()
            record = store.read()
        finally:
            store.close()
        return Repaired(
            cycle=record.progress.cycle,
            phase=record.progress.phase.value,
            epoch=record.ownership.epoch,
            digest=encode_record(record)[1],
            was_older=was_older,
            carried=carried,
            kept=kept,
            hosts=rows,
        )

    def _put_aside(self, there: There, ours: Ours, rows: tuple[Row, ...]) -> Repaired:
        """Keep this home's journal elsewhere and follow anew, as a host that comes late.

        Raises:
            RepairRefused: There is no record that could be followed.
        """
        if there.seen is None:
            reason = "the etcd has no record, and what this home knows would be put aside"
            raise RepairRefused(reason, "repair it from the journals first", rows)
        kept = self._home / REPLACED / rfc3339(self._now_ns()).replace(":", "")
        make_directory(_FILES, kept)
        moved = [self._home / "journal", self._home / "state" / MIRROR, self._home / "state" / NAME]
        for path in moved:
            with contextlib.suppress(FileNotFoundError):
                _FILES.replace(path, kept / path.name)
        for directory in (kept, self._home / "state", self._home):
            sync(_FILES, directory)
        gone = (self._keys.journal(ours.heard.home), self._keys.heard_of(ours.heard.home))
        steps = tuple(wire.delete(key) for key in gone)
        self._session.settle(wire.Transaction(success=steps), self._session.patience_s)
        return self._follow(rows, kept=str(kept))


def _goes_on_from(ours: Ours, other: Heard) -> bool:
    return any(line.result == other.result for line in ours.lines)


def _last_of(lines: Sequence[Line], result: str) -> int:
    return max(index for index, line in enumerate(lines) if line.result == result)


def _reached(record: Record) -> tuple[int, bool, int]:
    progress = record.progress
    return progress.cycle, progress.phase is Phase.SETTLED, record.ownership.epoch
