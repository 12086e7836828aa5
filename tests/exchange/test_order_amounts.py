"""Amounts of orders as the venue takes them, at both ticks, from a decision to the ledger."""

import random
from pathlib import Path

import ccxt
import pytest

from foresight.board import MICRO, FeeSchedule, Method, Rules, Side, Slot, Tie, Window
from foresight.book import Book
from foresight.config import Risk
from foresight.exchange.errors import TimelineMismatchError
from foresight.exchange.market.amounts import Amounts, bad_amounts, price_on_tick
from foresight.exchange.market.windows import Side as Outcome
from foresight.market import Level
from foresight.risk import Stake, stake_on
from foresight.strategies.base import Opinion
from tests.exchange.served import Opener, Running, StandingClock, pinned, undecided
from tests.exchange.test_desk import START_S, Counter, at
from tests.exchange.test_desk import WINDOW as DESK_WINDOW

FEE = FeeSchedule(rate_ppm=70_000, exponent=1)
WINDOW = Window(Slot("BTC", "5m"), 1_763_827_200)


def random_stakes(tick_micro: int, count: int) -> list[Stake]:
    """Return what the trader would buy on random opinions, asks and limits, always the same."""
    dice = random.Random(tick_micro)  # noqa: S311 - not a secret
    rules = Rules(
        tick_micro=tick_micro,
        size_min_micro=5 * MICRO,
        fee=FEE,
        tie=Tie.UP,
        method=Method.LAST_PRICE,
        source="local exchange",
    )
    found: list[Stake] = []
    while len(found) < count:
        best = dice.randrange(tick_micro, MICRO, tick_micro)
        opinion = Opinion(
            side=Side.UP, probability_ppm=dice.randrange(MICRO), price_max_micro=MICRO - 1
        )
        risk = Risk(
            edge_min_cents=-100,
            edge_max_cents=100,
            slippage_cents=dice.uniform(0, 5),
            stake_floor_usdc=dice.uniform(0, 30),
        )
        answer = stake_on(
            opinion, (Level(best, MICRO),), rules, book=Book(), window=WINDOW, risk=risk
        )
        if isinstance(answer, Stake):
            found.append(answer)
    return found


async def tick_size(running: Running, outcome: str) -> tuple[str, float]:
    """Return a market's tick as its book and as its rules say it."""
    token = (await running.board.fetch_ticker(outcome))["outcomeId"]
    book = await running.board.fetch(f"{running.url}/clob/book?token_id={token}")
    rules = await running.board.fetch(f"{running.url}/clob/tick-size?token_id={token}")
    return book["tick_size"], rules["minimum_tick_size"]


