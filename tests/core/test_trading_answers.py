"""What venues and feeds answer: read exactly, or refused as unreadable, never guessed."""

from typing import Any

import pytest

from foresight.board import Result, Side
from foresight.errors import AnswerUnreadable
from foresight.feeds.binance import read_candles
from foresight.market import Candles, Detail, Level, Ruling, Stage, VenuePosition
from foresight.orders import Bought, Buy
from foresight.venues.base import NotBought
from foresight.venues.paper import simulate
from foresight.venues.polymarket_answers import (
    LEVELS_KEPT,
    micro_of,
    read_asks,
    read_fills,
    read_holdings,
    read_offer,
    read_ruling,
    read_stages,
    with_book,
)
from tests.core.test_trading_board import POLYMARKET, SCHEDULE
from tests.trading_values import FEE, START_S, WINDOW, offer

SLUG = WINDOW.slug
ORDER = Buy(
    slug=SLUG,
    side=Side.UP,
    token="1",  # noqa: S106 - a market's token, no secret
    price_micro=820_000,
    shares_micro=10_000_000,
    tick_micro=10_000,
    neg_risk=False,
    salt=7,
    timestamp_ms=START_S * 1000,
    fee=FEE,
)


def event(*, meta: Any = None, **market: Any) -> dict[str, Any]:  # noqa: ANN401 - fields by their names
    inner: dict[str, Any] = {
        "outcomes": '["Up", "Down"]',
        "clobTokenIds": '["1", "2"]',
        "outcomePrices": '["0.6", "0.4"]',
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "negRisk": False,
        "feesEnabled": True,
        "feeSchedule": SCHEDULE,
    }
    return {
        "slug": SLUG,
        "description": POLYMARKET,
        "resolutionSource": "https://data.chain.link/streams/btc-usd",
        "eventMetadata": meta,
        "markets": [inner | market],
    }


def test_an_event_gives_rules_token_and_price_to_beat() -> None:
    seen = read_offer(event(meta={"priceToBeat": 97_000.5}), SLUG, Side.DOWN)
    assert (seen.token, seen.reference, seen.is_accepting) == ("2", 97_000.5, True)
    assert seen.rules is not None
    assert seen.rules.fee == FEE
    swapped = event(outcomes='["Down", "Up"]')
    assert read_offer(swapped, SLUG, Side.DOWN).token == "1"  # noqa: S105 - a market's token, no secret
    assert read_offer(event(), SLUG, Side.UP).reference == 0.0


def test_unknown_rules_stay_with_the_offer() -> None:
    seen = read_offer(event(feeSchedule={"new": 1}), SLUG, Side.UP)
    assert seen.rules is None
    assert "fee schedule" in seen.rules_unknown


@pytest.mark.parametrize(
    "closed", [{"closed": True}, {"active": False}, {"acceptingOrders": False}]
)
def test_a_market_that_is_not_open_takes_no_orders(closed: dict[str, Any]) -> None:
    assert read_offer(event(**closed), SLUG, Side.UP).is_accepting is False


@pytest.mark.parametrize(
    "bad",
    [
        {"slug": "another"},
        {"slug": SLUG, "markets": []},
        {"slug": SLUG, "markets": "none"},
        {"slug": SLUG, "markets": ["none"]},
        event(outcomes='["Yes", "No"]'),
        event(outcomes="[broken"),
        event(clobTokenIds='["1"]'),
        event(clobTokenIds=None),
        event(orderMinSize="five"),
        event(orderMinSize=-1),
        event(orderMinSize="nan"),
    ],
)
def test_what_is_no_event_of_the_window_is_unreadable(bad: dict[str, Any]) -> None:
    with pytest.raises(AnswerUnreadable):
        read_offer(bad, SLUG, Side.UP)


@pytest.mark.parametrize(
    ("market", "result"),
    [
        ({"closed": False, "outcomePrices": '["1", "0"]'}, None),
        ({"closed": True, "outcomePrices": '["1", "0"]'}, Result.UP),
        ({"closed": True, "outcomePrices": '["0", "1"]'}, Result.DOWN),
        ({"closed": True, "outcomePrices": ["0", "1"]}, Result.DOWN),
        ({"closed": True, "outcomePrices": '["0.5", "0.5"]'}, None),
        ({"closed": True, "outcomePrices": '["0.7", "0.3"]'}, None),
        (
            {
                "closed": True,
                "outcomePrices": '["0.5", "0.5"]',
                "umaResolutionStatus": "resolved",
            },
            Result.VOID,
        ),
    ],
)
def test_a_window_is_decided_when_the_venue_says_so(
    market: dict[str, Any], result: Result | None
) -> None:
    """Closed for trading is not settled: a middle price is no result."""
    assert read_ruling(event(**market), SLUG) == Ruling(slug=SLUG, result=result)


