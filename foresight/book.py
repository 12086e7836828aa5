"""The body: everything the trader knows from one cycle to the next.

Owns the stored shape (schema `foresight.book`), its bounds and what must hold of it. Structs
inside are frozen; a decision works on a `fork`, so that the stored book is never half changed.
How the book changes is in `orders`, `settlement` and `decision`.

Units as in `board`: micro-USDC, micro-shares, millionths (ppm) for probabilities, whole seconds
of application time. No absent number is stored as null.
"""

import enum
import math
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final

import msgspec

from foresight.book_versions import down_to_1, up_to_2
from foresight.closes import Closes
from foresight.market import WindowFacts
from foresight.trades import (
    Decided,
    OpenOrder,
    Position,
    Tally,
    added,
    merged,
    tally_of,
    tally_release,
)
from state.schema import Schema

DECIDED_KEPT: Final = 300  # in full; what is older lives on in `archived`
ANOMALIES_KEPT: Final = 40
REASONS_MAX: Final = 48  # distinct reasons that are counted by name
DAY_S: Final = 86_400
RESULT_STEPS: Final = 100  # of the drawdown guard's lookback
LISTING_LAG_CYCLES: Final = 2  # a venue's listing of positions may be that late


class Word(enum.Enum):
    """What became of a slot's last signal or look."""

    NEW = "new"  # nothing happened yet
    QUIET = "quiet"  # the strategy has nothing to say
    DENIED = "denied"  # a guard said no
    ORDERED = "ordered"  # an order is on its way
    BOUGHT = "bought"  # the order was filled
    UNFILLED = "unfilled"  # the venue refused it, or nobody sold


