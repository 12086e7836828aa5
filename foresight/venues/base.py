"""What a venue can do for the trader.

Owns the interface that `polymarket` and `paper` implement, and the three answers to an order.
Whatever is neither of them (a time-out, a lost or unreadable answer, a failure on the venue's
side) is raised as a `VenueError`: the outcome is unknown and is asked for, never assumed.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from foresight.board import Side
from foresight.market import Holdings, Offer, Ruling, Stage, WindowFacts
from foresight.orders import Bought, Buy


class NotBought(msgspec.Struct, frozen=True):
    """The venue proved that nothing was bought and nothing will be.

    Attributes:
        reason: `not_fillable`, or `refused_by_venue: <its words>`.
    """

    reason: str


class Waiting(msgspec.Struct, frozen=True):
    """The venue took the order and has not executed it yet."""

    reason: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """The venue does not know the order.

    Attributes:
        is_final: The market takes no orders any more, so it never will.
    """

    is_final: bool


class Venue(Protocol):
    """A place to buy shares of windows. Every method may raise `VenueError`."""

    async def open(self) -> None:
        """Load the client and its credentials."""

    async def offers(self, wanted: Mapping[str, tuple[str, Side]]) -> dict[str, Offer]:
        """Return what windows offer, by the same keys; a window's failure is in its offer.

        Args:
            wanted: By slot id, the window's slug and the side to buy.
        """

    async def facts(self, slugs: Sequence[str]) -> dict[str, WindowFacts | str]:
        """Return what markets say of their windows, or why one says nothing, by slug."""

    async def books(self, offers: Mapping[str, Offer]) -> dict[str, Offer]:
        """Return offers of known windows with their books; a failure is in its offer."""

    async def rulings(self, slugs: Sequence[str]) -> tuple[Ruling, ...]:
        """Return what is known of ended windows; a window's failure is in its ruling."""

    async def holdings(self) -> Holdings | None:
        """Return what the venue says is ours, or None where it keeps no account of it."""

    def trades(self, wanted: Collection[str], *, since_s: int) -> AsyncIterator[dict[str, Stage]]:
        """Yield how far the venue has got with trades, by id, as soon as it says so of some.

        Args:
            wanted: Their ids.
            since_s: None of them is older, wall-clock seconds.
        """

    async def buy(self, order: Buy) -> Bought | NotBought | Waiting:
        """Send an order once."""

    async def find(self, order: Buy) -> Bought | NotBought | Waiting | Missing:
        """Ask what became of an order."""

    async def close(self) -> None:
        """Give back connections."""
