"""Orders, positions and decided trades as the body keeps them, and sums over decided ones.

Owns their stored shapes, what a tally counts and which releases have one of their own. How they
change is in `orders` and `settlement`; what is shown of a tally is in `scoring`.

Units as in `board`. No absent number is stored as null.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from foresight.board import MICRO, FeeSchedule, Result, Side
from foresight.quarters import Quarters, joined, with_trade

RELEASES_KEPT: Final = 32  # with sums of their own
OLDER: Final = "older"  # in place of a release: the sums of those before them


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


class Fill(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One trade of an order that the venue has matched and may still take back.

    Attributes:
        trade: Its id at the venue.
        shares_micro: What it bought.
        cost_micro: For how much, without fee.
        fee_micro: Fee paid.
    """

    trade: str
    shares_micro: int
    cost_micro: int
    fee_micro: int


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shares held until the venue says how the window ended.

    Attributes:
        entry: Who and why.
        token: What is held.
        shares_micro: How much, > 0.
        cost_micro: Paid for it, without fee.
        fee_micro: Fee paid.
        order_id: The venue's id of the order.
        unconfirmed: Those of its trades that the venue has matched and not confirmed yet.
    """

    entry: Entry
    token: str
    shares_micro: int
    cost_micro: int
    fee_micro: int = 0
    order_id: str = ""
    unconfirmed: tuple[Fill, ...] = ()

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
    share_profit_square_ppm: int = 0  # sum of its square; 0.2.0 shows its interval by it
    judged: int = 0  # trades with a probability of ours, decided and not void
    brier_ours_ppm: int = 0
    brier_price_ppm: int = 0
    newest_s: int = 0  # when the newest of them was decided
    quarters: Quarters = Quarters()


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
        newest_s=max(tally.newest_s, trade.decided_s),
        quarters=with_trade(tally.quarters, end_s=trade.entry.end_s, is_won=trade.is_won)
        if trade.result is not Result.VOID
        else tally.quarters,
    )


def merged(one: Tally, other: Tally) -> Tally:
    """Return the tally of the trades of both."""
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in Tally.__struct_fields__
        if name not in {"newest_s", "quarters"}
    }
    newest_s = max(one.newest_s, other.newest_s)
    return Tally(**sums, newest_s=newest_s, quarters=joined(one.quarters, other.quarters))


def tally_of(trades: Iterable[Decided], start: Tally) -> Tally:
    """Return a tally over trades, on top of another."""
    for trade in trades:
        start = added(start, trade)
    return start


def tally_release(tallies: dict[str, Tally], trade: Decided, *, venue: str) -> None:
    """Add a decided trade to the sums of the release that decided to buy.

    Args:
        tallies: By `kind:release`; changed: beyond `RELEASES_KEPT` the one that decided nothing
            for longest is summed up under `OLDER`.
        trade: What was found at the venue counts for no release.
        venue: Kind of the venue.
    """
    if trade.entry.is_adopted:
        return
    key = f"{venue}:{trade.entry.release}"
    tallies[key] = added(tallies.pop(key, Tally()), trade)
    named = [name for name in tallies if not name.endswith(f":{OLDER}")]
    if len(named) > RELEASES_KEPT:
        oldest = min(named, key=lambda name: (tallies[name].newest_s, name))
        older = f"{oldest.partition(':')[0]}:{OLDER}"
        tallies[older] = merged(tallies.get(older, Tally()), tallies.pop(oldest))
