"""The unmodified ccxt client finds windows, trades shares and reads everything back."""

import ccxt
import pytest

from foresight.exchange.market.windows import Side, Window
from foresight.exchange.polymarket.order_hash import order_id
from tests.exchange.served import Running, pinned

pytestmark = pytest.mark.asyncio


async def test_an_event_says_everything_a_trader_must_not_guess(running: Running) -> None:
    window = running.window()
    event = await running.board.fetch_event(window.slug)
    assert event["end"] == window.end_s * 1000
    assert event["active"] is True
    assert event["resolved"] is False
    market = event["markets"][0]
    raw = market["info"]
    assert raw["feeSchedule"]["rate"] == 0.07
    assert raw["acceptingOrders"] is True
    assert market["limits"]["amount"]["min"] == 5
    assert market["limits"]["price"] == {"min": 0.01, "max": 0.99}
    up, down = market["outcomes"]
    assert up["outcome"] == f"BTC_UPDOWN_5M_{window.start_s}:UP"
    assert up["price"] + down["price"] == pytest.approx(1.0)
    before = running.venue.tape.source.candle("BTC", window.start_s // 60 - 1)
    assert before is not None
    average = (before.open + before.high + before.low + before.close) / 4
    assert event["info"]["eventMetadata"] == {"priceToBeat": pytest.approx(average)}
    assert "60-second average" in event["info"]["description"]


async def test_events_are_found_by_id_token_and_as_a_board(running: Running) -> None:
    window = running.window()
    event = await running.board.fetch_event(window.slug)
    assert (await running.board.fetch_event(event["id"]))["slug"] == window.slug
    assert (await running.board.fetch_events({"slug": window.slug}))[0]["slug"] == window.slug
    token = event["markets"][0]["outcomes"][0]["outcomeId"]
    running.board.markets = None
    running.board.outcomes = running.board.outcomes_by_id = None
    book = await running.board.fetch_order_book(token)
    assert book["asks"]
    board = await running.board.fetch_events({"tags": ["up-or-down"]})
    assert len(board) == 32  # eight assets, two timeframes, running and next
    assert (await running.board.fetch_status())["status"] == "ok"


async def test_what_no_window_is_called_is_not_found(running: Running) -> None:
    for slug in ("btc-updown-5m-1763827201", "nope-updown-5m-1763827200", "anything-else"):
        with pytest.raises(ccxt.ExchangeNotAvailable, match="not found"):
            await running.board.fetch_event(slug)
    with pytest.raises(ccxt.BaseError):
        await running.board.fetch(f"{running.url}/clob/book?token_id=17")


async def test_both_books_are_one_liquidity_seen_from_two_sides(running: Running) -> None:
    up = await running.board.fetch_order_book(await running.outcome())
    down = await running.board.fetch_order_book(await running.outcome(Side.DOWN))
    mirrored = [[round(1 - price, 2), size] for price, size in down["bids"]]
    assert up["asks"] == mirrored
    assert up["bids"][0][0] < up["asks"][0][0]


async def test_tickers_and_the_fee_rate_are_served(running: Running) -> None:
    outcome = await running.outcome()
    ticker = await running.board.fetch_ticker(outcome)
    assert ticker["bid"] < ticker["average"] < ticker["ask"]
    both = await running.board.fetch_tickers([outcome, await running.outcome(Side.DOWN)])
    assert len(both) == 2
    assert (await running.board.fetch_trading_fee(outcome))["taker"] == 0.07
    token = ticker["outcomeId"]
    assert await running.board.fetch(f"{running.url}/clob/tick-size?token_id={token}") == {
        "minimum_tick_size": 0.01
    }
    assert await running.board.fetch(f"{running.url}/clob/neg-risk?token_id={token}") == {
        "neg_risk": False
    }


@pytest.mark.parametrize("signature_type", [0, 3])
async def test_the_id_is_known_before_the_order_is_sent(
    running: Running, signature_type: int
) -> None:
    outcome = await running.outcome()
    params = pinned(signatureType=signature_type)
    await running.board.load_api_credentials()
    body = running.board.build_clob_order_body(outcome, "limit", "buy", 10, 0.99, params)["body"]
    placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, params)
    assert placed["id"] == order_id(body["order"])
    assert placed["status"] == "closed"


async def test_the_same_order_sent_twice_is_executed_once(running: Running) -> None:
    """A resend after a lost answer must never trade twice, and the venue's log must show both."""
    outcome = await running.outcome()
    first = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    with pytest.raises(ccxt.ExchangeNotAvailable, match="Duplicated"):
        await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    books = await running.control("ledger")
    assert books["requests_received"] == 2
    assert books["requests_distinct"] == 1
    assert books["duplicates_refused"] == 1
    assert books["executed"] == 1
    assert [(row["id"], row["requests"]) for row in books["orders"]] == [(first["id"], 2)]


