"""The unmodified ccxt client trades spot and reads prices as on the real venue."""

import ccxt
import pytest

from tests.exchange.served import RISE_MINUTES, Opener, Running, falling_seed, rising_seed

pytestmark = pytest.mark.asyncio


async def test_the_market_list_holds_the_board_in_its_order(running: Running) -> None:
    markets = await running.spot.load_markets()
    assert list(markets) == [f"{asset}/USDT" for asset in running.venue.identity.assets]
    assert markets["BTC/USDT"]["precision"]["price"] == 0.01


async def test_a_day_of_candles_is_there_at_once(running: Running) -> None:
    now_ms = running.venue.now().market_ns // 1_000_000
    candles = await running.spot.fetch_ohlcv(
        "BTC/USDT", "1m", since=now_ms - 24 * 3_600_000, limit=1000
    )
    assert len(candles) >= 950  # a synthetic market has a few gaps
    assert all(low <= min(op, cl) <= max(op, cl) <= high for _, op, high, low, cl, _ in candles)
    assert candles == sorted(candles)


async def test_the_last_candle_is_the_running_one(running: Running) -> None:
    candles = await running.spot.fetch_ohlcv("BTC/USDT", "1m", limit=3)
    market_ms = running.venue.now().market_ns // 1_000_000
    assert candles[-1][0] <= market_ms < candles[-1][0] + 60_000
    before = candles[-1]
    running.clock.forward(1)  # a market minute: the running candle is finished now
    finished = (await running.spot.fetch_ohlcv("BTC/USDT", "1m", limit=2))[0]
    assert finished[0] == before[0]
    assert finished[2] >= before[2]
    assert finished[5] > before[5]


async def test_longer_candles_agree_with_their_minutes(running: Running) -> None:
    minutes = await running.spot.fetch_ohlcv("ETH/USDT", "1m", limit=300)
    quarter = (await running.spot.fetch_ohlcv("ETH/USDT", "15m", limit=3))[1]
    inside = [row for row in minutes if quarter[0] <= row[0] < quarter[0] + 900_000]
    assert quarter[1:5] == [
        inside[0][1],
        max(row[2] for row in inside),
        min(row[3] for row in inside),
        inside[-1][4],
    ]


async def test_tickers_of_several_markets_come_in_one_request(running: Running) -> None:
    tickers = await running.spot.fetch_tickers(["BTC/USDT", "DOGE/USDT"])
    assert set(tickers) == {"BTC/USDT", "DOGE/USDT"}
    one = await running.spot.fetch_ticker("BTC/USDT")
    assert one["last"] == tickers["BTC/USDT"]["last"]
    assert one["low"] <= one["last"] <= one["high"]
    assert one["bid"] < one["ask"]
    prices = await running.spot.fetch_last_prices(["BTC/USDT"])
    assert prices["BTC/USDT"]["price"] == one["last"]
    book = await running.spot.fetch_order_book("BTC/USDT", 5)
    assert book["bids"][0][0] == one["bid"]
    assert (await running.spot.fetch_bids_asks(["BTC/USDT"]))["BTC/USDT"]["ask"] == one["ask"]


async def test_time_is_wall_time_whatever_the_speed(running: Running) -> None:
    assert await running.spot.fetch_time() == running.clock.now_ns // 1_000_000
    assert await running.board.fetch_time() == running.clock.now_ns // 1_000_000_000 * 1000


async def test_a_client_id_is_executed_once(running: Running) -> None:
    params = {"clientOrderId": "effect-1"}
    first = await running.spot.create_order("BTC/USDT", "market", "buy", 0.01, params=params)
    assert first["status"] == "closed"
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await running.spot.create_order("BTC/USDT", "market", "buy", 0.01, params=params)
    found = await running.spot.fetch_order("", "BTC/USDT", {"origClientOrderId": "effect-1"})
    assert found["id"] == first["id"]
    assert (await running.control("ledger"))["spot"] == {
        "requests_received": 2,
        "duplicates_refused": 1,
        "executed": 1,
    }


async def test_a_finished_client_id_can_be_reused_where_the_real_venue_would(
    running: Running,
) -> None:
    """The real venue checks client ids among open orders only; a resend there trades twice."""
    await running.control("faults", {"client_id_reuse": 1})
    for _ in range(2):
        await running.spot.create_order(
            "BTC/USDT", "market", "buy", 0.01, params={"clientOrderId": "again"}
        )
    assert (await running.control("ledger"))["spot"]["executed"] == 2


