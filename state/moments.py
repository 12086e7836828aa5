"""An instant as text and as a number, from nanoseconds.

Owns the one spelling of time outside the record: RFC 3339 in UTC with microseconds, and
milliseconds as a number (nanosecond integers exceed 2^53). No clock is read here.
"""

from __future__ import annotations

from typing import Final

_SECOND_NS: Final = 1_000_000_000
_DAY_SECONDS: Final = 86_400
_ERA_DAYS: Final = 146_097  # 400 Gregorian years
_EPOCH_SHIFT_DAYS: Final = 719_468  # 1970-01-01 counted from 0000-03-01


def rfc3339(now_ns: int) -> str:
    """Return an instant as `2026-11-22T18:01:05.123456Z`.

    Args:
        now_ns: Nanoseconds since 1970 UTC; what is below a microsecond is cut off.
    """
    seconds, below_ns = divmod(now_ns, _SECOND_NS)
    days, in_day = divmod(seconds, _DAY_SECONDS)
    year, month, day = _civil(days)
    hour, minute, second = in_day // 3600, in_day // 60 % 60, in_day % 60
    date = f"{year:04d}-{month:02d}-{day:02d}"
    return f"{date}T{hour:02d}:{minute:02d}:{second:02d}.{below_ns // 1000:06d}Z"


def milliseconds(now_ns: int) -> float:
    """Return nanoseconds as milliseconds with three decimals."""
    return round(now_ns / 1e6, 3)


def _civil(days: int) -> tuple[int, int, int]:
    # Years that start in March have their leap day at the end, so that no table is needed:
    # H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    era, day_of_era = divmod(days + _EPOCH_SHIFT_DAYS, _ERA_DAYS)
    leap_days = day_of_era // 1460 - day_of_era // 36_524 + day_of_era // 146_096
    year_of_era = (day_of_era - leap_days) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * march_month + 2) // 5 + 1
    month = march_month + 3 if march_month < 10 else march_month - 9  # noqa: PLR2004 - March to December
    return year_of_era + era * 400 + (month <= 2), month, day  # noqa: PLR2004 - January, February
