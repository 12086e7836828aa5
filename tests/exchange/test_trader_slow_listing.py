"""A listing of trades that is not read to its end: what it said by then counts."""

from msgspec.structs import replace

from foresight import confirmation
from foresight.book import Book
from foresight.market import Market, Stage
from foresight.trades import Fill
from handoff.virtual_time import run_virtual
from tests.core.test_trading_orders import NOW_S
from tests.exchange.test_trader_alone import World
from tests.trading_values import cycle_at, holding, position


def fill(trade: str) -> Fill:
    return Fill(trade=trade, shares_micro=1_000_000, cost_micro=800_000, fee_micro=10_000)


def test_states_of_trades_hold_where_the_listing_was_not_read_to_its_end() -> None:
    """A slow venue would tell nothing for ever, and money that came back would count as spent."""
    world = World()
    world.seconds["another page"] = 3.0
    world.answers["trades"] = [{"t1": Stage.FAILED}, {"x": Stage.FAILED}, {"t2": Stage.CONFIRMED}]
    book = holding(Book(), replace(position(), unconfirmed=(fill("t1"), fill("t2"))))
    found = run_virtual(world.trader().observe(cycle_at(NOW_S), book))
    assert isinstance(found, Market)
    assert found.trades is not None
    assert found.trades.stages == {"t1": Stage.FAILED}
    assert found.trades.failure.startswith("VenueUnreachable: not read to its end within 5 s")
    confirmation.take_states(book, found.trades)
    (left,) = book.positions.values()
    assert left.unconfirmed == (fill("t2"),)
    assert left.shares_micro == position().shares_micro - fill("t1").shares_micro
    assert {one.kind for one in book.anomalies} == {"trades_unread", confirmation.FAILED}
