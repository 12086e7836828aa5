"""What a series of orders adds up to: both ledgers, the cash, the faults that hit.

Owns the verdict. Cycles, deploys and orders are counted as the trading series counts them; how
soon an outcome is proven is not judged: this exchange keeps silent on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench import trading_report
from foresight.board import MICRO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.deployed import Deployed
    from bench.trading_home import TradingHome
    from bench.trading_report import End

START_MICRO: Final = 1_000_000 * MICRO
"""What the exchange of an installation gives an account to begin with."""

NOT_JUDGED: Final = ("outcomes proven", "deploys")
SEVERAL_SHARE_MIN: Final = 0.1  # of the executed orders: filled over more than one level


def make(
    home: TradingHome,
    done: Sequence[Deployed],
    end: End,
    *,
    hits: Mapping[str, int],
    wanted: tuple[int, int],
    seed: int,
) -> dict[str, Any]:
    """Return the whole report; `passed` is its verdict.

    Args:
        home: Where the series ran; its watch has seen every position.
        done: Its deploys.
        end: What was read when it had ended.
        hits: How often each fault of the exchange has hit.
        wanted: So many orders, and so many hits of each fault.
        seed: What it was drawn from.
    """
    report = trading_report.make(home, done, end, seed=seed, faults=True)
    orders, times = wanted
    levels = levels_of(end.ledger)
    money = money_of(home, end.ledger)
    report["holds"] = {
        name: holds for name, holds in report["holds"].items() if name not in NOT_JUDGED
    } | {
        "orders sent": report["orders"]["distinct"] >= orders,
        "every fault": min(hits.values()) >= times,
        "several levels": levels["several"] >= SEVERAL_SHARE_MIN * report["orders"]["executed"],
        "cash": money["account"] == money["book"] == money["start"] + money["profit"],
        "owners killed": any(each["whom"] == "owner" for one in done for each in one.struck),
    }
    report["passed"] = all(report["holds"].values())
    return report | {"exchange_faults": dict(hits), "levels": levels, "money_micro": money}


def levels_of(ledger: Mapping[str, Any]) -> dict[str, int]:
    """Return how the executed orders were filled."""
    fills = [order["fills"] for order in ledger["orders"] if order["fills"]]
    return {
        "fills": sum(map(len, fills)),
        "several": sum(len(each) > 1 for each in fills),
        "most": max(map(len, fills), default=0),
        "failed": sum(len(order["failed"]) for order in ledger["orders"]),
    }


def money_of(home: TradingHome, ledger: Mapping[str, Any]) -> dict[str, int]:
    """Return the cash of both sides and what the decided trades came to, micro-USDC."""
    sight = home.watch.sight
    assert sight is not None, "it was started"
    (account,) = ledger["accounts"].values()
    cash = sight.book.cash
    return {
        "start": START_MICRO,
        "account": round(float(account["balance"]) * MICRO),
        "book": cash.held_micro if cash is not None else 0,
        "profit": sum(trade.profit_micro for trade in home.watch.decided.values()),
    }


def as_text(report: dict[str, Any]) -> str:
    """Return the report for a reader."""
    levels, money = report["levels"], report["money_micro"]
    *rows, verdict = trading_report.as_text(report).splitlines()
    rows += [
        f"fills      {levels['fills']}, orders over several levels {levels['several']}",
        f"  most of one order {levels['most']}, failed {levels['failed']}",
        f"cash       account {money['account']}, book {money['book']} micro-USDC",
        f"  begun with {money['start']}, decided trades {money['profit']:+d}",
        "faults of the exchange, each as often as it hit",
        *(f"  {name:<20} {times}" for name, times in sorted(report["exchange_faults"].items())),
    ]
    return "\n".join([*rows, verdict])
