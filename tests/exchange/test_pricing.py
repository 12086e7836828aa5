"""A share is priced fairly, the two sides agree, and money is counted exactly."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from foresight.exchange.market.fees import taker_fee_micro
from foresight.exchange.market.matching import cash_micro, take, total_micro
from foresight.exchange.market.pricing import Book, Level, quote

probabilities = st.floats(0, 1, exclude_min=True, exclude_max=True)


@given(probabilities, st.integers())
def test_a_book_never_sells_below_or_buys_above_the_fair_price(chance: float, key: int) -> None:
    book = quote(chance, key)
    assert book.bids or book.asks
    for level in book.asks:
        assert 1 <= level.cents <= 99
        assert level.cents >= 100 * chance
        assert level.size_micro >= 20_000_000
    for level in book.bids:
        assert 1 <= level.cents <= 99
        assert level.cents <= 100 * chance
    if book.bids and book.asks:
        assert 1 <= book.asks[0].cents - book.bids[0].cents <= 2
    assert list(book.asks) == sorted(book.asks)
    assert list(book.bids) == sorted(book.bids, reverse=True)


@given(probabilities, st.integers())
def test_the_opposite_book_is_the_mirror_and_the_mirror_of_the_mirror_the_book(
    chance: float, key: int
) -> None:
    up = quote(chance, key)
    down = up.mirrored()
    assert down.mirrored() == up
    if up.asks and down.asks:
        # Buying both sides never costs less than the one dollar that one of them pays.
        assert up.asks[0].cents + down.asks[0].cents > 100


@given(st.integers(0, 10**13), st.integers(0, 100))
def test_a_fee_is_the_formula_rounded_to_five_decimals(shares: int, cents: int) -> None:
    price = Decimal(cents) / 100
    exact = Decimal(shares) / 10**6 * Decimal("0.07") * price * (1 - price)
    rounded = exact.quantize(Decimal("0.00001"), ROUND_HALF_UP)
    assert taker_fee_micro(shares_micro=shares, price_cents=cents) == int(rounded * 10**6)


def test_the_reference_fee_is_what_the_venue_publishes() -> None:
    assert taker_fee_micro(shares_micro=100_000_000, price_cents=50) == 1_750_000


levels = st.lists(st.builds(Level, st.integers(1, 99), st.integers(1, 10**9)), max_size=6).map(
    lambda found: sorted({level.cents: level for level in found}.values())
)


@given(levels, st.integers(1, 99), st.integers(1, 10**10), st.booleans())
def test_an_order_takes_best_prices_first_within_its_limit_and_size(
    offered: list[Level],
    limit: int,
    size: int,
    is_buy: bool,  # noqa: FBT001 - drawn
) -> None:
    book = offered if is_buy else offered[::-1]
    taken = take(book, is_buy=is_buy, limit_cents=limit, size_micro=size)
    assert total_micro(taken) <= size
    crossing = [lv for lv in book if (lv.cents <= limit if is_buy else lv.cents >= limit)]
    assert total_micro(taken) == min(size, total_micro(crossing))
    assert [level.cents for level in taken] == [lv.cents for lv in crossing[: len(taken)]]


def test_cash_is_price_times_size() -> None:
    assert cash_micro(Level(42, 10_000_000)) == 4_200_000
    assert Book((), ()).mirrored() == Book((), ())
