"""Candles that are wrong, against the served exchange: nothing is bought by them."""

from typing import Any

import msgspec
import pytest

from foresight.book import Book
from foresight.market import Candles, Market
from handoff.workload import Cycle, Unavailable
from tests.exchange.served import Running
from tests.exchange.traded import Driven, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

CYCLES = 15  # a quarter hour: each window length has its minute


def off_by(candles: Candles, factor: float) -> Candles:
    """Return candles of which the newest closed a factor off."""
    if not candles.minutes:
        return candles
    price, rest = candles.prices[-1] * factor, candles.details[-1]
    rest = msgspec.structs.replace(rest, high=max(rest.high, price), low=min(rest.low, price))
    return msgspec.structs.replace(
        candles,
        prices=(*candles.prices[:-1], price),
        details=(*candles.details[:-1], rest),
    )


class Misled:
    """A second look at each cycle, at which every asset's newest candle is off by a factor."""

    def __init__(self, world: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
        self.planned: list[Any] = []
        self.reasons: set[str] = set()
        feed: Any = world.trader._feed  # noqa: SLF001 - what it fetches is what is to be wrong
        observe, fetch = world.trader.observe, feed.fetch

        async def twice(cycle: Cycle, body: Book) -> Market | Unavailable:
            for factor in (1.01, 0.98):

                async def wrong(
                    newest: dict[str, int], *, end_minute: int, by: float = factor
                ) -> dict[str, Candles]:
                    found = await fetch(newest, end_minute=end_minute)
                    return {asset: off_by(candles, by) for asset, candles in found.items()}

                with monkeypatch.context() as patched:
                    patched.setattr(feed, "fetch", wrong)
                    seen = await observe(cycle, body)
                assert isinstance(seen, Market)
                decision = world.trader.decide(cycle, body, seen, world.receipts)
                self.planned += decision.effects
                self.reasons |= {memory.reason for memory in decision.body.slots.values()}
            return await observe(cycle, body)

        monkeypatch.setattr(world.trader, "observe", twice)


async def test_a_candle_that_is_off_by_a_hundredth_buys_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes a sure opinion, and a market that is nearly as sure makes it look plausible."""
    async with driven(running) as world:
        misled = Misled(world, monkeypatch)
        await world.run(CYCLES)
        assert misled.planned == []
        assert "price_jumped" in misled.reasons
        assert len(world.planned) >= CYCLES // 3, "the true candles of these cycles were bought by"
