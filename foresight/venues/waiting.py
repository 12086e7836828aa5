"""Waiting for an outside world that is out for a moment, while a worker warms up.

Owns that wait and its bound. A release is judged on faults of its own: one that is merged, or an
standby that is started, while the exchange is out waits for it instead of being refused at once.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from foresight.errors import VenueUnreachable

# Less than the engine gives a worker to get warm, by more than one attempt takes at most.
REACHABLE_S_MAX: Final = 30.0
_PAUSE_S: Final = 1.0


async def until_reachable(attempt: Callable[[], Awaitable[None]]) -> None:
    """Try once a second until the outside world answers.

    Args:
        attempt: May be begun again after `VenueUnreachable`; any other error is raised at once.

    Raises:
        VenueUnreachable: It did not answer for `REACHABLE_S_MAX`.
    """
    retrying = AsyncRetrying(
        stop=stop_after_delay(REACHABLE_S_MAX),
        wait=wait_fixed(_PAUSE_S),
        retry=retry_if_exception_type(VenueUnreachable),
        reraise=True,
    )
    await retrying(attempt)
