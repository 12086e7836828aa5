"""Warns when a price rises above its limit, for several symbols, as a plain loop does it."""

import json
import time
from pathlib import Path
from urllib.request import Request, urlopen

PRICE = "http://127.0.0.1:8000/price?symbol="
CHAT = "http://127.0.0.1:8000/chat"
LIMITS = {"BTC": 100_000, "ETH": 4_000, "SOL": 200}
ABOVE = Path.home() / "price_alert.json"


def price(symbol: str) -> float:
    """Return what one costs now."""
    with urlopen(PRICE + symbol, timeout=10) as answer:
        return float(json.load(answer)["price"])


def warn(line: str) -> None:
    """Send one line to the chat."""
    with urlopen(Request(CHAT, json.dumps({"text": line}).encode()), timeout=10):
        pass


def main() -> None:
    """Look every ten seconds, for ever."""
    above = json.loads(ABOVE.read_text()) if ABOVE.exists() else {}
    while True:
        for symbol, limit in LIMITS.items():
            try:
                now = price(symbol)
            except OSError:
                continue
            if now > limit and not above.get(symbol):
                warn(f"{symbol} is above {limit}: {now:g}")
            above[symbol] = now > limit
        ABOVE.write_text(json.dumps(above))
        time.sleep(10 - time.time() % 10)


if __name__ == "__main__":
    main()
