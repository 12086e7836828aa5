"""The request budget of an address, shared by a trader with whatever else runs there.

The venue counts all programs of an address together, and bans them together: a candidate that is
tried out beside an owner must leave it what it needs, and nobody asks on when told to wait.
"""

import pytest

from foresight.market import Market
from foresight.venues.request_budget import SPENT
from handoff.cadence import Schedule
from handoff.workload import Cycle, Unavailable
from state.journal_frames import Health
from tests.exchange.served import Opener, Running
from tests.exchange.traded import Driven, demo_config, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ASSETS = {"assets": ("BTC", "ETH")}
DEEP = {"symbol": "BTCUSDT", "limit": 5000}  # weighs 250


def next_cycle(world: Driven) -> Cycle:
    schedule = Schedule(world.trader.cadence, world.timeline)
    now_ns = schedule.app_boundary_ns(world.cycle)
    return Cycle(number=world.cycle, now_ns=now_ns, seed=1)


def failure_of(inputs: Market | Unavailable) -> str:
    """Return why there are no candles; empty where there are, or none was due."""
    if isinstance(inputs, Unavailable):
        return inputs.reason
    (failure,) = {candles.failure for candles in inputs.candles.values()}
    return failure


async def spend_up_to(running: Running, weight: int) -> None:
    """Be another program of this address that asks so much in this minute."""
    while True:
        await running.spot.publicGetDepth(DEEP)
        used = running.spot.last_response_headers["X-MBX-USED-WEIGHT-1M"]
        if int(used) >= weight:
            return


async def test_a_candidate_stops_at_half_of_what_all_use_and_its_owner_goes_on(
    opener: Opener,
) -> None:
    """Counted against the candidate, the owner's own use would refuse every release."""
    config = demo_config(board=ASSETS)
    async with opener(speed=60, seed=5) as running, driven(running, config) as world:
        await world.run(2)
        cycle = next_cycle(world)
        beside = await world.trader.observe_beside(cycle, world.body)
        assert isinstance(beside, Market)
        await spend_up_to(running, 3000)
        await world.trader.observe_beside(cycle, world.body)  # hears of it
        beside = await world.trader.observe_beside(cycle, world.body)
        assert beside == Unavailable(SPENT)
        assert world.trader.health(beside) == Health()
        owned = await world.trader.observe(cycle, world.body)
        assert isinstance(owned, Market)
        health = world.trader.health(owned)
        assert health.asked == health.answered > 0
        await spend_up_to(running, 5400)
        await world.trader.observe(cycle, world.body)  # as above
        owned = await world.trader.observe(cycle, world.body)
        assert "stops at 90%" in failure_of(owned)
        health = world.trader.health(owned)
        assert health.answered < health.asked


async def test_who_is_told_to_wait_asks_nothing_until_then(opener: Opener) -> None:
    """A client that asks on is banned, for longer each time; ccxt itself never waits."""
    config = demo_config(board=ASSETS)
    async with opener(speed=60, seed=5) as running, driven(running, config) as world:
        await world.run(2)
        await running.control("faults", {"rate_limit": {"seconds": 30, "scope": "binance"}})
        cycle, hits = next_cycle(world), running.venue.faults.hits
        await world.trader.observe(cycle, world.body)
        refused = hits["rate_limit"]
        for _ in range(3):
            told = await world.trader.observe(cycle, world.body)
            assert "wants no request for another 30 s" in failure_of(told)
        assert hits["rate_limit"] == refused
        await running.control("faults", {"rate_limit": None})
        running.clock.forward(31)
        assert failure_of(await world.trader.observe(cycle, world.body)) == ""
