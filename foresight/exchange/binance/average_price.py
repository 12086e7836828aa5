"""The average price of the last minutes, which filters compare with.

Owns the average: weighted by volume, of what a client has seen. Must never enter: HTTP, orders.
"""

from foresight.exchange.binance.filters import AVERAGE_MINUTES
from foresight.exchange.ledger.spot import ATOMS
from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.exchange.prices.tape import Tape


def average_price(tape: Tape, asset: str, market_ns: int) -> int | None:
    """Return the average over the last `AVERAGE_MINUTES`, atoms.

    Returns:
        The last price where nothing traded in them, None where there never was one.
    """
    minute = market_ns // NS_PER_MINUTE
    seen = tape.candles(asset, first_minute=minute - AVERAGE_MINUTES, end_minute=minute)
    running = tape.partial(asset, market_ns)
    if running is not None:
        seen.append(running)
    volume = sum(candle.volume for candle in seen)
    if volume > 0:
        total = sum((each.high + each.low + each.close) / 3 * each.volume for each in seen)
        return round(total / volume * ATOMS)
    last = tape.price_at(asset, market_ns)
    return None if last is None else round(last * ATOMS)
