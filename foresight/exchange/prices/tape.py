"""The last price of an asset at any instant, and candles as a client sees them.

Owns the reading of a `CandleSource`: last trade at a nanosecond, the unfinished candle, longer
intervals, how much the asset moves. Caches only what can be computed again.

Must never enter: windows, quotes, wire formats, clocks.
"""

from itertools import pairwise
from math import log, sqrt
from typing import Final

from foresight.exchange.chance import key_of
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_SECOND
from foresight.exchange.prices.candles import (
    KNOT_SECONDS,
    KNOTS,
    Candle,
    CandleSource,
    merge,
)
from foresight.exchange.prices.minute_path import minute_path

SIGMA_MINUTES: Final = 60
"""Minutes of returns that the volatility at an instant is measured on."""

SIGMA_FLOOR: Final = 0.5e-4
"""Half a basis point per minute: the calmest a frozen market is taken to be."""

_GAP_SEARCH_MINUTES: Final = 3 * 1440  # how far back a last price may lie
_NS_PER_KNOT: Final = KNOT_SECONDS * NS_PER_SECOND


class Tape:
    """Prices of all assets over market time."""

    def __init__(self, source: CandleSource, *, seed: int) -> None:
        """Wrap a source.

        Args:
            source: Complete candles.
            seed: What the path inside a minute depends on.
        """
        self._source = source
        self._keys = {asset: key_of(seed, asset) for asset in source.assets}
        self._paths: dict[tuple[str, int], tuple[float, ...]] = {}
        self._sigmas: dict[tuple[str, int], float] = {}
        self._first: dict[str, int] = {}

    @property
    def source(self) -> CandleSource:
        """The candles this tape reads."""
        return self._source

    def has_ended(self, market_ns: int) -> bool:
        """Say whether the recording is over at an instant (never for a synthetic market)."""
        end = self._source.end_minute
        return end is not None and market_ns >= end * NS_PER_MINUTE

    def price_at(self, asset: str, market_ns: int) -> float | None:
        """Return the last trade at or before an instant, or None before the first.

        Exactly on a minute's boundary this is the close of the minute that ends there, so the
        settlement of one window and the reference of the next are one number.

        Args:
            asset: One of the source's assets.
            market_ns: Nanoseconds since 1970 UTC, market time.
        """
        minute, within_ns = divmod(market_ns, NS_PER_MINUTE)
        if within_ns:
            candle = self._source.candle(asset, minute)
            if candle is not None:
                knot = within_ns // _NS_PER_KNOT
                return candle.open if knot == 0 else self._path(asset, candle)[knot - 1]
        return self._last_close(asset, minute - 1)

    def partial(self, asset: str, market_ns: int) -> Candle | None:
        """Return the unfinished candle of the running minute, or None in a gap."""
        minute, within_ns = divmod(market_ns, NS_PER_MINUTE)
        candle = self._source.candle(asset, minute)
        if candle is None:
            return None
        knot = within_ns // _NS_PER_KNOT
        if knot == 0:
            return Candle(minute, candle.open, candle.open, candle.open, candle.open, 0.0)
        seen = (candle.open, *self._path(asset, candle)[:knot])
        volume = round(candle.volume * knot / KNOTS, 8)
        return Candle(minute, candle.open, max(seen), min(seen), seen[-1], volume)

    def first_minute(self, asset: str) -> int | None:
        """Return the minute of an asset's first candle; None where it has none at all."""
        known = self._first.get(asset)
        if known is None:
            first = self._source.first_minute
            end = self._source.end_minute
            most = first + _GAP_SEARCH_MINUTES if end is None else end
            places = (one for one in range(first, most) if self._source.candle(asset, one))
            known = next(places, None)
            if known is not None:
                self._first[asset] = known
        return known

    def has_traded(self, asset: str, first_minute: int, end_minute: int) -> bool:
        """Say whether a half-open range of minutes has any candle, finished or not."""
        first = max(first_minute, self._source.first_minute)
        return any(self._source.candle(asset, one) for one in range(first, end_minute))

    def candles(self, asset: str, *, first_minute: int, end_minute: int) -> list[Candle]:
        """Return the finished candles of a half-open range of minutes; gaps are left out."""
        first = max(first_minute, self._source.first_minute)
        found = (self._source.candle(asset, minute) for minute in range(first, end_minute))
        return [candle for candle in found if candle is not None]

    def interval(
        self, asset: str, *, first_minute: int, minutes: int, market_ns: int
    ) -> Candle | None:
        """Return one candle of a longer interval as far as it has happened.

        Args:
            asset: One of the source's assets.
            first_minute: Minute the interval opens.
            minutes: Its length, >= 1.
            market_ns: Now; later minutes do not exist yet.
        """
        now_minute = market_ns // NS_PER_MINUTE
        end = min(first_minute + minutes, now_minute)
        parts = self.candles(asset, first_minute=first_minute, end_minute=end)
        if first_minute <= now_minute < first_minute + minutes:
            running = self.partial(asset, market_ns)
            parts += [running] if running is not None else []
        return merge(parts)._replace(minute=first_minute) if parts else None

    def sigma(self, asset: str, minute: int) -> float:
        """Return the standard deviation of minute returns over the hour before a minute.

        Returns:
            At least `SIGMA_FLOOR`; 0.0004 is four basis points.
        """
        known = self._sigmas.get((asset, minute))
        if known is None:
            if len(self._sigmas) > 4 * SIGMA_MINUTES * len(self._keys):
                self._sigmas.clear()
            known = self._measure_sigma(asset, minute)
            self._sigmas[asset, minute] = known
        return known

    def _measure_sigma(self, asset: str, minute: int) -> float:
        recent = self.candles(asset, first_minute=minute - SIGMA_MINUTES, end_minute=minute)
        closes = [candle.close for candle in recent]
        if len(closes) < 2:  # noqa: PLR2004 - one return needs two closes
            return 10 * SIGMA_FLOOR
        moves = [log(after / before) for before, after in pairwise(closes)]
        return max(SIGMA_FLOOR, sqrt(sum(move * move for move in moves) / len(moves)))

    def _path(self, asset: str, candle: Candle) -> tuple[float, ...]:
        place = asset, candle.minute
        path = self._paths.get(place)
        if path is None:
            if len(self._paths) > 8 * len(self._keys):
                self._paths.clear()
            tick = self._source.tick(asset)
            path = minute_path(candle, tick=tick, key=self._keys[asset])
            self._paths[place] = path
        return path

    def _last_close(self, asset: str, minute: int) -> float | None:
        oldest = max(self._source.first_minute, minute - _GAP_SEARCH_MINUTES)
        for earlier in range(minute, oldest - 1, -1):
            candle = self._source.candle(asset, earlier)
            if candle is not None:
                return candle.close
        return None
