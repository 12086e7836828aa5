"""Small values of the trader for tests: a window, its market, a book with something in it."""

from typing import Any

import msgspec
from typing_extensions import override

from foresight.board import (
    FeeSchedule,
    Method,
    Result,
    Rules,
    Side,
    Slot,
    Tie,
    Window,
    window_at,
)
from foresight.book import Book, spend
from foresight.closes import Closes
from foresight.config import Risk
from foresight.decision import Policy
from foresight.market import Candles, FeedClock, Level, Market, Offer, WindowFacts
from foresight.strategies import Strategy
from foresight.strategies.stand_aside import StandAside
from foresight.trades import Decided, Entry, OpenOrder, Position
from handoff.workload import Cycle
from state.record import Control, Timeline

START_S = 1_763_827_200  # a multiple of 900
SLOT = Slot("BTC", "5m")
WINDOW = Window(SLOT, START_S)
FEE = FeeSchedule(rate_ppm=70_000, exponent=1)
RULES = Rules(
    tick_micro=10_000,
    size_min_micro=5_000_000,
    fee=FEE,
    tie=Tie.UP,
    method=Method.LAST_PRICE,
    source="local exchange",
)
RISK = Risk(edge_min_cents=0.0, edge_max_cents=100.0)


def entry(window: Window = WINDOW, **changes: Any) -> Entry:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "effect_id": f"app:{window.slug}:1",
        "slot": window.slot.slot_id,
        "slug": window.slug,
        "end_s": window.end_s,
        "side": Side.UP,
        "probability_ppm": 900_000,
        "release": "r1",
        "config": "c1",
        "epoch": 3,
        "cycle": 1,
    }
    return Entry(**(values | changes))


def open_order(window: Window = WINDOW, **changes: Any) -> OpenOrder:  # noqa: ANN401 - fields by their names
    return OpenOrder(
        entry=entry(window, **changes),
        token=f"token-{window.slug}",
        limit_micro=850_000,
        shares_micro=10_000_000,
        reserved_micro=9_000_000,
        fee=FEE,
    )


def position(window: Window = WINDOW, *, cost_micro: int = 8_000_000, **changes: Any) -> Position:  # noqa: ANN401 - fields by their names
    return Position(
        entry=entry(window, **changes),
        token=f"token-{window.slug}",
        shares_micro=10_000_000,
        cost_micro=cost_micro,
        fee_micro=100_000,
    )


def holding(book: Book, *positions: Position) -> Book:
    """Put positions into a book and count what they cost."""
    for one in positions:
        book.positions[one.token] = one
        spend(book, one.stake_micro)
    return book


def decided(*, result: Result = Result.UP, decided_s: int = START_S, **changes: Any) -> Decided:  # noqa: ANN401 - fields by their names
    one = entry(**changes)
    won = result.value == one.side.value
    payout = 5_000_000 if result is Result.VOID else 10_000_000 * won
    return Decided(
        entry=one,
        shares_micro=10_000_000,
        cost_micro=8_000_000,
        fee_micro=100_000,
        payout_micro=payout,
        result=result,
        decided_s=decided_s,
    )


def closes(
    newest_minute: int, *, count: int = 60, price: float = 100.0, last: float | None = None
) -> Closes:
    """Return closes that swing by two basis points, ending where told."""
    minutes = tuple(range(newest_minute - count + 1, newest_minute + 1))
    prices = [price * (1.0002 if minute % 2 else 1.0) for minute in minutes]
    if last is not None:
        prices[-1] = last
    return Closes(minutes=minutes, prices=tuple(prices))


def offer(window: Window = WINDOW, **changes: Any) -> Offer:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "slug": window.slug,
        "side": Side.UP,
        "token": f"token-{window.slug}",
        "asks": (Level(800_000, 100_000_000), Level(810_000, 100_000_000)),
        "rules": RULES,
        "is_accepting": True,
        "reference": 100.0,
        "book_s": START_S + 180,
    }
    return Offer(**(values | changes))


def facts(window: Window = WINDOW, **changes: Any) -> WindowFacts:  # noqa: ANN401 - fields by their names
    """Return what a market says of its window; both sides have the same token here."""
    values: dict[str, Any] = {
        "start_s": window.start_s,
        "rules": RULES,
        "reference": 100.0,
        "up_token": f"token-{window.slug}",
        "down_token": f"token-{window.slug}",
    }
    return WindowFacts(**(values | changes))


class Sure(Strategy, frozen=True, kw_only=True):
    """A strategy that always wants the same side."""

    side: Side = Side.UP
    probability: float = 0.9

    @override
    def judge(self, view: Any) -> Any:
        del view
        return self.opinion(self.side, self.probability)


def policy(strategy: Strategy | None = None, *, risk: Risk = RISK) -> Policy:
    return Policy(
        app="app",
        config="c1",
        venue="local",
        timeline=Timeline(origin_ns=0, speed=1),
        slots=(SLOT,),
        strategies={"5m": strategy or Sure(), "15m": StandAside()},
        risk=risk,
    )


def cycle_at(now_s: int, *, control: Control | None = None) -> Cycle:
    return Cycle(
        number=now_s // 60,
        now_ns=now_s * 1_000_000_000,
        seed=42,
        control=control or Control(),
        epoch=3,
        release="r1",
    )


def seen(
    now_s: int,
    *,
    known: Closes | None = None,
    offers: dict[str, Offer] | None = None,
    **more: Any,  # noqa: ANN401 - fields by their names
) -> Market:
    """Return inputs: an hour of candles up to now, and facts and an offer for the only slot."""
    known = known or closes(now_s // 60 - 1)
    members: dict[str, Any] = {
        "candles": {"BTC": Candles(minutes=known.minutes, prices=known.prices)},
        "offers": {SLOT.slot_id: offer(book_s=now_s)} if offers is None else offers,
        "facts": {SLOT.slot_id: facts(window_at(SLOT, now_s))},
        "clock": FeedClock(now_ms=now_s * 1000),
        "seen_s": now_s,
    }
    return Market(**(members | more))


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    return msgspec.to_builtins(value)