async def test_a_limit_order_rests_is_seen_and_canceled(running: Running) -> None:
    order = await running.spot.create_order("ETH/USDT", "limit", "buy", 0.5, 1000.0)
    assert order["status"] == "open"
    assert [row["id"] for row in await running.spot.fetch_open_orders("ETH/USDT")] == [order["id"]]
    balance = await running.spot.fetch_balance()
    assert balance["USDT"]["used"] == 500.0
    canceled = await running.spot.cancel_order(order["id"], "ETH/USDT")
    assert canceled["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await running.spot.cancel_order(order["id"], "ETH/USDT")
    assert await running.spot.fetch_open_orders("ETH/USDT") == []
    assert len(await running.spot.fetch_orders("ETH/USDT")) == 1


async def test_a_resting_order_is_filled_when_its_price_is_reached(opener: Opener) -> None:
    """A bid at the best price waits, and is filled as a maker once the market comes down to it."""
    begun_ns = opener.clock.now_ns
    seed = falling_seed("SOL", begun_ns)
    async with opener(speed=60, seed=seed, origin_ns=begun_ns) as running:
        bid = (await running.spot.fetch_ticker("SOL/USDT"))["bid"]
        order = await running.spot.create_order("SOL/USDT", "limit", "buy", 1, bid)
        for _ in range(RISE_MINUTES):
            running.clock.forward(1)
            running.venue.advance()
        trades = await running.spot.fetch_my_trades("SOL/USDT")
        assert [trade["order"] for trade in trades] == [order["id"]]
        assert trades[0]["takerOrMaker"] == "maker"
        assert trades[0]["price"] == bid


async def test_what_was_bought_can_be_sold_less_commission(running: Running) -> None:
    await running.spot.create_order("BTC/USDT", "market", "buy", 0.01)
    held = (await running.spot.fetch_balance())["BTC"]["free"]
    assert held == pytest.approx(0.00999)
    await running.spot.create_order("BTC/USDT", "market", "sell", held)
    cash = (await running.spot.fetch_balance())["USDT"]["free"]
    assert 9_995 < cash < 10_000
    with pytest.raises(ccxt.InsufficientFunds):
        await running.spot.create_order("BTC/USDT", "market", "sell", 1)


async def test_an_order_too_small_or_crossing_as_maker_is_refused(running: Running) -> None:
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        await running.spot.create_order("DOGE/USDT", "limit", "buy", 1, 0.1)
    ask = (await running.spot.fetch_ticker("BTC/USDT"))["ask"]
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await running.spot.create_order(
            "BTC/USDT", "limit", "buy", 0.01, ask + 10, {"postOnly": True}
        )


async def test_only_the_demo_key_with_a_fresh_signature_is_let_in(running: Running) -> None:
    good = running.spot.secret
    running.spot.secret = "wrong"  # noqa: S105 - wrong on purpose
    with pytest.raises(ccxt.AuthenticationError):
        await running.spot.fetch_balance()
    running.spot.secret = good
    sent_ms = running.spot.milliseconds()
    running.spot.milliseconds = lambda: sent_ms - 60_000
    with pytest.raises(ccxt.InvalidNonce):
        await running.spot.fetch_balance()
    running.spot.apiKey = "unknown"
    with pytest.raises(ccxt.AuthenticationError):
        await running.spot.fetch_balance()


async def test_a_wrong_parameter_gets_the_venues_code(running: Running) -> None:
    """A client's own tables of errors know these numbers."""
    assert await running.spot.fetch2("ping") == {}
    for path, code in (
        ("klines?symbol=NONEUSDT&interval=1m", -1121),
        ("klines?symbol=BTCUSDT&interval=7m", -1120),
        ("klines?symbol=BTCUSDT&interval=1m&limit=x", -1100),
        ("klines?symbol=BTCUSDT&interval=1m&limit=-5", -1100),
        ("klines?symbol=BTCUSDT&interval=1m&limit=0", -1130),
        ("klines?symbol=BTCUSDT&interval=1m&startTime=", -1105),
        ("klines?symbol=BTCUSDT&symbol=BTCUSDT&interval=1m", -1101),
        ("klines?symbol=BTCUSDT", -1102),
        ("ticker/24hr?symbols=5", -1100),
        ("ticker/24hr?symbols=[5]", -1100),
        ('ticker/price?symbols=["NONEUSDT"]', -1121),
        ("nothing", -1020),
        ("ticker/24hr?symbols=broken", -1100),
    ):
        with pytest.raises(ccxt.BaseError, match=str(code)):
            await running.spot.fetch(f"{running.url}/api/v3/{path}")


async def test_an_order_the_venue_cannot_read_is_refused(running: Running) -> None:
    await running.spot.load_markets()
    good = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    for wrong in (
        good | {"type": "STOP", "quantity": "1", "price": "1"},
        good | {"quantity": "one", "price": "1"},
        good | {"quantity": "0", "price": "1"},
        good | {"price": "1"},
    ):
        with pytest.raises(ccxt.BadRequest):
            await running.spot.privatePostOrder(wrong)
    with pytest.raises(ccxt.OrderNotFound):
        await running.spot.fetch_order("17", "BTC/USDT")


async def test_a_market_order_can_be_sized_by_what_it_costs(running: Running) -> None:
    order = await running.spot.create_market_buy_order_with_cost("BTC/USDT", 500)
    assert 499 < order["cost"] <= 500


async def test_a_sale_rests_until_somebody_pays_its_price(opener: Opener) -> None:
    """The clock's hour decides where in a market this is; a market that rises is looked for."""
    begun_ns = opener.clock.now_ns
    seed = rising_seed("SOL", begun_ns)
    async with opener(speed=60, seed=seed, origin_ns=begun_ns) as running:
        await running.spot.create_order("SOL/USDT", "market", "buy", 2)
        ask = (await running.spot.fetch_ticker("SOL/USDT"))["ask"]
        await running.spot.create_order("SOL/USDT", "limit", "sell", 1, ask)
        assert (await running.spot.fetch_balance())["SOL"]["used"] == 1
        for _ in range(RISE_MINUTES):
            running.clock.forward(1)
            running.venue.advance()
        assert not running.venue.spot_ledger.live()
        assert (await running.spot.fetch_balance())["SOL"]["used"] == 0


async def test_an_order_that_must_not_wait_expires(running: Running) -> None:
    order = await running.spot.create_order(
        "BTC/USDT", "limit", "buy", 0.01, 50_000.0, {"timeInForce": "IOC"}
    )
    assert order["status"] == "expired"
