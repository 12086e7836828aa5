"""Everybody who looks: one queue each, one frame and one compression for all.

Owns how a frame reaches many streams at the cost of one, and who is let go because it does not
take what it is sent. All compressed streams share one compressor, flushed after each event; where
somebody joins, it forgets what was before, which the newcomer has not seen. Must never enter: what
a frame says, requests.
"""

import asyncio
import zlib
from collections.abc import Iterable
from typing import Final

FOLLOWERS_MAX: Final = 96  # fewer than the door lets in of our own
WAITING_MAX: Final = 64  # events that one has not taken: a minute of beats
_GZIP: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time
_RAW: Final = -zlib.MAX_WBITS
_LEVEL: Final = 6


class Follower:
    """One stream of events.

    Attributes:
        is_compressed: Whether its bytes are one gzip stream.
    """

    def __init__(self, *, is_compressed: bool) -> None:
        """Begin with nothing to send."""
        self.is_compressed = is_compressed
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(maxsize=WAITING_MAX)
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._is_over

    def give(self, data: bytes) -> None:
        """Add what is to be sent; whoever takes too little is let go, and may come again."""
        try:
            self._waiting.put_nowait(data)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Send nothing more."""
        self._is_over = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(b"")

    async def wait_next(self) -> bytes:
        """Return what is to be sent next, all that waits; empty once it is over."""
        found = [await self._waiting.get()]
        while not self._waiting.empty():
            found.append(self._waiting.get_nowait())
        return b"" if self._is_over else b"".join(found)


class Audience:
    """All followers."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._followers: dict[Follower, None] = {}
        self._compressor = zlib.compressobj(_LEVEL, wbits=_RAW)
        self._whole = (b"", b"")  # the newest beginning, plain and compressed

    def __len__(self) -> int:
        """Return how many follow."""
        return len(self._followers)

    def join(self, whole: bytes, *, is_compressed: bool) -> Follower | None:
        """Return a new follower, or None where there is no room.

        Args:
            whole: What it begins with: everything that was told before, as one.
            is_compressed: Whether it takes a gzip stream.
        """
        if len(self._followers) >= FOLLOWERS_MAX:
            return None
        follower = Follower(is_compressed=is_compressed)
        if is_compressed:
            forgotten = self._compressor.flush(zlib.Z_FULL_FLUSH)
            _give(self._compressed(), forgotten)
            follower.give(_GZIP + self._beginning(whole))
        else:
            follower.give(whole)
        self._followers[follower] = None
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower."""
        self._followers.pop(follower, None)

    def tell(self, event: bytes) -> None:
        """Send an event to all."""
        compressed = [*self._compressed()]
        if compressed:
            data = self._compressor.compress(event) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
            _give(compressed, data)
        _give([each for each in self._followers if not each.is_compressed], event)

    def end(self) -> None:
        """Let all of them go."""
        for follower in self._followers:
            follower.end()

    def _compressed(self) -> Iterable[Follower]:
        return [each for each in self._followers if each.is_compressed]

    def _beginning(self, whole: bytes) -> bytes:
        if self._whole[0] != whole:
            compressor = zlib.compressobj(_LEVEL, wbits=_RAW)
            data = compressor.compress(whole) + compressor.flush(zlib.Z_FULL_FLUSH)
            self._whole = (whole, data)
        return self._whole[1]


def _give(followers: Iterable[Follower], data: bytes) -> None:
    for follower in followers:
        if data and not follower.is_over:
            follower.give(data)
