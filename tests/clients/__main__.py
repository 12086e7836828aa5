"""``make clients``: clients of others, unmodified, against an exchange of their own.

Owns which are tried, what each must say, and the table at the end. Exit code 1 if one said
something else. Must never enter: how a client is told an address (that is its script's).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.clients.environments import CLIENTS, python_of

LIMIT_S = 180
LEAVE_S = 20
SEEN_S = 300  # for freqtrade to enter its trades


class Client(NamedTuple):
    """One client.

    Attributes:
        name: As it is installed.
        environment: Which of the locks it is in.
        script: Below `CLIENTS`.
        wanted: Words that it must print, in this order.
    """

    name: str
    environment: str
    script: str
    wanted: tuple[str, ...]


SCRIPTS = (
    Client(
        "ccxt",
        "clients",
        "ccxt_rest.py",
        (
            *("load_markets: 8 markets", "create_order: open, 1 open", "cancel_order: canceled"),
            *("market order: closed, 0.01 BTC", "cancel_all_orders: 2"),
        ),
    ),
    Client(
        "ccxt.pro",
        "clients",
        "ccxt_watch.py",
        ("watch_ohlcv: 1 candle", "watch_trades: ETH/USDT", "below ask: True", "watch_ticker: XRP"),
    ),
    Client(
        "python-binance",
        "clients",
        "python_binance.py",
        (
            *("get_historical_klines: 48 hours", "some trades", "6 filters"),
            *("order_limit_buy: NEW", "cancel_order: CANCELED", "FILLED, 1 fill", "accepted"),
        ),
    ),
    Client(
        "binance-sdk-spot",
        "clients",
        "binance_sdk.py",
        ("8 markets, 6 filters", "new_order: NEW", "delete_order: CANCELED", "SPOT"),
    ),
    Client(
        "binance-connector",
        "connector",
        "connector.py",
        ("new_order: NEW", "get_open_orders: 1", "cancel_order: CANCELED", "account: SPOT"),
    ),
    Client(
        "py-clob-client-v2",
        "clients",
        "clob.py",
        (
            *("get_version: 2, tick 0.01", "limit order: live", "get_open_orders: 1"),
            *("cancel_market_orders: 1", "market order: taken", "some USDC"),
        ),
    ),
)
FREQTRADE = "freqtrade"
ENTERED = "has been fulfilled for Trade("
TRADES = 2
WATCHED = "Long signal found"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all clients, or those that are named."""
    parser = argparse.ArgumentParser(prog="make clients", description=main.__doc__)
    names = [client.name for client in SCRIPTS] + [FREQTRADE]
    parser.add_argument("--only", action="append", choices=names, help="may be repeated")
    wanted = parser.parse_args(arguments).only or names
    with started() as address:
        sound = [_tried(client, address) for client in SCRIPTS if client.name in wanted]
        if FREQTRADE in wanted:
            sound.append(_freqtrade(address))
    print(f"clients: {sum(sound)} of {len(sound)} as expected")
    return 0 if all(sound) else 1


@contextmanager
def started() -> Iterator[str]:
    """Run an exchange while the block runs, and give its address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-I", "-m", "foresight.exchange", "--dir", f"{folder}/exchange"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            try:
                assert program.stdout is not None
                yield json.loads(program.stdout.readline())["address"]
            finally:
                program.terminate()


def _tried(client: Client, address: str) -> bool:
    command = [str(python_of(client.environment)), str(CLIENTS / client.script), address]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return _told(client.name, f"did not end within {LIMIT_S} s", is_sound=False)
    is_sound = ran.returncode == 0 and says(ran.stdout, client.wanted)
    return _told(
        client.name, ran.stdout if is_sound else ran.stdout + ran.stderr, is_sound=is_sound
    )


def says(text: str, wanted: Sequence[str]) -> bool:
    """Tell whether a text has all words in their order."""
    place = 0
    for words in wanted:
        place = text.find(words, place)
        if place < 0:
            return False
        place += len(words)
    return True


def _freqtrade(address: str) -> bool:
    """Run a dry run until it has entered both of its trades."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        text = (CLIENTS / FREQTRADE / "config.json").read_text(encoding="utf-8")
        host = address.removeprefix("http://")
        (place / "config.json").write_text(text.replace("127.0.0.1:8080", host), encoding="utf-8")
        program = python_of(FREQTRADE).with_name(FREQTRADE)
        command = [str(program), "trade", "--dry-run", "--db-url", "sqlite://"]
        command += ["--userdir", folder, "--strategy", "AlwaysIn"]
        command += ["--strategy-path", str(CLIENTS / FREQTRADE / "strategies")]
        command += ["--config", str(place / "config.json")]
        lines = _said_by(command)
        is_sound = sum(ENTERED in each for each in lines) == TRADES
        shown = [each.split(" - ", 3)[-1] for each in lines if WATCHED in each or ENTERED in each]
        return _told(FREQTRADE, "".join(shown if is_sound else lines[-40:]), is_sound=is_sound)


def _said_by(command: Sequence[str]) -> list[str]:
    """Return what a program says until both trades are entered, or its time is over."""
    lines: list[str] = []
    # Its log is folded to a terminal's width, and words would be cut in two.
    wide = os.environ | {"COLUMNS": "1000"}
    with subprocess.Popen(
        command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, env=wide
    ) as program:
        end = threading.Timer(SEEN_S, program.terminate)
        end.start()
        try:
            assert program.stdout is not None
            for line in program.stdout:
                lines.append(line)
                if sum(ENTERED in each for each in lines) == TRADES:
                    break
        finally:
            end.cancel()
            program.terminate()
            try:
                program.wait(LEAVE_S)
            except subprocess.TimeoutExpired:
                program.kill()  # it waits for a thread of its own that does not end
    return lines


def _told(name: str, text: str, *, is_sound: bool) -> bool:
    print(f"{name}: {'as expected' if is_sound else 'NOT as expected'}")
    print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
    return is_sound


if __name__ == "__main__":
    sys.exit(main())
