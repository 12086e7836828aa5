"""Answers of any shape: each is read, or unreadable, and never ends the cycle it came in.

A venue's answer is taken apart before anything is decided. What raises there is no slot's trouble
any more, it is the whole board's.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from foresight.board import Side
from foresight.errors import AnswerUnreadable
from foresight.feeds.binance import read_candles
from foresight.venues import polymarket_answers as answers
from tests.core.test_trading_answers import SLUG, event
from tests.trading_values import FEE, START_S, offer

ODD: Final[tuple[object, ...]] = (
    *(None, True, "", "x", "null", "[1]", "1e400", "-5", "9" * 400),
    *(-1, 0, 1e30, float("nan"), float("inf")),
    *([], {}, [[]], ["x"], {"a": 1}),
)
EVENT: Final = event(feeSchedule={"rate": 0.07, "exponent": 1}) | {
    "eventMetadata": {"priceToBeat": 100.0}
}
BOOK: Final = {
    "asks": [{"price": "0.9", "size": "7"}, {"price": "0.81", "size": "12"}],
    "timestamp": str(START_S * 1000),
    "tick_size": "0.01",
}
TRADE: Final = {
    "id": "t",
    "taker_order_id": "0xa",
    "size": "4",
    "price": "0.82",
    "status": "MATCHED",
    "cash": "3.28",
    "fee": "0.1",
}
POSITION: Final = {
    "asset": "t",
    "slug": SLUG,
    "outcome": "Up",
    "size": "4",
    "avgPrice": "0.5",
    "initialValue": "2",
    "fees": "0.1",
    "redeemable": True,
    "curPrice": "1",
}
CANDLE: Final = [START_S * 1000, "1", "2", "0.5", "1.5", "9", 0, "1", 1, "1", "1", "0"]


def read_trades(rows: Any) -> object:  # noqa: ANN401 - any shape
    bought = answers.read_fills(rows, "0xa", FEE)
    return bought, answers.read_failed(rows, "0xa"), answers.read_stages(rows, {"t"})


READERS: Final[dict[str, tuple[Any, Callable[[Any], object]]]] = {
    "event": (EVENT, lambda said: answers.read_offer(said, SLUG, Side.UP)),
    "ruling": (EVENT, lambda said: answers.read_ruling(said, SLUG)),
    "book": (BOOK, lambda said: answers.with_book(offer(), said)),
    "trades": ([TRADE], read_trades),
    "positions": ([POSITION], answers.read_holdings),
    "balance": ({"balance": "123"}, answers.read_cash),
    "candles": ([CANDLE], lambda said: read_candles(said, first=0, end_minute=10**9)),
}


def places(answer: object, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside of an answer."""
    inside = answer.items() if isinstance(answer, dict) else ()
    if isinstance(answer, list):
        inside = enumerate(answer)  # type: ignore[assignment] # pairs as well
    for name, value in inside:
        yield (*above, name)
        yield from places(value, (*above, name))


def changed(answer: Any, place: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401 - JSON
    whole = inner = copy.deepcopy(answer)
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return whole


@pytest.mark.parametrize("name", READERS)
def test_an_answer_of_any_shape_is_read_or_unreadable(name: str) -> None:
    """Every value of each answer is made odd in its turn: nothing else is raised for it."""
    answer, read = READERS[name]
    assert read(answer) is not None
    unreadable = 0
    for place in places(answer):
        for odd in ODD:
            try:
                read(changed(answer, place, odd))
            except AnswerUnreadable:
                unreadable += 1
    assert unreadable, "most of them mean nothing"
