"""Warns when a price rises above its limit, for several symbols, by a loop that is replaced."""

import json
from urllib.request import Request, urlopen

import msgspec

from handoff import LoopCycle, loop

PRICE = "http://127.0.0.1:8000/price?symbol="
CHAT = "http://127.0.0.1:8000/chat"
LIMITS = {"BTC": 100_000, "ETH": 4_000, "SOL": 200}


class Levels(msgspec.Struct):
    """What survives a restart and a new version."""

    above: dict[str, bool] = {}


def price(symbol: str) -> float:
    """Return what one costs now."""
    with urlopen(PRICE + symbol, timeout=10) as answer:
        return float(json.load(answer)["price"])


def warn(line: str) -> None:
    """Send one line to the chat."""
    with urlopen(Request(CHAT, json.dumps({"text": line}).encode()), timeout=10):
        pass


@loop(every=10, state=Levels, acts=[warn])
async def price_alert(cycle: LoopCycle, state: Levels) -> None:
    """Look every ten seconds, for ever."""
    prices = await cycle.read_all(price, LIMITS, default=None)
    for (symbol, limit), now in zip(LIMITS.items(), prices, strict=True):
        if now is None:
            continue
        if now > limit and not state.above.get(symbol):
            cycle.do(warn, f"{symbol} is above {limit}: {now:g}")
        state.above[symbol] = now > limit