class Cash(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The account's cash as the book counts it, micro-USDC.

    Attributes:
        held_micro: What there should be.
        off_micro: How far the newest reading was from that; two of them running are believed.
        less_micro: How much less it may have been from the start, with orders under way then.
        more_micro: How much more.
    """

    held_micro: int
    off_micro: int = 0
    less_micro: int = 0
    more_micro: int = 0


class Gain(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Profit of the trades decided from an instant on: application seconds, micro-USDC."""

    start_s: int
    profit_micro: int


class SlotMemory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one slot.

    Attributes:
        ordered_start_s: Start of the newest window that an order was planned in: one per window.
        signal_start_s: Start of the newest window in which the strategy spoke.
        denial: Why nothing was bought on that signal so far; empty once ordered.
        losses: Decided trades lost in a row.
        quiet_until_s: The cooldown lasts until then.
        quiet_since_s: It began then.
        word: What became of the last look.
        reason: Why, in a word or two.
        start_s: The window that was looked at.
        reference: Its price to beat; 0 if unknown.
        price: The newest close; 0 if unknown.
        probability_ppm: The strategy's probability of Up; 0 if it had none.
        facts: What the market says of the running window; None until it was read.
    """

    ordered_start_s: int = 0
    signal_start_s: int = 0
    denial: str = ""
    losses: int = 0
    quiet_until_s: int = 0
    word: Word = Word.NEW
    reason: str = ""
    start_s: int = 0
    reference: float = 0.0
    price: float = 0.0
    probability_ppm: int = 0
    facts: WindowFacts | None = None
    quiet_since_s: int = 0


_NOTHING_YET: Final = SlotMemory()


class AssetMemory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one asset.

    Attributes:
        losses: When its newest trades were lost that the stop guard counts, oldest first.
        locked_since_s: The stop guard locked it then.
        locked_until_s: The lock lasts until then.
    """

    losses: tuple[int, ...] = ()
    locked_since_s: int = 0
    locked_until_s: int = 0


class Anomaly(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something an operator should look at; counted while it goes on.

    Attributes:
        kind: Stable name, e.g. `position_adopted`.
        subject: What it is about, e.g. a slug.
        detail: In words.
        cycle: First seen.
        last_cycle: Last seen.
        count: How many cycles saw it.
    """

    kind: str
    subject: str
    detail: str
    cycle: int
    last_cycle: int
    count: int = 1


class Book(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body.

    Attributes:
        now_s: Application time of the newest decision.
        cycle: Its number.
        slots: Memory by slot id.
        closes: Newest minutes by asset.
        orders: Planned, no receipt yet, by effect id.
        positions: Held, by token; an adopted excess by `adopted:<token>`.
        decided: Newest decided trades, oldest first.
        archived: Sums over those that are no longer in `decided`.
        adopted: The same of adopted ones: found at the venue, they are no strategy's.
        spent_micro: Everything ever paid, fees included: must equal what the parts say.
        day: The UTC day, counted from 1970, that `day_spent_micro` belongs to.
        day_spent_micro: Paid on that day, fees included.
        board_quiet_until_s: The drawdown guard stops the board until then.
        board_quiet_since_s: It began then.
        assets: Memory by asset.
        signals: Windows in which a strategy spoke.
        unbought: Windows in which it spoke and nothing was bought, by reason.
        anomalies: Newest last.
        venue: Kind of the venue that positions and orders belong to; empty before the first.
        cash: The account's cash; None until it was read.
        results: Profit over time for the drawdown guard, oldest first.
        tallies: Sums over decided trades by `kind:release`, those of a body of version 1 by
            `:release` until a kind is set; releases beyond the newest are summed up.
        let_go: Cycle in which shares turned out not to be ours, by token: those that a listing
            may still show.
        venue_since_s: When it came to this kind of venue, if there was another before.
    """

    now_s: int = 0
    cycle: int = 0
    slots: dict[str, SlotMemory] = {}
    closes: dict[str, Closes] = {}
    orders: dict[str, OpenOrder] = {}
    positions: dict[str, Position] = {}
    decided: list[Decided] = []
    archived: Tally = Tally()
    adopted: Tally = Tally()
    spent_micro: int = 0
    day: int = 0
    day_spent_micro: int = 0
    board_quiet_until_s: int = 0
    board_quiet_since_s: int = 0
    assets: dict[str, AssetMemory] = {}
    signals: int = 0
    unbought: dict[str, int] = {}
    anomalies: list[Anomaly] = []
    venue: str = ""
    cash: Cash | None = None
    results: list[Gain] = []
    tallies: dict[str, Tally] = {}
    let_go: dict[str, int] = {}
    venue_since_s: int = 0


SCHEMA = Schema("foresight.book", 2, Book, up={1: up_to_2}, down={2: down_to_1})


def fork(book: Book) -> Book:
    """Return a copy that can be changed without touching the original."""
    copy = msgspec.structs.replace(book)
    copy.slots = dict(book.slots)
    copy.assets = dict(book.assets)
    copy.closes = dict(book.closes)
    copy.orders = dict(book.orders)
    copy.positions = dict(book.positions)
    copy.decided = list(book.decided)
    copy.unbought = dict(book.unbought)
    copy.anomalies = list(book.anomalies)
    copy.results = list(book.results)
    copy.tallies = dict(book.tallies)
    copy.let_go = dict(book.let_go)
    return copy


def memory_of(book: Book, slot_id: str) -> SlotMemory:
    """Return what is remembered of a slot; a new slot has an empty memory."""
    return book.slots.get(slot_id, _NOTHING_YET)


def keep_decided(book: Book, trade: Decided) -> None:
    """Add a decided trade; the oldest goes to the archive beyond the bound."""
    book.decided.append(trade)
    tally_release(book.tallies, trade, venue=book.venue)
    while len(book.decided) > DECIDED_KEPT:
        oldest = book.decided.pop(0)
        if oldest.entry.is_adopted:
            book.adopted = added(book.adopted, oldest)
        else:
            book.archived = added(book.archived, oldest)


def keep_result(book: Book, profit_micro: int, *, lookback_s: int) -> None:
    """Add a profit or loss for the drawdown guard, in steps of a hundredth of its lookback.

    Args:
        book: Changed; its `now_s` is the time of the decision.
        profit_micro: Of trades decided now.
        lookback_s: How far back the guard sums up; older ones are dropped.
    """
    step_s = max(1, lookback_s // RESULT_STEPS)
    newest = book.results[-1] if book.results else None
    # What the guard has stopped the board for is never summed up with what came after.
    is_counted = newest is not None and newest.start_s <= book.board_quiet_until_s < book.now_s
    if newest is not None and not is_counted and book.now_s < newest.start_s + step_s:
        total = newest.profit_micro + profit_micro
        book.results[-1] = Gain(start_s=newest.start_s, profit_micro=total)
    else:
        book.results.append(Gain(start_s=book.now_s, profit_micro=profit_micro))
    since_s = book.now_s - lookback_s
    book.results = [one for one in book.results if one.start_s > since_s]


def spend(book: Book, amount_micro: int) -> None:
    """Count money paid, on its day and over all."""
    _move_cash(book, -amount_micro)
    book.spent_micro += amount_micro
    day = book.now_s // DAY_S
    book.day_spent_micro = amount_micro + (book.day_spent_micro if day == book.day else 0)
    book.day = day


def take_back(book: Book, amount_micro: int, *, end_s: int) -> None:
    """Count money as never paid: it came back.

    Args:
        book: Changed.
        amount_micro: What was counted by `spend`.
        end_s: End of the window that it was paid in; no window spans midnight.
    """
    _move_cash(book, amount_micro)
    book.spent_micro -= amount_micro
    if (end_s - 1) // DAY_S == book.day:
        book.day_spent_micro = max(0, book.day_spent_micro - amount_micro)


def decided_here(book: Book) -> list[Decided]:
    """Return the decided trades of the kind of venue that the book belongs to now, oldest first.

    Windows of two venues have the same names: what was paid out at one says nothing of the other.
    """
    return [trade for trade in book.decided if trade.decided_s >= book.venue_since_s]


def sums_here(book: Book) -> Tally:
    """Return the sums over all trades that releases decided at the kind of venue of now."""
    here = [tally for key, tally in book.tallies.items() if key.partition(":")[0] == book.venue]
    return reduce(merged, here, Tally())


def let_go(book: Book, token: str) -> None:
    """Note that shares turned out not to be ours: a listing that is late shows them all the same.

    Args:
        book: Changed; older notes are dropped.
        token: What the shares are of.
    """
    book.let_go[token] = book.cycle
    book.let_go = {one: cycle for one, cycle in book.let_go.items() if is_recent(book, cycle)}


def is_recent(book: Book, cycle: int) -> bool:
    """Tell whether a listing that is read now may be from before a cycle."""
    return cycle >= book.cycle - LISTING_LAG_CYCLES


def receive(book: Book, amount_micro: int) -> None:
    """Count a payout that the account gets."""
    _move_cash(book, amount_micro)


def _move_cash(book: Book, amount_micro: int) -> None:
    if book.cash is not None:
        held = book.cash.held_micro + amount_micro
        book.cash = msgspec.structs.replace(book.cash, held_micro=held)


def spent_today_micro(book: Book) -> int:
    """Return what was paid on the day of the newest decision."""
    return book.day_spent_micro if book.day == book.now_s // DAY_S else 0


def count_unbought(book: Book, reason: str) -> None:
    """Count a signal on which nothing was bought; reasons beyond the bound share one name."""
    key = reason if reason in book.unbought or len(book.unbought) < REASONS_MAX else "other"
    book.unbought[key] = book.unbought.get(key, 0) + 1


def flag(book: Book, kind: str, subject: str, *, detail: str) -> None:
    """Note an anomaly; one that is noted already is counted."""
    for index, known in enumerate(book.anomalies):
        if (known.kind, known.subject) == (kind, subject):
            counted = msgspec.structs.replace(
                known, detail=detail, last_cycle=book.cycle, count=known.count + 1
            )
            book.anomalies[index] = counted
            return
    book.anomalies.append(
        Anomaly(kind=kind, subject=subject, detail=detail, cycle=book.cycle, last_cycle=book.cycle)
    )
    del book.anomalies[:-ANOMALIES_KEPT]


def violations_of(book: Book) -> Sequence[str]:
    """Return what must not be in a book, in words; nothing if it is sound."""
    found = [*_unsound_amounts(book), *_crowded_windows(book)]
    parts = tally_of(book.decided, merged(book.archived, book.adopted))
    held = sum(position.stake_micro for position in book.positions.values())
    known = parts.cost_micro + parts.fee_micro + held
    if known != book.spent_micro:
        found.append(f"spent {book.spent_micro} is not the {known} of positions and trades")
    if len(book.decided) > DECIDED_KEPT or len(book.anomalies) > ANOMALIES_KEPT:
        found.append("a list is longer than its bound")
    return found


def _unsound_amounts(book: Book) -> Iterable[str]:
    for position in book.positions.values():
        if position.shares_micro <= 0 or min(position.cost_micro, position.fee_micro) < 0:
            yield f"position {position.entry.slug} has a size or a cost that cannot be"
    for order in book.orders.values():
        if min(order.shares_micro, order.reserved_micro, order.limit_micro) <= 0:
            yield f"order {order.entry.effect_id} has a size or a price that cannot be"
    if min(book.spent_micro, book.day_spent_micro) < 0:
        yield "a stake is negative"
    for asset, closes in book.closes.items():
        if not all(math.isfinite(price) and price > 0 for price in closes.prices):
            yield f"a close of {asset} is no price"


def _crowded_windows(book: Book) -> Iterable[str]:
    entries = [order.entry for order in book.orders.values()]
    entries += [position.entry for position in book.positions.values()]
    slugs = [entry.slug for entry in entries if not entry.is_adopted]
    for slug in sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        yield f"window {slug} has more than one order or position"
