"""How much of a cycle's market was seen: what a bake and its control group compare."""

from __future__ import annotations

import msgspec

from foresight.board import Side
from foresight.market import SCHEMA, Candles, Holdings, Market, Offer, Ruling, health_of
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


def test_a_stream_that_is_wrong_counts_beside_the_answer_that_took_its_place() -> None:
    """A release that has no stream any more sees as much as before, and more slowly."""
    well = Market(candles={"BTC": Candles(), "ETH": Candles()})
    assert health_of(well) == Health(asked=2, answered=2)
    stale = Market(candles={"BTC": Candles(), "ETH": Candles(stream="ETH: its stream is silent")})
    assert health_of(stale) == Health(asked=3, answered=2)


def test_an_older_release_reads_inputs_without_the_word_of_a_stream() -> None:
    """It refuses members that it does not know."""
    stale = Market(candles={"ETH": Candles(minutes=(1,), prices=(2.0,), stream="silent")})
    older = SCHEMA.down[2](msgspec.to_builtins(stale))
    assert older["candles"] == {"ETH": {"minutes": (1,), "prices": (2.0,)}}
