"""What the record showed while an installation was watched, generation by generation.

Owns a thread that reads the record whenever its file changed, and what it remembers: every
position from its first sight to its end, the owners, and what was narrated. It only reads.
What the exchange says of the same orders is `books`' matter.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from foresight.board import MICRO
from foresight.book import SCHEMA, Book
from foresight.evidence.errors import CourseLeft
from state.errors import StateError
from state.local_store import read_only_snapshot
from state.mirror import record_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from foresight.evidence.narration import Narrator
    from foresight.trades import Decided, Position
    from state.record import Record, Timeline, WorkerId

POLL_S = 0.03  # two or three commits a second; one that is missed is seen with the next


class Sight(NamedTuple):
    """One generation of the record.

    Attributes:
        epoch: Its epoch.
        owner: Its owner.
        cycle: Its newest cycle.
        book: Its body.
        pending: Effects that are not final, and outcomes that no cycle has taken in yet.
        timeline: How wall-clock time maps to the market's.
    """

    epoch: int
    owner: WorkerId | None
    cycle: int
    book: Book
    pending: int
    timeline: Timeline


class Handover(NamedTuple):
    """The positions on both sides of a change of owner.

    Attributes:
        epoch: The new epoch.
        release: Of the new owner.
        open_before: How many positions were open in the last generation before it.
        changed: Those of them that were not there, or not the same, in the first one after it.
    """

    epoch: int
    release: str
    open_before: int
    changed: tuple[str, ...]


class RecordWatch:
    """Reads the record of a home while others write it.

    Args:
        home: The state directory.
        narrator: Told what is bought and settled, and who owns.
    """

    def __init__(self, home: Path, narrator: Narrator) -> None:
        """Start reading; there need not be a record yet."""
        self._state = home / "state"
        self._narrator = narrator
        self._stop = threading.Event()
        self._stamp: tuple[int, int] | None = None
        self._fault: Exception | None = None
        self.sight: Sight | None = None
        self.held: dict[str, Position] = {}  # every position there was, by order, as first seen
        self.decided: dict[str, Decided] = {}
        self.altered: list[str] = []
        self.closed_early: list[str] = []
        self.failed: set[str] = set()  # orders all of whose trades the venue took back
        self.adopted: set[str] = set()
        self.handovers: list[Handover] = []
        self._thread = threading.Thread(target=self._run, name="record-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(5.0)

    def changed_across(self) -> list[str]:
        """Return the positions that a change of owner changed."""
        return [slug for each in self.handovers for slug in each.changed]

    def wrong(self) -> list[str]:
        """Return everything that was wrong with positions, as often as it was seen."""
        return [*self.altered, *self.closed_early, *self.changed_across()]

    def wait_until(self, condition: Callable[[Sight], bool], limit_s: float) -> Sight | None:
        """Return the first sight that fulfils a condition; None if there is none in time."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            sight = self.sight
            if self._fault is not None:
                what = f"the record could not be watched: {self._fault!r}"
                raise CourseLeft(what) from self._fault
            if sight is not None and condition(sight):
                return sight
            self._stop.wait(POLL_S)
        return None

    def _run(self) -> None:
        try:
            while not self._stop.wait(POLL_S):
                record = self._changed()
                if record is not None:
                    self._take(record)
        except Exception as error:  # noqa: BLE001 - it ends the watching, in its own thread
            self._fault = error

    def _changed(self) -> Record | None:
        try:
            status = record_path(self._state).stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp == self._stamp:
                return None
            record = read_only_snapshot(self._state)
        except (OSError, StateError):
            return None  # not there yet; a damaged one is the proof's matter, not a reader's
        self._stamp = stamp
        return record

    def _take(self, record: Record) -> None:
        book: Book = SCHEMA.decode(record.body, record.schema)
        sight = Sight(
            epoch=record.ownership.epoch,
            owner=record.ownership.owner,
            cycle=record.progress.cycle,
            book=book,
            pending=len(record.outbox) + len(record.receipts),
            timeline=record.timeline,
        )
        before, self.sight = self.sight, sight
        if before is not None and sight.epoch != before.epoch and sight.owner is not None:
            self._change_owner(before, sight)
        self._compare(sight)
        self._tell(sight)

    def _change_owner(self, before: Sight, after: Sight) -> None:
        assert after.owner is not None, "the caller looked"
        release = after.owner.release
        # Between two sights a cycle may have passed: what it settled had come to its end.
        gone = {
            trade.entry.effect_id: trade
            for trade in after.book.decided
            if trade.entry.end_s <= after.book.now_s
        }
        changed = [
            position.entry.slug
            for token, position in before.book.positions.items()
            if not goes_on(position, after.book.positions.get(token))
            and not _is_end_of(position, gone.get(position.entry.effect_id))
        ]
        count = len(before.book.positions)
        if before.epoch:  # the first owner takes over from nobody
            self.handovers.append(Handover(after.epoch, release, count, tuple(changed)))
        self._narrator.detail(
            f"owner is now pid {after.owner.pid} of {release}, epoch {after.epoch}, "
            f"from cycle {after.cycle + 1} on; {count} positions open"
        )

    def _compare(self, sight: Sight) -> None:
        """Hold every position against its first sight, and every end against its time."""
        book = sight.book
        for position in book.positions.values():
            if position.entry.is_adopted:
                self.adopted.add(position.entry.slug)
            elif position.entry.effect_id in self.held:
                if goes_on(self.held[position.entry.effect_id], position):
                    self.held[position.entry.effect_id] = position
                else:
                    self.altered.append(f"{position.entry.slug} in cycle {sight.cycle}")
        ended = {trade.entry.effect_id: trade for trade in book.decided}
        there = {position.entry.effect_id for position in book.positions.values()}
        for effect_id, position in self.held.items():
            if effect_id in there or effect_id in self.decided or effect_id in self.failed:
                continue
            trade = ended.get(effect_id)
            if trade is None and goes_on(position, None):
                self.failed.add(effect_id)
            elif not _is_end_of(position, trade):
                self.altered.append(f"{position.entry.slug} gone in cycle {sight.cycle}")
            elif position.entry.end_s > book.now_s:
                self.closed_early.append(f"{position.entry.slug} in cycle {sight.cycle}")

    def _tell(self, sight: Sight) -> None:
        new = {
            position.entry.effect_id: position
            for position in sight.book.positions.values()
            if position.entry.effect_id not in self.held and not position.entry.is_adopted
        }
        ended = {
            trade.entry.effect_id: trade
            for trade in sight.book.decided
            if trade.entry.effect_id not in self.decided
        }
        self.held |= new
        for effect_id in self.failed:
            self.held.pop(effect_id, None)
        self.decided |= ended
        words = []
        if new:
            bought = ", ".join(map(_in_words, new.values()))
            words.append(f"bought {bought}")
        if ended:
            profit = sum(trade.profit_micro for trade in ended.values()) / MICRO
            won = sum(trade.is_won for trade in ended.values())
            words.append(f"settled {len(ended)}: {won} won, {profit:+.2f} USDC")
        if words:
            self._narrator.detail(f"cycle {sight.cycle}: {'; '.join(words)}")


