"""One cycle of the trader as a pure function.

Owns the order in which a cycle takes things in (receipts, candles, rulings, holdings) and looks
at each slot. The same code serves live, paper, backtest, replay and verification. One slot's
trouble is that slot's refusal; nothing here raises for it. No network or clock enters.
"""

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

import msgspec

from foresight import (
    cash,
    confirmation,
    freshness,
    locks,
    reconcile,
    settlement,
    window_facts,
)
from foresight.board import NS, Slot, Window, window_at
from foresight.book import Book, SlotMemory, Word, count_unbought, flag, fork, memory_of
from foresight.closes import Closes, extended
from foresight.config import Risk
from foresight.market import Candles, Holdings, Market, Offer
from foresight.measured import measured
from foresight.orders import Intent, apply_receipt, plan
from foresight.risk import (
    Denial,
    Stake,
    deny_all,
    deny_jump,
    deny_late,
    deny_look,
    deny_market,
    stake_on,
)
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.registry import FAULTY, judge
from handoff.workload import Cycle, Decision, Unavailable
from state.record import Effect, Receipt, Timeline

FACTS_FIRST: Final = 2  # edition of inputs from which on markets are asked before strategies


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a release decides by: all of it from its configuration.

    Attributes:
        app: Name of the application.
        config: Hash of the configuration.
        venue: Kind of the venue that orders go to.
        timeline: How wall-clock time maps to application time.
        slots: The board.
        strategies: By timeframe; by slot id where a slot has one of its own.
        risk: The limits.
    """

    app: str
    config: str
    venue: str
    timeline: Timeline
    slots: tuple[Slot, ...]
    strategies: Mapping[str, Strategy]
    risk: Risk


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one slot's window looks like before the venue is asked about it.

    Attributes:
        window: The running window.
        verdict: A guard's denial, the strategy's silence or its opinion.
        reference: Our price to beat; 0 if a guard spoke first.
        price: The newest close; 0 if a guard spoke first.
        sigma: Standard deviation of one-minute returns; 0 if a guard spoke first.
    """

    window: Window
    verdict: Denial | Silence | Opinion
    reference: float = 0.0
    price: float = 0.0
    sigma: float = 0.0


def closes_with(book: Book, candles: Mapping[str, Candles]) -> dict[str, Closes]:
    """Return the book's closes with newer candles added, by asset."""
    grown = dict(book.closes)
    for asset, fresh in candles.items():
        grown[asset] = extended(grown.get(asset, Closes()), fresh)
    return grown


