"""Requests to etcd's JSON gateway: one connection, several endpoints, a bound for each answer.

Owns the difference that a store lives by: not sent (nothing happened), refused (etcd said no,
nothing happened), unclear (it may have happened, and may yet). After what is not an answer the
next endpoint has its turn. A token that expired is fetched anew, with the password that the file
of the credentials has by then, and certificates that were renewed in their place are read with the
next connection. A client is for one thread.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from state.etcd import wire
from state.etcd.admission import Admission

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from state.etcd.address import Cluster, Credentials, Endpoint

REQUEST_S_MAX: Final = 0.4  # an answer of a healthy etcd takes a few milliseconds
LOG_IN_S_MAX: Final = 2.0  # etcd makes passwords slow to try, by some 70 ms of a processor
SLOWEST_BYTES_S: Final = 1 << 20  # a mebibyte may take a second more, going or coming
ANSWER_BYTES_MAX: Final = 8 << 20  # of one answer: two commits' values in base64
_BLOCK_BYTES: Final = 1 << 16
_OK: Final = 200
_HEADER: Final = b'"header":{'
_HEADED: Final = frozenset({wire.TXN, wire.GRANT, wire.KEEP_ALIVE, wire.LOG_IN, wire.STATUS})
_USERS_CHANGED: Final = "revision of auth store is old"
_JSON: Final = {"Content-Type": "application/json"}


class EtcdError(Exception):
    """Base of what a request can come to instead of an answer."""


class NotSent(EtcdError):
    """No connection came about: nothing happened."""


class NotLetIn(NotSent):
    """Etcd refused name and password: nothing happened, and until they change nothing will."""


class Unclear(EtcdError):
    """The request was sent, and nobody knows what became of it, or will."""


class Rejected(EtcdError):
    """Etcd refused the request: nothing happened.

    Attributes:
        code: Of gRPC, see `wire`.
        reason: Etcd's words.
    """

    def __init__(self, code: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Client:
    """A connection to whichever endpoint answers.

    Args:
        cluster: Where they are and how to be let in.
        first: Which of them has the first turn.
    """

    def __init__(self, cluster: Cluster, *, first: int = 0) -> None:
        """Keep the parts; nothing is connected yet."""
        self._admission = Admission(cluster)
        self._turn = first
        self._files = _files(cluster.credentials)
        self._tls = _context(cluster.credentials) if cluster.is_encrypted else None
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._token = ""

    def call(self, path: str, request: object, *, timeout_s: float = REQUEST_S_MAX) -> bytes:
        """Send one request and return the answer's body.

        Args:
            path: Of the gateway, see `wire`.
            request: What is encoded as its body.
            timeout_s: The longest wait for the whole of it, connecting included; without the time
                that its bytes take at `SLOWEST_BYTES_S`, and without logging in.

        Raises:
            NotSent: No connection.
            NotLetIn: Name and password were refused.
            Unclear: No answer, or one that leaves it open.
            Rejected: A refusal.
        """
        body = wire.encode(request)
        deadline = time.monotonic() + timeout_s + len(body) / SLOWEST_BYTES_S
        try:
            return self._call(path, body, deadline)
        except Rejected as refusal:
            if not _is_about_token(refusal) or not self._admission.cluster.credentials.user:
                raise
            self._token = ""  # it expired, or the user was changed
            return self._call(path, body, deadline)

    def stream(self, path: str, request: object, *, silence_s: float) -> Iterator[bytes]:
        """Send one request and yield its answer line by line, until nothing comes for a time.

        Raises:
            NotSent: No connection.
            Unclear: The stream ended, or was silent for `silence_s`.
            Rejected: A refusal.
        """
        try:
            response = self._sent(path, wire.encode(request), time.monotonic() + silence_s)
            self._set_timeout(silence_s)
            while line := response.readline(ANSWER_BYTES_MAX):
                yield line
        except (OSError, HTTPException) as error:
            raise Unclear(str(error)) from error
        finally:
            self.drop()
        message = "the stream ended"
        raise Unclear(message)

    def drop(self) -> None:
        """Give the connection up; the next request goes to the next endpoint."""
        self._turn += 1
        self.close()

    def close(self) -> None:
        """Close the connection; another one is made if it is used again."""
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            connection.close()

    def interrupt(self) -> None:
        """End whatever another thread waits for on this client."""
        held = self._socket
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(2)

    def _call(self, path: str, body: bytes, deadline: float) -> bytes:
        if self._admission.cluster.credentials.user and not self._token:
            began = time.monotonic()
            self._log_in(began + LOG_IN_S_MAX)
            deadline += time.monotonic() - began
        return self._exchange(path, body, deadline)

    def _log_in(self, deadline: float) -> None:
        held, refused = self._admission.read_again(), self._admission.why_not()
        if refused:
            raise NotLetIn(refused)
        words = {"name": held.user, "password": held.password}
        try:
            answer = self._exchange(wire.LOG_IN, wire.encode(words), deadline)
        except Rejected as refusal:
            if _is_about_token(refusal) or refusal.code == wire.EXHAUSTED:
                raise  # no word of what was shown
            self._admission.note_refused(refusal.reason)
            raise NotLetIn(refusal.reason) from refusal
        self._token = wire.decode(answer, wire.LoggedIn).token

    def _exchange(self, path: str, body: bytes, deadline: float) -> bytes:
        try:
            return _known(path, self._read(self._sent(path, body, deadline), deadline))
        except Rejected:
            raise
        except (OSError, HTTPException) as error:
            self.drop()
            raise Unclear(str(error)) from error
        except EtcdError:
            self.drop()
            raise

    def _sent(self, path: str, body: bytes, deadline: float) -> HTTPResponse:
        connection = self._connected(deadline)
        headers = _JSON | ({"Authorization": self._token} if self._token else {})
        self._set_timeout(_left(deadline))
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        if response.status != _OK:
            raise _refused(response.status, self._read(response, deadline))
        return response

    def _connected(self, deadline: float) -> HTTPConnection:
        if self._connection is not None:
            return self._connection
        endpoints = self._admission.cluster.endpoints
        connection = self._new(endpoints[self._turn % len(endpoints)], _left(deadline))
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NotSent(str(error)) from error
        self._connection = connection
        self._socket = connection.sock
        return connection

    def _new(self, endpoint: Endpoint, timeout_s: float) -> HTTPConnection:
        host, port = endpoint
        if self._tls is None:
            return HTTPConnection(host, port, timeout=timeout_s)
        self._renew()
        return HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)

    def _renew(self) -> None:
        """Read the certificates again where they were renewed; what is half renewed is not yet."""
        held = self._admission.read_again()
        files = _files(held)
        if files != self._files:
            with contextlib.suppress(OSError):
                self._tls, self._files = _context(held), files

    def _read(self, response: HTTPResponse, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        with contextlib.closing(response):
            while part := response.read1(_BLOCK_BYTES):
                size += len(part)
                if size > ANSWER_BYTES_MAX:
                    message = f"an answer of more than {ANSWER_BYTES_MAX} bytes"
                    raise HTTPException(message)
                parts.append(part)
                deadline += len(part) / SLOWEST_BYTES_S
                self._set_timeout(_left(deadline))  # who sends byte by byte is bounded too
        if response.will_close:
            self.close()
        return b"".join(parts)

    def _set_timeout(self, timeout_s: float) -> None:
        if self._socket is not None:
            self._socket.settimeout(timeout_s)


def _is_about_token(refusal: Rejected) -> bool:
    return refusal.code == wire.UNAUTHENTICATED or _USERS_CHANGED in refusal.reason


def _known(path: str, data: bytes) -> bytes:
    """Return an answer that is one of an etcd: a proxy's page, or another program's, is none."""
    if path in _HEADED and _HEADER not in data:
        message = "no answer of an etcd"
        raise Unclear(message)
    return data


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        message = "no answer in time"
        raise TimeoutError(message)
    return left


def _refused(status: int, data: bytes) -> EtcdError:
    try:
        refusal = wire.decode(data, wire.Refusal)
    except msgspec.DecodeError:
        return Unclear(f"status {status}")
    if refusal.code in wire.UNCLEAR or not refusal.code:
        return Unclear(f"status {status}: {refusal.message}")
    return Rejected(refusal.code, refusal.message)


def _files(held: Credentials) -> tuple[tuple[int, int], ...]:
    """Return what changes where a file of the credentials is replaced or written anew."""
    found = list[tuple[int, int]]()
    for path in (held.ca, held.certificate, held.key):
        with contextlib.suppress(OSError):
            status = Path(path).stat()
            found.append((status.st_ino, status.st_mtime_ns))
    return tuple(found)


def _context(held: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=held.ca)
    if held.certificate:
        context.load_cert_chain(held.certificate, held.key)
    return context
