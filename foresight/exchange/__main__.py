"""``python -m foresight.exchange``: run the local exchange until told to stop.

Owns the command line, signals and exit codes. Prints one JSON line with its addresses when it
listens, and at a terminal the same in words; the unmodified ccxt clients talk to that
(`foresight.venues.local`). They ask for events of the board by slug and never load its markets; a
spot order needs the account of `credentials`. A client reads back with ``fetch_order(id)`` (an
unknown id gives an order whose ``id`` is None), ``fetch_order_trades(id, outcome)`` (``info.fee``
and ``info.cash`` are exact), positions by ``dataPublicGetPositions({"user": wallet})`` because
``fetch_positions`` expects a shape neither this venue nor the real one sends, settlement by
``fetch_event(slug)`` (``resolved``, ``winner`` and ``settleFraction`` of each outcome; a void
window is resolved without a winner).

Must never enter: anything a caller inside the process would need; imports of the exchange lead to
nothing outside it.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from foresight.door.host_names import host_named
from foresight.door.sparse_log import sparse_handler
from foresight.door.token_file import token_of
from foresight.exchange.control_api import describe
from foresight.exchange.credentials import BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET
from foresight.exchange.errors import LocalExchangeError, OptionError
from foresight.exchange.faults import parse_option
from foresight.exchange.guard import TOKEN_FILE
from foresight.exchange.introduction import addresses, cannot_work, told
from foresight.exchange.log_file import LOOK_S, LogFile
from foresight.exchange.market.amounts import MICRO, TICKS_MICRO
from foresight.exchange.market.rules import Rule
from foresight.exchange.polymarket.wire_numbers import decimal
from foresight.exchange.prices.replay import LEAD_MINUTES_DEFAULT
from foresight.exchange.prices.synthetic import DEFAULT_ASSETS
from foresight.exchange.server import loopback_socket, serving
from foresight.exchange.venue import (
    BALANCE_DEFAULT,
    HOLD_MAX_MS,
    REDEEM_MAX_S,
    Settings,
    Venue,
    open_venue,
)

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
"""The port is taken or the disk refuses."""
EXIT_USAGE: Final = 2
"""An option is not understood."""
EXIT_REFUSED: Final = 3
"""The directory belongs to another timeline, is in use or damaged, or there are no recordings."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the exchange.

    Args:
        arguments: Command line without the program's name, or None for the real one.

    Returns:
        One of the exit codes above.
    """
    options = parser_of_options().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, handlers=[sparse_handler()])
    try:
        settings = settings_of(options)
    except OptionError as error:
        return _complain(error, EXIT_USAGE)
    try:
        venue = open_venue(settings, time.time_ns)
    except LocalExchangeError as error:
        return _complain(error, EXIT_REFUSED)
    try:
        listener = _listener(options)
        asyncio.run(_run(venue, listener, options.host))
    except OSError as error:
        return _complain(error, EXIT_FAILED)
    finally:
        venue.close()
    return EXIT_DONE


def parser_of_options() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m foresight.exchange",
        description="A local exchange: Binance spot and Polymarket wire formats, loopback only.",
    )
    parser.add_argument("--dir", type=Path, required=True, help="where the ledger lives")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="number of an inherited listening socket")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name that it answers to beside those of the loopback; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic market")
    parser.add_argument("--origin-ns", type=int, help="where wall and market time agree")
    parser.add_argument("--speed", type=int, default=1, help="market time per wall time")
    parser.add_argument("--replay", type=Path, help="folder of recorded candles")
    parser.add_argument(
        "--lead-minutes",
        type=int,
        default=LEAD_MINUTES_DEFAULT,
        help="history of a replay before its origin",
    )
    parser.add_argument("--assets", default=",".join(DEFAULT_ASSETS), help="comma-separated")
    parser.add_argument("--balance", type=int, default=BALANCE_DEFAULT, help="starting balance")
    parser.add_argument(
        "--rule",
        choices=[rule.value for rule in Rule],
        help="how windows are settled: by the last price or the last minute's average",
    )
    parser.add_argument(
        "--tick",
        choices=[decimal(tick_micro) for tick_micro in TICKS_MICRO],
        help="smallest price step of its markets",
    )
    parser.add_argument(
        "--hold-ms",
        type=int,
        help="market milliseconds for which orders that would execute are held; 0 for not at all",
    )
    parser.add_argument(
        "--redeem-s",
        type=int,
        help="market seconds from a window's result until its shares are redeemed",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=PROBABILITY[:COUNT][@SCOPE][~SECONDS]",
        help="turn a fault on; may be repeated",
    )
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    """Return how an exchange is started that was told these options.

    Raises:
        OptionError: One of them cannot be.
    """
    assets = tuple(name.strip().upper() for name in options.assets.split(",") if name.strip())
    known = len(set(assets)) == len(assets) and all(
        name.isascii() and name.isalnum() and len(name) <= 8  # noqa: PLR2004 - fits a token id
        for name in assets
    )
    for host in options.host:
        if not host_named(host):
            message = f"--host is a name or an address, not {host!r}"
            raise OptionError(message)
    if not assets or not known or options.speed < 1:
        message = "--assets are distinct names of 1 to 8 letters, --speed is 1 or more"
        raise OptionError(message)
    if not 0 <= (options.hold_ms or 0) <= HOLD_MAX_MS:
        message = f"--hold-ms is 0 to {HOLD_MAX_MS}, not {options.hold_ms}"
        raise OptionError(message)
    if not 0 <= (options.redeem_s or 0) <= REDEEM_MAX_S:
        message = f"--redeem-s is 0 to {REDEEM_MAX_S}, not {options.redeem_s}"
        raise OptionError(message)
    return Settings(
        folder=options.dir,
        seed=options.seed,
        origin_ns=options.origin_ns,
        speed=options.speed,
        assets=assets,
        replay=options.replay,
        lead_minutes=options.lead_minutes,
        balance=options.balance,
        faults=tuple(parse_option(text) for text in options.fault),
        rule=None if options.rule is None else Rule(options.rule),
        tick_micro=None if options.tick is None else round(float(options.tick) * MICRO),
        hold_ms=options.hold_ms,
        redeem_s=options.redeem_s,
    )


def _listener(options: argparse.Namespace) -> socket.socket:
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    return loopback_socket(options.port)


async def _run(venue: Venue, listener: socket.socket, hosts: Sequence[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    token = token_of(venue.folder / TOKEN_FILE)
    log = LogFile()
    if log:  # without one, a terminal that closes ends this program
        loop.add_signal_handler(signal.SIGHUP, log.look)
    door = serving(venue, listener, clock_ns=time.time_ns, token=token, hosts=hosts)
    async with door as address:
        line = {"address": address, "pid": os.getpid()} | describe(venue)
        line["addresses"] = addresses(address)
        line["keys"] = _keys(venue.folder, token)
        line["cannot_work"] = cannot_work(venue.identity.speed)
        _print(line)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_S)
            log.look()


def _print(line: dict[str, object]) -> None:
    """Print one line for programs, and at a terminal the same in words."""
    words = told(line) if _is_terminal() else ()
    # Whoever wanted to read it may be gone: the market is there all the same.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write("\n".join((json.dumps(line), *words, "")))
        sys.stdout.flush()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _keys(folder: Path, token: str) -> dict[str, object]:
    """Return what opens the signed routes and the control page; no secret into a file or pipe."""
    spot = {"apiKey": BINANCE_DEMO_KEY, "secret": BINANCE_DEMO_SECRET}  # public, of a toy
    if _is_terminal():
        return {"spot": spot, "control": token}
    shown = f"cat {shlex.quote(str(folder.absolute() / TOKEN_FILE))}"
    return {"spot": spot, "control_shown_by": shown}


def _complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
