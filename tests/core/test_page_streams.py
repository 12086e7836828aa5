"""What reaches those who follow the page, compressed once for all of them."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from foresight.dashboard.audience import FOLLOWERS_MAX, WAITING_MAX, Audience, Follower

GZIP = zlib.MAX_WBITS + 16
WHOLE = b"event: show\ndata: " + bytes(range(48, 90)) * 40 + b"\n\n"


class Reader:
    """Somebody who decodes a stream as it comes, as a browser does."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.decoder = zlib.decompressobj(GZIP)
        self.bytes = 0

    async def read(self) -> bytes:
        data = await asyncio.wait_for(self.follower.wait_next(), 1.0)
        self.bytes += len(data)
        return self.decoder.decompress(data)


def joined(audience: Audience, whole: bytes = WHOLE) -> Reader:
    follower = audience.join(whole, is_compressed=True)
    assert follower is not None
    return Reader(follower)


@pytest.mark.asyncio
async def test_whoever_joins_later_reads_the_same_bytes() -> None:
    """All share one compressor: without a fresh start a newcomer would get references to what
    was sent before it came, and its browser would end the stream.
    """
    audience = Audience()
    early = joined(audience)
    assert await early.read() == WHOLE
    for number in range(5):
        audience.tell(b"event: beat %d\n\n" % number)
    assert (await early.read()).endswith(b"beat 4\n\n")
    late = joined(audience, WHOLE[:300])
    audience.tell(WHOLE)
    audience.tell(b"event: last\n\n")
    assert await late.read() == WHOLE[:300] + WHOLE + b"event: last\n\n"
    assert await early.read() == WHOLE + b"event: last\n\n"


@pytest.mark.asyncio
async def test_each_event_is_readable_as_soon_as_it_is_told() -> None:
    """A compressor that holds bytes back shows a deploy when the next thing happens."""
    audience = Audience()
    reader = joined(audience)
    await reader.read()
    audience.tell(b"event: a\n\n")
    assert await reader.read() == b"event: a\n\n"


@pytest.mark.asyncio
async def test_what_is_said_again_costs_little() -> None:
    """The same regions come again and again; under 10 kB a second is a promise."""
    audience = Audience()
    reader = joined(audience)
    await reader.read()
    audience.tell(WHOLE)
    await reader.read()
    before = reader.bytes
    audience.tell(WHOLE)
    await reader.read()
    assert reader.bytes - before < 40


@pytest.mark.asyncio
async def test_whoever_takes_nothing_is_let_go_and_keeps_nobody_up() -> None:
    """A browser that is stopped must not fill this process's memory."""
    audience = Audience()
    asleep = audience.join(WHOLE, is_compressed=False)
    assert asleep is not None
    for _ in range(WAITING_MAX):
        audience.tell(b"event: beat\n\n")
    assert asleep.is_over
    assert await asleep.wait_next() == b""
    audience.leave(asleep)
    assert len(audience) == 0


@pytest.mark.asyncio
async def test_there_is_room_for_so_many() -> None:
    """The next one is told so, instead of making everybody slower."""
    audience = Audience()
    followers = [audience.join(b"x", is_compressed=True) for _ in range(FOLLOWERS_MAX)]
    assert None not in followers
    assert audience.join(b"x", is_compressed=True) is None
    assert followers[0] is not None
    audience.leave(followers[0])
    assert audience.join(b"x", is_compressed=False) is not None
