"""The unmodified ccxt.pro client watches the spot side, and streams say what the routes say."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import ccxt.pro
import pytest
import pytest_asyncio

from examples.clients.ccxt_rest import at
from foresight.exchange.binance.stream_events import StreamEvents
from foresight.exchange.binance.stream_names import Stream, stream_of
from foresight.exchange.binance.stream_requests import STREAMS_MAX, Subscriptions
from foresight.exchange.binance.streams_api import REQUESTS_MAX
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_SECOND
from foresight.exchange.prices.synthetic import SyntheticPrices
from foresight.exchange.prices.tape import Tape
from tests.exchange.served import Running

Json = dict[str, Any]
MINUTE = 29_000_160
PATIENCE_S = 10
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def events() -> StreamEvents:
    prices = SyntheticPrices(seed=1, origin_minute=MINUTE, assets=("BTC",))
    return StreamEvents(Tape(prices, seed=1), touch=lambda _, __: (1, 2), ticker=lambda _, __: {})


def said(name: str, since_s: float, until_s: float) -> list[Json]:
    stream = stream_of(name, ("BTC",))
    assert stream is not None
    begin_ns = MINUTE * NS_PER_MINUTE
    since_ns, until_ns = (begin_ns + round(each * NS_PER_SECOND) for each in (since_s, until_s))
    return events().between(stream, since_ns, until_ns)


def test_each_candle_is_said_to_be_closed_once() -> None:
    """A client acts on a closed candle: twice would be two decisions, none would be blindness."""
    closed = []
    for half in range(20):  # steps of 30.1 s
        found = said("btcusdt@kline_1m", 30.1 * half, 30.1 * (half + 1))
        closed += [row["k"]["t"] // 60_000 - MINUTE for row in found if row["k"]["x"]]
    assert closed == list(range(10))


def test_a_candle_that_is_said_to_be_closed_is_the_finished_one() -> None:
    """Five minutes end in the middle of a step: the next five are there too, running."""
    before, after = said("btcusdt@kline_5m", 299, 301)
    assert (before["k"]["x"], after["k"]["x"]) == (True, False)
    minutes = [said("btcusdt@kline_1m", 60 * one, 60 * one + 60)[0]["k"] for one in range(5)]
    assert before["k"]["o"] == minutes[0]["o"]
    assert before["k"]["c"] == minutes[-1]["c"]
    assert float(before["k"]["h"]) == max(float(row["h"]) for row in minutes)
    assert before["E"] == MINUTE * 60_000 + 301_000


def test_every_trade_is_said_once() -> None:
    """Steps of any length share the trades between them; numbers rise by one."""
    whole = [row["t"] for row in said("btcusdt@trade", 0, 120)]
    parts = [row["t"] for end in range(7, 127, 7) for row in said("btcusdt@trade", end - 7, end)]
    assert whole == parts[: len(whole)]
    assert len(whole) == 30
    assert [row["a"] for row in said("btcusdt@aggTrade", 0, 120)] == whole


@pytest.mark.parametrize(
    "name",
    ["btcusdt@kline_7m", "btcusdt@depth", "BTCUSDT@trade", "ethusdt@trade", "btc@trade", "x", ""],
)
def test_what_is_not_served_is_no_stream(name: str) -> None:
    """Silence under a wrong name would look like a market that stands still."""
    assert stream_of(name, ("BTC",)) is None
    assert Subscriptions(("BTC",), is_combined=False).add_all([name])


def test_a_client_is_answered_in_the_venues_words() -> None:
    """With its own id; what is wrong changes nothing."""
    subscriptions = Subscriptions(("BTC",), is_combined=False)

    def answer(**request: object) -> Json:
        return subscriptions.answer(json.dumps(request))

    one, two = "btcusdt@trade", "btcusdt@kline_1m"
    assert answer(method="SUBSCRIBE", params=[one, two], id=7) == {"result": None, "id": 7}
    assert answer(method="LIST_SUBSCRIPTIONS", id="a")["result"] == [one, two]
    assert answer(method="UNSUBSCRIBE", params=[one], id=8) == {"result": None, "id": 8}
    assert subscriptions.streams == {two: Stream(two, "BTC", "kline", "1m")}
    assert answer(method="SUBSCRIBE", params=[one, "x"], id=9)["error"]["code"] == 2
    assert answer(method="SUBSCRIBE", params="x")["error"]["code"] == 2
    assert answer(method="SET_PROPERTY", params=["combined", True], id=1)["result"] is None
    assert answer(method="GET_PROPERTY", params=["combined"], id=1)["result"] is True
    for text in ("{", "[]", "{}", '{"method": "DANCE"}', "[" * 100_000):
        assert subscriptions.answer(text)["error"]["code"] in {2, 3}
    assert list(subscriptions.streams) == [two]


def test_one_connection_has_so_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that goes beyond adds nothing."""
    assert STREAMS_MAX == 1024
    monkeypatch.setattr("foresight.exchange.binance.stream_requests.STREAMS_MAX", 1)
    subscriptions = Subscriptions(("BTC",), is_combined=False)
    assert subscriptions.add_all(["btcusdt@trade", "btcusdt@ticker"])
    assert not subscriptions.streams
    assert not subscriptions.add_all(["btcusdt@trade"])


