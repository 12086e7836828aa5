"""Times of day: whether one has come since it was last due.

Owns that answer from recorded facts alone: the cycle's moment and the date on which it was due
last. Nothing is read from a clock.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from handoff.loops.errors import LoopFaulty

TIMES_MAX: Final = 256  # of day that one loop asks for
_FORMS: Final = (len("09:00"), len("09:00:00"))


class Due(NamedTuple):
    """Whether a time of day is due, and the date of its newest coming."""

    is_due: bool
    date: str


def due(at: str, zone: str, *, now: datetime, period: timedelta, last: str) -> Due:
    """Return whether a time of day has come since it was last due.

    Where it never was, it is due in the cycle whose period it came in, and not hours later. Where
    it came while nothing ran, it is due once when something runs again. In a night without that
    time, or with two of it, it is due once.

    Args:
        at: "09:00" or "09:00:30".
        zone: IANA name, e.g. "Europe/Berlin".
        now: The cycle's moment, with a time zone.
        period: Length of a cycle.
        last: Date on which it was due last, e.g. "2026-11-29"; empty for never.

    Raises:
        LoopFaulty: There is no such time or zone.
    """
    moment = _newest(_time(at), _zone(zone), now)
    date = moment.date().isoformat()
    if not last:
        return Due(now - moment < period, date)
    return Due(date > last, max(date, last))


def _newest(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    today = datetime.combine(now.astimezone(zone).date(), at, zone)
    if today.timestamp() <= now.timestamp():
        return today
    return datetime.combine(today.date() - timedelta(days=1), at, zone)


def _time(at: str) -> time:
    try:
        found = time.fromisoformat(at)
    except (TypeError, ValueError) as error:
        raise LoopFaulty(_no_time(at)) from error
    if len(at) not in _FORMS or found.tzinfo is not None:
        raise LoopFaulty(_no_time(at))
    return found


def _no_time(at: object) -> str:
    return f'cycle.due({at!r}) names no time of day: write it as "09:00" or "09:00:30"'


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        message = f'there is no time zone {zone!r} here: use a name as "Europe/Berlin" or "UTC"'
        raise LoopFaulty(message) from error
