"""What a bot of another kind needs to know to come here: addresses, and what will not work.

Owns the words. Must never enter: sockets, keys, what is served under the addresses.
"""

from collections.abc import Iterator, Mapping

PAGE = "docs/exchange.md"
"""Where each client's own way of being told an address is written down."""

_AT_ANOTHER_SPEED = (
    (
        "market time runs {speed} times faster than the wall and is ahead of it: candles, public "
        "trades, tickers and windows carry it; signatures, limits, own orders and own fills carry "
        "wall time"
    ),
    (
        "a client that tells by its own clock which candle is finished is wrong: the running one "
        "lies in its future"
    ),
    (
        'a history by words for dates ("2 days ago") is one of the wall\'s dates: ask by numbers '
        "that a candle gave you"
    ),
    (
        "a client that asks once a minute of its own clock, as freqtrade does, sees one candle in "
        "{speed}: watch the streams"
    ),
)


def addresses(base: str) -> dict[str, str]:
    """Return every address that a client is told, by what it is for.

    Args:
        base: As in ``http://127.0.0.1:8080``.
    """
    streams = base.replace("http", "ws", 1)
    return {
        "spot": f"{base}/api/v3",
        "spot_wallet": f"{base}/sapi/v1",
        "spot_streams": f"{streams}/ws",
        "prediction_orders": f"{base}/clob",
        "prediction_events": f"{base}/gamma",
        "prediction_positions": f"{base}/data",
    }


def cannot_work(speed: int) -> list[str]:
    """Return what clients of others cannot do at a speed: nothing at 1.

    Args:
        speed: Market time per wall time.
    """
    return [text.format(speed=speed) for text in _AT_ANOTHER_SPEED] if speed != 1 else []


def told(line: Mapping[str, object]) -> Iterator[str]:
    """Yield what a person at a terminal is told besides, line by line.

    Args:
        line: What is printed for programs.
    """
    yield "Bots of your own come here (" + PAGE + "):"
    found, keys = line.get("addresses"), line.get("keys")
    if isinstance(found, dict):
        for name, address in found.items():
            yield f"  {name:22}{address}"
    if isinstance(keys, dict) and isinstance(keys.get("spot"), dict):
        for name, value in keys["spot"].items():
            yield f"  {'spot ' + name:22}{value}"
        yield f"  {'prediction key':22}any wallet's private key: it signs, and is never sent"
        if "control" in keys:
            yield f"  {'control token':22}{keys['control']}"
    wrong = line.get("cannot_work")
    if isinstance(wrong, list) and wrong:
        yield "What cannot work at this speed:"
        yield from (f"  - {text}" for text in wrong)
