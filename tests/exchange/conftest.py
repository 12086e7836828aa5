"""An exchange of one's own for every test: real HTTP, a clock that stands until it is moved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from foresight.exchange.market_clock import NS_PER_SECOND
from tests.exchange.served import Opener, Running, StandingClock


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return Opener(tmp_path / "exchange", StandingClock())


@pytest_asyncio.fixture
async def running(opener: Opener) -> AsyncIterator[Running]:
    """Serve at speed 60, forty market seconds into a five-minute window."""
    async with opener(speed=60, seed=7) as served:
        window = served.window()
        wanted_ns = window.end_ns + 40 * NS_PER_SECOND
        served.clock.now_ns = served.venue.timeline.wall_ns(wanted_ns)
        yield served
