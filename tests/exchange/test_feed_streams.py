"""Candles that come over WebSocket: the same as those that are asked for, and never fewer.

A stream breaks, falls silent and tells halves of candles. None of that may cost a minute, put an
unfinished close into the body, or leave a task or a socket behind.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from ccxt.base.errors import NetworkError

from foresight.exchange.binance.stream_events import StreamEvents
from foresight.exchange.binance.stream_names import Stream
from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.feeds.binance import BinanceCandles
from foresight.feeds.received import Received
from foresight.feeds.streamed import StreamedCandles
from foresight.market import Candles, Market
from foresight.venues.ccxt_calls import Requests, watching_client
from foresight.venues.local import binance_options
from foresight.venues.request_budget import SPENT
from handoff.cadence import Schedule
from handoff.workload import Cycle, Unavailable
from tests.exchange.served import Opener, Running
from tests.exchange.test_trader_budget import spend_up_to
from tests.exchange.traded import Driven, demo_config, driven
from tests.process.proxying import Proxy

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

Json = dict[str, Any]
Change = Callable[[Stream, Json], Json | None]
Asked = tuple[str, int, int]  # asset, first minute, the one after the last
ASSETS = ("BTC", "ETH")
PATIENCE_S = 20.0
STALE_S = 2.0  # of the exchange's clock, and of the wall where a connection is begun again


class Tampered:
    """What a stream says, until a test changes it."""

    def __init__(self) -> None:
        self.change: Change = lambda _, event: event

    def silent(self, stream: Stream, event: Json) -> None:
        del stream, event


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exchange look for news more often than it does for others."""
    monkeypatch.setattr("foresight.exchange.binance.streams_api.STEP_S", 0.02)


@pytest.fixture
def tampered(monkeypatch: pytest.MonkeyPatch) -> Tampered:
    """Stand between what the exchange's streams have to say and what they send."""
    between, found = StreamEvents.between, Tampered()

    def changed(self: StreamEvents, stream: Stream, since_ns: int, until_ns: int) -> list[Json]:
        told = between(self, stream, since_ns, until_ns)
        kept = [found.change(stream, event) for event in told]
        return [event for event in kept if event is not None]

    monkeypatch.setattr(StreamEvents, "between", changed)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Return what is asked for from now on."""
    one, seen = BinanceCandles.one, list[Asked]()

    async def noted(self: BinanceCandles, asset: str, newest: int, end_minute: int) -> Candles:
        seen.append((asset, newest + 1, end_minute))
        return await one(self, asset, newest, end_minute)

    monkeypatch.setattr(BinanceCandles, "one", noted)
    return seen


@asynccontextmanager
async def streamed(opener: Opener, **venue: object) -> AsyncIterator[Driven]:
    """Drive a trader that listens; its first cycle, which asks for everything, is behind it."""
    config = demo_config(board={"assets": ASSETS}, venue={"stream": True, **venue})
    async with opener(speed=60, seed=5) as running, driven(running, config) as world:
        await live(world)
        await world.step()
        yield world


def feed_of(world: Driven) -> StreamedCandles:
    feed = world.trader._feed  # noqa: SLF001 - a trader has it for itself
    assert isinstance(feed, StreamedCandles)
    return feed


def received_of(world: Driven) -> Received:
    return feed_of(world)._received  # noqa: SLF001 - what came, before anybody asks for it


async def live(world: Driven) -> None:
    """Let the market go on, a little at a time, until every asset's stream was heard."""
    received = received_of(world)
    await until(world, lambda: not any(received.trouble(asset) for asset in ASSETS))


async def turn() -> None:
    await asyncio.sleep(0.01)  # noqa: TID251 - between two looks, never for as long as something takes


