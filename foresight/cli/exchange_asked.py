"""The exchange that `[venue] url` names: since when, and how fast, its market runs.

Owns the one question that `up` puts to it. At another speed than the wall's, market time follows
from where it began: two beginnings a second apart are a minute apart at speed 60, and no candle
would ever be finished at the right time.
"""

from __future__ import annotations

from typing import Final

from foresight.errors import ConfigError
from foresight.evidence.exchange_books import Exchange, ask
from handoff.limits import MS

_HINT: Final = "start it first: `foresight exchange --dir PLACE --speed N`"


def origin_ns_of(url: str, speed: int) -> int:
    """Return where wall and market time of a running exchange agree, nanoseconds UTC.

    Args:
        url: Address of the exchange.
        speed: Market seconds per second of the wall that are wanted.

    Raises:
        ConfigError: It does not say, or runs at another speed.
    """
    try:
        said = ask(Exchange(url.rstrip("/")), "health")
        origin_ms, its_speed = int(said["origin_ms"]), int(said["speed"])
    except (OSError, ValueError, TypeError, LookupError) as error:
        what = f"the exchange at {url} does not say how its market runs: {error}"
        raise ConfigError(what, _HINT) from error
    if its_speed != speed:
        what = f"the exchange at {url} runs at speed {its_speed}, not at {speed}"
        raise ConfigError(what, "say the same [engine] speed, or start it at this one")
    return origin_ms * MS
