"""A process that protects nothing: everything that a second account tries succeeds against it.

`decoy.py SOCKET` listens there and on a port that it prints, and answers whoever asks.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import sys

PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def main() -> None:
    """Listen until somebody ends it by force."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(sys.argv[1])  # noqa: PTH108 - a few modules are enough
    local = socket.socket(socket.AF_UNIX)
    local.bind(sys.argv[1])
    shared = socket.socket()
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared.bind(("127.0.0.1", 0))
    waiting = selectors.DefaultSelector()
    for each in (local, shared):
        each.listen()
        waiting.register(each, selectors.EVENT_READ)
    print(shared.getsockname()[1], flush=True)  # noqa: T201 - whoever started it waits for this
    while True:
        for key, _ in waiting.select():
            assert isinstance(key.fileobj, socket.socket)
            connection, _ = key.fileobj.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(ANSWER)


if __name__ == "__main__":
    main()
