"""Orders: from an intent to an effect, and from a receipt to a position.

Owns the payload of an order, its deterministic id, salt and time stamp, and what each outcome
does to the book. Salt and time stamp belong to the effect, never to the attempt: two
submissions are byte-identical, so the venue itself refuses the second. How an order is sent is
a venue's matter.
"""

import hashlib
from typing import Final

import msgspec

from foresight.board import NS, FeeSchedule, Rules, Side, Window, cost_micro, fee_micro
from foresight.book import Book, Word, count_unbought, flag, let_go, memory_of, spend
from foresight.risk import Stake
from foresight.trades import Entry, Fill, OpenOrder, Position
from handoff.cadence import wall_time_ns
from handoff.workload import Cycle, effect, payload_of
from state.record import Delivery, Effect, Outcome, Receipt, Timeline
from state.schema import Schema

KIND: Final = "buy"
SALT_BITS: Final = 53  # above 2**53 JSON numbers lose digits on the way
MS_NS: Final = 1_000_000

NOT_FILLABLE: Final = "not_fillable"  # nobody sold at the limit: a normal outcome
REFUSED: Final = "refused_by_venue"

_FEE_DUST_MICRO: Final = 10_000  # each fill's fee is rounded, and at its own price, not at the mean


class Buy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to send the order again, byte for byte.

    Attributes:
        slug: The window.
        side: The side bought.
        token: Its token at the venue.
        price_micro: Highest price, on the tick.
        shares_micro: Whole shares; times the price they are the USDC that is spent, whole cents.
        tick_micro: The market's tick: part of how amounts are rounded.
        neg_risk: Which contract settles it: part of what is signed.
        salt: Below 2**53, from the cycle's seed.
        timestamp_ms: Wall-clock time of the cycle, milliseconds UTC.
        fee: What the venue will charge.
    """

    slug: str
    side: Side
    token: str
    price_micro: int
    shares_micro: int
    tick_micro: int
    neg_risk: bool
    salt: int
    timestamp_ms: int
    fee: FeeSchedule


class Bought(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the venue says was bought: payload of a confirmed receipt.

    Attributes:
        order_id: The venue's id of the order.
        shares_micro: What was bought by trades that did not fail.
        cost_micro: For how much, without fee.
        fee_micro: Fee paid.
        unconfirmed: Those of the trades that may still fail.
    """

    order_id: str
    shares_micro: int
    cost_micro: int
    fee_micro: int
    unconfirmed: tuple[Fill, ...] = ()


