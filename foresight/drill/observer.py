"""What is read of a fault from outside: the journal, the record, the exchange's ledger.

Owns the stretch that is judged, from a settled cycle before the fault to some cycles after
everything is well again. It writes nothing and asks the owner nothing. The rules are `verdict`'s.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from foresight.drill.faults import PERIODS_AFTER, patience_s
from foresight.evidence.books import Comparison, compare
from foresight.evidence.narration import Silent
from foresight.evidence.record_watch import RecordWatch
from foresight.evidence.verdict import Trading, Window
from foresight.evidence.waiting import wait_for
from state.cycle_audit import effective
from state.journal_reader import read_lines
from state.record import Fate

if TYPE_CHECKING:
    from foresight.drill.instance import Instance
    from foresight.evidence.exchange_books import Ledger
    from foresight.trades import Position

SIGHT_S_MAX = 10.0


class Mark(NamedTuple):
    """Where a stretch begins.

    Attributes:
        first: A settled cycle.
        held: Orders of the positions that were seen until the ledger was read.
        open: How many of them are open.
        wrong: What was wrong with positions until now.
        adopted: Positions that were found at the venue only, until now.
        ledger: The exchange's books; None where it is not ours.
    """

    first: int
    held: frozenset[str]
    open: int
    wrong: Counter[str]
    adopted: frozenset[str]
    ledger: Ledger | None


class Observer:
    """Watches an installation for the length of a drill.

    Args:
        instance: The installation.
    """

    def __init__(self, instance: Instance) -> None:
        """Start watching the record."""
        self._instance = instance
        self._watch = RecordWatch(instance.home, Silent())
        wait_for("the record", lambda: self._watch.sight, SIGHT_S_MAX)

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()

    def begin(self) -> Mark:
        """Wait until everything is well; begin a stretch there."""
        instance, watch = self._instance, self._watch
        limit_s = patience_s(instance.period_s)
        instance.wait_caught_up(limit_s)
        held = frozenset(watch.held)  # before the ledger: what is booked by now is on it
        ledger = instance.ledger()
        first = instance.wait_cycles(1, limit_s)
        return Mark(
            first=first,
            held=held,
            open=self._open_now(),
            wrong=self._wrong(),
            adopted=frozenset(watch.adopted),
            ledger=ledger,
        )

    def end(self, mark: Mark) -> tuple[Window, Trading]:
        """Wait until everything is well again and a few cycles more; return the stretch."""
        instance = self._instance
        limit_s = patience_s(instance.period_s)
        instance.wait_caught_up(limit_s)
        booked = dict(self._watch.held)  # before the ledger, as above
        ledger = instance.ledger()
        last = instance.wait_cycles(PERIODS_AFTER, limit_s)
        self._watch.wait_until(lambda sight: sight.cycle >= last, SIGHT_S_MAX)
        return self._window(mark.first, last), self._trading(mark, ledger, booked)

    def _window(self, first: int, last: int) -> Window:
        home = self._instance.home
        lines = effective(read_lines(home / "journal", first))
        return Window(first, last, [line for line in lines if first <= line.cycle <= last])

    def _trading(self, mark: Mark, ledger: Ledger | None, booked: dict[str, Position]) -> Trading:
        watch = self._watch
        unsound = sorted([*(self._wrong() - mark.wrong), *(watch.adopted - mark.adopted)])
        if ledger is None or mark.ledger is None:
            return Trading(unsound, mark.open, None)
        books = self._books(mark.ledger, ledger, mark, booked)
        outbox = self._instance.record().outbox
        doubtful = sum(effect.fate is Fate.DOUBTFUL for effect in outbox)
        return Trading(unsound, mark.open, books, doubtful)

    def _books(
        self, before: Ledger, after: Ledger, mark: Mark, booked: dict[str, Position]
    ) -> Comparison:
        known = {order["id"] for order in before["orders"]}
        early = {order["slug"] for order in before["orders"] if order["fills"]}
        orders = [order for order in after["orders"] if order["id"] not in known]
        there = {order["slug"] for order in orders}
        held = [
            position
            for effect_id, position in self._watch.held.items()
            if effect_id not in mark.held
            and position.entry.slug not in early
            and (effect_id in booked or position.entry.slug in there)
        ]
        counts = ("requests_received", "requests_distinct", "duplicates_refused")
        delta = {name: after[name] - before[name] for name in counts}
        sight = self._watch.sight
        assert sight is not None, "it was waited for at the beginning"
        waiting = [order.entry.slug for order in sight.book.orders.values()]
        return compare({**delta, "orders": orders}, held, (), in_flight=waiting)

    def _wrong(self) -> Counter[str]:
        return Counter(self._watch.wrong())

    def _open_now(self) -> int:
        sight = self._watch.sight
        return len(sight.book.positions) if sight is not None else 0
