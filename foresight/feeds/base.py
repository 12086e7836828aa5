"""What a feed of candles can do for the trader.

Owns the interface that `binance` (which asks) and `streamed` (which listens, and asks for what it
did not hear) implement.
"""

from collections.abc import Mapping
from typing import Protocol

from foresight.market import Candles
from foresight.venues.request_budget import Budget


class Feed(Protocol):
    """A source of closed one-minute candles."""

    @property
    def budget(self) -> Budget:
        """What the exchange may still be asked."""

    async def open(self) -> None:
        """Load the client and make the first connection; may be called again until it succeeds.

        Raises:
            VenueError: The exchange does not answer.
        """

    async def time_ms(self) -> int:
        """Return the feed's clock, milliseconds UTC.

        Raises:
            VenueError: It does not say.
        """

    async def fetch(self, newest: Mapping[str, int], *, end_minute: int) -> dict[str, Candles]:
        """Return new closed candles by asset; an asset's failure is in its candles.

        Args:
            newest: By asset, the newest minute that is known, or -1.
            end_minute: The first minute that is not closed yet by the feed's clock.
        """

    async def close(self) -> None:
        """Give back the connections."""
