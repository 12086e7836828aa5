"""The local exchange outside of all hosts, and a door on their network that leads to it.

It listens on the loopback alone, as ever; whoever has several hosts puts a tunnel or a proxy before
it, which this door stands for. What it booked is asked of it where it runs.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final, Self

from bench.installation import ROOT, environment
from foresight.board import MICRO
from foresight.evidence.exchange_books import Exchange, Ledger, ask, ledger

if TYPE_CHECKING:
    from pathlib import Path

BALANCE_USDC: Final = 1_000_000
BEGUN_MICRO: Final = BALANCE_USDC * MICRO
CHUNK_BYTES: Final = 1 << 16
END_S_MAX: Final = 10.0
LATE_S: Final = 30.0  # longer than a cycle: whoever waits for it ends first


class Market:
    """An exchange, and the door to it.

    Args:
        place: A new directory for what it keeps.
        address: Where hosts reach it.
        speed: Market seconds per second of the wall.
        assets: What it makes prices for.
    """

    def __init__(self, place: Path, address: str, *, speed: int, assets: tuple[str, ...]) -> None:
        """Start nothing yet."""
        self._place = place
        self._address = address
        self._words = ("--speed", str(speed), "--assets", ",".join(assets), "--host", address)
        self._process: subprocess.Popen[str] | None = None
        self._door: socket.socket | None = None
        self._inside = ""
        self.url = ""

    def __enter__(self) -> Self:
        """Start it; return once it can be reached."""
        command = [sys.executable, "-m", "foresight.exchange", "--dir", str(self._place)]
        command += ["--balance", str(BALANCE_USDC), *self._words]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None, "asked for"
        self._inside = json.loads(self._process.stdout.readline())["address"]
        near = self._inside.removeprefix("http://").rpartition(":")
        self._door = socket.create_server((self._address, 0), backlog=64)
        self.url = f"http://{self._address}:{self._door.getsockname()[1]}"
        behind = (near[0], int(near[2]))
        threading.Thread(target=_let_in, args=(self._door, behind), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self._door is not None:
            self._door.close()
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=END_S_MAX)

    def ledger(self) -> Ledger:
        """Return its own books."""
        return ledger(self._exchange())

    def answer(self, *, late: bool) -> None:
        """Carry out each order at once, and answer it late, or in time again."""
        ask(self._exchange(), "faults", {"late_answer": {"seconds": LATE_S} if late else 0})

    def _exchange(self) -> Exchange:
        return Exchange(self._inside, (self._place / "control.token").read_text("ascii").strip())


def _let_in(door: socket.socket, behind: tuple[str, int]) -> None:
    while True:
        try:
            near, _ = door.accept()
        except OSError:
            return  # it is shut
        threading.Thread(target=_pass_on, args=(near, behind), daemon=True).start()


def _pass_on(near: socket.socket, behind: tuple[str, int]) -> None:
    """Pass on what comes from either side until one of them is gone."""
    with (
        contextlib.suppress(OSError),
        near,
        socket.create_connection(behind) as far,
        selectors.DefaultSelector() as ready,
    ):
        sides = {near.fileno(): (near, far), far.fileno(): (far, near)}
        for each in sides:
            ready.register(each, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                speaks, hears = sides[key.fd]
                data = speaks.recv(CHUNK_BYTES)
                if not data:
                    return
                hears.sendall(data)
