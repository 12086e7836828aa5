"""The spot venue's routes as clients of others read them, over HTTP."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import aiohttp
import ccxt.async_support
import pytest

from examples.clients.ccxt_rest import KEYS, at
from foresight.door.admission import Admission
from foresight.door.limits import BODY_BYTES_MAX
from foresight.exchange.binance.weights import WEIGHT_MAX
from foresight.exchange.credentials import BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET
from tests.exchange.served import Running

pytestmark = pytest.mark.asyncio

Answer = tuple[int, Any, Mapping[str, str]]
LIMIT = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
RESTING = LIMIT | {"quantity": "0.1", "price": "1000"}


async def asked(running: Running, route: str, **query: str) -> Answer:
    """Return status, parsed answer and headers of a request."""
    return await _sent(running, route, "&".join(f"{name}={query[name]}" for name in query))


async def signed(running: Running, route: str, **query: str) -> Answer:
    """Return the same of a signed one."""
    stamped = query | {"timestamp": str(running.clock.now_ns // 1_000_000)}
    text = "&".join(f"{name}={stamped[name]}" for name in stamped)
    digits = hmac.new(BINANCE_DEMO_SECRET.encode(), text.encode(), sha256).hexdigest()
    return await _sent(running, route, f"{text}&signature={digits}")


async def _sent(running: Running, route: str, text: str) -> Answer:
    method, path = route.split()
    url = f"{running.url}{path}?{text}"
    headers = {"X-MBX-APIKEY": BINANCE_DEMO_KEY}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers) as response,
    ):
        return response.status, await response.json(), response.headers


REFUSED: tuple[tuple[dict[str, str | None], int], ...] = (
    ({"side": "HOLD"}, -1117),
    ({"type": "STOP_LOSS"}, -1116),
    ({"timeInForce": "DAY"}, -1115),
    ({"timeInForce": None}, -1102),
    ({"price": None}, -1102),
    ({"quoteOrderQty": "5"}, -1106),
    ({"type": "MARKET"}, -1106),
    ({"type": "LIMIT_MAKER"}, -1106),
    ({"quantity": "0.000000001"}, -1111),
    ({"quantity": "ten"}, -1100),
    ({"newClientOrderId": "two,words"}, -1100),
    ({"newClientOrderId": "a" * 37}, -1100),
    ({"newOrderRespType": "NOVEL"}, -1100),
    ({"quantity": "0.001"}, -1013),
    ({"price": "1000.001"}, -1013),
    ({"symbol": "NONEUSDT"}, -1121),
    ({"quantity": "9000"}, -2010),
)


async def test_an_order_is_refused_with_the_documented_code(running: Running) -> None:
    """Whatever is wrong, nothing waits afterwards."""
    for change, code in REFUSED:
        order = {name: value for name, value in (RESTING | change).items() if value is not None}
        status, answer, _ = await signed(running, "POST /api/v3/order", **order)
        assert (status, answer["code"]) == (400, code), change
    assert not running.venue.spot_ledger.orders


async def test_an_answer_says_as_much_as_was_asked_for(running: Running) -> None:
    """ACK, RESULT and FULL; those that only wait are acknowledged by default, others in full."""
    answers = []
    for kind in ({"newOrderRespType": "ACK"}, {"newOrderRespType": "RESULT"}, {}):
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"} | kind
        answers.append((await signed(running, "POST /api/v3/order", **market))[1])
    short, result, full = answers
    assert short.keys() == {
        *("symbol", "orderId", "orderListId", "clientOrderId", "transactTime"),
    }
    assert result["status"] == "FILLED"
    assert "fills" not in result
    assert full["fills"][0]["commissionAsset"] == "BTC"
    waiting = {"symbol": "ETHUSDT", "side": "BUY", "quantity": "0.1", "price": "1000"}
    maker = (await signed(running, "POST /api/v3/order", type="LIMIT_MAKER", **waiting))[1]
    assert maker.keys() == short.keys()


async def test_a_tested_order_is_not_taken(running: Running) -> None:
    """It is checked as far as its own words go."""
    path = "POST /api/v3/order/test"
    assert (await signed(running, path, **RESTING))[:2] == (200, {})
    rates = await signed(running, path, computeCommissionRates="true", **RESTING)
    assert rates[1]["standardCommissionForOrder"]["taker"] == "0.00100000"
    wrong = await signed(running, path, **(RESTING | {"price": "1"}))
    assert wrong[1]["msg"] == "Filter failure: PERCENT_PRICE_BY_SIDE"
    assert not running.venue.spot_ledger.requests


async def test_all_orders_of_one_market_are_canceled_together(running: Running) -> None:
    """Those of another market wait on; without any there is nothing to cancel."""
    for symbol in ("ETHUSDT", "ETHUSDT", "BNBUSDT"):
        order = RESTING | {"symbol": symbol, "price": "1000" if symbol[0] == "E" else "500"}
        assert (await signed(running, "POST /api/v3/order", **order))[0] == 200
    path = "DELETE /api/v3/openOrders"
    _, answer, _ = await signed(running, path, symbol="ETHUSDT")
    assert [row["status"] for row in answer] == ["CANCELED", "CANCELED"]
    assert [row["orderId"] for row in answer] == [1, 2]
    left = (await signed(running, "GET /api/v3/openOrders"))[1]
    assert [row["symbol"] for row in left] == ["BNBUSDT"]
    again = await signed(running, path, symbol="ETHUSDT")
    assert again[1]["code"] == -2011


async def test_own_orders_and_fills_come_in_pages(running: Running) -> None:
    """By number, by time and by count; a range of more than a day is refused."""
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    for _ in range(3):
        await signed(running, "POST /api/v3/order", **market)
        running.clock.forward(1)
    of = {"symbol": "BTCUSDT"}
    for path, name in (("allOrders", "orderId"), ("myTrades", "orderId")):
        route = f"GET /api/v3/{path}"
        newest = (await signed(running, route, limit="2", **of))[1]
        assert [row[name] for row in newest] == [2, 3]
        start = str(newest[0]["time"])
        found = (await signed(running, route, limit="1", startTime=start, **of))[1]
        assert [row[name] for row in found] == [2]
        until = (await signed(running, route, endTime=start + "999", **of))[1]
        assert [row[name] for row in until] == [1, 2]
        long = {"startTime": "0", "endTime": "86400001"}
        assert (await signed(running, route, **of, **long))[1]["code"] == -1127
    after = (await signed(running, "GET /api/v3/myTrades", fromId="201", **of))[1]
    assert [row["id"] for row in after] == [300]


async def test_every_answer_says_what_was_used(running: Running) -> None:
    """The weights are the documented ones; an order counts as one beside its weight."""
    used = 0
    headers: Mapping[str, str] = {}
    for route, weight, is_signed, query in (
        ("GET /api/v3/ping", 1, False, {}),
        ("GET /api/v3/exchangeInfo", 20, False, {}),
        ("GET /api/v3/klines", 2, False, {"symbol": "BTCUSDT", "interval": "1m"}),
        ("GET /api/v3/depth", 50, False, {"symbol": "BTCUSDT", "limit": "1000"}),
        ("GET /api/v3/ticker/24hr", 80, False, {}),
        ("GET /api/v3/account", 20, True, {}),
        ("POST /api/v3/order", 1, True, RESTING),
    ):
        _, _, headers = await (signed if is_signed else asked)(running, route, **query)
        used += weight
        assert headers["X-MBX-USED-WEIGHT-1M"] == str(used), route
    assert headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert headers["X-MBX-ORDER-COUNT-1D"] == "1"


async def test_who_asks_for_too_much_is_told_how_long_to_wait(running: Running) -> None:
    """Seconds of the wall, whatever the speed of the market."""
    heavy = {"symbol": "BTCUSDT", "limit": "5000"}
    for _ in range(WEIGHT_MAX // 250):
        await asked(running, "GET /api/v3/depth", **heavy)
    status, answer, headers = await asked(running, "GET /api/v3/ping")
    assert (status, answer["code"]) == (429, -1003)
    assert 0 < int(headers["Retry-After"]) <= 60
    running.clock.forward(int(headers["Retry-After"]))
    assert (await asked(running, "GET /api/v3/ping"))[0] == 200


async def test_an_unknown_path_is_answered_in_the_venues_words(running: Running) -> None:
    """A client that reads JSON can say what was wrong."""
    for path in ("/api/v3/nothing", "/api/v1/time", "/sapi/v1/x", "/fapi/v2/x"):
        for method in ("GET", "POST"):
            status, answer, _ = await asked(running, f"{method} {path}")
            assert (status, answer["code"]) == (404, -1020), path
    assert (await asked(running, "PUT /api/v3/order"))[1]["code"] == -1020
    assert "error" in (await asked(running, "GET /clob/nothing"))[1]


async def test_a_body_that_is_too_long_is_refused_in_words(running: Running) -> None:
    """Whichever venue it was sent to."""
    body = b"a" * (BODY_BYTES_MAX + 1)
    async with aiohttp.ClientSession() as session:
        for path, field in (("/api/v3/order", "code"), ("/clob/order", "error")):
            async with session.post(f"{running.url}{path}", data=body) as answer:
                assert answer.status == 413
                assert field in await answer.json()


async def test_what_others_of_the_machine_use_is_counted_apart(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All come from one address: else another account could use up the bot's minute."""
    own = [(await asked(running, "GET /api/v3/depth", symbol="BTCUSDT"))[2] for _ in range(2)]
    monkeypatch.setattr(Admission, "is_own", lambda _, __: False)
    others = (await asked(running, "GET /api/v3/ping"))[2]
    used = [headers["X-MBX-USED-WEIGHT-1M"] for headers in (*own, others)]
    assert used == ["5", "10", "1"]