def test_a_book_is_read_best_price_first() -> None:
    rows = [{"price": "0.9", "size": "7"}, {"price": "0.81", "size": "12.5"}]
    rows += [{"price": "0.82", "size": "0"}]
    assert read_asks({"asks": rows}) == (Level(810_000, 12_500_000), Level(900_000, 7_000_000))
    many = [{"price": f"0.{number:02}", "size": "1"} for number in range(1, 60)]
    assert len(read_asks({"asks": many})) == LEVELS_KEPT
    seen = with_book(offer(), {"asks": rows[:1], "timestamp": str(START_S * 1000)})
    assert (seen.book_s, seen.asks) == (START_S, (Level(900_000, 7_000_000),))
    assert with_book(offer(), {"asks": []}).book_s == 0


@pytest.mark.parametrize(
    "book",
    [
        {},
        {"asks": "[]"},
        {"asks": ["0.81"]},
        {"asks": [None]},
        *({"asks": [{"price": price, "size": "1"}]} for price in ("x", "0", "0.0000001", "1.01")),
    ],
)
def test_what_is_no_book_is_unreadable(book: dict[str, Any]) -> None:
    """A level that is none costs its slot the cycle: a share for nothing divided by zero."""
    with pytest.raises(AnswerUnreadable):
        read_asks(book)


def test_fills_are_added_up_for_one_order_only() -> None:
    rows: list[Any] = [
        {"taker_order_id": "0xa", "size": "5", "price": "0.8"},
        {"taker_order_id": "0xb", "size": "50", "price": "0.8"},
        {"taker_order_id": "0xa", "size": "2", "price": "0.81", "cash": "1.62", "fee": "0.03"},
        "noise",
    ]
    total = read_fills(rows, "0xa", FEE)
    assert (total.shares_micro, total.cost_micro) == (7_000_000, 5_620_000)
    assert total.fee_micro == 56_000 + 30_000
    assert read_fills([], "0xa", FEE).shares_micro == 0


def test_trades_that_may_still_fail_are_named_with_what_they_bought() -> None:
    """A failure takes back what it bought, to the millionth: it is kept as it was booked."""
    row = {"id": "t1", "taker_order_id": "0xa", "size": "5", "price": "0.8", "status": "MATCHED"}
    rows = [row, row | {"id": "t2", "status": "CONFIRMED"}, row | {"id": "t3", "status": "ODD"}]
    bought = read_fills([*rows, row | {"id": "t4", "taker_order_id": "0xb"}], "0xa", FEE)
    assert [fill.trade for fill in bought.unconfirmed] == ["t1", "t3"]
    first = bought.unconfirmed[0]
    assert (first.shares_micro, first.cost_micro, first.fee_micro) == (5_000_000, 4_000_000, 56_000)
    assert bought.shares_micro == 15_000_000
    silent = {name: value for name, value in row.items() if name != "status"}
    assert read_fills([silent], "0xa", FEE).unconfirmed == ()


def test_stages_are_read_in_both_spellings_and_unknown_words_say_nothing() -> None:
    """A word that is not known must neither take shares back nor end the waiting."""
    words = {"t1": "MATCHED", "t2": "TRADE_STATUS_FAILED", "t3": "mined", "t4": "LOST", "t5": ""}
    rows: list[Any] = [{"id": trade, "status": word} for trade, word in words.items()]
    rows += ["noise", {"status": "FAILED"}, {"id": "t9", "status": "FAILED"}]
    assert read_stages(rows, set(words)) == {
        "t1": Stage.MATCHED,
        "t2": Stage.FAILED,
        "t3": Stage.MINED,
    }


