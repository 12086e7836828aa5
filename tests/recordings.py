"""Small recordings for tests: candles of the synthetic market, as files that a replay reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from foresight.exchange.prices.synthetic import MINUTES_PER_DAY, SyntheticPrices

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.exchange.prices.candles import Candle

FIRST_MINUTE: Final = 20_400 * MINUTES_PER_DAY  # a midnight
SEED: Final = 7


def candles_of(assets: tuple[str, ...], minutes: int, *, seed: int = SEED) -> list[list[Candle]]:
    """Return the first candles of each asset; what is missing is a gap."""
    prices = SyntheticPrices(seed=seed, origin_minute=FIRST_MINUTE, assets=assets)
    found = []
    for asset in assets:
        candles = (prices.candle(asset, FIRST_MINUTE + at) for at in range(minutes))
        found.append([each for each in candles if each is not None])
    return found


def write_recording(
    folder: Path, *, assets: tuple[str, ...] = ("BTC", "ETH"), minutes: int, seed: int = SEED
) -> Path:
    """Write a folder of recordings; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for asset, candles in zip(assets, candles_of(assets, minutes, seed=seed), strict=True):
        rows = ["open_time_ms,open,high,low,close,volume"]
        rows += [
            f"{one.minute * 60_000},{one.open},{one.high},{one.low},{one.close},{one.volume}"
            for one in candles
        ]
        (folder / f"{asset}USDT-1m.csv").write_text("\n".join(rows) + "\n", encoding="ascii")
    return folder
