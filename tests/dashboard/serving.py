"""The page's own process on a socket that the test holds, as a launcher would."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from foresight.page_link import page_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 60.0  # on a busy machine, and for whoever yields to everybody there


class Served:
    """The page of one home directory; use it as a context manager.

    Attributes:
        address: Where it is.
    """

    def __init__(self, home: Path, *, log: Path, words: tuple[str, ...] = ()) -> None:
        """Open the socket and start the process."""
        home.mkdir(mode=0o700, exist_ok=True)
        self._home = home
        self._log = log
        self._words = words
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port: int = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}/"
        self._tree = ROOT
        self._leaving: subprocess.Popen[bytes] | None = None
        self._process = self._start()

    def __enter__(self) -> Self:
        try:
            self.get("/healthz")  # the socket answers once the process does
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._listener.close()

    @property
    def link(self) -> str:
        """The address with what opens it."""
        return f"{self.address}#token={page_token(self._home)}"

    def leave(self, tree: Path | None = None) -> None:
        """Ask the process to go, and start the next one on the same socket at once.

        Args:
            tree: The tree that the next one runs from; None for the same.
        """
        if self._leaving is not None:
            self._leaving.wait(PATIENCE_S)
        self._tree = tree or self._tree
        self._leaving = self._process
        self._leaving.terminate()
        self._process = self._start()

    @contextmanager
    def silent(self) -> Iterator[socket.socket]:
        """Connect, and ask for nothing."""
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE_S) as connection:
            yield connection

    def restart(self) -> None:
        """Replace the process; the socket stays open."""
        self._stop()
        self._process = self._start()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Ask for a path as a program of this account does; return status and body."""
        told = {"Authorization": f"Bearer {page_token(self._home)}", **(headers or {})}
        status, body, _ = self.ask("GET", path, told)
        return status, body

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Ask for a path; return status, body and the answer's headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def arguments(self) -> str:
        """Return the process's argument list, as every account of this host may read it."""
        return Path(f"/proc/{self._process.pid}/cmdline").read_text(encoding="utf-8")

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """Read an answer that does not end by itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path, headers=dict(headers))
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()

    def niceness(self) -> int:
        """Return the process's niceness."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[16])

    def said(self) -> str:
        """Return what the process has written."""
        return self._log.read_text(encoding="utf-8")

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._listener.fileno()
        words = ["--home", str(self._home), "--fd", str(descriptor), *self._words]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "foresight.dashboard", *words],
                cwd=self._tree,
                pass_fds=(descriptor,),
                stdout=log,
                stderr=log,
            )

    def _stop(self) -> None:
        for process in (self._process, self._leaving):
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(instant_s: float) -> None:
    """Return once wall-clock time has come that far."""
    time.sleep(max(0.0, instant_s - time.time()))
