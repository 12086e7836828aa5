"""Candles that are wrong, against the served exchange: what they cost, and what is not bought."""

from typing import Any

import msgspec
import pytest

from foresight.book import Book
from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.feeds.binance import BinanceCandles
from foresight.market import Candles, Market
from handoff.cadence import Schedule
from handoff.workload import Cycle, Unavailable
from tests.exchange.served import Running
from tests.exchange.traded import Driven, demo_config, driven

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


BLIND = {"feed_stale", "history_short", "price_jumped", "price_old", "reference_missing"}


def now_minute(world: Driven) -> int:
    """Return the minute in which the next cycle begins."""
    schedule = Schedule(world.trader.cadence, world.timeline)
    return schedule.app_boundary_ns(world.cycle) // NS_PER_MINUTE


@pytest.mark.parametrize("is_read_again", [True, False])
@pytest.mark.parametrize("place", [-1, 4])
async def test_one_candle_that_is_none_blinds_its_asset_for_two_cycles_at_most(
    running: Running, place: int, *, is_read_again: bool
) -> None:
    """The one before a window is what its price to beat is checked by: a quarter hour was lost."""
    async with driven(running, demo_config(board={"assets": ("BTC",)})) as world:
        while now_minute(world) % 15:
            await world.step()
        bad_ms = (now_minute(world) + place) * 60_000
        feed = world.trader._feed  # noqa: SLF001 - its answers are to be wrong
        assert isinstance(feed, BinanceCandles)
        client: Any = feed._client  # noqa: SLF001 - as above
        ask = client.publicGetKlines
        spoilt: list[list[Any]] = []

        async def asked(query: dict[str, Any]) -> list[list[Any]]:
            rows: list[list[Any]] = await ask(query)
            for row in rows:
                if row[0] == bad_ms and not (spoilt and is_read_again):
                    row[4] = "NaN"
                    spoilt.append(row)
            return rows

        client.publicGetKlines = asked
        blind = dict.fromkeys(("btc-5m", "btc-15m"), 0)
        for _ in range(15):
            await world.step()
            for slot_id in blind:
                blind[slot_id] += world.body.slots[slot_id].reason in BLIND
        assert spoilt
        assert max(blind.values()) <= 2, blind
