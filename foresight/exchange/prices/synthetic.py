"""A synthetic market: the same seed gives the same candles for ever, in any process.

Owns the stochastic model: a geometric walk per asset with a common factor, volatility clustering
(AR(1) in log volatility), jumps, spells without movement (exact ties) and gaps (no candle at all).
Days are generated one at a time between anchor prices, so any minute costs at most one day of
work and a restart needs no history from disk.

Must never enter: files, clocks, windows, quotes, knowledge of who trades.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import copysign, exp, log, sqrt
from typing import Final

from foresight.exchange.chance import normals, uniform, uniforms
from foresight.exchange.prices.candles import Candle

MINUTES_PER_DAY: Final = 1440
HISTORY_DAYS: Final = 3
"""Whole days of candles before the day of the origin: at least 72 hours of history at start."""

_DAYS_KEPT: Final = 6  # per asset, in memory; older days are generated again when asked for
_COMMON_SHARE: Final = 0.7  # correlation of crypto assets' minute returns, order of magnitude
_LOG_VOL_MEMORY: Final = 0.97  # half-life of a volatility burst: about 23 minutes
_LOG_VOL_SIZE: Final = 0.45
_REVERSION: Final = 0.05  # of the log distance to the start price, per day: no drift to nowhere
_FLAT_CHANCE: Final = 0.0015  # per minute, a spell of 1 to 16 minutes without movement begins
_JUMP_CHANCE: Final = 0.0015  # per minute, one of 4 to 10 sigmas
_GAP_CHANCE: Final = 0.0004  # per minute, a gap of 1 to 3 minutes begins
_OUTAGE_CHANCE: Final = 0.00002  # per minute, a gap of 10 to 40 minutes begins


@dataclass(frozen=True, slots=True)
class AssetModel:
    """What makes one asset move.

    Attributes:
        start_price: Price the walk keeps returning to, in USDT, > 0.
        sigma: Root mean square minute return, 0.0004 to 0.001 (4 to 10 basis points).
        tick: Price step, USDT.
        volume: Typical base volume per minute.
    """

    start_price: float
    sigma: float
    tick: float
    volume: float


MODELS: Final = {
    "BTC": AssetModel(97_000.0, 0.00040, 0.01, 12.0),
    "ETH": AssetModel(3_400.0, 0.00055, 0.01, 180.0),
    "SOL": AssetModel(185.0, 0.00065, 0.01, 2_500.0),
    "XRP": AssetModel(2.30, 0.00065, 0.0001, 160_000.0),
    "DOGE": AssetModel(0.185, 0.00085, 0.00001, 900_000.0),
    "BNB": AssetModel(680.0, 0.00045, 0.01, 160.0),
    "HYPE": AssetModel(32.0, 0.00090, 0.001, 6_000.0),
    "ZEC": AssetModel(420.0, 0.00100, 0.01, 300.0),
}
"""The default board; sigmas follow recorded minutes of 2025 (3.8 bp BTC, 8.6 bp DOGE)."""

DEFAULT_ASSETS: Final = tuple(MODELS)


def model_of(asset: str) -> AssetModel:
    """Return the model of an asset; a name outside the default board gets a plausible one."""
    known = MODELS.get(asset)
    if known is not None:
        return known
    return AssetModel(round(10.0 + 190.0 * uniform("price", asset), 2), 0.0008, 0.01, 1_000.0)


class SyntheticPrices:
    """Candles of a synthetic market without end."""

    def __init__(self, *, seed: int, origin_minute: int, assets: Sequence[str]) -> None:
        """Prepare a market.

        Args:
            seed: What every draw depends on.
            origin_minute: A minute of the first day that is served with full history.
            assets: Upper-case names, board order.
        """
        self._seed = seed
        self._assets = tuple(assets)
        self._first_day = origin_minute // MINUTES_PER_DAY - HISTORY_DAYS
        self._models = {asset: model_of(asset) for asset in assets}
        self._anchors = {asset: [log(model.start_price)] for asset, model in self._models.items()}
        self._days: dict[tuple[str, int], list[Candle | None]] = {}

    @property
    def assets(self) -> Sequence[str]:
        """Names of the assets, in board order."""
        return self._assets

    @property
    def first_minute(self) -> int:
        """First minute of the first day."""
        return self._first_day * MINUTES_PER_DAY

    @property
    def end_minute(self) -> int | None:
        """Nothing ends a synthetic market."""
        return None

    def tick(self, asset: str) -> float:
        """Return the price step of an asset."""
        return self._models[asset].tick

    def candle(self, asset: str, minute: int) -> Candle | None:
        """Return the candle of a minute, or None in a gap and before the first day."""
        day, index = divmod(minute, MINUTES_PER_DAY)
        if day < self._first_day:
            return None
        block = self._days.get((asset, day))
        if block is None:
            block = self._make_day(asset, day)
            self._days[asset, day] = block
            self._forget_old_days()
        return block[index]

    def _forget_old_days(self) -> None:
        while len(self._days) > _DAYS_KEPT * len(self._assets):
            del self._days[next(iter(self._days))]

    def _anchor(self, asset: str, day: int) -> float:
        model = self._models[asset]
        anchors = self._anchors[asset]
        home = anchors[0]
        while len(anchors) <= day - self._first_day:
            number = self._first_day + len(anchors) - 1
            move = normals(1, self._seed, "day", asset, number)[0]
            daily = model.sigma * sqrt(MINUTES_PER_DAY)
            anchors.append(anchors[-1] + daily * move - _REVERSION * (anchors[-1] - home))
        return anchors[day - self._first_day]

    def _make_day(self, asset: str, day: int) -> list[Candle | None]:
        model = self._models[asset]
        start, end = self._anchor(asset, day), self._anchor(asset, day + 1)
        sigmas = self._sigmas(asset, day)
        moving, traded = self._interruptions(asset, day)
        returns = self._returns(asset, day, sigmas, moving)
        correction = (end - start - sum(returns)) / max(1, sum(moving))
        closes = _closes(start, returns, moving, correction=correction, tick=model.tick)
        wicks = uniforms(2 * MINUTES_PER_DAY, self._seed, "wick", asset, day)
        volumes = uniforms(MINUTES_PER_DAY, self._seed, "volume", asset, day)
        block: list[Candle | None] = []
        first = day * MINUTES_PER_DAY
        for index, (opening, close) in enumerate(pairwise(closes)):
            if not traded[index]:
                block.append(None)
                continue
            reach = sigmas[index] * 1.2 if moving[index] else 0.0
            high = max(opening, close) * (1.0 + reach * wicks[2 * index] ** 2)
            low = min(opening, close) * (1.0 - reach * wicks[2 * index + 1] ** 2)
            busy = 0.4 + volumes[index] + abs(close - opening) / opening / model.sigma
            block.append(
                Candle(
                    first + index,
                    opening,
                    max(_to_tick(high, model.tick), opening, close),
                    min(_to_tick(low, model.tick), opening, close),
                    close,
                    round(model.volume * busy, 4),
                )
            )
        return block

    def _sigmas(self, asset: str, day: int) -> list[float]:
        shocks = normals(MINUTES_PER_DAY + 1, self._seed, "volatility", asset, day)
        level = _LOG_VOL_SIZE * shocks[-1]
        base = self._models[asset].sigma * exp(-(_LOG_VOL_SIZE**2))
        fresh = _LOG_VOL_SIZE * sqrt(1.0 - _LOG_VOL_MEMORY**2)
        sigmas = []
        for shock in shocks[:MINUTES_PER_DAY]:
            level = _LOG_VOL_MEMORY * level + fresh * shock
            sigmas.append(base * exp(level))
        return sigmas

    def _interruptions(self, asset: str, day: int) -> tuple[list[bool], list[bool]]:
        rolls = uniforms(MINUTES_PER_DAY, self._seed, "event", asset, day)
        lengths = uniforms(MINUTES_PER_DAY, self._seed, "length", asset, day)
        moving = [True] * MINUTES_PER_DAY
        traded = [True] * MINUTES_PER_DAY
        for index, (roll, length) in enumerate(zip(rolls, lengths, strict=True)):
            still, silent = _spell(roll, length)
            for offset in range(index, min(index + max(still, silent), MINUTES_PER_DAY)):
                moving[offset] = False
                traded[offset] = traded[offset] and offset >= index + silent
        return moving, traded

    def _returns(
        self, asset: str, day: int, sigmas: list[float], moving: list[bool]
    ) -> list[float]:
        common = normals(MINUTES_PER_DAY, self._seed, "common", day)
        own = normals(MINUTES_PER_DAY, self._seed, "own", asset, day)
        jumps = uniforms(2 * MINUTES_PER_DAY, self._seed, "jump", asset, day)
        own_share = sqrt(1.0 - _COMMON_SHARE**2)
        returns = []
        for index, sigma in enumerate(sigmas):
            move = _COMMON_SHARE * common[index] + own_share * own[index]
            if jumps[2 * index] < _JUMP_CHANCE:
                side = 2.0 * jumps[2 * index + 1] - 1.0
                move += copysign(4.0 + 6.0 * abs(side), side)
            returns.append(sigma * move if moving[index] else 0.0)
        return returns


def _spell(roll: float, length: float) -> tuple[int, int]:
    if roll < _FLAT_CHANCE:
        return 1 + int(16 * length), 0
    if roll < _FLAT_CHANCE + _GAP_CHANCE:
        return 0, 1 + int(3 * length)
    if roll < _FLAT_CHANCE + _GAP_CHANCE + _OUTAGE_CHANCE:
        return 0, 10 + int(31 * length)
    return 0, 0


def _closes(
    start: float, returns: list[float], moving: list[bool], *, correction: float, tick: float
) -> list[float]:
    level = start
    closes = [_to_tick(exp(level), tick)]
    for move, moves in zip(returns, moving, strict=True):
        if moves:
            level += move + correction
            closes.append(_to_tick(exp(level), tick))
        else:
            closes.append(closes[-1])  # not even a rounding difference: an exact tie
    return closes


def _to_tick(price: float, tick: float) -> float:
    return max(tick, round(round(price / tick) * tick, 8))
