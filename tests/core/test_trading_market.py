"""How much of a cycle's market was seen: what a bake and its control group compare."""

from __future__ import annotations

from foresight.board import Side
from foresight.market import Candles, Holdings, Market, Offer, Ruling, health_of
from state.journal_frames import Health

DOWN = "VenueUnreachable: no answer"


def test_each_question_counts_once_whatever_it_was_about() -> None:
    seen = Market(
        candles={"BTC": Candles(), "ETH": Candles(failure=DOWN)},
        offers={"btc-5m": Offer(slug="a", side=Side.UP), "eth-5m": Offer(slug="b", side=Side.UP)},
        rulings=(Ruling(slug="c"), Ruling(slug="d", failure=DOWN)),
        holdings=Holdings(failure=DOWN),
    )
    assert health_of(seen) == Health(asked=7, answered=4)


def test_what_was_not_asked_is_not_counted() -> None:
    """A quiet cycle, in which nothing is due, is a healthy one."""
    assert health_of(Market()) == Health(asked=0, answered=0)


def test_no_news_is_an_answer() -> None:
    """A feed that has no newer candle did answer; so did a venue that has not ruled yet."""
    quiet = Market(candles={"BTC": Candles()}, rulings=(Ruling(slug="c"),), holdings=Holdings())
    assert health_of(quiet) == Health(asked=3, answered=3)
