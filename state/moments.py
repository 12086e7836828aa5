"""An instant as text and as a number, from nanoseconds.

Owns the one spelling of time outside the record: RFC 3339 in UTC with microseconds, and
milliseconds as a number (nanosecond integers exceed 2^53). No clock is read here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(now_ns: int) -> str:
    """Return an instant as `2026-11-22T18:01:05.123456Z`.

    Args:
        now_ns: Nanoseconds since 1970 UTC, up to the year 9999; what is below a microsecond is
            cut off.
    """
    # A sum of integers: `fromtimestamp` takes a float, which has no room for the microseconds.
    moment = _EPOCH + timedelta(microseconds=now_ns // 1000)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def milliseconds(now_ns: int) -> float:
    """Return nanoseconds as milliseconds with three decimals."""
    return round(now_ns / 1e6, 3)
