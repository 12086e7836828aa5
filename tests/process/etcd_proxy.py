"""A proxy between a store and its etcd that loses, delays or doubles what goes through it.

It understands just enough of HTTP to let one commit go wrong at a time: a POST with its length.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WAIT_S: Final = 10.0


class Fault(enum.Enum):
    """What becomes of one commit."""

    REQUEST_LOST = "request lost"  # it never arrives
    ANSWER_LOST = "answer lost"  # it arrives, and who sent it hears nothing
    REQUEST_LATE = "request late"  # it arrives when `let_arrive` says
    DOUBLED = "doubled"  # it arrives twice; who sent it hears the second answer


class Proxy:
    """Listens on a port of its own and passes on to another one.

    Attributes:
        port: Where it listens.
        faults: What becomes of the next commits, in turn; then all go through.
        meanwhile: Called between what became of a commit and the end of its connection.
        is_mute: Nothing that etcd says goes back.
        is_cut: Nothing arrives at etcd either.
    """

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.faults: list[Fault] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.is_mute = False
        self.is_cut = False
        self._late: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_WAIT_S)
        for each in self._open:
            each.close()

    def let_arrive(self) -> list[bytes]:
        """Send what was held back; return etcd's answers, whom nobody waits for any more."""
        held, self._late = self._late, []
        return [self._ask(data) for data in held]

    def _begin(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(near)
            self._begin(lambda near=near: self._serve(near))  # type: ignore[misc]

    def _serve(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._upstream))
        self._open.append(far)
        self._begin(lambda: self._pass_back(far, near))
        with contextlib.suppress(OSError), near.makefile("rb") as reader:
            while request := _message(reader):
                is_commit = b'"compare":[{' in request
                if is_commit and self.faults:
                    self._go_wrong(self.faults.pop(0), request, near)
                elif not self.is_cut:
                    far.sendall(request)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def _pass_back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                if not self.is_mute:
                    near.sendall(data)
            near.shutdown(socket.SHUT_RDWR)

    def _go_wrong(self, fault: Fault, request: bytes, near: socket.socket) -> None:
        answer = b""
        if fault is Fault.REQUEST_LATE:
            self._late.append(request)
        elif fault is not Fault.REQUEST_LOST:
            answer = self._ask(request)
        self.meanwhile()
        if fault is Fault.DOUBLED:
            answer = self._ask(request)
            near.sendall(answer)
        else:
            near.shutdown(socket.SHUT_RDWR)

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._upstream), _WAIT_S) as far:
            far.sendall(request)
            with far.makefile("rb") as reader:
                return _message(reader)


def _message(reader: BinaryIO) -> bytes:
    """Read one message whole, as it stands; empty at the end of the connection."""
    lines: list[bytes] = []
    length, is_chunked = 0, False
    while line := reader.readline():
        lines.append(line)
        name, _, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
        is_chunked |= name == b"transfer-encoding"
        if line == b"\r\n":
            lines += _chunks(reader) if is_chunked else [reader.read(length)]
            return b"".join(lines)
    return b""


def _chunks(reader: BinaryIO) -> Iterator[bytes]:
    size = -1
    while size:
        head = reader.readline()
        size = int(head, 16)
        yield head + reader.read(size + 2)
