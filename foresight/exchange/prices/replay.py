"""Recorded candles, moved in time so that they happen now.

Owns `Recording` (the numbers of one asset) and `ReplayPrices` (several of them, re-based onto the
timeline). Windows stay aligned because everything is moved by a multiple of 15 minutes. When the
recording is over there are simply no more candles, and `end_minute` says so.

Must never enter: opening files (see `recordings`), clocks, invented prices.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from foresight.exchange.errors import RecordingError
from foresight.exchange.prices.candles import Candle

ALIGNMENT_MINUTES: Final = 15
"""The longest window; moving by a multiple of it keeps every window on its boundary."""

LEAD_MINUTES_DEFAULT: Final = 6 * 60
"""How much of a recording lies before the origin, as history."""

_MINUTE_MAX: Final = 2**40  # no clock shows it; a number beyond all would not fit
_MADE_MAX: Final = 64  # candles of an asset that are kept: a price is asked for many times
_HEADER: Final = "open_time_ms,open,high,low,close,volume"


@dataclass(frozen=True, slots=True)
class Recording:
    """The candles of one asset as recorded.

    Attributes:
        asset: Upper-case name.
        minutes: Minutes since 1970 UTC, rising, no duplicates; what is missing is a gap.
        values: Five numbers per minute: open, high, low, close, volume.
    """

    asset: str
    minutes: "array[int]"
    values: "array[float]"


def parse_recording(asset: str, source: str, lines: Iterable[str]) -> Recording:
    """Read one CSV file's lines.

    Args:
        asset: Upper-case name.
        source: Name of the file, for errors.
        lines: Header ``open_time_ms,open,high,low,close,volume``, then one line per minute.

    Raises:
        RecordingError: The header, a number or the order is not as promised.
    """
    rows = iter(lines)
    header = next(rows, "").strip()
    if header != _HEADER:
        raise RecordingError(source, f"header is {header!r}, not {_HEADER!r}")
    minutes = array("q")
    values = array("d")
    for number, row in enumerate(rows, start=2):
        try:
            opened, *prices = row.split(",")
            minute, rest = divmod(int(opened), 60_000)
            numbers = [float(price) for price in prices]
        except ValueError as error:
            raise RecordingError(source, f"line {number}: {error}") from error
        in_order = (not minutes or minute > minutes[-1]) and minute < _MINUTE_MAX
        if rest or not in_order or len(numbers) != 5 or not _is_candle(numbers):  # noqa: PLR2004 - columns
            raise RecordingError(source, f"line {number} is no candle of the next minute")
        minutes.append(minute)
        values.extend(numbers)
    if not minutes:
        raise RecordingError(source, "holds no candle")
    return Recording(asset, minutes, values)


def _is_candle(numbers: list[float]) -> bool:
    opening, high, low, close, volume = numbers
    if not isfinite(high) or not isfinite(volume):
        return False
    return 0 < low <= min(opening, close) and max(opening, close) <= high and volume >= 0


class ReplayPrices:
    """Recorded candles seen through a shift in time."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        origin_minute: int,
        lead_minutes: int = LEAD_MINUTES_DEFAULT,
    ) -> None:
        """Move recordings so that `lead_minutes` of them lie before the origin.

        Args:
            recordings: At least one; board order.
            origin_minute: Minute of the timeline's origin.
            lead_minutes: History before the origin, >= 0; rounded down to 15 minutes.
        """
        assert recordings
        earliest = min(recording.minutes[0] for recording in recordings)
        start = _aligned(origin_minute) - _aligned(lead_minutes)
        self._shift = start - _aligned(earliest)
        self._origin = _aligned(origin_minute)
        self._recordings: Mapping[str, Recording] = {one.asset: one for one in recordings}
        self._assets = tuple(self._recordings)
        self._made: dict[str, dict[int, Candle]] = {one.asset: {} for one in recordings}
        self._ticks = {one.asset: _tick_of(one) for one in recordings}
        self._first = earliest + self._shift
        self._end = max(one.minutes[-1] for one in recordings) + 1 + self._shift

    @property
    def assets(self) -> Sequence[str]:
        """Names of the assets that were found."""
        return self._assets

    @property
    def first_minute(self) -> int:
        """Minute of the first candle, in market time."""
        return self._first

    @property
    def end_minute(self) -> int | None:
        """First minute after the recording, in market time."""
        return self._end

    def tick(self, asset: str) -> float:
        """Return the smallest step seen in the closes of an asset."""
        return self._ticks[asset]

    def plays(self, first_minute: int, end_minute: int) -> bool:
        """Say whether anything is played, from the origin on, that was recorded in some minutes.

        Args:
            first_minute: First of these minutes, since 1970 UTC, as recorded.
            end_minute: First minute after them.
        """
        begun, ended = self._origin - self._shift, self._end - self._shift
        return max(begun, first_minute) < min(ended, end_minute)

    def candle(self, asset: str, minute: int) -> Candle | None:
        """Return the recorded candle that happens in a minute, or None where there is none."""
        made = self._made[asset]
        known = made.get(minute)
        if known is None:
            if len(made) >= _MADE_MAX:
                made.clear()
            known = self._candle(self._recordings[asset], minute)
            if known is not None:
                made[minute] = known
        return known

    def _candle(self, recording: Recording, minute: int) -> Candle | None:
        place = self._place(recording, minute - self._shift)
        if place is None:
            return None
        opening, high, low, close, volume = recording.values[5 * place : 5 * place + 5]
        return Candle(minute, opening, high, low, close, volume)

    @staticmethod
    def _place(recording: Recording, wanted: int) -> int | None:
        minutes = recording.minutes
        guess = wanted - minutes[0]  # exact where the recording has no gap
        if 0 <= guess < len(minutes) and minutes[guess] == wanted:
            return guess
        place = bisect_left(minutes, wanted)
        return place if place < len(minutes) and minutes[place] == wanted else None


def _aligned(minute: int) -> int:
    return minute - minute % ALIGNMENT_MINUTES


def _tick_of(recording: Recording) -> float:
    closes = recording.values[3::5][:500]
    for decimals in range(9):
        if all(abs(close - round(close, decimals)) < 1e-9 for close in closes):  # noqa: PLR2004 - float dust
            return float(f"1e-{decimals}")
    return 1e-8
