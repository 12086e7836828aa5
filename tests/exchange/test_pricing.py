"""A share is priced fairly, the two sides agree, and money is counted exactly."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from foresight.exchange.market.amounts import MICRO, TICKS_MICRO
from foresight.exchange.market.fees import taker_fee_micro
from foresight.exchange.market.matching import cost_of, spend, take
from foresight.exchange.market.pricing import Book, Level, quote

probabilities = st.floats(0, 1, exclude_min=True, exclude_max=True)


ticks = st.sampled_from(TICKS_MICRO)


@given(probabilities, st.integers(), ticks)
def test_a_book_never_sells_below_or_buys_above_the_fair_price(
    chance: float, key: int, tick: int
) -> None:
    book = quote(chance, key, tick_micro=tick)
    assert book.bids or book.asks
    for level in book.asks:
        assert tick <= level.price_micro <= MICRO - tick
        assert level.price_micro % tick == 0
        assert level.price_micro >= MICRO * chance
        assert level.size_micro >= 20_000_000
    for level in book.bids:
        assert tick <= level.price_micro <= MICRO - tick
        assert level.price_micro % tick == 0
        assert level.price_micro <= MICRO * chance
    if book.bids and book.asks:
        spread = book.asks[0].price_micro - book.bids[0].price_micro
        assert 10_000 <= spread <= 10_000 + tick
    assert list(book.asks) == sorted(book.asks)
    assert list(book.bids) == sorted(book.bids, reverse=True)


@given(probabilities, st.integers(), ticks)
def test_the_opposite_book_is_the_mirror_and_the_mirror_of_the_mirror_the_book(
    chance: float, key: int, tick: int
) -> None:
    up = quote(chance, key, tick_micro=tick)
    down = up.mirrored()
    assert down.mirrored() == up
    if up.asks and down.asks:
        # Buying both sides never costs less than the one dollar that one of them pays.
        assert up.asks[0].price_micro + down.asks[0].price_micro > MICRO


@given(st.integers(0, 10**13), st.integers(0, 1000))
def test_a_fee_is_the_formula_rounded_to_five_decimals(shares: int, mills: int) -> None:
    price = Decimal(mills) / 1000
    exact = Decimal(shares) / 10**6 * Decimal("0.07") * price * (1 - price)
    rounded = exact.quantize(Decimal("0.00001"), ROUND_HALF_UP)
    assert taker_fee_micro(shares_micro=shares, price_micro=mills * 1_000) == int(rounded * 10**6)


def test_the_reference_fee_is_what_the_venue_publishes() -> None:
    assert taker_fee_micro(shares_micro=100_000_000, price_micro=500_000) == 1_750_000


levels = st.lists(
    st.builds(Level, st.integers(1, 999).map(lambda mills: mills * 1_000), st.integers(1, 10**9)),
    max_size=6,
).map(lambda found: sorted({level.price_micro: level for level in found}.values()))
limits = st.integers(1, 999).map(lambda mills: mills * 1_000)


@given(levels, limits, st.integers(1, 10**10), st.booleans())
def test_an_order_takes_best_prices_first_within_its_limit_and_size(
    offered: list[Level],
    limit: int,
    size: int,
    is_buy: bool,  # noqa: FBT001 - drawn
) -> None:
    book = offered if is_buy else offered[::-1]
    taken = take(book, is_buy=is_buy, limit_micro=limit, size_micro=size)
    crossing = [
        lv for lv in book if (lv.price_micro <= limit if is_buy else lv.price_micro >= limit)
    ]
    there = sum(level.size_micro for level in crossing)
    assert sum(one.size_micro for one in taken) == min(size, there)
    assert [one.price_micro for one in taken] == [lv.price_micro for lv in crossing[: len(taken)]]


@given(levels, limits, st.integers(10**6, 10**11))
def test_a_buy_of_an_amount_spends_it_to_the_last_micro_or_all_that_is_sold(
    offered: list[Level], limit: int, budget: int
) -> None:
    """The venue spends the USDC that were signed: at a better price it buys more shares."""
    taken = spend(offered, limit_micro=limit, budget_micro=budget)
    crossing = [level for level in offered if level.price_micro <= limit]
    everything = sum(cost_of(lv.size_micro, lv.price_micro) for lv in crossing)
    assert sum(one.cash_micro for one in taken) == min(budget, everything)
    for one, level in zip(taken, crossing, strict=False):
        assert one.price_micro == level.price_micro
        assert 0 < one.size_micro <= level.size_micro
        assert 0 <= one.cash_micro - one.size_micro * one.price_micro / 10**6 < 2


def test_cash_is_price_times_size() -> None:
    assert cost_of(10_000_000, 420_000) == 4_200_000
    assert Book((), ()).mirrored() == Book((), ())