def look(policy: Policy, slot: Slot, *, book: Book, inputs: Market, cycle: Cycle) -> Look:
    """Look at a slot: guards first, then its strategy.

    Args:
        policy: What to decide by.
        slot: Which slot.
        book: What is known, what was seen now included.
        inputs: What was seen: an older release did not read what markets say first.
        cycle: The cycle that decides.
    """
    now_s = cycle.now_ns // NS
    window = window_at(slot, now_s)
    known = book.closes.get(slot.asset, Closes())
    facts = window_facts.facts_of(book, window) if inputs.edition >= FACTS_FIRST else None
    reference = (
        window_facts.price_to_beat(facts, window, known, risk=policy.risk)
        if inputs.edition >= FACTS_FIRST
        else known.at(window.start_s // 60 - 1) or Denial.REFERENCE_MISSING
    )
    denial = (
        deny_all(cycle.control)
        or (Denial.LOCKED if locks.is_locked(cycle.control.marks, slot.asset) else None)
        or freshness.deny_clock(inputs, risk=policy.risk)
        or deny_look(book, window, known, reference=reference, risk=policy.risk, now_s=now_s)
        # What an older release decided by was believed whatever it was.
        or (deny_jump(known, risk=policy.risk) if inputs.edition >= FACTS_FIRST else None)
    )
    if denial is not None or isinstance(reference, Denial):
        return Look(window=window, verdict=denial or Denial.REFERENCE_MISSING)
    sigma, _, volumes = measured(known)
    offer = _read_for(window, inputs.offers.get(slot.slot_id))
    view = WindowView(
        minutes=slot.length_s // 60,
        elapsed=(now_s - window.start_s) // 60,
        reference=reference,
        price=known.prices[-1],
        sigma=sigma,
        closes=known.prices,
        rules=window_facts.rules_of(facts),
        volumes=volumes,
        side_asked=None if offer is None else offer.side,
        asks=() if offer is None else offer.asks,
    )
    verdict = judge(strategy_for(policy, slot), view)
    return Look(window=window, verdict=verdict, reference=reference, price=view.price, sigma=sigma)


def strategy_for(policy: Policy, slot: Slot) -> Strategy:
    """Return what thinks of a slot: its own strategy, or else its timeframe's."""
    own = policy.strategies.get(slot.slot_id)
    return policy.strategies[slot.timeframe] if own is None else own


def _read_for(window: Window, offer: Offer | None) -> Offer | None:
    """Return an offer if it is this window's and its book was read."""
    if offer is None or offer.slug != window.slug or offer.failure or not offer.is_accepting:
        return None
    return offer


def wanted(policy: Policy, *, book: Book, inputs: Market, cycle: Cycle) -> dict[str, Offer]:
    """Return offers without their books, by slot id: of slots whose strategy speaks this cycle.

    Args:
        policy: What to decide by.
        book: The book before the cycle; it is not changed.
        inputs: What was seen so far: everything but offers.
        cycle: The cycle that will decide.
    """
    known = fork(book)
    known.now_s = cycle.now_ns // NS
    _hear(policy, known, cycle)
    _take_in(known, inputs)
    offers = {}
    for slot in policy.slots:
        seen = look(policy, slot, book=known, inputs=inputs, cycle=cycle)
        facts = window_facts.facts_of(known, seen.window)
        if isinstance(seen.verdict, Opinion) and facts is not None:
            side = seen.verdict.side
            offers[slot.slot_id] = window_facts.offer_of(facts, seen.window.slug, side)
    return offers


def decide(
    policy: Policy,
    *,
    cycle: Cycle,
    body: Book,
    inputs: Market | Unavailable,
    receipts: Sequence[Receipt],
) -> Decision[Book]:
    """Return the next book and the orders wanted.

    Args:
        policy: What to decide by.
        cycle: Number, time, seed and control.
        body: The book as it was; it is not changed.
        inputs: What was seen, or that nothing was.
        receipts: Outcomes of earlier orders.
    """
    book = fork(body)
    book.now_s, book.cycle = cycle.now_ns // NS, cycle.number
    _hear(policy, book, cycle)
    for receipt in receipts:
        apply_receipt(book, receipt)
    reconcile.take_kind(book, policy.venue)
    strange = reconcile.strange_kind(book, policy.venue)
    if strange:
        # The windows of two venues have the same names: nothing is settled by another's results.
        flag(book, "venue_changed", "venue", detail=strange)
        return Decision(body=book)
    if isinstance(inputs, Unavailable):
        flag(book, "market_unavailable", "market", detail=inputs.reason[:200])
        return Decision(body=book)
    _take_in(book, inputs)
    settlement.settle(book, inputs.rulings, risk=policy.risk)
    if inputs.holdings is not None:
        _take_holdings(book, body, inputs.holdings, inputs)
    effects: list[Effect] = []
    for slot in policy.slots:
        effects.extend(_slot(policy, slot, book=book, inputs=inputs, cycle=cycle))
    return Decision(body=book, effects=tuple(effects))


def _hear(policy: Policy, book: Book, cycle: Cycle) -> None:
    locks.hear(book, cycle.control.marks, risk=policy.risk, timeline=policy.timeline)


def _take_in(book: Book, inputs: Market) -> None:
    book.closes = closes_with(book, inputs.candles)
    window_facts.note(book, inputs.facts)
    if inputs.trades is not None:
        confirmation.take_states(book, inputs.trades)


def _take_holdings(book: Book, before: Book, holdings: Holdings, inputs: Market) -> None:
    if holdings.failure:
        flag(book, "holdings_unread", "venue", detail=holdings.failure[:200])
        return
    # What failed now may have been listed a moment before.
    besides = reconcile.in_doubt(before)
    reconcile.adopt(book, holdings, now_s=max(book.now_s, inputs.seen_s), besides=besides)
    cash.compare(book, before, holdings, inputs.trades)


def _slot(
    policy: Policy, slot: Slot, *, book: Book, inputs: Market, cycle: Cycle
) -> Sequence[Effect]:
    seen = look(policy, slot, book=book, inputs=inputs, cycle=cycle)
    _finish_signal(book, slot, seen.window)
    match seen.verdict:
        case Denial():
            if seen.verdict is not Denial.ORDERED_ALREADY:
                reason = _in_words(seen.verdict, slot, seen.window, book=book, inputs=inputs)
                _note(book, slot, seen, word=Word.DENIED, reason=reason)
            return ()
        case Silence():
            if seen.verdict.reason.startswith(FAULTY):
                detail = seen.verdict.reason
                flag(book, "strategy_faulty", slot.slot_id, detail=detail)
            _note(book, slot, seen, word=Word.QUIET, reason=seen.verdict.reason)
            return ()
        case Opinion():
            return _act(policy, slot, seen, book=book, inputs=inputs, cycle=cycle)
        case _:
            assert_never(seen.verdict)


def _in_words(denial: Denial, slot: Slot, window: Window, *, book: Book, inputs: Market) -> str:
    facts = window_facts.facts_of(book, window)
    details = {
        Denial.FACTS_UNREAD: inputs.facts_unread.get(slot.slot_id, ""),
        Denial.RULES_UNKNOWN: "" if facts is None else facts.unknown,
    }
    detail = details.get(denial, "")
    return f"{denial.value}: {detail}" if detail else denial.value


def _act(
    policy: Policy, slot: Slot, seen: Look, *, book: Book, inputs: Market, cycle: Cycle
) -> Sequence[Effect]:
    opinion = seen.verdict
    assert isinstance(opinion, Opinion), "the caller looked"
    offer = inputs.offers.get(slot.slot_id)
    known = book.closes.get(slot.asset, Closes())
    answer = (
        deny_late(policy.risk, now_s=book.now_s, seen_s=inputs.seen_s)
        or freshness.deny_age(inputs, known, offer, risk=policy.risk, speed=policy.timeline.speed)
        or _intent(policy, seen, opinion, offer, book)
    )
    _count_signal(book, slot, seen.window)
    if isinstance(answer, Denial):
        reason = answer.value
        if offer is not None and (offer.failure or offer.rules_unknown):
            reason = f"{reason}: {offer.failure or offer.rules_unknown}"
        _note(book, slot, seen, word=Word.DENIED, reason=reason)
        book.slots[slot.slot_id] = msgspec.structs.replace(
            memory_of(book, slot.slot_id), denial=answer.value
        )
        return ()
    order = plan(
        book,
        answer,
        app=policy.app,
        config=policy.config,
        cycle=cycle,
        timeline=policy.timeline,
        order_s=policy.risk.order_seconds,
    )
    _note(book, slot, seen, word=Word.ORDERED, reason="")
    book.slots[slot.slot_id] = msgspec.structs.replace(
        memory_of(book, slot.slot_id), ordered_start_s=seen.window.start_s, denial=""
    )
    return (order,)


def _intent(
    policy: Policy, seen: Look, opinion: Opinion, offer: Offer | None, book: Book
) -> Intent | Denial:
    rules = deny_market(
        offer, reference=seen.reference, sigma=seen.sigma, risk=policy.risk, now_s=book.now_s
    )
    if isinstance(rules, Denial) or offer is None:
        return rules if isinstance(rules, Denial) else Denial.MARKET_UNREAD
    if offer.slug != seen.window.slug or offer.side is not opinion.side:
        return Denial.MARKET_UNREAD  # the candles that came in between changed its mind
    stake = stake_on(opinion, offer.asks, rules, book=book, window=seen.window, risk=policy.risk)
    if not isinstance(stake, Stake):
        return stake
    return Intent(
        window=seen.window,
        side=opinion.side,
        token=offer.token,
        probability_ppm=opinion.probability_ppm,
        stake=stake,
        rules=rules,
        neg_risk=offer.neg_risk,
    )


def _note(book: Book, slot: Slot, seen: Look, *, word: Word, reason: str) -> None:
    opinion = seen.verdict if isinstance(seen.verdict, Opinion) else None
    probability = 0
    if opinion is not None:
        is_up = opinion.side.value == "up"
        probability = opinion.probability_ppm if is_up else 1_000_000 - opinion.probability_ppm
    book.slots[slot.slot_id] = msgspec.structs.replace(
        memory_of(book, slot.slot_id),
        word=word,
        reason=reason[:120],
        start_s=seen.window.start_s,
        reference=seen.reference,
        price=seen.price,
        probability_ppm=probability,
    )


def _count_signal(book: Book, slot: Slot, window: Window) -> None:
    memory = memory_of(book, slot.slot_id)
    if memory.signal_start_s != window.start_s:
        book.signals += 1
        book.slots[slot.slot_id] = msgspec.structs.replace(memory, signal_start_s=window.start_s)


def _finish_signal(book: Book, slot: Slot, window: Window) -> None:
    # A denied signal may still be bought in a later cycle of its window: it counts as unbought
    # once the window is gone. What was ordered is counted by its receipt.
    memory: SlotMemory = memory_of(book, slot.slot_id)
    if memory.denial and memory.signal_start_s < window.start_s:
        count_unbought(book, memory.denial)
        book.slots[slot.slot_id] = msgspec.structs.replace(memory, denial="")
