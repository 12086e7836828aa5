"""A trader whose clock is wrong, against the served exchange: what it keeps, and what it buys."""

import pytest

from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.market import Market
from tests.exchange.served import Opener
from tests.exchange.traded import demo_config, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

MINUTES = 12


@pytest.mark.parametrize(
    ("ahead_s", "is_skewed"),
    [(3, False), (-3, False), (18, True), (-18, True), (60, True), (-60, True)],
)
async def test_no_unfinished_close_is_kept_however_wrong_the_clock_is(
    opener: Opener, ahead_s: float, *, is_skewed: bool
) -> None:
    """A close that was taken while it moved is believed for an hour, and never corrected."""
    config = demo_config(board={"assets": ("BTC", "ETH")})
    async with opener(speed=1, seed=5) as running, driven(running, config) as world:
        world.skew(ahead_s)
        await world.run(MINUTES)
        running.clock.now_ns += 2 * NS_PER_MINUTE
        source = running.venue.tape.source
        kept = [
            (asset, minute, price)
            for asset, known in world.body.closes.items()
            for minute, price in zip(known.minutes, known.prices, strict=True)
        ]
        assert len(kept) >= 2 * MINUTES
        for asset, minute, price in kept:
            final = source.candle(asset, minute)
            assert final is not None
            assert price == final.close
        reasons = {memory.reason for memory in world.body.slots.values()}
        assert (reasons == {"clock_skewed"}) is is_skewed
        assert not (is_skewed and world.planned)
        newest = [one.clock for one in world.inputs if isinstance(one, Market)]
        assert {clock and clock.ahead_ms for clock in newest} == {-1000 * ahead_s}
