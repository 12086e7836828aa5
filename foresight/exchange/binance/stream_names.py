"""Names of the spot venue's streams, such as ``btcusdt@kline_1m``.

Owns which there are and how a name is read. Must never enter: HTTP, what a stream says.
"""

from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from foresight.exchange.binance.messages import INTERVAL_MINUTES, QUOTE

Kind = Literal["kline", "trade", "aggTrade", "bookTicker", "ticker", "miniTicker"]

_PLAIN: Final[tuple[Kind, ...]] = ("trade", "aggTrade", "bookTicker", "ticker", "miniTicker")
_KLINE: Final = "kline_"


class Stream(NamedTuple):
    """What one name stands for.

    Attributes:
        name: As it was asked for.
        asset: Upper case.
        kind: Of its events.
        interval: Of klines, as in ``1m``; else empty.
    """

    name: str
    asset: str
    kind: Kind
    interval: str = ""


def stream_of(name: str, assets: Collection[str]) -> Stream | None:
    """Return what a name stands for, or None where nothing is sent under it.

    Args:
        name: As a client asks for it; symbols are in lower case.
        assets: The board's.
    """
    symbol, _, rest = name.partition("@")
    asset = symbol.upper().removesuffix(QUOTE)
    if asset + QUOTE != symbol.upper() or symbol != symbol.lower() or asset not in assets:
        return None
    for kind in _PLAIN:
        if rest == kind:
            return Stream(name, asset, kind)
    interval = rest.removeprefix(_KLINE)
    if interval != rest and interval in INTERVAL_MINUTES:
        return Stream(name, asset, "kline", interval)
    return None
