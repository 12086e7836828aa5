"""Which connections are served: so many of our own user, so many of all others.

Owns the accept loop, and who leaves when it is full: of a newcomer's own kind, first one that never
asked for anything, then one that asked for nothing the longest. So connections that stay silent,
of whomever and however many, keep nobody out, and others never take our own room. Must never enter:
what a request asks for, host names.
"""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from foresight.door.limits import Limits, fitted
from foresight.door.peers import users_of

_PAUSE_S: Final = 0.05
_LOOK_S: Final = 0.01
_PAUSES_MAX: Final = 20  # of a newcomer of our own, while all of its kind are being answered
_OUT_OF_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SPARE_DESCRIPTORS: Final = 4  # for files that are opened for a moment

Users = Callable[[Sequence[socket.socket]], Sequence[int | None]]


@dataclass(slots=True)
class _Guest:
    connection: socket.socket
    transport: asyncio.Transport
    deadline: asyncio.TimerHandle
    is_own: bool
    heard_s: float  # of the loop's clock
    has_asked: bool = False
    answers: int = 0  # that are being made

    def turn_out(self) -> None:
        self.deadline.cancel()
        self.transport.abort()


class Admission:
    """Accepts connections, and knows which have asked for something.

    Args:
        server: Makes what serves one connection.
        listener: Bound and listening; closed by the caller.
        limits: How much is let in, at most.
        users: Says whose connections they are.
    """

    def __init__(
        self,
        server: web.Server,
        listener: socket.socket,
        limits: Limits,
        *,
        users: Users = users_of,
    ) -> None:
        """Begin with nobody."""
        self._server = server
        self._listener = listener
        self._limits = fitted(limits, _descriptors())
        self._users = users
        self._guests: dict[asyncio.BaseProtocol, _Guest] = {}
        self._is_shut = False
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Accept until it is shut, or this is cancelled."""
        loop = asyncio.get_running_loop()
        readable = self._woken
        self._listener.setblocking(False)  # noqa: FBT003 - the method takes it by position only
        loop.add_reader(self._listener, readable.set)
        try:
            while True:
                await readable.wait()
                if self._is_shut:
                    return
                readable.clear()
                try:
                    batch = self._accepted()
                except OSError:
                    self._make_room(self._there())
                    await _pause()
                else:
                    await self._admit_all(batch)
        finally:
            loop.remove_reader(self._listener)

    def shut(self) -> None:
        """Accept nobody else; who waits in the socket's queue is for whoever else listens there."""
        self._is_shut = True
        self._woken.set()

    @property
    def is_shut(self) -> bool:
        """Whether nobody else is accepted: an answer is the last one of its connection."""
        return self._is_shut

    async def wait_answered(self, limit_s: float) -> None:
        """Wait, within a bound, until everybody who was let in has asked and been answered."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + limit_s
        while any(not guest.has_asked or guest.answers for guest in self._there()):
            if loop.time() >= deadline_s:
                return
            await _pause(_LOOK_S)

    def close(self) -> None:
        """End whatever connection is left."""
        for guest in self._guests.values():
            guest.turn_out()
        self._guests.clear()

    def heard(self, protocol: asyncio.BaseProtocol) -> None:
        """Note that a connection sent a request's headers."""
        guest = self._guests.get(protocol)
        if guest is not None:
            guest.deadline.cancel()
            guest.has_asked = True
            guest.heard_s = asyncio.get_running_loop().time()

    def is_own(self, protocol: asyncio.BaseProtocol) -> bool:
        """Tell whether a connection is of this process's own user."""
        guest = self._guests.get(protocol)
        return guest is not None and guest.is_own

    @contextmanager
    def answering(self, protocol: asyncio.BaseProtocol) -> Iterator[None]:
        """Keep a connection from making room while the block runs."""
        guest = self._guests.get(protocol)
        if guest is None:
            yield
            return
        guest.answers += 1
        try:
            yield
        finally:
            guest.answers -= 1
            guest.heard_s = asyncio.get_running_loop().time()

    # --- accepting -----------------------------------------------------------------

    def _accepted(self) -> list[socket.socket]:
        """Return who waits, so many at most.

        Raises:
            OSError: There is no descriptor or no memory for one more.
        """
        batch: list[socket.socket] = []
        while len(batch) < self._limits.batch_max:
            try:
                batch.append(self._listener.accept()[0])
            except OSError as error:
                if error.errno in _OUT_OF_ROOM and not batch:
                    raise
                break  # nobody else waits, or a peer went away; else this is called again
        return batch

    async def _admit_all(self, batch: list[socket.socket]) -> None:
        waiting = list(zip(batch, self._users(batch), strict=True))
        # Our own first: within a batch too they wait for nobody else.
        waiting.sort(key=lambda each: each[1] == os.geteuid())
        try:
            while waiting:
                connection, user = waiting.pop()
                await self._admit(connection, is_own=user == os.geteuid())
        finally:
            for connection, _ in waiting:
                connection.close()

    async def _admit(self, connection: socket.socket, *, is_own: bool) -> None:
        if not await self._wait_room(is_own=is_own):
            connection.close()
            return
        loop = asyncio.get_running_loop()
        make: Callable[[], asyncio.BaseProtocol] = self._server
        try:
            transport, protocol = await loop.connect_accepted_socket(make, connection)
        except OSError:
            connection.close()
            return
        deadline = loop.call_later(self._limits.headers_s, transport.abort)
        self._guests[protocol] = _Guest(connection, transport, deadline, is_own, loop.time())

    # --- room ----------------------------------------------------------------------

    async def _wait_room(self, *, is_own: bool) -> bool:
        """Tell whether one more may come; wait for it a moment where only our own are there."""
        most = self._limits.own_max if is_own else self._limits.others_max
        for _ in range(_PAUSES_MAX if is_own else 1):
            kind = [guest for guest in self._there() if guest.is_own == is_own]
            if len(kind) < most or self._make_room(kind):
                return True
            await _pause()
        return False

    def _there(self) -> list[_Guest]:
        """Return who is there; one that closes counts until its last bytes have gone."""
        for protocol, guest in list(self._guests.items()):
            if guest.connection.fileno() < 0:
                guest.deadline.cancel()
                del self._guests[protocol]
        return list(self._guests.values())

    @staticmethod
    def _make_room(guests: Sequence[_Guest]) -> bool:
        """End the connection that is missed least; tell whether there was one."""
        idle = [guest for guest in guests if not guest.answers]
        if not idle:
            return False
        min(idle, key=lambda each: (each.is_own, each.has_asked, each.heard_s)).turn_out()
        return True


async def _pause(pause_s: float = _PAUSE_S) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), pause_s)


def _descriptors() -> int:
    """Return how many more descriptors this process may open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone
    except OSError:
        used = 32  # no Linux: a server that has just started uses about a dozen
    return max(0, most - used - _SPARE_DESCRIPTORS)
