"""Strategies see what a share costs, how many are for sale, and what was traded."""

from typing import Any

import msgspec
import pytest
from typing_extensions import override

from foresight.board import Side
from foresight.book import Book, Word
from foresight.closes import DETAILS_KEPT
from foresight.decision import Policy, decide, wanted
from foresight.market import Candles, Detail, Level, Market, Offer
from foresight.strategies import Opinion, Silence, Strategy, WindowView
from tests.trading_values import (
    SLOT,
    START_S,
    Sure,
    closes,
    cycle_at,
    offer,
    policy,
    seen,
)

NOW_S = START_S + 180
WANTED_MICRO = 50_000_000


class Thrifty(Strategy, frozen=True, kw_only=True):
    """Wants one side where it is cheap and enough of it is for sale."""

    cents: int = 75

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        if view.side_asked is None:
            return self.opinion(Side.UP, 0.9)
        limit = self.cents * 10_000
        if view.ask_micro is None or view.ask_micro > limit:
            return Silence(f"dear at {view.ask_micro}")
        if view.depth_micro(limit) < WANTED_MICRO:
            return Silence(f"thin: {view.depth_micro(limit)}")
        return self.opinion(Side.UP, 0.9)


class Fickle(Strategy, frozen=True, kw_only=True):
    """Wants the side whose book it does not see."""

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        return self.opinion(Side.DOWN if view.side_asked is Side.UP else Side.UP, 0.9)


class Counting(Strategy, frozen=True, kw_only=True):
    """Says what was traded."""

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        return Silence(f"{len(view.volumes)} volumes, the newest {view.volumes[-1:]}")


def said(by: Policy, inputs: Market) -> tuple[Word, str, int]:
    """Return what became of the only slot, why, and how many orders came of it."""
    arguments: dict[str, Any] = {"cycle": cycle_at(NOW_S), "body": Book(), "receipts": ()}
    decision = decide(by, inputs=inputs, **arguments)
    memory = decision.body.slots[SLOT.slot_id]
    return memory.word, memory.reason, len(decision.effects)


def with_asks(*asks: tuple[int, int], **changes: Any) -> Market:  # noqa: ANN401 - fields by their names
    levels = tuple(Level(price, size) for price, size in asks)
    return seen(NOW_S, offers={SLOT.slot_id: offer(asks=levels, **changes)})


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        ([(700_000, 90_000_000)], (Word.ORDERED, "", 1)),
        ([(800_000, 90_000_000)], (Word.QUIET, "dear at 800000", 0)),
        ([(700_000, 9_000_000), (760_000, 90_000_000)], (Word.QUIET, "thin: 9000000", 0)),
        ([(700_000, 9_000_000), (750_000, 41_000_000)], (Word.ORDERED, "", 1)),
        ([], (Word.QUIET, "dear at None", 0)),
    ],
)
def test_a_strategy_judges_by_price_and_depth(
    asks: list[tuple[int, int]], expected: tuple[Word, str, int]
) -> None:
    """Both are in a cycle's inputs, so a replay and a candidate see the same."""
    assert said(policy(Thrifty()), with_asks(*asks)) == expected


def test_its_book_is_read_because_it_speaks_without_one() -> None:
    """Books are asked for where something may be bought, and nowhere else."""
    inputs = seen(NOW_S, offers={})
    asked = wanted(policy(Thrifty()), book=Book(), inputs=inputs, cycle=cycle_at(NOW_S))
    assert [each.side for each in asked.values()] == [Side.UP]


@pytest.mark.parametrize(
    "unread",
    [
        offer(failure="VenueThrottled: 429"),
        offer(is_accepting=False),
        offer(slug="btc-updown-5m-0"),
    ],
)
def test_a_book_that_was_not_read_is_not_an_empty_one(unread: Offer) -> None:
    """Otherwise an outage would look like a market in which nobody sells."""
    word, reason, orders = said(policy(Thrifty()), seen(NOW_S, offers={SLOT.slot_id: unread}))
    assert (word, orders) == (Word.DENIED, 0)
    assert reason.startswith("market_")


def test_a_side_whose_book_was_not_read_is_not_bought() -> None:
    """There is no price for it: what a strategy turns to waits for the next cycle."""
    assert said(policy(Fickle()), with_asks((700_000, 90_000_000))) == (
        Word.DENIED,
        "market_unread",
        0,
    )


@pytest.mark.parametrize("side", Side)
def test_a_strategy_that_looks_at_no_book_decides_as_ever(side: Side) -> None:
    """Strategies of projects go on unchanged."""
    inputs = with_asks((700_000, 90_000_000), side=side)
    assert said(policy(Sure(side=side)), inputs) == (Word.ORDERED, "", 1)


@pytest.mark.parametrize(("known", "expected"), [(True, DETAILS_KEPT), (False, 0)])
def test_volumes_are_those_of_the_newest_closes(known: bool, expected: int) -> None:  # noqa: FBT001 - a table
    """After a release that kept closes alone there are none, which is said and not made up."""
    candles = closes(NOW_S // 60 - 1)
    rest = tuple(
        Detail(open=price, high=price, low=price, volume=float(at))
        for at, price in enumerate(candles.prices)
    )
    inputs = msgspec.structs.replace(
        seen(NOW_S),
        candles={
            "BTC": Candles(
                minutes=candles.minutes, prices=candles.prices, details=rest if known else ()
            )
        },
    )
    newest = (59.0,) if known else ()
    _, reason, _ = said(policy(Counting()), inputs)
    assert reason == f"{expected} volumes, the newest {newest}"
