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
from typing import Final

import msgspec

from foresight.board import MICRO, FeeSchedule, Result, Side
from foresight.market import Candles
from state.schema import Schema

CLOSES_KEPT: Final = 120  # minutes; strategies look back an hour
DECIDED_KEPT: Final = 300  # in full; what is older lives on in `archived`
ANOMALIES_KEPT: Final = 40
REASONS_MAX: Final = 48  # distinct reasons that are counted by name
DAY_S: Final = 86_400


class Word(enum.Enum):
    """What became of a slot's last signal or look."""

    NEW = "new"  # nothing happened yet
    QUIET = "quiet"  # the strategy has nothing to say
    DENIED = "denied"  # a guard said no
    ORDERED = "ordered"  # an order is on its way
    BOUGHT = "bought"  # the order was filled
    UNFILLED = "unfilled"  # the venue refused it, or nobody sold


class SlotMemory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one slot.

    Attributes:
        ordered_start_s: Start of the newest window that an order was planned in: one per window.
        signal_start_s: Start of the newest window in which the strategy spoke.
        denial: Why nothing was bought on that signal so far; empty once ordered.
        losses: Decided trades lost in a row.
        quiet_until_s: The cooldown lasts until then.
        word: What became of the last look.
        reason: Why, in a word or two.
        start_s: The window that was looked at.
        reference: Its price to beat; 0 if unknown.
        price: The newest close; 0 if unknown.
        probability_ppm: The strategy's probability of Up; 0 if it had none.
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


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who decided to buy what, and why: carried by orders, positions and decided trades.

    Attributes:
        effect_id: The order; empty for an adopted position.
        slot: Slot id.
        slug: The window.
        end_s: When the window ends.
        side: The side bought.
        probability_ppm: Our probability that this side wins; 0 if adopted.
        release: Release that decided.
        config: Hash of its configuration.
        epoch: Epoch that decided.
        cycle: Cycle that decided.
        is_adopted: Found at the venue, not bought by this book.
    """

    effect_id: str
    slot: str
    slug: str
    end_s: int
    side: Side
    probability_ppm: int = 0
    release: str = ""
    config: str = ""
    epoch: int = 0
    cycle: int = 0
    is_adopted: bool = False


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order that was planned and has no receipt yet.

    Attributes:
        entry: Who and why.
        token: What is bought.
        limit_micro: Highest price.
        shares_micro: Most shares.
        reserved_micro: Most it can cost, fee included.
        fee: The market's fee schedule.
    """

    entry: Entry
    token: str
    limit_micro: int
    shares_micro: int
    reserved_micro: int
    fee: FeeSchedule = FeeSchedule()


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shares held until the venue says how the window ended.

    Attributes:
        entry: Who and why.
        token: What is held.
        shares_micro: How much, > 0.
        cost_micro: Paid for it, without fee.
        fee_micro: Fee paid.
        order_id: The venue's id of the order.
    """

    entry: Entry
    token: str
    shares_micro: int
    cost_micro: int
    fee_micro: int = 0
    order_id: str = ""

    @property
    def stake_micro(self) -> int:
        """What can be lost: cost and fee."""
        return self.cost_micro + self.fee_micro

    @property
    def price_micro(self) -> int:
        """Mean price paid per share, without fee."""
        return self.cost_micro * MICRO // self.shares_micro


class Decided(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trade whose window the venue has decided."""

    entry: Entry
    shares_micro: int
    cost_micro: int
    fee_micro: int
    payout_micro: int
    result: Result
    decided_s: int

    @property
    def profit_micro(self) -> int:
        """Payout minus cost and fee."""
        return self.payout_micro - self.cost_micro - self.fee_micro

    @property
    def is_won(self) -> bool:
        """Whether the side bought won; false for a void window too."""
        return self.result.value == self.entry.side.value