@pytest_asyncio.fixture
async def watching(running: Running) -> AsyncIterator[Any]:
    client: Any = ccxt.pro.binance()
    client.urls["api"] = at(running.url, client.urls["api"])
    try:
        yield client
    finally:
        await client.close()


async def passing(running: Running, wanted: Any, *, step_s: float = 0.2) -> Any:  # noqa: ANN401
    """Let the market go on until a client has what it waits for."""
    task = asyncio.ensure_future(wanted)
    async with asyncio.timeout(PATIENCE_S):
        while not task.done():
            running.clock.forward(step_s)
            await asyncio.wait({task}, timeout=0.05)
    return await task


@pytest.mark.asyncio
async def test_ccxt_pro_watches_candles_trades_and_best_prices(
    running: Running,
    watching: Any,  # noqa: ANN401 - ccxt has no types
) -> None:
    """What it sees is what the routes answer."""
    candles = await passing(running, watching.watch_ohlcv("BTC/USDT", "1m"))
    assert candles[-1][0] <= running.venue.now().market_ns // 1_000_000
    trades = await passing(running, watching.watch_trades("ETH/USDT"))
    since = trades[0]["timestamp"]
    known = await running.spot.fetch_trades("ETH/USDT", since, params={"until": since})
    assert [trades[0]["price"]] == [trade["price"] for trade in known]
    best = await passing(running, watching.watch_bids_asks(["SOL/USDT"]))
    assert best["SOL/USDT"]["bid"] < best["SOL/USDT"]["ask"]
    ticker = await passing(running, watching.watch_ticker("XRP/USDT"))
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


@pytest.mark.asyncio
async def test_a_combined_stream_names_each(running: Running) -> None:
    """As python-binance's sockets ask for them, in the address."""
    names = "btcusdt@bookTicker/ethusdt@kline_5m"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{running.url}/stream?streams={names}") as socket,
    ):
        seen = [json.loads((await socket.receive(PATIENCE_S)).data) for _ in range(2)]
    assert [row["stream"] for row in seen] == names.split("/")
    assert seen[1]["data"]["k"]["i"] == "5m"


@pytest.mark.asyncio
async def test_who_talks_too_much_or_asks_for_nothing_known_is_cut_off(running: Running) -> None:
    """Five messages a second are the documented most."""
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{running.url}/ws/0") as socket:
            for _ in range(REQUESTS_MAX + 1):
                await socket.send_str('{"method": "LIST_SUBSCRIPTIONS", "id": 1}')
            kinds = [(await socket.receive(PATIENCE_S)).type for _ in range(REQUESTS_MAX + 1)]
            assert kinds[-1] is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
        async with session.get(f"{running.url}/ws/nothing@all") as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, -1100)
        async with session.get(f"{running.url}/ws") as answer:
            assert answer.status == 426


@pytest.mark.asyncio
async def test_an_outage_ends_open_streams(running: Running) -> None:
    """A client must see it go, and come back by itself."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{running.url}/ws/btcusdt@trade") as socket,
    ):
        await running.control("faults", {"outage": {"seconds": 60.0}})
        assert (await socket.receive(PATIENCE_S)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.asyncio
async def test_so_many_streams_are_open_at_once(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for ever, so without a bound they would keep everybody else out."""
    monkeypatch.setattr("foresight.exchange.binance.streams_api.OPEN_MAX", 1)
    address = f"{running.url}/ws/btcusdt@bookTicker"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(address) as socket:
            assert (await socket.receive(PATIENCE_S)).type is aiohttp.WSMsgType.TEXT
            async with session.get(address, headers=UPGRADE) as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        async with asyncio.timeout(PATIENCE_S):
            while not await _is_open(session, address):
                pass  # the exchange has yet to see that the first one has gone


async def _is_open(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.ws_connect(address) as socket:
            return (await socket.receive(PATIENCE_S)).type is aiohttp.WSMsgType.TEXT
    except aiohttp.WSServerHandshakeError:
        return False
