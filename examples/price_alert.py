"""Warns when a price rises above its limit, for several symbols, by a loop that is replaced."""

import json
from urllib.request import Request, urlopen

from handoff import PlainLoopCycle, loop

PRICE = "http://127.0.0.1:8000/price?symbol="
CHAT = "http://127.0.0.1:8000/chat"
LIMITS = {"BTC": 100_000, "ETH": 4_000, "SOL": 200}


def price(symbol: str) -> float:
    """Return what one costs now."""
    with urlopen(PRICE + symbol, timeout=10) as answer:
        return float(json.load(answer)["price"])


def warn(line: str) -> None:
    """Send one line to the chat."""
    with urlopen(Request(CHAT, json.dumps({"text": line}).encode()), timeout=10):
        pass


@loop(every=10, acts=[warn])
def price_alert(cycle: PlainLoopCycle, above: dict[str, bool]) -> None:
    """Look every ten seconds, for ever."""
    for symbol, limit in LIMITS.items():
        try:
            now = cycle.read(price, symbol)
        except OSError:
            continue
        if now > limit and not above.get(symbol):
            cycle.do(warn, f"{symbol} is above {limit}: {now:g}")
        above[symbol] = now > limit
