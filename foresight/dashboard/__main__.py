"""The companion process: `python -m foresight.dashboard --home DIR (--fd N | --port N)`.

Owns the command line, the socket that is handed over or made and the process's place behind the
owner. What is shown is `page`'s matter, what is served `server`'s.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from foresight.page_link import address_for_people
from handoff.log_watch import watch_own_log
from handoff.standard_streams import print_line

PORT: int = 8642
NICENESS: Final = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is ended; return the exit status."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return 2
    options = _parser().parse_args(arguments)
    # The owner's cycle comes first, from here on: a page's start costs more than its service.
    os.nice(max(0, NICENESS - os.getpriority(os.PRIO_PROCESS, 0)))
    watch_own_log()
    # Imported late, so that --help is instant and works without the extra.
    try:
        from foresight.dashboard.acting import Controls  # noqa: PLC0415 - as said above
        from foresight.dashboard.page import Page  # noqa: PLC0415 - as said above
        from foresight.dashboard.server import NotLoopback, serve  # noqa: PLC0415 - as said above
        from handoff.companion_line import keep_telling  # noqa: PLC0415 - as said above
    except ModuleNotFoundError as error:
        hint = "install the extra `dashboard` (make setup installs all)"
        sys.stderr.write(f"error: {error.name} is not installed\nhint: {hint}\n")
        return 1
    home = options.home.absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # the token is kept there
        controls = None
        if options.control is not None:
            controls = Controls(options.control.absolute(), options.commands)
        page = Page(home, options.app, options.host, options.release, controls)
    except OSError as error:
        hint = "choose a home that this account can write to"
        sys.stderr.write(f"error: the page's token: {error}\nhint: {hint}\n")
        return 1
    try:
        with _listener(options.fd, options.port) as listener:
            if options.fd is None:
                address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
                print_line(sys.stdout, address_for_people(home, address))
            line = home / "run" / "control.sock"
            told = partial(keep_telling, line, listener) if options.fd is not None else None
            serve(page, listener, told)
    except NotLoopback as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        return 3
    except OSError as error:
        where = f"port {options.port}" if options.fd is None else f"descriptor {options.fd}"
        sys.stderr.write(f"error: {where}: {error.strerror}\nhint: choose another --port\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m foresight.dashboard",
        description="Serve a page about a home directory to this machine; it acts with --control.",
    )
    parser.add_argument("--home", type=Path, required=True, help="the state directory")
    parser.add_argument("--app", default="foresight", help="name of the application")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name that it answers to beside those of the loopback; may be repeated",
    )
    parser.add_argument(
        "--release",
        default="",
        metavar="ID",
        help="the release that this page is of; one before 0.3 knows no such word, and ends",
    )
    parser.add_argument(
        "--control",
        type=Path,
        metavar="FILE",
        help="configuration of the installation on which whoever is let in may act; none: it reads",
    )
    parser.add_argument(
        "--commands",
        default=sys.executable,
        metavar="PYTHON",
        help="interpreter that has the installation's commands",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--fd", type=int, help="a listening socket that this process inherits")
    where.add_argument("--port", type=int, default=PORT, help="port on 127.0.0.1; 0 for any")
    return parser


def _listener(descriptor: int | None, port: int) -> socket.socket:
    if descriptor is not None:
        return socket.socket(fileno=descriptor)
    return socket.create_server(("127.0.0.1", port), backlog=64)


if __name__ == "__main__":
    sys.exit(main())