def test_positions_are_told_from_strangers() -> None:
    rows = [
        {"asset": "1", "slug": SLUG, "outcome": "Up", "size": 10.5, "avgPrice": 0.81},
        {"asset": "9", "slug": "who-wins", "outcome": "Yes", "size": 1, "avgPrice": 0.5},
        {"asset": "8", "slug": "who-wins", "outcome": "No", "size": 1, "avgPrice": 0.5},
    ]
    holdings = read_holdings(rows)
    assert holdings.positions == (
        VenuePosition(
            token="1",  # noqa: S106 - a market's token, no secret
            slug=SLUG,
            side=Side.UP,
            shares_micro=10_500_000,
            price_micro=810_000,
        ),
    )
    assert holdings.foreign == ("who-wins",)


@pytest.mark.parametrize("row", [{}, "row", {"asset": "1", "slug": SLUG, "outcome": "Up"}])
def test_what_is_no_position_is_unreadable(row: object) -> None:
    with pytest.raises(AnswerUnreadable):
        read_holdings([row])


def test_numbers_come_as_texts_and_as_numbers() -> None:
    assert micro_of("0.000001", "x") == 1
    assert micro_of(12.34, "x") == 12_340_000
    with pytest.raises(AnswerUnreadable, match="size 'None' is no number"):
        micro_of(None, "size")


def test_candles_are_read_in_order_and_within_what_was_asked() -> None:
    rows = [[minute * 60_000, "2", "20", "1", f"{minute}.5", "9"] for minute in (9, 10, 11, 11, 12)]
    rest = Detail(open=2.0, high=20.0, low=1.0, volume=9.0)
    known = Candles(minutes=(10, 11), prices=(10.5, 11.5), details=(rest, rest))
    assert read_candles(rows, first=10, end_minute=12) == known
    assert read_candles([], first=10, end_minute=12) == Candles()


@pytest.mark.parametrize(
    "rows",
    [
        "[[17638",
        None,
        [[1]],
        ["row"],
        [[60_001, 1, 1, 1, 1]],
        [[60_000, 1, 1, 1, None]],
        [[60_000, 1, 1, 1, 0]],
        [[60_000, 1, 1, 1, float("nan")]],
        [[None, 1, 1, 1, 1]],
    ],
)
def test_what_is_no_candle_is_unreadable(rows: object) -> None:
    """ccxt hands a broken body on as text."""
    with pytest.raises(AnswerUnreadable):
        read_candles(rows, first=0, end_minute=10)


@pytest.mark.parametrize(
    "bad",
    [
        [600_000, "2", "20", "1", "NaN", "9"],
        [600_000, "2", "20", "1", "inf", "9"],
        [600_000, "NaN", "20", "1", "10", "9"],
        [600_000, "2", "9", "1", "10", "9"],  # its high is below its close
        [600_000, "2", "20", "3", "10", "9"],  # its low is above its open
        [600_000, "2", "20", "0", "10", "9"],
        [600_000, "2", "20", "1", "10", "-1"],
        [600_000, "2", "20", "1"],
        None,
    ],
)
def test_one_bad_candle_costs_that_candle(bad: object) -> None:
    """A price that is no number must blind an asset for a minute, not for good."""
    sound = [[minute * 60_000, "2", "20", "1", "10", "9"] for minute in (9, 11)]
    found = read_candles([sound[0], bad, sound[1]], first=0, end_minute=20)
    assert found.minutes == (9, 11)
    with pytest.raises(AnswerUnreadable):
        read_candles([bad], first=0, end_minute=20)


def test_paper_fills_walk_the_real_book_to_the_limit() -> None:
    seen = offer(asks=(Level(800_000, 4_000_000), Level(820_000, 3_000_000), Level(830_000, 10**9)))
    answer = simulate(ORDER, seen)
    assert isinstance(answer, Bought)
    assert (answer.shares_micro, answer.cost_micro) == (7_000_000, 5_660_000)
    assert answer.fee_micro == 44_800 + 31_000
    assert answer == simulate(ORDER, seen)
    whole = simulate(ORDER, offer(asks=(Level(800_000, 4_000_000), Level(810_000, 10**9))))
    assert isinstance(whole, Bought)
    assert whole.cost_micro == 8_200_000  # what was signed is spent: 4 x 0.80, the rest at 0.81
    assert whole.shares_micro == 4_000_000 + 5_000_000 * 100 // 81


@pytest.mark.parametrize("asks", [(), (Level(830_000, 10**9),)])
def test_paper_buys_nothing_above_the_limit(asks: tuple[Level, ...]) -> None:
    assert simulate(ORDER, offer(asks=asks)) == NotBought("not_fillable")
