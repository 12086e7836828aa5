"""Instants are written as every other tool reads them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.moments import milliseconds, rfc3339

LAST_SECOND = 253_402_300_799  # of the year 9999


@given(st.integers(0, LAST_SECOND), st.integers(0, 999_999))
def test_an_instant_reads_back_as_itself(second: int, microsecond: int) -> None:
    text = rfc3339(second * 1_000_000_000 + microsecond * 1000 + 999)
    read = dt.datetime.fromisoformat(text)
    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert read == start + dt.timedelta(seconds=second, microseconds=microsecond)
    assert text.endswith("Z")


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_400, "2000-02-29T00:00:00.000000Z"),
        (951_868_800, "2000-03-01T00:00:00.000000Z"),
        (4_107_542_399, "2100-02-28T23:59:59.000000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        (LAST_SECOND, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_leap_days_are_where_the_calendar_has_them(second: int, text: str) -> None:
    assert rfc3339(second * 1_000_000_000) == text


def test_milliseconds_keep_the_microseconds() -> None:
    assert milliseconds(1_795_000_000_123_456_789) == 1_795_000_000_123.457