async def test_a_fill_is_read_back_to_the_last_cent(running: Running) -> None:
    outcome = await running.outcome()
    ask = (await running.board.fetch_order_book(outcome))["asks"][0][0]
    placed = await running.board.create_order(outcome, "limit", "buy", 10, ask, pinned())
    assert placed["info"]["takingAmount"] == "10"
    order = await running.board.fetch_order(placed["id"])
    assert (order["filled"], order["side"], order["status"]) == (10, "buy", "closed")
    trades = await running.board.fetch_order_trades(placed["id"], outcome)
    assert [trade["price"] for trade in trades] == [ask]
    fee = float(trades[0]["info"]["fee"])
    assert fee == pytest.approx(10 * 0.07 * ask * (1 - ask), abs=1e-5)
    balance = await running.board.fetch_balance()
    assert balance["USDC"]["total"] == pytest.approx(10_000 - 10 * ask - fee)
    wallet = running.board.walletAddress
    position = (await running.board.dataPublicGetPositions({"user": wallet}))[0]
    assert position["size"] == 10
    assert position["avgPrice"] == ask
    public = await running.board.fetch_trades(outcome)
    assert [trade["amount"] for trade in public] == [10]


async def test_what_was_taken_is_gone_until_the_book_changes(running: Running) -> None:
    outcome = await running.outcome()
    price, size = (await running.board.fetch_order_book(outcome))["asks"][0]
    await running.board.create_order(outcome, "limit", "buy", size, price, pinned())
    assert (await running.board.fetch_order_book(outcome))["asks"][0][0] > price
    down = await running.board.fetch_order_book(await running.outcome(Side.DOWN))
    assert down["bids"][0][0] < round(1 - price, 2)


async def test_a_kill_order_without_a_match_uses_its_id_up(running: Running) -> None:
    outcome = await running.outcome()
    with pytest.raises(ccxt.OrderNotFillable):
        await running.board.create_order(outcome, "limit", "buy", 100, 0.01, pinned())
    with pytest.raises(ccxt.ExchangeNotAvailable, match="Duplicated"):
        await running.board.create_order(outcome, "limit", "buy", 100, 0.01, pinned())
    with pytest.raises(ccxt.ExchangeNotAvailable, match="fully filled or killed"):
        await running.board.create_order(
            outcome, "limit", "buy", 100, 0.01, pinned(2, orderType="FOK")
        )
    assert (await running.control("ledger"))["executed"] == 0


async def test_a_kill_order_takes_what_is_there(running: Running) -> None:
    outcome = await running.outcome()
    price, size = (await running.board.fetch_order_book(outcome))["asks"][0]
    placed = await running.board.create_order(outcome, "limit", "buy", size + 50, price, pinned())
    order = await running.board.fetch_order(placed["id"])
    assert order["filled"] == size
    assert await running.board.fetch_open_orders(outcome) == []


async def test_an_order_nobody_placed_has_no_id(running: Running) -> None:
    assert (await running.board.fetch_order("0x" + "1" * 64))["id"] is None


async def test_a_resting_order_claims_cash_and_can_be_canceled(running: Running) -> None:
    outcome = await running.outcome()
    orders = [
        await running.board.create_order(
            outcome, "limit", "buy", 10, 0.02, pinned(number, orderType="GTC")
        )
        for number in range(4)
    ]
    ids = [order["id"] for order in orders]
    assert [order["status"] for order in orders] == ["open"] * 4
    assert len(await running.board.fetch_open_orders(outcome)) == 4
    assert (await running.board.cancel_order(ids[0]))["status"] == "canceled"
    assert (await running.board.cancel_order(ids[0]))["status"] == "open"  # not canceled again
    assert len(await running.board.cancel_orders(ids[1:2])) == 1
    assert len(await running.board.cancel_all_orders(outcome)) == 2
    assert await running.board.cancel_all_orders() == []
    assert await running.board.fetch_open_orders() == []


async def test_a_resting_order_is_filled_as_maker_without_fee(running: Running) -> None:
    outcome = await running.outcome()
    bid = (await running.board.fetch_order_book(outcome))["bids"][0][0]
    placed = await running.board.create_order(
        outcome, "limit", "buy", 10, bid, pinned(orderType="GTC")
    )
    for _ in range(60):
        running.clock.forward(0.1)  # six market seconds: the next book
        running.venue.advance()
    order = running.venue.ledger.orders[placed["id"]]
    assert order.status in {"MATCHED", "CANCELED"}  # crossed, or the window ended first
    trades = await running.board.fetch_order_trades(placed["id"], outcome)
    assert [trade["takerOrMaker"] for trade in trades] == ["maker"] * len(order.fills)
    assert order.fee_micro == 0