async def until(world: Driven, is_so: Callable[[], bool]) -> None:
    """Let the market go on until something is so; the next cycle is the next one by then."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            world.running.clock.forward(0.02)
            await turn()
    schedule = Schedule(world.trader.cadence, world.timeline)
    world.cycle = max(world.cycle, schedule.cycle_at(world.running.clock.now_ns) + 1)


async def outage(running: Running, *, seconds: float | None) -> None:
    await running.control("faults", {"outage": seconds and {"seconds": seconds}})


def assert_whole(world: Driven) -> None:
    """Every minute up to the last cycle's is there, with the close that the market has for good."""
    source = world.running.venue.tape.source
    boundary_ns = Schedule(world.trader.cadence, world.timeline).app_boundary_ns(world.cycle - 1)
    for asset in ASSETS:
        known = world.body.closes[asset]
        expected = {
            minute: candle.close
            for minute in range(known.minutes[0], boundary_ns // NS_PER_MINUTE)
            if (candle := source.candle(asset, minute)) is not None
        }
        assert dict(zip(known.minutes, known.prices, strict=True)) == expected


def newest(world: Driven) -> dict[str, Candles]:
    inputs = world.inputs[-1]
    assert isinstance(inputs, Market)
    return inputs.candles


async def test_candles_that_are_told_are_those_that_are_asked_for(
    opener: Opener, asked: list[Asked]
) -> None:
    """Open, high, low and volume too: a window may be settled by them."""
    async with streamed(opener, timeout_s=20.0) as world:  # the machine may be busy
        del asked[:]
        await world.run(6)
        assert_whole(world)
        source = world.running.venue.tape.source
        told = [
            (asset, minute)
            for inputs in world.inputs[1:]
            if isinstance(inputs, Market)
            for asset, candles in inputs.candles.items()
            for minute in candles.minutes
        ]
        gaps = [one for one in asked if source.candle(one[0], one[1]) is not None]
        assert gaps == []
        assert len(told) >= 10
        pages = BinanceCandles(
            binance_options(world.running.url), quote="USDT", requests=Requests(4, timeout_s=2.0)
        )
        try:
            await pages.open()
            known = world.body.closes
            for asset in ASSETS:
                page = await pages.one(asset, known[asset].newest - 4, known[asset].newest + 1)
                assert page.prices == known[asset].prices[-len(page.prices) :]
                assert page.details == known[asset].details[-len(page.details) :]
        finally:
            await pages.close()


async def test_what_a_broken_connection_did_not_tell_is_asked_for_and_it_comes_back(
    opener: Opener, asked: list[Asked]
) -> None:
    """Only those minutes: the rest of the hour is known."""
    async with streamed(opener) as world:
        await world.run(2)
        await outage(world.running, seconds=3600.0)
        await until(world, lambda: bool(received_of(world).trouble("BTC")))
        await world.run(3)
        assert {type(inputs) for inputs in world.inputs[-3:]} == {Unavailable}
        await outage(world.running, seconds=None)
        await live(world)
        known = {(asset, world.body.closes[asset].newest + 1) for asset in ASSETS}
        del asked[:]
        await world.run(2)
        assert_whole(world)
        assert {(asset, first) for asset, first, _ in asked} >= known
        assert all(end - first >= 3 for asset, first, end in asked if (asset, first) in known)
        assert {candles.stream for candles in newest(world).values()} == {""}


async def test_a_silent_stream_is_said_and_asking_takes_its_place_in_the_same_cycle(
    opener: Opener, tampered: Tampered
) -> None:
    """An open socket that says nothing looks like a market that stands still."""
    async with streamed(opener, stream_stale_s=STALE_S) as world:
        await world.step()
        assert health_of(world) == "whole"
        tampered.change = tampered.silent
        await world.run(3)
        assert_whole(world)
        assert health_of(world) == "less"
        for asset, candles in newest(world).items():
            assert candles.failure == ""
            assert candles.stream.startswith(f"{asset}: its stream is silent for ")
        # The connection is given up by itself, for no event of it would ever end the silence.
        received = received_of(world)
        await until(world, lambda: "nothing came for 2 s" in received.trouble("BTC"))
        tampered.change = Tampered().change
        await live(world)
        await world.step()
        assert health_of(world) == "whole"


def health_of(world: Driven) -> str:
    health = world.trader.health(world.inputs[-1])
    return "whole" if health.asked == health.answered > 0 else "less"


def never_finished(stream: Stream, event: Json) -> Json:
    """Break off before the end: the last word on a minute is half of a candle."""
    del stream
    half = {"x": False, "c": event["k"]["o"], "h": event["k"]["h"], "l": event["k"]["l"]}
    return event | {"k": event["k"] | half}


def finished_early(stream: Stream, event: Json) -> Json:
    """Say of a minute that still runs that it is over."""
    del stream
    return event | {"k": event["k"] | {"x": True}}


@pytest.mark.parametrize("change", [never_finished, finished_early])
async def test_no_candle_is_kept_before_the_exchange_says_so_after_its_minute(
    opener: Opener, tampered: Tampered, change: Change
) -> None:
    """What broke off in the middle of a minute stays half of it, however late it is by then."""
    async with streamed(opener) as world:
        tampered.change = change
        for _ in range(5):
            await live(world)
            await world.step()
            await settle(world)
        assert_whole(world)


async def settle(world: Driven) -> None:
    """Let the exchange tell of the minute that runs now, and no more."""
    received = received_of(world)
    before = received.silent_s("BTC")
    world.running.clock.forward(0.2)
    async with asyncio.timeout(PATIENCE_S):
        while received.silent_s("BTC") >= before + 0.2:
            await turn()


@pytest.mark.parametrize(("ahead_s", "is_skewed"), [(3, False), (18, True)])
async def test_a_wrong_clock_of_ours_lets_no_unfinished_candle_in(
    opener: Opener, ahead_s: float, *, is_skewed: bool
) -> None:
    """Which minutes are over is the exchange's word, whoever brings their candles."""
    config = demo_config(board={"assets": ASSETS}, venue={"stream": True})
    async with opener(speed=1, seed=5) as running, driven(running, config) as world:
        world.skew(ahead_s)
        await world.run(4)
        source = running.venue.tape.source
        running.clock.forward(120)
        kept = [
            (asset, minute, price)
            for asset, known in world.body.closes.items()
            for minute, price in zip(known.minutes, known.prices, strict=True)
        ]
        assert len(kept) >= 8
        for asset, minute, price in kept:
            final = source.candle(asset, minute)
            assert final is not None
            assert price == final.close
        reasons = {memory.reason for memory in world.body.slots.values()}
        assert (reasons == {"clock_skewed"}) is is_skewed


async def test_an_asset_whose_stream_errs_costs_that_asset_alone(
    opener: Opener, tampered: Tampered
) -> None:
    """One bad candle costs that candle, and no other pair of the same connection."""

    def spoilt(stream: Stream, event: Json) -> Json:
        bad = {"c": "NaN"} if event["E"] % 2 else {"t": None, "i": 7}
        return event if stream.asset == "BTC" else event | {"k": event["k"] | bad}

    async with streamed(opener, stream_stale_s=STALE_S) as world:
        tampered.change = spoilt
        for _ in range(3):
            await until(world, lambda: not received_of(world).trouble("BTC"))
            await world.step()
        assert_whole(world)
        candles = newest(world)
        assert candles["BTC"].stream == ""
        assert candles["ETH"].stream.startswith("ETH: its stream is silent for ")


async def test_a_pair_that_the_exchange_does_not_have_leaves_the_others_their_stream(
    opener: Opener,
) -> None:
    """ccxt refuses to listen to any of them if one is unknown to it."""
    config = demo_config(board={"assets": ("BTC", "LTC")}, venue={"stream": True})
    async with opener(speed=60, seed=5) as running, driven(running, config) as world:
        received = received_of(world)
        await until(world, lambda: not received.trouble("BTC"))
        await world.run(2)
        assert received.trouble("LTC") == "the exchange has no such pair"
        candles = newest(world)
        assert candles["BTC"].minutes
        assert "LTCUSDT" in candles["LTC"].failure


async def test_who_only_looks_on_asks_for_no_hole_beyond_its_half(opener: Opener) -> None:
    """A candidate's stream costs no weight; what it did not tell does, and that is the owner's."""
    async with streamed(opener) as world:
        schedule = Schedule(world.trader.cadence, world.timeline)
        cycle = Cycle(number=world.cycle, now_ns=schedule.app_boundary_ns(world.cycle), seed=1)
        world.running.clock.now_ns = schedule.boundary_ns(world.cycle) + 1
        received_of(world).lose("cut off")
        await feed_of(world).close()
        await feed_of(world)._asked.open()  # noqa: SLF001 - for asking alone
        await spend_up_to(world.running, 3000)
        await world.trader.observe_beside(cycle, world.body)  # hears of it
        assert await world.trader.observe_beside(cycle, world.body) == Unavailable(SPENT)
        owned = await world.trader.observe(cycle, world.body)
        assert isinstance(owned, Market)
        assert all(candles.minutes for candles in owned.candles.values()), owned.candles


async def test_who_is_told_to_wait_does_not_connect_again_until_then(opener: Opener) -> None:
    """A client that comes back at once is banned for longer each time."""
    async with streamed(opener) as world:
        limited = {"rate_limit": {"seconds": 30, "scope": "binance"}}
        await world.running.control("faults", limited)
        await world.step()
        await world.running.control("faults", {"rate_limit": None})
        await outage(world.running, seconds=3600.0)
        received = received_of(world)
        await until(world, lambda: "wants no request" in received.trouble("BTC"))
        await outage(world.running, seconds=None)
        world.running.clock.forward(31)
        await live(world)
        await world.step()
        assert_whole(world)


def tasks() -> Counter[str]:
    """Return what runs, by name of its function, but for the waits of the exchange's own loops."""
    running = (repr(task.get_coro()) for task in asyncio.all_tasks() if not task.done())
    names = (text.split()[2] for text in running)  # as in <coroutine object NAME at ADDRESS>
    return Counter(name for name in names if name != "Event.wait")


async def left_since(before: Counter[str]) -> list[str]:
    """Return what runs more than before, once the exchange's own side had time to end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S / 5):
            while tasks() - before:
                await turn()
    return list(tasks() - before)


async def test_nothing_is_left_of_a_stream_that_is_closed(
    opener: Opener, tampered: Tampered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that drains must end, and the exchange allows only so many connections."""
    monkeypatch.setattr("foresight.exchange.binance.streams_api.OPEN_MAX", 1)
    config = demo_config(board={"assets": ASSETS}, venue={"stream": True})
    async with opener(speed=60, seed=5) as running:
        before = tasks()
        for change in (tampered.change, tampered.silent, tampered.change):
            tampered.change = change
            async with driven(running, config) as world:
                await world.run(1)
                if change != tampered.silent:
                    await live(world)
            assert await left_since(before) == []


async def test_nothing_is_left_of_a_stream_that_is_closed_before_it_is_answered(
    opener: Opener,
) -> None:
    """A host that takes a connection and says nothing would keep a worker from ending."""
    silent: list[asyncio.StreamWriter] = []

    async def takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)
        await reader.read()  # until the other side goes
        writer.close()

    server = await asyncio.start_server(takes, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, opener(speed=60, seed=5) as running:
        before = tasks()
        options = binance_options(running.url)
        options["urls"]["api"]["ws"]["spot"] = f"ws://127.0.0.1:{port}/ws"
        feed = StreamedCandles(
            options,
            assets=ASSETS,
            quote="USDT",
            requests=Requests(4, timeout_s=2.0),
            stale_s=30.0,
            monotonic_ns=running.clock,
        )
        await feed.open()
        await feed.open()  # an attempt to get warm is repeated
        async with asyncio.timeout(PATIENCE_S):
            while not silent:
                await turn()
        await feed.close()
        assert await left_since(before) == []
    assert silent


async def test_real_streams_go_through_the_networks_proxy_and_this_hosts_never(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its variable speaks of https; where it says so, an exchange is reached directly."""
    with Proxy() as proxy:
        for name, value in proxy.variables().items():
            monkeypatch.setenv(name, value)
        async with streamed(opener) as world:
            await world.run(2)
            assert_whole(world)
        assert proxy.hosts == set()
        client = watching_client({"aiohttp_trust_env": True})
        try:
            with pytest.raises(NetworkError):
                await client.watch_multiple(f"{client.urls['api']['ws']['spot']}/0", ["any"])
        finally:
            await client.close()
        assert proxy.hosts == {"stream.binance.com"}
    monkeypatch.setenv("no_proxy", "binance.com")
    assert watching_client({"aiohttp_trust_env": True}).wssProxy is None
