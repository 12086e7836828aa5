"""What a trader's orders would have earned, against what the exchange says of their windows."""

from decimal import ROUND_HALF_UP, Decimal

import msgspec
import pytest

from foresight.book import Book
from foresight.exchange.market.windows import parse_slug
from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.market import Market
from foresight.orders import Buy
from handoff.cadence import Schedule
from handoff.workload import Appraisal, Cycle, TwiceDecided, Unavailable, payload_of
from tests.exchange.served import Running
from tests.exchange.traded import Driven, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

CYCLES = 43  # the last windows have orders and have not ended


def twice(world: Driven, slugs: set[str], *, rulings: bool) -> list[TwiceDecided[Market]]:
    """Return the cycles that were driven, as if a release wanted none of these orders."""
    schedule = Schedule(world.trader.cadence, world.timeline)
    first = world.cycle - len(world.inputs)
    return [
        TwiceDecided(
            cycle=Cycle(number=number, now_ns=schedule.app_boundary_ns(number), seed=0),
            inputs=inputs if rulings else unruled(inputs),
            decided=[
                each
                for each in world.planned
                if each.effect_id.endswith(f":{number}") and payload_of(each, Buy).slug in slugs
            ],
            wanted=(),
        )
        for number, inputs in enumerate(world.inputs, start=first)
    ]


def unruled(inputs: Market | Unavailable) -> Market | Unavailable:
    return msgspec.structs.replace(inputs, rulings=()) if isinstance(inputs, Market) else inputs


def is_told_by_the_feed(world: Driven, slug: str) -> bool:
    """Tell whether the feed has a candle for both ends of a window: quiet minutes have none."""
    window = parse_slug(slug)
    assert window is not None
    known = {
        minute
        for one in world.inputs
        if isinstance(one, Market) and window.asset in one.candles
        for minute in one.candles[window.asset].minutes
    }
    ends = {instant // NS_PER_MINUTE - 1 for instant in (window.start_ns, window.end_ns)}
    return ends <= known


def end_ns(slug: str) -> int:
    window = parse_slug(slug)
    assert window is not None
    return window.end_ns


def profit(order: Buy, result: str) -> Decimal:
    """Return what an order earns at its limit: the fee is 7 % of p (1 - p), to five decimals."""
    shares, price = Decimal(order.shares_micro) / 10**6, Decimal(order.price_micro) / 10**6
    fee = shares * Decimal("0.07") * price * (1 - price)
    fee = fee.quantize(Decimal("0.00001"), rounding=ROUND_HALF_UP)
    payout = {order.side.value: shares, "void": shares / 2}.get(result.lower(), Decimal(0))
    return payout - shares * price - fee


async def test_without_its_orders_a_trader_would_have_missed_what_they_earned(
    running: Running,
) -> None:
    """The feed's closes tell of each window what the exchange says of it."""
    async with driven(running) as world:
        await world.run(CYCLES)
        settlements = (await world.ledger())["settlements"]
        orders = {order.slug: order for order in (payload_of(one, Buy) for one in world.planned)}
        schedule = Schedule(world.trader.cadence, world.timeline)
        now_ns = schedule.app_boundary_ns(world.cycle - 1)
        open_ = {slug for slug in orders if end_ns(slug) > now_ns}
        closed = orders.keys() & settlements.keys()
        settled = {slug for slug in closed - open_ if is_told_by_the_feed(world, slug)}
        assert len(settled) > 10
        assert open_
        earned = sum(profit(orders[slug], settlements[slug]["result"]) for slug in settled)
        for rulings in (True, False):
            cycles = twice(world, settled | open_, rulings=rulings)
            assert world.trader.appraise(Book(), cycles) == Appraisal(
                of="orders",
                fewer=len(settled | open_),
                amount_micro=-int(earned * 10**6),
                unit="USDC",
                basis="at limit prices",
                unended=len(open_),
            )