class Tally(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums over decided trades; what is kept of those that are no longer kept in full.

    The sums of squares and of Brier scores are in millionths, per trade.
    """

    trades: int = 0
    won: int = 0
    void: int = 0
    shares_micro: int = 0
    cost_micro: int = 0
    fee_micro: int = 0
    payout_micro: int = 0
    share_cost_micro: int = 0  # sum over trades of the price paid per share, without fee
    share_fee_micro: int = 0  # sum over trades of the fee per share
    share_profit_micro: int = 0  # sum over trades of profit per share
    share_profit_square_ppm: int = 0  # sum over trades of its square
    judged: int = 0  # trades with a probability of ours, decided and not void
    brier_ours_ppm: int = 0
    brier_price_ppm: int = 0


class Closes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest one-minute closes of an asset, rising minutes, gaps left out."""

    minutes: tuple[int, ...] = ()
    prices: tuple[float, ...] = ()

    @property
    def newest(self) -> int:
        """The newest minute, or -1."""
        return self.minutes[-1] if self.minutes else -1

    def at(self, minute: int) -> float | None:
        """Return the close of a minute, or None where there is none."""
        for known, price in zip(reversed(self.minutes), reversed(self.prices), strict=True):
            if known <= minute:
                return price if known == minute else None
        return None


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
        spent_micro: Everything ever paid, fees included: must equal what the parts say.
        day: The UTC day, counted from 1970, that `day_spent_micro` belongs to.
        day_spent_micro: Paid on that day, fees included.
        board_quiet_until_s: The drawdown guard stops the board until then.
        signals: Windows in which a strategy spoke.
        unbought: Windows in which it spoke and nothing was bought, by reason.
        anomalies: Newest last.
    """

    now_s: int = 0
    cycle: int = 0
    slots: dict[str, SlotMemory] = {}
    closes: dict[str, Closes] = {}
    orders: dict[str, OpenOrder] = {}
    positions: dict[str, Position] = {}
    decided: list[Decided] = []
    archived: Tally = Tally()
    spent_micro: int = 0
    day: int = 0
    day_spent_micro: int = 0
    board_quiet_until_s: int = 0
    signals: int = 0
    unbought: dict[str, int] = {}
    anomalies: list[Anomaly] = []


SCHEMA = Schema("foresight.book", 1, Book)


def fork(book: Book) -> Book:
    """Return a copy that can be changed without touching the original."""
    copy = msgspec.structs.replace(book)
    copy.slots = dict(book.slots)
    copy.closes = dict(book.closes)
    copy.orders = dict(book.orders)
    copy.positions = dict(book.positions)
    copy.decided = list(book.decided)
    copy.unbought = dict(book.unbought)
    copy.anomalies = list(book.anomalies)
    return copy


def memory_of(book: Book, slot_id: str) -> SlotMemory:
    """Return what is remembered of a slot; a new slot has an empty memory."""
    return book.slots.get(slot_id, SlotMemory())


def extended(closes: Closes, candles: Candles) -> Closes:
    """Return closes with newer candles added, oldest dropped beyond the bound."""
    fresh = [
        (minute, price)
        for minute, price in zip(candles.minutes, candles.prices, strict=True)
        if minute > closes.newest
    ]
    if not fresh:
        return closes
    minutes = (*closes.minutes, *(minute for minute, _ in fresh))
    prices = (*closes.prices, *(price for _, price in fresh))
    return Closes(minutes=minutes[-CLOSES_KEPT:], prices=prices[-CLOSES_KEPT:])


def added(tally: Tally, trade: Decided) -> Tally:
    """Return a tally with one more decided trade."""
    per_share = trade.profit_micro * MICRO // trade.shares_micro
    is_judged = trade.result is not Result.VOID and not trade.entry.is_adopted
    target = MICRO if trade.is_won else 0
    price = trade.cost_micro * MICRO // trade.shares_micro
    ours = (trade.entry.probability_ppm - target) ** 2 // MICRO if is_judged else 0
    theirs = (price - target) ** 2 // MICRO if is_judged else 0
    return Tally(
        trades=tally.trades + 1,
        won=tally.won + trade.is_won,
        void=tally.void + (trade.result is Result.VOID),
        shares_micro=tally.shares_micro + trade.shares_micro,
        cost_micro=tally.cost_micro + trade.cost_micro,
        fee_micro=tally.fee_micro + trade.fee_micro,
        payout_micro=tally.payout_micro + trade.payout_micro,
        share_cost_micro=tally.share_cost_micro + price,
        share_fee_micro=tally.share_fee_micro + trade.fee_micro * MICRO // trade.shares_micro,
        share_profit_micro=tally.share_profit_micro + per_share,
        share_profit_square_ppm=tally.share_profit_square_ppm + per_share**2 // MICRO,
        judged=tally.judged + is_judged,
        brier_ours_ppm=tally.brier_ours_ppm + ours,
        brier_price_ppm=tally.brier_price_ppm + theirs,
    )


def tally_of(trades: Iterable[Decided], start: Tally) -> Tally:
    """Return a tally over trades, on top of another."""
    for trade in trades:
        start = added(start, trade)
    return start


def keep_decided(book: Book, trade: Decided) -> None:
    """Add a decided trade; the oldest goes to the archive beyond the bound."""
    book.decided.append(trade)
    while len(book.decided) > DECIDED_KEPT:
        book.archived = added(book.archived, book.decided.pop(0))


def spend(book: Book, amount_micro: int) -> None:
    """Count money paid, on its day and over all."""
    book.spent_micro += amount_micro
    day = book.now_s // DAY_S
    book.day_spent_micro = amount_micro + (book.day_spent_micro if day == book.day else 0)
    book.day = day


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
    parts = tally_of(book.decided, book.archived)
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
