"""What a backtest came to: plain values, for whoever shows, compares or keeps them.

Owns their shape and the sums over trades. A page or a report reads these structs and nothing else
of a backtest; as JSON they have the same names. How trades came about is `trading`'s matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from foresight.board import MICRO, window_of_slug
from foresight.scoring import Score, evidence_of, score_of
from foresight.trades import Tally, tally_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from foresight.trades import Decided


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One purchase whose window has ended; money in USDC.

    Attributes:
        slot: Slot id, as `btc-5m`.
        slug: The window: one purchase in it at most.
        start_s: When it began, seconds since 1970 UTC.
        end_s: When it ended; trades that end in one quarter hour win and lose together.
        side: `up` or `down`.
        probability: Of that side, as the strategy said, 0 to 1.
        shares: How many were bought.
        price: Mean price paid for a share, without fee.
        fee: Fee for a share.
        staked: What was paid, fee included.
        result: `up`, `down` or `void`: how the window ended.
        profit: What was paid out, less what was paid.
        release: What decided it, by its name.
    """

    slot: str
    slug: str
    start_s: int
    end_s: int
    side: str
    probability: float
    shares: float
    price: float
    fee: float
    staked: float
    result: str
    profit: float
    release: str

    @property
    def share_profit(self) -> float:
        """What one share earned, USDC."""
        return self.profit / self.shares


class SlotResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one slot came to.

    Attributes:
        slot: Slot id.
        signals: Windows in which its strategy spoke.
        score: Figures over its decided trades.
        evidence: What the interval of the expectation allows to say, in words.
    """

    slot: str
    signals: int
    score: Score
    evidence: str


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a release or a configuration came to over a recording.

    Attributes:
        name: What was tried, e.g. a release or a file.
        config: Hash of its configuration, as trades of a running system carry it.
        strategies: Name of each timeframe's strategy, and of each slot's that has one of its own.
        rule: What settled windows, `last` or `average`.
        delay_s: How long after a decision its order met the book, seconds.
        table: What the prices of shares were fitted on.
        judged_from: First minute that was traded, minutes since 1970 UTC.
        judged_until: First minute after the last one.
        cycles: Decisions of the whole board.
        signals: Windows in which a strategy spoke.
        unbought: Of them without a purchase, by reason.
        score: Figures over all decided trades.
        evidence: What the interval of the expectation allows to say, in words.
        slots: The same by slot, in the order of the board.
        undecided: Purchases whose window had no result.
        trades: All decided trades, in the order in which they were decided.
    """

    name: str
    config: str
    strategies: Mapping[str, str]
    rule: str
    delay_s: float
    table: str
    judged_from: int
    judged_until: int
    cycles: int
    signals: int
    unbought: Mapping[str, int]
    score: Score
    evidence: str
    slots: Sequence[SlotResult]
    undecided: int
    trades: Sequence[Trade]


def trade_of(decided: Decided) -> Trade:
    """Return a decided trade in plain numbers."""
    entry, shares = decided.entry, decided.shares_micro / MICRO
    window = window_of_slug(entry.slug)
    assert window is not None, "we named it"
    return Trade(
        slot=entry.slot,
        slug=entry.slug,
        start_s=window.start_s,
        end_s=entry.end_s,
        side=entry.side.value,
        probability=entry.probability_ppm / MICRO,
        shares=shares,
        price=decided.cost_micro / decided.shares_micro,
        fee=decided.fee_micro / decided.shares_micro,
        staked=(decided.cost_micro + decided.fee_micro) / MICRO,
        result=decided.result.value,
        profit=decided.profit_micro / MICRO,
        release=entry.release,
    )


def score_over(trades: Iterable[Decided]) -> Score:
    """Return the figures over decided trades."""
    return score_of(tally_of(trades, Tally()))


def slot_results(
    slots: Iterable[str], signals: Mapping[str, int], trades: Sequence[Decided]
) -> tuple[SlotResult, ...]:
    """Return what each slot came to.

    Args:
        slots: Slot ids, in the order that is wanted.
        signals: Windows in which a strategy spoke, by slot.
        trades: All decided trades.
    """
    by_slot: dict[str, list[Decided]] = {slot_id: [] for slot_id in slots}
    for trade in trades:
        by_slot[trade.entry.slot].append(trade)
    return tuple(_slot(slot_id, signals.get(slot_id, 0), own) for slot_id, own in by_slot.items())


def _slot(slot_id: str, signals: int, trades: Sequence[Decided]) -> SlotResult:
    score = score_over(trades)
    evidence = evidence_of(score)
    return SlotResult(slot=slot_id, signals=signals, score=score, evidence=evidence)
