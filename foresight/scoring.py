"""Honest numbers: how good the trades were, with what is not known about it.

Owns every figure that is shown about past trades. The win rate never stands alone: it comes
with its Wilson interval, the mean price paid, the expectation per share with its interval, the
profit after fees, both Brier scores and the signals that could not be bought. A strategy
without skill must not look good here. No configuration and no clock enters.
"""

from collections.abc import Iterable
from math import sqrt
from typing import Final

import msgspec

from foresight.board import MICRO
from foresight.book import Book, decided_here, sums_here
from foresight.quarters import design_effect
from foresight.trades import OLDER, Decided, Tally, tally_of

RECENT: Final = 100  # decided trades: the figure people ask for
Z_95: Final = 1.959964  # two-sided 95 % of the normal distribution
TRADES_MIN: Final = 30  # below it an interval means little
TOO_FEW: Final = "too few to say"


class Interval(msgspec.Struct, frozen=True):
    """A 95 % confidence interval."""

    low: float
    high: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over some decided trades; shares of one, and USDC.

    Attributes:
        trades: How many, void ones included.
        won: Of them won.
        lost: Of them lost.
        void: Of them without a result.
        win_rate: Won of those with a result, 0 to 1; 0 without any.
        win_rate_interval: Wilson's interval of it, for as many trades as say something new:
            those of a quarter hour win and lose together.
        mean_price: Mean over trades of the price paid per share; each trade counts once, as in
            the win rate, however many shares it bought.
        break_even: The same with fees: the win rate at which it earns nothing per share.
        expectation: Mean profit per share and trade, after fees.
        expectation_interval: Of what a share pays, in the same way, less what it costs.
        staked: Paid, fees included.
        fees: Of it fees.
        profit: After fees.
        brier_ours: Mean squared error of our probability; lower is better.
        brier_price: The same of the price paid: what the market knew.
    """

    trades: int
    won: int
    lost: int
    void: int
    win_rate: float
    win_rate_interval: Interval
    mean_price: float
    break_even: float
    expectation: float
    expectation_interval: Interval
    staked: float
    fees: float
    profit: float
    brier_ours: float
    brier_price: float

    @property
    def with_result(self) -> int:
        """Of how many trades the win rate is; where it is 0, there is none."""
        return self.won + self.lost


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """What the trades came to that one release decided at one kind of venue.

    Attributes:
        release: Its id, or `older`: all those before the newest.
        venue: Kind of the venue; empty where it is not known.
        score: The figures.
    """

    release: str
    venue: str
    score: Score


class ByHand(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at the venue and adopted: in no figure of a strategy.

    Attributes:
        held: Positions that are open.
        staked: What they cost, fees included, USDC.
        decided: Trades whose windows were decided.
        profit: Of these, after fees, USDC.
    """

    held: int
    staked: float
    decided: int
    profit: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a book: of trades those at the kind of venue that it trades at now.

    Attributes:
        recent: Over the last `RECENT` decided trades that a strategy wanted.
        overall: Over all of them.
        by_hand: Over those that were found.
        signals: Windows in which a strategy spoke.
        unbought: Of them without a purchase, for good.
        unbought_reasons: By reason.
        releases: What each release earned at each kind, the one that decided last at the end.
    """

    recent: Score
    overall: Score
    by_hand: ByHand
    signals: int
    unbought: int
    unbought_reasons: dict[str, int]
    releases: tuple[Earned, ...] = ()


def scores_of(book: Book) -> Scores:
    """Return all figures of a book; simulated money is never added to real."""
    ours = [trade for trade in decided_here(book) if not trade.entry.is_adopted]
    return Scores(
        recent=score_of(tally_of(ours[-RECENT:], Tally())),
        overall=score_of(_all_of(book, ours)),
        by_hand=by_hand_of(book),
        signals=book.signals,
        unbought=sum(book.unbought.values()),
        unbought_reasons=dict(sorted(book.unbought.items())),
        releases=earned_by(book),
    )


def _all_of(book: Book, kept: Iterable[Decided]) -> Tally:
    # The archive is of all kinds, and of what 0.2.0 has decided; sums by release are neither.
    return sums_here(book) if book.venue_since_s else tally_of(kept, book.archived)


def earned_by(book: Book) -> tuple[Earned, ...]:
    """Return what each release earned, the one that decided last at the end.

    A trade belongs to the release that decided to buy, whichever one settled it.
    """
    found = []
    for key, tally in sorted(book.tallies.items(), key=lambda each: (each[1].newest_s, each[0])):
        venue, _, release = key.partition(":")
        found.append(Earned(release=release, venue=venue, score=score_of(tally)))
    return tuple(found)


def said_of_none(earned: Iterable[Earned]) -> str:
    """Return what can be said of a release that has no figures of its own, in words.

    Args:
        earned: What each release earned.
    """
    is_summed = any(each.release == OLDER for each in earned)
    return "none, or among the older ones" if is_summed else "decided no trade"


def evidence_in(expectation: Interval) -> str:
    """Return what the interval of an expectation allows to say, in words."""
    if expectation.high < 0:
        return "loses"
    return "above zero" if expectation.low > 0 else "no evidence of an edge"


def evidence_of(score: Score) -> str:
    """Return what figures allow to say, in words; of a few trades nothing is said."""
    return TOO_FEW if score.trades < TRADES_MIN else evidence_in(score.expectation_interval)


def by_hand_of(book: Book) -> ByHand:
    """Return what became of positions that were found at the venue and adopted."""
    held = [position for position in book.positions.values() if position.entry.is_adopted]
    found = [trade for trade in book.decided if trade.entry.is_adopted]
    tally = tally_of(found, book.adopted)
    paid = tally.cost_micro + tally.fee_micro
    return ByHand(
        held=len(held),
        staked=sum(position.stake_micro for position in held) / MICRO,
        decided=tally.trades,
        profit=(tally.payout_micro - paid) / MICRO,
    )


def score_of(tally: Tally) -> Score:
    """Return the figures of a tally."""
    with_result = tally.trades - tally.void
    effect = design_effect(tally.quarters)
    paid = tally.cost_micro + tally.fee_micro
    return Score(
        trades=tally.trades,
        won=tally.won,
        lost=with_result - tally.won,
        void=tally.void,
        win_rate=_ratio(tally.won, with_result),
        win_rate_interval=wilson(tally.won / effect, with_result / effect),
        mean_price=_ratio(tally.share_cost_micro, tally.trades) / MICRO,
        break_even=_ratio(tally.share_cost_micro + tally.share_fee_micro, tally.trades) / MICRO,
        expectation=_ratio(tally.share_profit_micro, tally.trades) / MICRO,
        expectation_interval=_expectation_interval(tally, effect),
        staked=paid / MICRO,
        fees=tally.fee_micro / MICRO,
        profit=(tally.payout_micro - paid) / MICRO,
        brier_ours=_ratio(tally.brier_ours_ppm, tally.judged) / MICRO,
        brier_price=_ratio(tally.brier_price_ppm, tally.judged) / MICRO,
    )


def wilson(won: float, of: float, *, quantile: float = Z_95) -> Interval:
    """Return Wilson's interval of a share, of 95 % by default; nothing known is 0 to 1.

    Args:
        won: How many won, >= 0.
        of: Of how many, >= won; both in independent trades, so not always whole.
        quantile: Of the normal distribution, for both sides of the interval.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, JASA 22 (1927).
    """
    if of == 0:
        return Interval(0.0, 1.0)
    share = won / of
    scale = 1.0 + quantile**2 / of
    middle = (share + quantile**2 / (2 * of)) / scale
    reach = quantile * sqrt(share * (1.0 - share) / of + quantile**2 / (4 * of**2)) / scale
    # Rounding must not put the share itself outside: at 0 and at 1 it is the bound.
    return Interval(max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach)))


def _expectation_interval(tally: Tally, effect: float) -> Interval:
    if tally.trades == 0:
        return Interval(-1.0, 1.0)
    # A void share pays one half. What was paid is known; only what pays is left to chance.
    paying = wilson((tally.won + tally.void / 2) / effect, tally.trades / effect)
    cost = (tally.share_cost_micro + tally.share_fee_micro) / tally.trades / MICRO
    return Interval(paying.low - cost, paying.high - cost)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
