"""Series about the trader: positions, what can be lost, what was earned, guards and locks.

Owns their names and what they say. Every figure of money names the kind of its venue: simulated
money is never added to real. Sums are those of the book, which outlives every process. Must never
enter: what becomes of cycles and deploys.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from foresight.board import MICRO
from foresight.book import Book
from foresight.dashboard.earned import EarnedRow
from foresight.dashboard.engine_series import OTHER, labelled
from foresight.dashboard.money import Money
from foresight.dashboard.view import Locked, View
from foresight.locks import COOLDOWN, MAX_DRAWDOWN, OPERATOR, STOP_GUARD

GUARDS: Final = (OPERATOR, COOLDOWN, STOP_GUARD, MAX_DRAWDOWN)


def trade_series(book: Book, view: View) -> Iterator[Metric]:
    """Yield the series about the trader.

    Args:
        book: What the trader knows.
        view: What the page shows of it.
    """
    if view.money is not None:
        yield from _money(view.money)
    yield from _signals(book)
    yield from _earned(book)
    yield _share(view.earned)
    yield _locks(view.locks)


def _money(money: Money) -> Iterator[Metric]:
    figures: dict[str, tuple[str, float]] = {
        "positions": ("Open positions.", money.positions),
        "stake_at_risk_usdc": ("What they cost: lost if all of them lose.", money.at_risk),
        "orders": ("Orders under way.", money.orders),
        "orders_reserved_usdc": ("What these cost at most.", money.ordered),
        "spent_today_usdc": ("Paid since midnight UTC, fees included.", money.spent),
        "profit_today_usdc": (
            "After fees, of today's decided trades as far back as the book keeps them in full.",
            money.profit,
        ),
    }
    if money.cash is not None:
        figures["cash_usdc"] = ("The account's cash.", money.cash)
    for name, (says, value) in figures.items():
        yield labelled(f"foresight_{name}", says, "venue", {money.venue: value})


def _signals(book: Book) -> Iterator[Metric]:
    says = "Windows in which a strategy spoke."
    yield CounterMetricFamily("foresight_signals", says, value=book.signals)
    family = CounterMetricFamily(
        "foresight_signals_unbought", "Of them without a purchase, by reason.", labels=["reason"]
    )
    for reason, count in book.unbought.items():
        family.add_metric([reason], count)
    yield family


def _earned(book: Book) -> Iterator[Metric]:
    labels = ["venue", "release"]
    trades = GaugeMetricFamily(
        "foresight_trades", "Decided trades that a release wanted.", labels=labels
    )
    profit = GaugeMetricFamily("foresight_profit_usdc", "Of them, after fees.", labels=labels)
    for key, tally in book.tallies.items():
        venue, _, release = key.partition(":")
        trades.add_metric([venue, release], tally.trades)
        earned_micro = tally.payout_micro - tally.cost_micro - tally.fee_micro
        profit.add_metric([venue, release], earned_micro / MICRO)
    yield from (trades, profit)


def _share(rows: Iterable[EarnedRow]) -> Metric:
    family = GaugeMetricFamily(
        "foresight_profit_per_share_usdc",
        "Ends of the 95 % interval of the profit per share, of releases that the page shows; "
        "none where trades are too few to say.",
        labels=["venue", "release", "end"],
    )
    for row in rows:
        if row.is_enough:
            family.add_metric([row.venue, row.release, "low"], row.low)
            family.add_metric([row.venue, row.release, "high"], row.high)
    return family


def _locks(locks: Iterable[Locked]) -> Metric:
    held = Counter(lock.reason if lock.reason in GUARDS else OTHER for lock in locks)
    return labelled(
        "foresight_locks",
        "Slots, assets and boards that buy nothing for now, by who locked them.",
        "reason",
        {reason: held[reason] for reason in (*GUARDS, OTHER)},
    )