async def test_an_error_of_ours_is_an_answer_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain 500 has no code: a client would not know whether its order was taken."""
    monkeypatch.setattr(running.venue, "advance", lambda: 1 / 0)
    status, answer, _ = await signed(running, "GET /api/v3/account")
    assert (status, answer["code"]) == (500, -1000)


async def test_ccxt_loads_its_markets_as_it_does_by_default(running: Running) -> None:
    """Coins, margin pairs and two futures venues, which are there and empty."""
    coins = (await signed(running, "GET /sapi/v1/capital/config/getall"))[1]
    assert {row["coin"]: row["free"] for row in coins}["USDT"] == "10000.00000000"
    for path in ("/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs"):
        assert (await asked(running, f"GET {path}"))[:2] == (200, [])
    for path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
        assert (await asked(running, f"GET {path}"))[1]["symbols"] == []
    assert (await asked(running, "GET /sapi/v1/capital/config/getall"))[1]["code"] == -1102


async def test_public_trades_have_numbers_that_go_on(running: Running) -> None:
    """Recent, from a number, and of a range of time; the price of filters is among them."""
    of = {"symbol": "BTCUSDT"}
    recent = (await asked(running, "GET /api/v3/trades", limit="5", **of))[1]
    assert [row["id"] for row in recent] == sorted(row["id"] for row in recent)
    same = (await asked(running, "GET /api/v3/aggTrades", fromId=str(recent[0]["id"]), **of))[1]
    assert [row["a"] for row in same] == [row["id"] for row in recent]
    start, end = str(recent[1]["time"]), str(recent[2]["time"])
    some = (await asked(running, "GET /api/v3/aggTrades", startTime=start, endTime=end, **of))[1]
    assert [row["p"] for row in some] == [row["price"] for row in recent[1:3]]
    average = (await asked(running, "GET /api/v3/avgPrice", **of))[1]
    assert float(average["price"]) == pytest.approx(float(recent[-1]["price"]), rel=0.05)


async def test_ccxts_default_options_are_enough(running: Running) -> None:
    """Its addresses get another host as the page for bots says; nothing is turned off."""
    client = ccxt.async_support.binance(KEYS)
    client.urls["api"] = at(running.url, client.urls["api"])
    client.milliseconds = lambda: running.clock.now_ns // 1_000_000
    try:
        markets = await client.load_markets()
        assert list(markets) == [f"{asset}/USDT" for asset in running.venue.identity.assets]
        order = await client.create_order("ETH/USDT", "limit", "buy", 0.1, 1000)
        assert (await client.cancel_order(order["id"], "ETH/USDT"))["status"] == "canceled"
        assert all(
            address.split("/")[2] == running.url.split("/")[2]
            for address in _leaves(client.urls["api"])
        )
    finally:
        await client.close()


async def test_a_unit_of_time_that_is_not_served_is_refused(running: Running) -> None:
    """Ignored, it would be a thousand times too small."""
    headers = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{running.url}/api/v3/time", headers=headers) as answer,
    ):
        assert (await answer.json())["code"] == -1100


def _leaves(addresses: Any) -> list[str]:  # noqa: ANN401 - as nested as ccxt has them
    if isinstance(addresses, str):
        return [addresses]
    return [leaf for each in addresses.values() for leaf in _leaves(each)]