def goes_on(before: Position, after: Position | None) -> bool:
    """Tell whether a position is the one it was, less at most what the venue took back.

    Args:
        before: As it was; its trades may have been confirmed since, or have failed.
        after: As it is; None if it is gone.
    """
    shares, cost, fee = (
        sum(getattr(fill, name) for fill in before.unconfirmed)
        for name in ("shares_micro", "cost_micro", "fee_micro")
    )
    if after is None:
        return bool(shares) and shares == before.shares_micro
    is_same = replace(
        after,
        shares_micro=before.shares_micro,
        cost_micro=before.cost_micro,
        fee_micro=before.fee_micro,
        unconfirmed=before.unconfirmed,
    )
    return is_same == before and (
        0 <= before.shares_micro - after.shares_micro <= shares
        and 0 <= before.cost_micro - after.cost_micro <= cost
        and 0 <= before.fee_micro - after.fee_micro <= fee
    )


def _is_end_of(position: Position, trade: Decided | None) -> bool:
    """Tell whether a decided trade is a position's end: the same entry, size and cost."""
    return trade is not None and goes_on(
        position,
        replace(
            position,
            entry=trade.entry,
            shares_micro=trade.shares_micro,
            cost_micro=trade.cost_micro,
            fee_micro=trade.fee_micro,
        ),
    )


def _in_words(position: Position) -> str:
    entry = position.entry
    asset = entry.slot.upper().replace("-", " ").replace("M", "m")
    price = position.price_micro / MICRO
    return f"{asset} {entry.side.value} {position.shares_micro / MICRO:g} at {price:.2f}"