async def test_a_post_only_order_does_not_take(running: Running) -> None:
    outcome = await running.outcome()
    with pytest.raises(ccxt.ExchangeNotAvailable, match="crosses book"):
        await running.board.create_order(
            outcome, "limit", "buy", 10, 0.99, pinned(orderType="GTC", postOnly=True)
        )
    with pytest.raises(ccxt.ExchangeNotAvailable, match="only GTC and GTD"):
        await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned(postOnly=True))


async def test_an_order_for_a_time_must_leave_a_minute_and_ends_by_itself(
    running: Running,
) -> None:
    outcome = await running.outcome()
    now_s = running.clock.now_ns // 1_000_000_000
    with pytest.raises(ccxt.ExchangeNotAvailable, match="invalid expiration"):
        await running.board.create_order(
            outcome, "limit", "buy", 10, 0.01, pinned(orderType="GTD", expiration=str(now_s))
        )


async def test_shares_can_be_sold_again_and_no_more_than_that(running: Running) -> None:
    outcome = await running.outcome()
    ask = (await running.board.fetch_order_book(outcome))["asks"][0][0]
    await running.board.create_order(outcome, "limit", "buy", 10, ask, pinned())
    with pytest.raises(ccxt.InsufficientFunds):
        await running.board.create_order(outcome, "limit", "sell", 11, 0.01, pinned(2))
    sold = await running.board.create_order(outcome, "limit", "sell", 10, 0.01, pinned(3))
    assert sold["info"]["makingAmount"] == "10"
    wallet = running.board.walletAddress
    assert await running.board.dataPublicGetPositions({"user": wallet}) == []
    closed = await running.board.dataPublicGetClosedPositions({"user": wallet})
    assert closed[0]["realizedPnl"] < 0  # the spread
    shares = await running.board.clobPrivateGetBalanceAllowance(
        {"asset_type": "CONDITIONAL", "token_id": closed[0]["asset"]}
    )
    assert shares["balance"] == "0"


async def test_what_breaks_a_rule_is_refused_and_its_id_stays_free(running: Running) -> None:
    outcome = await running.outcome()
    with pytest.raises(ccxt.InvalidOrder, match="minimum tick size"):
        await running.board.create_order(
            outcome, "limit", "buy", 10, 0.555, pinned(tickSize="0.001")
        )
    with pytest.raises(ccxt.ExchangeNotAvailable, match="lower than the minimum"):
        await running.board.create_order(outcome, "limit", "buy", 4, 0.01, pinned(orderType="GTC"))
    with pytest.raises(ccxt.InvalidOrder, match=r"invalid amount for a marketable BUY order"):
        await running.board.create_order(outcome, "limit", "buy", 1, 0.99, pinned())
    with pytest.raises(ccxt.InvalidOrder, match=r"market buy orders maker .* 2 decimals"):
        await running.board.create_order(outcome, "limit", "buy", 40.36, 0.58, pinned())
    with pytest.raises(ccxt.InsufficientFunds):
        await running.board.create_order(outcome, "limit", "buy", 20_000, 0.99, pinned())
    books = await running.control("ledger")
    assert books["verdicts"] == {"refused": 5}
    assert books["orders"] == []


async def test_orders_in_a_batch_have_outcomes_of_their_own(running: Running) -> None:
    outcome = await running.outcome()
    good = {"outcome": outcome, "type": "limit", "side": "buy", "amount": 5, "price": 0.99}
    orders = await running.board.create_orders(
        [good | {"params": pinned(1)}, good | {"amount": 1, "params": pinned(2)}]
    )
    assert [order["info"]["success"] for order in orders] == [True, False]


@pytest.mark.parametrize("bad", ["forged", "foreign", "no order", "no object"])
async def test_an_order_of_a_batch_that_is_none_hides_no_other_one(
    running: Running, bad: str
) -> None:
    """The whole batch was answered with its error: what had been bought before it was not told."""
    outcome = await running.outcome()
    await running.board.load_api_credentials()
    build = running.board.build_clob_order_body
    good, wrong, last = (
        build(outcome, "limit", "buy", 10, 0.99, pinned(number))["body"] for number in (1, 2, 3)
    )
    match bad:
        case "forged":
            wrong["order"]["salt"] = 7
        case "foreign":
            wrong["owner"] = "somebody"
        case "no order":
            del wrong["order"]
        case _:
            wrong = 7
    answers = await running.board.clobPrivatePostOrders([good, wrong, last])
    assert [answer["success"] for answer in answers] == [True, False, True]
    assert answers[1]["errorMsg"]
    assert (await running.control("ledger"))["verdicts"] == {"accepted": 2}


async def test_a_cost_sized_market_buy_spends_what_it_says(running: Running) -> None:
    outcome = await running.outcome()
    placed = await running.board.create_order(outcome, "market", "buy", 10, 0.99, pinned(cost=10))
    assert placed["info"]["makingAmount"] == "10"
    assert float(placed["info"]["takingAmount"]) > 10 / 0.99


