"""Money, what each version earned, locks and events: true, or said to be not known."""

from __future__ import annotations

import re

from msgspec.structs import replace

from foresight.board import MICRO, Result
from foresight.book import AssetMemory, keep_decided
from foresight.dashboard.markup import REGIONS
from foresight.dashboard.money import money_of
from foresight.dashboard.shell import LABELS, shell
from foresight.dashboard.snapshot import Sign, Snapshot
from foresight.trades import OpenOrder
from state.record import Phase, Timeline
from tests.core.dashboard_values import (
    FIRST,
    SECOND,
    START_S,
    book,
    cycle_lines,
    decided,
    entry,
    line,
    position,
    record,
    seen,
)

DAY_S = 86_400
MIDNIGHT_S = START_S - START_S % DAY_S


def test_the_order_on_the_page_is_alive_money_cycles_deploy_versions_slots() -> None:
    """Whoever opens it on a phone sees first whether it lives, then what it holds."""
    html = shell().html.decode()
    order = re.findall(r'data-region="(\w+)"', html)
    assert order == [*LABELS]
    assert set(order) == set(REGIONS)
    wanted = ("version", "money", "strip", "deploy", "earned", "board", "guards", "events")
    assert [name for name in order if name in wanted] == [*wanted]


def test_what_is_open_can_be_lost() -> None:
    """The stake at risk is what all open positions cost, fees included."""
    of = entry().slug
    order = OpenOrder(
        entry=entry(), token=of, limit_micro=900_000, shares_micro=MICRO, reserved_micro=2 * MICRO
    )
    held = {"a": position(fee_micro=MICRO), "b": position()}
    money = money_of(book(positions=held, orders={"e": order}), Timeline())
    assert (money.positions, money.at_risk) == (2, 37.0)
    assert (money.orders, money.ordered) == (1, 2.0)
    assert money.cash is None


def test_today_begins_at_midnight_of_the_market() -> None:
    """Yesterday's trades are no part of it."""
    won = decided(Result.UP)
    trades = [replace(won, decided_s=MIDNIGHT_S - 1), won, decided(Result.DOWN)]
    money = money_of(book(now_s=START_S, decided=trades), Timeline())
    assert money.trades == 2
    assert money.since_ms is None
    assert money.profit == (won.profit_micro + trades[2].profit_micro) / MICRO


def test_a_market_that_is_faster_than_the_clock_has_days_of_its_own() -> None:
    """A day of the demonstration is over in 24 minutes: what it earned is not today's."""
    fast = record(timeline=Timeline(speed=60))
    html = REGIONS["money"](seen(Snapshot(record=fast, book=book(), owner=Sign.RUNS)))
    assert "0 decided this market day" in html
    assert "paid this market day 0.00" in html
    html = REGIONS["money"](seen(Snapshot(record=fast, book=book(), owner=Sign.GONE)))
    assert "on its last market day" in html
    html = REGIONS["money"](seen(Snapshot(record=record(), book=book(), owner=Sign.RUNS)))
    assert "paid today, UTC 0.00" in html


def test_a_day_that_the_book_does_not_hold_whole_is_not_called_one() -> None:
    """300 trades are kept in full; of a busy day they are the last three hours."""
    busy = book(now_s=START_S)
    for number in range(310):
        keep_decided(busy, replace(decided(Result.UP), decided_s=START_S - 400 + number))
    money = money_of(busy, Timeline())
    assert money.trades == 300
    assert money.since_ms == (START_S - 390) * 1000
    html = REGIONS["money"](seen(Snapshot(record=record(), book=busy)))
    assert "300 decided since" in html
    assert "300 decided today" not in html


def test_too_few_trades_say_nothing_about_a_version() -> None:
    """An interval of five trades looks like evidence and is none."""
    known = book()
    for number in range(40):
        release = FIRST if number < 35 else SECOND
        trade = decided(Result.UP, price=0.6)
        trade = replace(trade, decided_s=START_S + number)
        keep_decided(known, replace(trade, entry=replace(trade.entry, release=release)))
    lines = [*cycle_lines(5, 19), *cycle_lines(20, 20, release=SECOND)]
    view = seen(Snapshot(record=record(), book=known, lines=lines))
    newest, older = view.earned
    assert (newest.release, newest.trades, newest.words) == (SECOND, 5, "too few to say")
    assert (older.release, older.trades, older.words) == (FIRST, 35, "above zero")
    assert older.is_owner
    html = REGIONS["earned"](view)
    rows = html.partition("<tbody>")[2].split("</tr>")
    assert "¢" not in rows[0]
    assert "¢" in rows[1]
    assert "decides now" in rows[1]


def test_locks_say_what_and_until_when() -> None:
    """A bot that buys nothing looks broken as long as nobody says why."""
    locked = AssetMemory(locked_since_s=START_S - 60, locked_until_s=START_S + 3600)
    known = book(now_s=START_S, assets={"BTC": locked})
    view = seen(Snapshot(record=record(), book=known))
    assert [(lock.scope, lock.reason) for lock in view.locks] == [("BTC", "stop_guard")]
    assert view.locks[0].until_ms == (START_S + 3600) * 1000
    assert "stop guard, until" in REGIONS["guards"](view)
    assert "Nothing is locked" in REGIONS["guards"](seen(Snapshot(record=record(), book=book())))


def test_events_tell_a_return_from_a_crash_and_a_deploy() -> None:
    """All three are changes of owner; only one of them is good news."""
    owned = {"phase": Phase.SETTLED, "epoch": 2}
    lines = [
        line("seize", 4, seq=1),
        *cycle_lines(5, 10),
        line("seize", 10, seq=100, **owned),
        line("take", 10, seq=101, release=SECOND, at_ms=10.1e5, **owned),
        line("miss", 11, seq=102, release=SECOND, evidence={"reason": "<late>"}, at_ms=11e5),
        line("seize", 11, seq=103, at_ms=12e5, **owned),
        line("release", 11, seq=104, at_ms=13e5, **owned),
    ]
    view = seen(Snapshot(record=record(), lines=lines))
    assert [each.kind for each in view.events] == [
        "released",
        "seized",
        "missed",
        "took",
        "seized",
        "began",
    ]
    texts = [each.text for each in view.events]
    assert "back from" in texts[1]
    assert "its owner was gone" in texts[4]
    assert "nobody owned before" in texts[5]
    assert "&lt;late&gt;" in REGIONS["events"](view)
