"""Every switch is seen by the client as the exception class that the trader is built on."""

import ccxt
import pytest

from foresight.exchange.market_clock import NS_PER_SECOND
from tests.exchange.served import Opener, Running, pinned

pytestmark = pytest.mark.asyncio

BINANCE_CLASSES = {
    "rate_limit": ccxt.DDoSProtection,
    "ban": ccxt.DDoSProtection,
    "server_error": ccxt.OperationFailed,
    "lost_request": ccxt.ExchangeNotAvailable,
    "lost_answer": ccxt.ExchangeNotAvailable,
    "execution_unknown": ccxt.RequestTimeout,
    "timeout": ccxt.RequestTimeout,
    "late_answer": ccxt.RequestTimeout,
}
BOARD_CLASSES = {
    "rate_limit": ccxt.RateLimitExceeded,
    "ban": ccxt.DDoSProtection,
    "server_error": ccxt.ExchangeNotAvailable,
    "lost_request": ccxt.ExchangeNotAvailable,
    "lost_answer": ccxt.ExchangeNotAvailable,
    "execution_unknown": ccxt.RequestTimeout,
    "timeout": ccxt.RequestTimeout,
    "late_answer": ccxt.RequestTimeout,
}
EXECUTED = {"lost_answer", "execution_unknown", "late_answer"}


@pytest.mark.parametrize("fault", sorted(BINANCE_CLASSES))
async def test_a_spot_order_meets_a_fault(running: Running, fault: str) -> None:
    await running.spot.load_markets()
    running.spot.timeout = 300
    await running.control("faults", {fault: {"count": 1, "scope": "orders"}})
    with pytest.raises(BINANCE_CLASSES[fault]):
        await running.spot.create_order(
            "BTC/USDT", "market", "buy", 0.01, params={"clientOrderId": "one"}
        )
    executed = (await running.control("ledger"))["spot"]["executed"]
    assert executed == (fault in EXECUTED)


@pytest.mark.parametrize("fault", sorted(BOARD_CLASSES))
async def test_a_board_order_meets_a_fault_and_its_hash_tells_the_truth(
    running: Running, fault: str
) -> None:
    """Unknown is not refused: only the venue, asked by the order's own hash, knows."""
    outcome = await running.outcome()
    await running.board.load_api_credentials()
    body = running.board.build_clob_order_body(outcome, "limit", "buy", 10, 0.99, pinned())["body"]
    running.board.timeout = 300
    await running.control("faults", {fault: {"count": 1, "scope": "orders"}})
    with pytest.raises(BOARD_CLASSES[fault]):
        await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    running.board.timeout = 2000
    found = (
        await running.board.fetch_order(running.venue.ledger.requests[0].order_id)
        if (fault in EXECUTED)
        else {"id": None}
    )
    assert (found["id"] is not None) == (fault in EXECUTED)
    if fault in EXECUTED:
        with pytest.raises(ccxt.ExchangeNotAvailable, match="Duplicated"):
            await running.board.clobPrivatePostOrder(body)
    else:
        await running.board.clobPrivatePostOrder(body)
    assert (await running.control("ledger"))["executed"] == 1


async def test_too_early_is_no_class_of_its_own(running: Running) -> None:
    """425 is in no table of the client: it arrives as an answer with an error in it."""
    outcome = await running.outcome()
    await running.control("faults", {"too_early": {"count": 1}})
    order = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    assert order["id"] is None
    assert order["status"] is None
    assert "restarting" in order["info"]["error"]
    assert (await running.control("ledger"))["requests_received"] == 0


async def test_a_rate_limit_says_when_to_come_back(running: Running) -> None:
    await running.control("faults", {"rate_limit": {"count": 1, "seconds": 7}})
    running.spot.enableLastResponseHeaders = True
    with pytest.raises(ccxt.DDoSProtection):
        await running.spot.fetch_time()
    assert running.spot.last_response_headers["Retry-After"] == "7"


async def test_half_a_document_is_no_answer(running: Running) -> None:
    await running.control("faults", {"malformed": {"count": 1, "scope": "binance"}})
    assert isinstance(await running.spot.publicGetTime(), str)


async def test_an_outage_ends_by_itself(running: Running) -> None:
    await running.control("faults", {"outage": {"seconds": 3600}})
    for _ in range(2):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await running.spot.fetch_time()
    assert (await running.control("health"))["status"] == "ok"
    running.clock.forward(3601)
    assert await running.spot.fetch_time() > 0
    assert (await running.control("faults"))["hits"] == {"outage": 1}  # however many met it


async def test_a_stale_book_is_old_while_matching_is_not(running: Running) -> None:
    outcome = await running.outcome()
    fresh = await running.board.fetch_order_book(outcome)
    await running.control("faults", {"stale_book": {"seconds": 30}})
    stale = await running.board.fetch_order_book(outcome)
    assert fresh["timestamp"] - stale["timestamp"] == 30_000
    placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    info = placed["info"]
    mean = float(info["makingAmount"]) / float(info["takingAmount"])
    assert mean == pytest.approx(fresh["asks"][0][0], abs=1e-6)


async def test_a_finished_order_can_be_hidden_from_lookups_but_not_from_trades(
    running: Running,
) -> None:
    """The real venue forgets matched kill orders by id; the trades are the proof."""
    outcome = await running.outcome()
    placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
    await running.control("faults", {"blank_lookup": 1})
    assert (await running.board.fetch_order(placed["id"]))["id"] is None
    assert await running.board.fetch_order_trades(placed["id"], outcome)


async def test_switches_can_be_read_and_turned_off_and_nonsense_changes_nothing(
    running: Running,
) -> None:
    await running.control("faults", {"rate_limit": 0.5, "ban": {"scope": "gamma"}})
    on = (await running.control("faults"))["on"]
    assert on["rate_limit"]["probability"] == 0.5
    assert on["ban"] == {"probability": 1.0, "count": None, "scope": "gamma", "seconds": 60.0}
    wrong: tuple[object, ...] = (
        {"nope": 1},
        {"ban": {"scope": "moon"}},
        {"ban": 2},
        {"ban": {"x": 1}},
        [],
    )
    for nonsense in wrong:
        assert "error" in await running.control("faults", nonsense)
    assert (await running.control("faults"))["on"] == on
    await running.control("faults", {"rate_limit": None, "ban": 0})
    assert (await running.control("faults"))["on"] == {}


async def test_faults_can_be_on_from_the_start(opener: Opener) -> None:
    from foresight.exchange.faults import parse_option  # noqa: PLC0415

    async with opener(faults=(parse_option("ban=1:2@binance~5"),)) as running:
        for _ in range(2):
            with pytest.raises(ccxt.DDoSProtection):
                await running.spot.fetch_time()
        assert await running.spot.fetch_time() == running.clock.now_ns // (NS_PER_SECOND // 1000)
        hits = (await running.control("faults"))["hits"]
        assert hits == {"ban": 2}