PAYLOAD: Final = Schema("foresight.buy", 1, Buy)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A decided purchase, before it becomes an effect."""

    window: Window
    side: Side
    token: str
    probability_ppm: int
    stake: Stake
    rules: Rules
    neg_risk: bool


def plan(
    book: Book,
    intent: Intent,
    *,
    app: str,
    config: str,
    cycle: Cycle,
    timeline: Timeline,
    order_s: float,
) -> Effect:
    """Enter an intent into the book and return its effect.

    Args:
        book: Changed: the order, and the slot's memory of it.
        intent: What to buy.
        app: Name of the application.
        config: Hash of the configuration.
        cycle: The cycle that decides.
        timeline: Maps the window's end to the wall clock.
        order_s: Seconds of the wall after the cycle's time after which it is not sent any more.
    """
    window, stake = intent.window, intent.stake
    effect_id = f"{app}:{window.slug}:{cycle.number}"
    entry = Entry(
        effect_id=effect_id,
        slot=window.slot.slot_id,
        slug=window.slug,
        end_s=window.end_s,
        side=intent.side,
        probability_ppm=intent.probability_ppm,
        release=cycle.release,
        config=config,
        epoch=cycle.epoch,
        cycle=cycle.number,
    )
    book.orders[effect_id] = OpenOrder(
        entry=entry,
        token=intent.token,
        limit_micro=stake.limit_micro,
        shares_micro=stake.shares_micro,
        reserved_micro=stake.reserved_micro,
        fee=intent.rules.fee,
    )
    payload = Buy(
        slug=window.slug,
        side=intent.side,
        token=intent.token,
        price_micro=stake.limit_micro,
        shares_micro=stake.shares_micro,
        tick_micro=intent.rules.tick_micro,
        neg_risk=intent.neg_risk,
        salt=salt_of(cycle.seed, effect_id),
        timestamp_ms=wall_time_ns(timeline, cycle.now_ns) // MS_NS,
        fee=intent.rules.fee,
    )
    return effect(
        KIND,
        effect_id=effect_id,
        payload=payload,
        delivery=Delivery.BY_ID,
        lane=window.slot.slot_id,
        not_after_ns=min(
            wall_time_ns(timeline, window.end_s * NS),
            wall_time_ns(timeline, cycle.now_ns) + round(order_s * NS),
        ),
    )


def salt_of(seed: int, effect_id: str) -> int:
    """Return the salt of an order: the same for the same seed and id, 1 to 2**53 - 1."""
    digest = hashlib.sha256(f"{seed}:{effect_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % ((1 << SALT_BITS) - 1) + 1


def apply_receipt(book: Book, receipt: Receipt) -> None:
    """Take an order's outcome into the book.

    Args:
        book: Changed.
        receipt: The outcome.
    """
    order = book.orders.pop(receipt.effect_id, None)
    if order is None:
        detail = f"{receipt.outcome.value}; the venue's positions will show what it did"
        flag(book, "receipt_without_order", receipt.effect_id, detail=detail)
        return
    if receipt.outcome is Outcome.CONFIRMED:
        _confirm(book, order, receipt)
    else:
        _drop(book, order, receipt.outcome.value, receipt.reason)


def _confirm(book: Book, order: OpenOrder, receipt: Receipt) -> None:
    entry = order.entry
    try:
        bought = payload_of(receipt, Bought)
    except msgspec.DecodeError as error:
        detail = f"{error}; the venue's positions will show what it did"
        flag(book, "receipt_unreadable", entry.effect_id, detail=detail)
        _drop(book, order, "receipt_unreadable", str(error))
        return
    if bought.shares_micro <= 0:
        _drop(book, order, NOT_FILLABLE, receipt.reason)
        return
    position = Position(
        entry=entry,
        token=order.token,
        shares_micro=bought.shares_micro,
        cost_micro=bought.cost_micro,
        fee_micro=bought.fee_micro,
        order_id=bought.order_id,
        unconfirmed=bought.unconfirmed,
    )
    key = order.token
    if key in book.positions:  # one order per window: the venue's positions will show the truth
        detail = f"{entry.effect_id} bought shares of a token that is held already"
        flag(book, "shares_held_already", entry.slug, detail=detail)
        return
    book.positions[key] = position
    spend(book, position.stake_micro)
    excess = _paid_too_much(order, position)
    if excess:
        flag(book, "paid_too_much", entry.slug, detail=excess)
    _remember(book, entry, Word.BOUGHT, "")


def _paid_too_much(order: OpenOrder, position: Position) -> str:
    """Return what was paid that no order may cost, in words; empty where nothing was.

    The reserve counts the fee at the best price that was read. A better one takes the same USDC and
    a higher fee: more than the reserve, and as it should be.
    """
    most = cost_micro(shares_micro=order.shares_micro, price_micro=order.limit_micro)
    if position.cost_micro > most:
        return f"paid {position.cost_micro} micro-USDC without fee, {most} at most by its limit"
    due = fee_micro(order.fee, shares_micro=position.shares_micro, price_micro=position.price_micro)
    is_beyond = position.stake_micro > order.reserved_micro
    if is_beyond and position.fee_micro > due + _FEE_DUST_MICRO:
        return f"paid a fee of {position.fee_micro} micro-USDC, {due} at the price that was paid"
    return ""


def _drop(book: Book, order: OpenOrder, outcome: str, reason: str) -> None:
    known = reason.partition(":")[0]
    key = known if known in {NOT_FILLABLE, REFUSED} else outcome
    count_unbought(book, key)
    let_go(book, order.token)
    _remember(book, order.entry, Word.UNFILLED, reason or outcome)


def _remember(book: Book, entry: Entry, word: Word, reason: str) -> None:
    memory = memory_of(book, entry.slot)
    book.slots[entry.slot] = msgspec.structs.replace(memory, word=word, reason=reason[:120])
