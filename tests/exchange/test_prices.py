"""The synthetic market is the same in every process and looks like a market."""

from itertools import pairwise
from math import copysign, log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foresight.board import Result as BookedResult
from foresight.board import Side as BookedSide
from foresight.exchange.market.windows import (
    Result,
    Side,
    Window,
    decide,
    parse_slug,
    payout_micro,
    payout_share,
)
from foresight.exchange.market_clock import (
    NS_PER_MINUTE,
    NS_PER_SECOND,
    Timeline,
    minute_of,
)
from foresight.exchange.prices.candles import KNOTS, Candle, merge
from foresight.exchange.prices.minute_path import minute_path
from foresight.exchange.prices.synthetic import DEFAULT_ASSETS, MODELS, SyntheticPrices, model_of
from foresight.exchange.prices.tape import Tape
from foresight.settlement import payout_micro as booked_payout

ORIGIN = 29_397_120  # minutes; 2025-11-22
FIRST = ORIGIN // 1440 * 1440 - 3 * 1440


def market(seed: int = 1) -> SyntheticPrices:
    return SyntheticPrices(seed=seed, origin_minute=ORIGIN, assets=DEFAULT_ASSETS)


@pytest.mark.timeout(60)  # it only computes: a busy machine makes it many times slower
@settings(max_examples=20)  # each compares the day, which costs as much as a minute of it
@given(st.integers(0, 2**63), st.integers(FIRST, FIRST + 5 * 1440 - 1), st.data())
def test_any_minute_can_be_asked_for_first(seed: int, minute: int, data: st.DataObject) -> None:
    """A restarted exchange starts in the middle and must tell the same story."""
    asset = data.draw(st.sampled_from(DEFAULT_ASSETS))
    fresh = SyntheticPrices(seed=seed, origin_minute=ORIGIN, assets=DEFAULT_ASSETS)
    other = SyntheticPrices(seed=seed, origin_minute=ORIGIN + 7, assets=(asset,))
    other.candle(asset, minute - 1440)
    assert fresh.candle(asset, minute) == other.candle(asset, minute)
    day = range(minute // 1440 * 1440, minute // 1440 * 1440 + 1440)
    assert [fresh.candle(asset, each) for each in day] == [
        other.candle(asset, each) for each in day
    ]


def test_another_seed_is_another_market() -> None:
    assert market(1).candle("BTC", ORIGIN) != market(2).candle("BTC", ORIGIN)


def test_a_day_is_there_before_the_origin_and_nothing_before_the_first() -> None:
    prices = market()
    assert prices.first_minute <= ORIGIN - 2 * 1440
    assert prices.candle("BTC", prices.first_minute - 1) is None
    assert prices.end_minute is None
    far = prices.candle("BTC", ORIGIN + 400 * 1440)
    assert far is not None
    assert 10_000 < far.close < 1_000_000


@pytest.mark.parametrize("asset", DEFAULT_ASSETS)
def test_minutes_look_like_the_recorded_ones(asset: str) -> None:
    prices = market()
    found = [prices.candle(asset, minute) for minute in range(FIRST, FIRST + 6 * 1440)]
    candles = [candle for candle in found if candle is not None]
    assert 0 < len(found) - len(candles) < 300  # gaps exist and are rare
    assert all(
        candle.low <= min(candle.open, candle.close)
        and max(candle.open, candle.close) <= candle.high
        and candle.volume > 0
        for candle in candles
    )
    returns = [log(candle.close / candle.open) for candle in candles]
    spread = sqrt(sum(move * move for move in returns) / len(returns))
    assert spread == pytest.approx(MODELS[asset].sigma, rel=0.25)
    sizes = [abs(move) for move in returns]
    average = sum(sizes) / len(sizes)
    together = sum((a - average) * (b - average) for a, b in pairwise(sizes))
    alone = sum((a - average) ** 2 for a in sizes)
    assert together / alone > 0.05  # a wild minute follows a wild minute
    assert any(move == 0 for move in returns)  # exact ties happen
    assert max(sizes) > 4 * spread  # jumps happen


def test_an_asset_nobody_modeled_gets_a_plausible_model() -> None:
    assert model_of("NEW") == model_of("NEW")
    assert model_of("NEW").start_price > 1


ticks = st.sampled_from([0.01, 0.0001, 1.0])


@given(st.lists(st.integers(1_000_000, 1_010_000), min_size=4, max_size=4), ticks, st.integers())
def test_the_path_inside_a_minute_is_the_minute(numbers: list[int], tick: float, key: int) -> None:
    low, one, other, high = (round(number * tick, 8) for number in sorted(numbers))
    candle = Candle(ORIGIN, one, high, low, other, 1.0)
    path = minute_path(candle, tick=tick, key=key)
    assert len(path) == KNOTS
    assert path[-1] == candle.close
    assert all(low <= price <= high for price in path)
    assert path == minute_path(candle, tick=tick, key=key)


def test_the_path_inside_a_minute_neither_turns_back_nor_goes_on() -> None:
    """A bot that follows or fades the last seconds must find nothing: neighbours say nothing."""
    source = market(seed=7)
    together = alone = ahead = 0.0
    sides: list[float] = []
    for asset in ("BTC", "DOGE"):
        for minute in range(FIRST, FIRST + 2 * 1440):
            candle = source.candle(asset, minute)
            if candle is None:
                continue
            path = (candle.open, *minute_path(candle, tick=source.tick(asset), key=3))
            steps = [(after - before) / candle.open for before, after in pairwise(path)]
            together += sum(one * other for one, other in pairwise(steps))
            alone += sum(step * step for step in steps)
            ahead += sum(steps[:6]) * sum(steps[6:])
            left = [candle.close - price for price in path[1:]]
            sides += [copysign(1.0, a * b) for a, b in zip(steps, left, strict=True) if a and b]
    assert abs(together / alone) <= 0.02
    assert abs(ahead / alone) <= 0.05  # the first half minute does not tell the second
    # Shares pay by the side alone: small gains that are likelier than large losses would do.
    assert len(sides) > 1000
    assert abs(sum(sides) / len(sides)) <= 0.06


def test_a_finished_minute_is_the_sum_of_what_was_seen_of_it() -> None:
    tape = Tape(market(), seed=3)
    candle = market().candle("ETH", ORIGIN)
    assert candle is not None
    seen = tape.partial("ETH", (ORIGIN + 1) * NS_PER_MINUTE - 1)
    assert seen is not None
    assert seen.open == candle.open
    assert seen.volume < candle.volume
    boundary = (ORIGIN + 1) * NS_PER_MINUTE
    assert tape.price_at("ETH", boundary) == candle.close
    begun = tape.partial("ETH", ORIGIN * NS_PER_MINUTE)
    assert begun == Candle(ORIGIN, candle.open, candle.open, candle.open, candle.open, 0.0)
    assert tape.price_at("ETH", ORIGIN * NS_PER_MINUTE + 1) == candle.open


def test_a_longer_candle_spans_its_minutes() -> None:
    tape = Tape(market(), seed=3)
    minutes = tape.candles("BTC", first_minute=ORIGIN, end_minute=ORIGIN + 15)
    now = (ORIGIN + 99) * NS_PER_MINUTE
    assert tape.interval("BTC", first_minute=ORIGIN, minutes=15, market_ns=now) == merge(minutes)
    nothing = tape.interval("BTC", first_minute=ORIGIN + 200, minutes=15, market_ns=now)
    assert nothing is None


def test_volatility_is_measured_and_never_zero() -> None:
    tape = Tape(market(), seed=3)
    assert 1e-4 < tape.sigma("BTC", ORIGIN) < 2e-3
    assert tape.sigma("BTC", ORIGIN) == tape.sigma("BTC", ORIGIN)
    assert tape.sigma("BTC", FIRST) == 5e-4  # no history yet: a plain guess


@given(st.integers(0, 2**62), st.integers(1, 1000), st.integers(0, 10**15))
def test_market_time_runs_faster_from_one_origin(origin: int, speed: int, later: int) -> None:
    timeline = Timeline(origin, speed)
    assert timeline.market_ns(origin) == origin
    assert timeline.market_ns(origin + later) == origin + later * speed
    wall = timeline.wall_ns(origin + later)
    assert timeline.market_ns(wall) >= origin + later > timeline.market_ns(wall - 1)


def test_a_timeline_cannot_stand_still() -> None:
    for origin, speed in ((0, 0), (-1, 1)):
        with pytest.raises(ValueError, match="speed must be"):
            Timeline(origin, speed)
    assert minute_of(61 * NS_PER_SECOND) == 1


def test_a_window_is_named_and_decided() -> None:
    window = Window("BTC", "5m", 1_763_827_200)
    assert parse_slug(window.slug) == window
    assert parse_slug("btc-updown-15m-300") is None
    assert decide(reference=1.0, final=1.0) is Result.UP
    assert decide(reference=1.0, final=0.99) is Result.DOWN
    assert payout_share(Result.VOID, Side.UP) == 0.5
    assert payout_share(Result.DOWN, Side.DOWN) == 1.0


@pytest.mark.parametrize("shares_micro", [20_000_001, 20_000_003, 41_666_667])
def test_half_of_an_odd_millionth_is_paid_to_nobody(shares_micro: int) -> None:
    """Rounded to the even one, every second void window pays a millionth that no book expects."""
    half = payout_micro(Result.VOID, Side.UP, shares_micro)
    assert half == payout_micro(Result.VOID, Side.DOWN, shares_micro) == shares_micro // 2
    expected = booked_payout(BookedResult.VOID, side=BookedSide.UP, shares_micro=shares_micro)
    assert half == expected
    assert payout_micro(Result.UP, Side.UP, shares_micro) == shares_micro
    assert payout_micro(Result.UP, Side.DOWN, shares_micro) == 0
    assert Side.DOWN.other is Side.UP