@pytest.mark.asyncio
@pytest.mark.parametrize("tick_micro", [10_000, 1_000])
async def test_no_order_of_the_trader_has_amounts_that_the_venue_refuses(
    running: Running, tick_micro: int
) -> None:
    """Of 400 sizes in hundredths of a share 381 were refused as "invalid amounts"."""
    for stake in random_stakes(tick_micro, 400):
        shares, price = stake.shares_micro / MICRO, stake.limit_micro / MICRO
        raw = running.board.polymarket_order_raw_amounts(
            "BUY", shares, price, f"{tick_micro / MICRO:g}", None
        )
        amounts = Amounts(int(raw["takerAmount"]), int(raw["makerAmount"]))
        assert amounts == (stake.shares_micro, stake.shares_micro * stake.limit_micro // MICRO)
        assert amounts.cash_micro >= MICRO
        assert bad_amounts(amounts, is_buy=True, rests=False, tick_micro=tick_micro) == ""
        assert price_on_tick(amounts, tick_micro) == (stake.limit_micro, True)


@pytest.mark.parametrize(
    ("amounts", "is_buy", "rests", "tick_micro", "is_fine"),
    [
        ((40_360_000, 23_408_800), True, True, 10_000, True),  # 40.36 x 0.58 may rest
        ((40_360_000, 23_408_800), True, False, 10_000, False),  # and is refused at once
        ((40_360_000, 23_410_000), True, False, 10_000, True),
        ((40_360_050, 23_410_000), True, False, 10_000, False),  # five decimals of a share
        ((40_360_000, 23_408_800), False, False, 10_000, True),
        ((40_361_000, 23_408_800), False, False, 10_000, False),
        ((40_361_000, 23_408_800), True, True, 10_000, False),
        ((40_360_000, 23_408_850), True, True, 10_000, False),
        ((40_360_000, 23_408_850), True, True, 1_000, True),
        ((40_360_000, 23_408_855), True, True, 1_000, False),
        ((40_360_000, 23_408_855), True, True, 100, True),
        ((40_360_000, 23_408_000), True, True, 100_000, True),
        ((40_360_000, 23_408_800), True, True, 100_000, False),
    ],
)
def test_decimals_are_the_venues_by_kind_of_order_and_tick(
    amounts: tuple[int, int],
    is_buy: bool,  # noqa: FBT001 - a table
    rests: bool,  # noqa: FBT001
    tick_micro: int,
    is_fine: bool,  # noqa: FBT001
) -> None:
    refusal = bad_amounts(Amounts(*amounts), is_buy=is_buy, rests=rests, tick_micro=tick_micro)
    assert (refusal == "") is is_fine
    assert is_fine or refusal.startswith("invalid amounts, the ")


@pytest.mark.asyncio
async def test_a_buy_at_once_spends_its_usdc_and_gets_more_shares_at_a_better_price(
    running: Running,
) -> None:
    outcome = await running.outcome()
    asks = (await running.board.fetch_order_book(outcome))["asks"]
    limit = asks[0][0] + 0.03
    placed = await running.board.create_order(outcome, "limit", "buy", 10, limit, pinned())
    assert float(placed["info"]["makingAmount"]) == pytest.approx(10 * limit)
    assert float(placed["info"]["takingAmount"]) > 10
    order = running.venue.ledger.orders[placed["id"]]
    assert order.cash_micro == round(10 * limit * MICRO)
    assert order.status == "MATCHED"


@pytest.mark.asyncio
async def test_a_market_of_a_finer_tick_takes_finer_prices_and_remembers_its_tick(
    opener: Opener,
) -> None:
    async with undecided(opener, tick_micro=1_000) as running:
        kept_on = {"seed": running.venue.seed, "origin_ns": running.venue.identity.origin_ns}
        outcome = await running.outcome()
        book = await running.board.fetch_order_book(outcome)
        assert await tick_size(running, outcome) == ("0.001", 0.001)
        assert any(round(price * 1000) % 10 for price, _ in book["asks"] + book["bids"])
        ask = book["asks"][0][0]
        params = pinned(tickSize="0.001", orderType="GTC")
        placed = await running.board.create_order(outcome, "limit", "buy", 10, ask, params)
        order = running.venue.ledger.orders[placed["id"]]
        assert order.fills[0].price_micro == round(ask * MICRO)
        finest = round(ask - 0.01, 2) + 0.0001
        with pytest.raises(ccxt.InvalidOrder, match="minimum tick size"):
            await running.board.create_order(
                outcome, "limit", "buy", 100, finest, pinned(2, tickSize="0.0001", orderType="GTC")
            )
    async with opener(speed=60, **kept_on) as running:
        assert running.venue.identity.tick_micro == 1_000
        kept = running.venue.ledger.orders[placed["id"]]
        assert kept.fills[0].price_micro == round(ask * MICRO)


@pytest.mark.asyncio
async def test_a_ledger_keeps_its_tick(tmp_path: Path) -> None:
    opener = Opener(tmp_path / "exchange", StandingClock())
    async with opener(speed=60, seed=7):
        pass
    with pytest.raises(TimelineMismatchError, match="tick_micro"):
        async with opener(speed=60, seed=7, tick_micro=1_000):
            pass


@pytest.mark.asyncio
async def test_a_market_may_change_its_tick_while_it_runs(running: Running) -> None:
    """The reference venue does so when a price nears 0 or 1: rules are read, never remembered."""
    outcome = await running.outcome()
    slug = running.window().slug
    answer = await running.control("tick", {"slug": slug, "tick": "0.001"})
    assert answer == {"slug": slug, "tick": "0.001"}
    assert await tick_size(running, outcome) == ("0.001", 0.001)
    event = await running.board.fetch_event(slug)
    assert event["markets"][0]["info"]["orderPriceMinTickSize"] == 0.001
    refused: list[object] = [{"slug": slug, "tick": "0.5"}, {"slug": "x", "tick": "0.01"}, [], {}]
    for nonsense in refused:
        assert "error" in await running.control("tick", nonsense)


def cheapest(counter: Counter) -> tuple[float, Outcome, int]:
    """Return a moment at which an outcome costs at most 15 cents, and its price in cents."""
    for second in range(1, 290):
        for side in Outcome:
            asks = counter.market.book(DESK_WINDOW, side, at(second).market_ns).asks
            if asks and asks[0].price_micro <= 150_000:
                return second, side, asks[0].price_micro // 10_000
    pytest.fail("nothing gets cheap in this window; choose another seed")


@pytest.mark.parametrize("hold_ns", [0, 250_000_000])
@pytest.mark.parametrize("time_in_force", ["GTC", "GTD", "FAK", "FOK"])
def test_a_buy_that_crosses_is_a_dollar_at_least_whatever_its_kind(
    time_in_force: str, hold_ns: int
) -> None:
    """Five shares at 15 cents may rest; executed at once they are refused, also as a limit."""
    counter = Counter(hold_ns=hold_ns)
    second, side, cents = cheapest(counter)
    more = {"side": side, "time_in_force": time_in_force, "expires_s": START_S + 10_000}
    small = counter.order(1, at(second), cents=cents, size_micro=5_000_000, **more)
    assert small.verdict == "refused"
    assert (
        small.reason == f"invalid amount for a marketable BUY order (${cents / 20:g}), min size: $1"
    )
    whole = -(-100 // cents)  # shares that cost a dollar at least
    enough = counter.order(2, at(second), cents=cents, size_micro=whole * 1_000_000, **more)
    assert enough.verdict in {"accepted", "held"}


def test_less_than_a_dollar_may_rest_and_be_met_later() -> None:
    counter = Counter()
    resting = counter.order(1, at(1), cents=2, size_micro=5_000_000, time_in_force="GTC")
    assert (resting.verdict, resting.fills) == ("accepted", ())


def test_a_sale_of_less_than_a_dollar_is_taken() -> None:
    """Otherwise what is left of a position could never be sold."""
    counter = Counter()
    counter.order(1, at(1))
    sold = counter.order(2, at(1), is_buy=False, cents=1, size_micro=500_000)
    assert (sold.verdict, sold.fills[0].size_micro) == ("accepted", 500_000)


def test_five_shares_are_needed_to_rest_and_not_to_execute() -> None:
    counter = Counter()
    resting = counter.order(1, at(1), cents=50, size_micro=4_990_000, time_in_force="GTC")
    assert resting.reason == "order order-1 is invalid. Size (4.99) lower than the minimum: 5"
    taken = counter.order(2, at(1), cents=99, size_micro=2_000_000)
    assert (taken.verdict, sum(fill.cash_micro for fill in taken.fills)) == ("accepted", 1_980_000)


@pytest.mark.asyncio
async def test_five_decimals_of_a_share_are_refused_at_the_finer_tick(opener: Opener) -> None:
    """The unmodified client sizes a buy by its cost with as many; the venue refuses them."""
    async with undecided(opener, tick_micro=1_000) as running:
        outcome = await running.outcome()
        finer = pinned(tickSize="0.001", cost=10)
        with pytest.raises(ccxt.InvalidOrder, match="taker amount a max of 4 decimals"):
            await running.board.create_order(outcome, "market", "buy", 10, 0.989, finer)
        fine = pinned(2, tickSize="0.01", cost=10)
        placed = await running.board.create_order(outcome, "market", "buy", 10, 0.99, fine)
        assert placed["info"]["makingAmount"] == "10"
