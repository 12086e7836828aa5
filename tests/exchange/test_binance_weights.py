"""Limits are counted in minutes, ten seconds and days, and say how long to wait."""

import pytest

from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.binance.weights import BAN_AFTER, WEIGHT_MAX, Meter

NS = 1_000_000_000
DAY_NS = 20_000 * 86_400 * NS  # a moment at which a day, a minute and ten seconds begin


def refused(meter: Meter, weight: int, second: int) -> Refusal | None:
    try:
        meter.charge(weight, DAY_NS + second * NS)
    except Refusal as refusal:
        return refusal
    return None


def test_a_minutes_weight_can_be_used_to_the_last_and_no_further() -> None:
    """What is over is refused, says when the next minute begins, and is not counted."""
    meter = Meter()
    assert refused(meter, WEIGHT_MAX - 1, 0) is None
    assert refused(meter, 1, 50) is None
    beyond = refused(meter, 1, 50)
    assert beyond is not None
    assert (beyond.code, beyond.status, beyond.retry_after_s) == (-1003, 429, 10)
    assert meter.weight_headers(DAY_NS + 50 * NS) == {
        "X-MBX-USED-WEIGHT": "6000",
        "X-MBX-USED-WEIGHT-1M": "6000",
    }
    assert refused(meter, 1, 60) is None
    assert meter.weight_headers(DAY_NS + 60 * NS)["X-MBX-USED-WEIGHT-1M"] == "1"


def test_who_asks_on_is_shut_out_and_longer_each_time() -> None:
    """The real venue bans an address from two minutes on, up to three days."""
    meter = Meter()
    second = 0
    for wait_s in (120, 240, 480):
        refused(meter, WEIGHT_MAX, second)
        for _ in range(BAN_AFTER):
            again = refused(meter, 1, second)
            assert again is not None
            assert again.status == 429
        banned = refused(meter, 1, second)
        assert banned is not None
        assert (banned.status, banned.retry_after_s) == (418, wait_s)
        still = refused(meter, 1, second + wait_s - 1)
        assert still is not None
        assert (still.status, still.retry_after_s) == (418, 1)
        second += wait_s
        assert refused(meter, 1, second) is None
        second += 60


def test_orders_are_counted_by_ten_seconds_and_by_day() -> None:
    """The hundred and first in ten seconds is refused with the venue's own code."""
    meter = Meter()
    for _ in range(100):
        meter.count_order(DAY_NS + 3 * NS)
    with pytest.raises(Refusal, match="100 orders per 10 SECOND") as beyond:
        meter.count_order(DAY_NS + 3 * NS)
    assert (beyond.value.code, beyond.value.status, beyond.value.retry_after_s) == (-1015, 429, 7)
    meter.count_order(DAY_NS + 10 * NS)
    assert meter.order_headers(DAY_NS + 10 * NS) == {
        "X-MBX-ORDER-COUNT-10S": "1",
        "X-MBX-ORDER-COUNT-1D": "101",
    }


def test_a_days_orders_end_with_the_day() -> None:
    """Two hundred thousand, counted over all ten seconds."""
    meter = Meter()
    for number in range(200_000):
        meter.count_order(DAY_NS + number // 100 * 10 * NS)
    with pytest.raises(Refusal, match="200000 orders per 1 DAY"):
        meter.count_order(DAY_NS + 86_399 * NS)
    meter.count_order(DAY_NS + 86_400 * NS)
    assert meter.order_headers(DAY_NS + 86_400 * NS)["X-MBX-ORDER-COUNT-1D"] == "1"
