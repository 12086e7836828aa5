"""The counter decides from values alone: any moment can be played again without a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foresight.exchange.counters.order_requests import OrderRequest
from foresight.exchange.counters.prediction_desk import Desk
from foresight.exchange.counters.settlement import SETTLEMENT_DELAY_NS, Ruling, Settler
from foresight.exchange.counters.trade_course import Trouble
from foresight.exchange.ledger.prediction_entries import Entry, OrderReceived, Terms
from foresight.exchange.ledger.predictions import Ledger
from foresight.exchange.market.amounts import TICK_DEFAULT_MICRO, Amounts
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.table_files import load_table
from foresight.exchange.market.windows import Result, Side, Window
from foresight.exchange.market_clock import NS_PER_SECOND, Now
from foresight.exchange.polymarket.tokens import token_id
from foresight.exchange.prices.synthetic import SyntheticPrices
from foresight.exchange.prices.tape import Tape

START_S = 1_763_827_200
WINDOW = Window("BTC", "5m", START_S)
OWNER = "0xowner"
PRICES = SyntheticPrices(seed=11, origin_minute=START_S // 60, assets=("BTC", "ETH"))


def at(seconds: float) -> Now:
    """Return an instant some seconds into the window; wall and market time agree."""
    ns = round((START_S + seconds) * NS_PER_SECOND)
    return Now(ns, ns)


@dataclass
class Counter:
    """A desk whose ledger is kept in memory."""

    ledger: Ledger = field(default_factory=Ledger)
    entries: list[Entry] = field(default_factory=list)
    rulings: dict[str, Ruling] = field(default_factory=dict)
    balance_micro: int = 100_000_000
    hold_ns: int = 0
    redeem_ns: int = 0
    trouble: Callable[[], Trouble] = Trouble

    def __post_init__(self) -> None:
        self.market = FairMarket(
            Tape(PRICES, seed=11), seed=11, rule=Rule.LAST, table=load_table("synthetic")
        )
        self.settler = Settler(
            self.ledger,
            self.market,
            commit=self.commit,
            rule=self.rulings.get,
            redeem_ns=self.redeem_ns,
        )
        self.desk = Desk(
            self.ledger,
            self.market,
            commit=self.commit,
            settler=self.settler,
            balance_micro=self.balance_micro,
            tick_of=lambda _: TICK_DEFAULT_MICRO,
            hold_ns=self.hold_ns,
            trouble=self.trouble,
        )
        self.desk.open_account(OWNER, at(0))

    def commit(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.entries.append(entry)
            self.ledger.apply(entry)

    def order(self, number: int, now: Now, **more: Any) -> OrderReceived:  # noqa: ANN401 - terms
        return self.desk.submit(request(number, **more), now)


def request(
    number: int, *, side: Side = Side.UP, window: Window = WINDOW, **terms: object
) -> OrderRequest:
    """Return an order for ten shares at any price unless told otherwise."""
    asked = Terms(
        slug=window.slug,
        token=token_id(window, side),
        outcome=side.value,
        is_buy=True,
        cents=99,
        size_micro=10_000_000,
        time_in_force="FAK",
        wallet=OWNER,
    )
    asked = msgspec.structs.replace(asked, **terms)
    amounts = Amounts(asked.size_micro, asked.size_micro * asked.cents // 100)
    if asked.is_buy and asked.time_in_force in {"FAK", "FOK"}:
        asked = msgspec.structs.replace(asked, budget_micro=amounts.cash_micro)
    return OrderRequest(
        OWNER, f"order-{number}", window, side, asked, amounts, is_on_tick=True, is_post_only=False
    )


def crossing_time(counter: Counter, cents: int) -> float:
    """Return when somebody first sells Up at a price or below."""
    for tenth in range(10, 2990):
        book = counter.market.book(WINDOW, Side.UP, at(tenth / 10).market_ns)
        if book.asks and book.asks[0].price_micro <= cents * 10_000:
            return tenth / 10
    pytest.fail("this window never crosses; choose another seed")


def test_a_resting_order_is_filled_at_its_own_price_without_fee() -> None:
    counter = Counter()
    asks = [
        book.asks[0].price_micro // 10_000
        for second in range(0, 300, 5)
        if (book := counter.market.book(WINDOW, Side.UP, at(second + 0.1).market_ns)).asks
    ]
    first = counter.market.book(WINDOW, Side.UP, at(0.1).market_ns).asks[0].price_micro // 10_000
    cents = next(ask for ask in asks if ask < first)
    placed = counter.order(1, at(0.1), cents=cents, time_in_force="GTC")
    assert placed.fills == ()
    assert counter.ledger.free_micro(OWNER) == 100_000_000 - cents * 100_000
    counter.desk.advance(at(crossing_time(counter, cents)))
    order = counter.ledger.orders["order-1"]
    assert order.status == "MATCHED"
    assert (order.cash_micro, order.fee_micro) == (cents * 100_000, 0)
    assert order.fills[0].is_maker


def test_a_resting_sale_is_filled_when_somebody_pays_its_price() -> None:
    counter = Counter()
    bought = counter.order(1, at(0.1))
    paid = bought.fills[0].cents
    sold = counter.order(2, at(0.1), is_buy=False, cents=paid, time_in_force="GTC")
    assert sold.fills == ()
    more = bought.fills[0].size_micro - sold.terms.size_micro  # a better price buys more shares
    assert counter.ledger.free_shares_micro(OWNER, sold.terms.token) == more > 0
    counter.rulings[WINDOW.slug] = Ruling(is_void=True, delay_ns=0)
    for tenth in range(1, 3200):
        counter.desk.advance(at(tenth / 10))
    order = counter.ledger.orders["order-2"]
    assert order.status in {"MATCHED", "CANCELED"}
    assert counter.ledger.accounts[OWNER].positions == {}


def test_an_order_for_a_time_ends_by_itself() -> None:
    counter = Counter()
    expires = START_S + 100
    counter.order(1, at(1), cents=1, time_in_force="GTD", expires_s=expires)
    counter.desk.advance(at(99))
    assert counter.ledger.live
    counter.desk.advance(at(100))
    assert counter.ledger.orders["order-1"].status == "CANCELED"


def test_an_order_whose_time_is_over_is_met_by_nobody() -> None:
    """Looked at late it was canceled and bought at one instant: its owner had gone elsewhere."""
    counter = Counter()
    cents = counter.market.book(WINDOW, Side.UP, at(5.1).market_ns).asks[0].price_micro // 10_000
    expires_s = START_S + 61
    cents = next(each for each in range(cents, 0, -1) if crossing_time(counter, each) > 61)
    asked = {"cents": cents, "time_in_force": "GTD", "expires_s": expires_s}
    assert counter.order(1, at(0.1), **asked).fills == ()
    counter.desk.advance(at(crossing_time(counter, cents)))
    order = counter.ledger.orders["order-1"]
    assert (order.status, order.fills) == ("CANCELED", [])
    assert counter.ledger.accounts[OWNER].balance_micro == 100_000_000


def test_a_listed_window_can_be_traded_before_it_starts_and_others_not() -> None:
    counter = Counter()
    ahead = Window("BTC", "5m", START_S + 3300)
    assert counter.order(1, at(0), window=ahead).verdict == "accepted"
    for number, other in enumerate(
        (
            Window("BTC", "5m", START_S + 3900),
            Window("BTC", "5m", START_S - 300),
            Window("NOPE", "5m", START_S),
        )
    ):
        refused = counter.order(10 + number, at(0), window=other)
        assert (refused.verdict, refused.fills) == ("refused", ())
    assert counter.market.probability_up(ahead, at(0).market_ns) == 0.5
    assert counter.market.reference(ahead, at(0).market_ns) is None


def test_a_price_off_the_ticks_is_refused() -> None:
    counter = Counter()
    off = request(1)._replace(is_on_tick=False)
    assert "minimum tick size" in counter.desk.submit(off, at(1)).reason
    assert "minimum tick size" in counter.order(2, at(1), cents=100).reason


def test_cash_for_the_fee_must_be_there_too() -> None:
    best = Counter().market.book(WINDOW, Side.UP, at(1).market_ns).asks[0]
    cents = best.price_micro // 10_000
    exact = best.size_micro * cents // 100
    for balance, reason in ((exact, "not enough balance / allowance"), (exact + 3_000_000, "")):
        counter = Counter(balance_micro=balance)
        sent = counter.order(1, at(1), cents=cents, size_micro=best.size_micro)
        assert sent.reason == reason


def test_a_window_is_settled_once_and_not_before_its_delay() -> None:
    counter = Counter()
    counter.order(1, at(1))
    end_s = 300 + SETTLEMENT_DELAY_NS / NS_PER_SECOND
    counter.desk.advance(at(end_s - 0.1))
    assert counter.ledger.settlements == {}
    for late in (0.0, 1.0, 2.0):
        counter.desk.advance(at(end_s + late))
    result = counter.market.result(WINDOW, at(end_s).market_ns)
    assert result is not None
    kinds = [type(entry).__name__ for entry in counter.entries]
    assert kinds.count("WindowSettled") == 1
    assert counter.settler.result(WINDOW, at(9_999_999).market_ns) is result
    assert counter.market.result(WINDOW, at(299).market_ns) is None


def test_a_ruling_is_made_once_and_kept() -> None:
    counter = Counter(rulings={WINDOW.slug: Ruling(is_void=True, delay_ns=60 * NS_PER_SECOND)})
    counter.order(1, at(1))
    counter.desk.advance(at(311))
    counter.rulings.clear()  # what was ruled stays ruled
    counter.desk.advance(at(369))
    assert counter.ledger.settlements == {}
    counter.desk.advance(at(371))
    assert counter.ledger.settlements[WINDOW.slug].result == Result.VOID.value
    assert counter.ledger.accounts[OWNER].closed[0].size_micro == 0


moves = st.lists(
    st.tuples(
        st.integers(0, 40),  # id: repeats are wanted
        st.floats(0, 30),  # seconds to wait first
        st.sampled_from(Side),
        st.booleans(),
        st.integers(0, 101),
        st.integers(0, 60).map(lambda shares: shares * 500_000),
        st.sampled_from(["GTC", "GTD", "FAK", "FOK"]),
    ),
    max_size=25,
)
troubles = st.lists(
    st.builds(Trouble, st.integers(0, 60).map(lambda s: s * NS_PER_SECOND), st.booleans()),
    max_size=10,
)


@given(moves, troubles)
def test_money_is_neither_made_nor_lost_and_ids_are_executed_once(
    wanted: list[tuple[int, float, Side, bool, int, int, str]], suffered: list[Trouble]
) -> None:
    """Whatever is ordered and fails: cash, shares and requests add up, and the entries tell it."""
    counter = Counter(trouble=iter([*suffered, *[Trouble()] * 1000]).__next__)
    now_s = 1.0
    for number, wait, side, is_buy, cents, size, tif in wanted:
        now_s += wait
        counter.order(
            number,
            at(now_s),
            side=side,
            is_buy=is_buy,
            cents=cents,
            size_micro=size,
            time_in_force=tif,
            expires_s=START_S + 10_000,
        )
        account = counter.ledger.accounts[OWNER]
        assert account.balance_micro >= 0
        assert all(position.size_micro > 0 for position in account.positions.values())
    counter.desk.advance(at(10_000))
    account = counter.ledger.accounts[OWNER]
    assert account.positions == {}
    assert counter.ledger.live == {}
    assert counter.ledger.at_risk == {}
    flows = 0
    for order in counter.ledger.orders.values():
        flows += (-1 if order.terms.is_buy else 1) * order.cash_micro - order.fee_micro
    for settlement in counter.ledger.settlements.values():
        flows += sum(payout.payout_micro for payout in settlement.payouts)
    assert account.balance_micro == 100_000_000 + flows
    realized = sum(position.realized_micro - position.fee_micro for position in account.closed)
    assert account.balance_micro == 100_000_000 + realized
    assert len(counter.ledger.requests) == len(wanted)
    executed = [entry for entry in counter.ledger.requests if entry.fills]
    assert len({entry.order_id for entry in executed}) == len(executed)
    again = Ledger()
    for entry in counter.entries:
        again.apply(msgspec.json.decode(msgspec.json.encode(entry), type=Entry))
    assert again.accounts == counter.ledger.accounts
    assert again.orders == counter.ledger.orders


OTHER = "0xother"
SPEED = 60


def beside(counter: Counter, number: int, now: Now, **more: Any) -> OrderReceived:  # noqa: ANN401
    """Order for the other account, which gets its money with its first order."""
    counter.desk.open_account(OTHER, now)
    return counter.desk.submit(request(number, **more)._replace(account=OTHER), now)


def fast(seconds: float) -> Now:
    """Return an instant some market seconds into the window, where the market runs faster."""
    return Now(
        round((START_S + seconds / SPEED) * NS_PER_SECOND),
        round((START_S + seconds) * NS_PER_SECOND),
    )


def test_nobody_cancels_an_order_of_another_account() -> None:
    """With one account in a test, whose order it is goes unread."""
    counter = Counter()
    counter.order(1, at(1), cents=1, time_in_force="GTC")
    counter.desk.open_account(OTHER, at(1))
    assert "can't be found" in counter.desk.cancel(OTHER, ["order-1"], at(2))["order-1"]
    assert "order-1" in counter.ledger.live
    assert counter.desk.cancel(OWNER, ["order-1"], at(3)) == {}


def test_what_waits_for_one_account_claims_no_cash_of_another() -> None:
    counter = Counter()
    counter.order(1, at(1), cents=1, size_micro=9_000_000_000, time_in_force="GTC")
    assert counter.ledger.free_micro(OWNER) == 10_000_000
    sent = beside(counter, 2, at(1), cents=1, size_micro=5_000_000_000, time_in_force="GTC")
    assert sent.verdict == "accepted"
    assert counter.ledger.free_micro(OTHER) == 50_000_000
    assert counter.ledger.free_micro(OWNER) == 10_000_000


def test_what_waits_for_one_account_claims_no_shares_of_another() -> None:
    counter = Counter()
    counter.order(1, at(1))
    beside(counter, 2, at(61))
    held = counter.ledger.accounts[OTHER].positions
    (token,) = held
    whole = held[token].size_micro
    sold = counter.order(3, at(62), is_buy=False, cents=99, time_in_force="GTC")
    assert sold.verdict == "accepted"
    assert counter.ledger.free_shares_micro(OTHER, token) == whole


def test_a_settled_window_pays_each_account_what_it_holds() -> None:
    counter = Counter()
    counter.order(1, at(1))
    beside(counter, 2, at(61), side=Side.DOWN)
    before = {name: counter.ledger.accounts[name].balance_micro for name in (OWNER, OTHER)}
    shares = {
        name: next(iter(counter.ledger.accounts[name].positions.values())).size_micro
        for name in (OWNER, OTHER)
    }
    counter.desk.advance(at(300 + SETTLEMENT_DELAY_NS / NS_PER_SECOND))
    won = counter.market.result(WINDOW, at(9_999).market_ns)
    winner = OWNER if won is Result.UP else OTHER
    for name in (OWNER, OTHER):
        paid = counter.ledger.accounts[name].balance_micro - before[name]
        assert paid == (shares[name] if name == winner else 0)
        assert counter.ledger.accounts[name].positions == {}


def test_a_hold_and_a_windows_end_are_market_time_at_any_speed() -> None:
    """At speed 1 both clocks say the same, and a wrong one goes unseen."""
    counter = Counter(hold_ns=3 * NS_PER_SECOND)
    counter.order(1, fast(1), cents=99)
    counter.desk.advance(fast(3.9))
    assert list(counter.ledger.held) == ["order-1"]
    counter.desk.advance(fast(4))
    assert counter.ledger.orders["order-1"].status == "MATCHED"
    end_s = 300 + SETTLEMENT_DELAY_NS / NS_PER_SECOND
    counter.desk.advance(fast(end_s - 0.1))
    assert counter.ledger.settlements == {}
    counter.desk.advance(fast(end_s))
    assert WINDOW.slug in counter.ledger.settlements


def test_an_order_for_a_time_ends_by_the_wall_clock_at_any_speed() -> None:
    """It is the client's clock that its expiration was read from."""
    counter = Counter()
    asked = {"cents": 1, "time_in_force": "GTD"}
    counter.order(1, fast(0), expires_s=START_S + 61, **asked)
    ahead = Window("BTC", "5m", START_S + 3300)
    counter.order(2, fast(0), expires_s=START_S + 61, window=ahead, **asked)
    counter.desk.advance(fast(60 * SPEED - 120))
    assert counter.ledger.orders["order-1"].status == "CANCELED", "its window ended"
    assert counter.ledger.orders["order-2"].status == "LIVE"
    assert fast(60 * SPEED - 120).market_ns > (START_S + 61) * NS_PER_SECOND
