"""``python -m bench.shipped``: what the shipped configuration comes to where prices are fair.

The trader of `foresight.toml` over the whole second half of the recordings, as `foresight backtest`
runs it, with the exchange's own table of prices. A share is worth its fair price when the order
meets the book; what is paid above that, and the fee, is all that a trader without skill can lose.
Owns what each purchase was worth, the means over trades and the verdict. Must never enter: how
trades come about.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from typing_extensions import override

from bench.fairness.__main__ import RECORDINGS
from foresight.backtest import trading
from foresight.backtest.market import RecordedMarket
from foresight.backtest.prepared import Terms, prepare_ground, trial_of
from foresight.board import Side
from foresight.config import load
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.table_files import load_table
from foresight.exchange.market.windows import parse_slug
from foresight.exchange.prices.recordings import load_recordings
from foresight.orders import Bought

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from foresight.backtest.results import Trade
    from foresight.exchange.market.calibration import Table
    from foresight.exchange.prices.tape import Tape
    from foresight.orders import Buy
    from foresight.venues.base import NotBought

TREE: Final = Path(__file__).parents[1]
WITHIN: Final = 0.01
"""How far the expectation may lie from what markup and fee cost, USDC a share."""


class Found(NamedTuple):
    """Means over trades, USDC a share; trades that end in one quarter hour are one draw.

    Attributes:
        trades: How many were decided.
        expectation: What a share earned.
        markup: What was paid above the fair price.
        fee: Fee.
        error: Standard error of what a share earned beside what it was to cost.
    """

    trades: int
    expectation: float
    markup: float
    fee: float
    error: float

    @property
    def is_honest(self) -> bool:
        """Whether it lost, and as much as it was to lose."""
        return self.expectation < 0 and abs(self.expectation + self.markup + self.fee) <= WITHIN


class WatchedMarket(RecordedMarket):
    """The market of a backtest that also notes what each purchase was worth."""

    def __init__(self, tape: Tape, *, rule: Rule, table: Table, until_minute: int) -> None:
        """Put the market together, as the backtest does."""
        super().__init__(tape, rule=rule, table=table, until_minute=until_minute)
        self._fair = FairMarket(tape, seed=1, rule=rule, table=table)
        self.worth: dict[str, float] = {}  # by slug: of the side that was bought, when it was

    @override
    def bought(self, order: Buy, at_ns: int) -> Bought | NotBought:
        answer = super().bought(order, at_ns)
        window = parse_slug(order.slug)
        if isinstance(answer, Bought) and window is not None:
            chance_up = self._fair.probability_up(window, at_ns)
            self.worth[order.slug] = chance_up if order.side is Side.UP else 1.0 - chance_up
        return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each rule; 0 if the shipped configuration loses what it pays for."""
    parser = argparse.ArgumentParser(prog="python -m bench.shipped", description=__doc__)
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="recorded candles")
    options = parser.parse_args(arguments)
    if not options.recordings.is_dir():
        print(f"recorded candles are absent: no folder {options.recordings}; nothing is judged")
        return 2
    with ProcessPoolExecutor(len(Rule)) as pool:
        runs = {rule: pool.submit(judged, options.recordings, rule) for rule in Rule}
        found = {rule: run.result() for rule, run in runs.items()}
    for rule, one in found.items():
        print(
            f"{rule.value:8} {one.trades} trades: {100 * one.expectation:+.2f} c a share, markup"
            f" {100 * one.markup:.2f} c and fee {100 * one.fee:.2f} c, difference"
            f" {100 * (one.expectation + one.markup + one.fee):+.2f} +- {100 * one.error:.2f} c"
            f"  {'honest' if one.is_honest else 'NOT HONEST'}"
        )
    return 0 if all(one.is_honest for one in found.values()) else 1


def judged(folder: Path, rule: Rule) -> Found:
    """Return what the shipped configuration came to by a rule."""
    config = load(str(TREE / "foresight.toml"), {})
    terms = Terms(rule=rule, table=load_table("recorded"))
    ground = prepare_ground(load_recordings(folder), terms, period_s=config.engine.period_s)
    market = WatchedMarket(
        ground.tape, rule=rule, table=ground.table, until_minute=ground.judged.end
    )
    trial = trial_of(config, TREE, ground, name="shipped")._replace(market=market)
    return found_in(trading.run(trial).trades, market.worth)


def found_in(trades: Sequence[Trade], worth: Mapping[str, float]) -> Found:
    """Return the means over trades.

    Args:
        trades: Of a backtest, at least one.
        worth: By slug, the fair price of the side that was bought.
    """
    count = len(trades)
    markups = [each.price - worth[each.slug] for each in trades]
    luck: dict[int, list[float]] = {}
    for each, markup in zip(trades, markups, strict=True):
        luck.setdefault(each.end_s // 900, []).append(each.share_profit + markup + each.fee)
    mean = sum(map(sum, luck.values())) / count
    spread = sum((sum(one) - len(one) * mean) ** 2 for one in luck.values())
    return Found(
        count,
        _mean(each.share_profit for each in trades),
        sum(markups) / count,
        _mean(each.fee for each in trades),
        sqrt(spread) / count,
    )


def _mean(numbers: Iterable[float]) -> float:
    known = list(numbers)
    return sum(known) / len(known)


if __name__ == "__main__":
    sys.exit(main())
