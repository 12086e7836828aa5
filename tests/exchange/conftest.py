"""An exchange of one's own for every test: real HTTP, a clock that stands until it is moved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.exchange.served import Opener, Running, StandingClock, undecided


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return Opener(tmp_path / "exchange", StandingClock())


@pytest_asyncio.fixture
async def running(opener: Opener) -> AsyncIterator[Running]:
    """Serve at speed 60, forty market seconds into an undecided five-minute window."""
    async with undecided(opener) as served:
        yield served