async def test_another_key_cannot_use_or_see_an_account(running: Running) -> None:
    outcome = await running.outcome()
    placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    running.board.options["l2Passphrase"] = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        await running.board.fetch_balance()
    for name in ("l2ApiKey", "l2Secret", "l2Passphrase"):
        del running.board.options[name]
    running.board.privateKey = "0x" + "2" * 64
    assert (await running.board.fetch_order(placed["id"]))["id"] is None
    assert (await running.board.fetch_balance())["USDC"]["total"] == 10_000


async def test_a_forged_signature_is_refused(running: Running) -> None:
    outcome = await running.outcome()
    await running.board.load_api_credentials()
    body = running.board.build_clob_order_body(outcome, "limit", "buy", 10, 0.99, pinned())["body"]
    body["order"]["makerAmount"] = "1000"
    with pytest.raises(ccxt.AuthenticationError):
        await running.board.clobPrivatePostOrder(body)
    body["owner"] = "somebody"
    with pytest.raises(ccxt.ExchangeNotAvailable, match="order owner"):
        await running.board.clobPrivatePostOrder(body)
    with pytest.raises(ccxt.ExchangeNotAvailable, match="Invalid order payload"):
        await running.board.clobPrivatePostOrder({"order": {}})
    running.board.secret = running.board.privateKey = None
    assert (await running.control("ledger"))["requests_received"] == 0


async def test_silence_after_a_heartbeat_cancels_everything(running: Running) -> None:
    """The heartbeat belongs to whoever owns the orders: nobody may start one by accident."""
    now = running.window("BTC", "15m")
    later = Window("BTC", "15m", now.start_s + 3 * now.length_s)
    event = await running.board.fetch_event(later.slug)
    outcome = event["markets"][0]["outcomes"][0]["outcome"]
    placed = await running.board.create_order(
        outcome, "limit", "buy", 10, 0.01, pinned(orderType="GTC")
    )
    running.clock.forward(16)
    assert len(await running.board.fetch_open_orders()) == 1
    await running.board.clobPrivatePostV1Heartbeats({})
    running.clock.forward(14)
    assert len(await running.board.fetch_open_orders()) == 1
    running.clock.forward(2)
    assert await running.board.fetch_open_orders() == []
    assert running.venue.ledger.orders[placed["id"]].status == "CANCELED"


async def test_events_and_markets_can_be_asked_for_every_way_the_client_knows(
    running: Running,
) -> None:
    window = running.window()
    event = await running.board.fetch_event(window.slug)
    by_id = await running.board.gammaPublicGetEvents({"id": event["id"]})
    assert by_id[0]["slug"] == window.slug
    assert await running.board.gammaPublicGetEvents({"closed": "true"}) == []
    one = await running.board.gammaPublicGetMarketsSlugSlug({"slug": window.slug})
    assert one["slug"] == window.slug
    some = await running.board.gammaPublicGetMarkets({"slug": window.slug})
    assert [market["slug"] for market in some] == [window.slug]
    assert len(await running.board.gammaPublicGetMarkets()) == 32


async def test_a_malformed_request_gets_the_venues_words(running: Running) -> None:
    await running.outcome()
    await running.board.load_api_credentials()
    for call in (
        running.board.clobPrivateDeleteOrder({"wrong": 1}),
        running.board.clobPrivateDeleteOrders({"wrong": 1}),
        running.board.clobPrivateDeleteCancelMarketOrders(["wrong"]),
        running.board.clobPrivatePostOrder(["wrong"]),
        running.board.clobPrivatePostOrders({"wrong": 1}),
        running.board.clobPublicPostBooks({"wrong": 1}),
        running.board.clobPublicGetBook({"token_id": "x"}),
    ):
        with pytest.raises(ccxt.ExchangeNotAvailable, match=r"nvalid|Too many"):
            await call


async def test_only_the_owner_of_an_address_gets_its_credentials(running: Running) -> None:
    headers = {
        "POLY_ADDRESS": running.board.walletAddress,
        "POLY_TIMESTAMP": "1763827200",
        "POLY_NONCE": "0",
        "POLY_SIGNATURE": "0x" + "11" * 65,
    }
    address = f"{running.url}/clob/auth/derive-api-key"
    with pytest.raises(ccxt.AuthenticationError):
        await running.board.fetch(address, "GET", headers)
    with pytest.raises(ccxt.AuthenticationError):
        await running.board.fetch(address, "GET", headers | {"POLY_NONCE": "x"})
    with pytest.raises(ccxt.AuthenticationError):
        await running.board.fetch(f"{running.url}/clob/data/orders", "GET", headers)
    assert running.venue.ledger.accounts == {}
