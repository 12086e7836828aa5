"""Does the venue agree with the book?

Owns which kind of venue a book belongs to, the comparison of its positions with the venue's, and
the adoption of what it does not know: adopted and flagged, never ignored. How the venue is asked is
its adapter's matter.

A position whose order has no receipt yet is not compared: its outcome is still being asked for.
Nor is one with trades that may still fail: the venue may list their shares or not. What failed may
stay in a listing for as long as one is late.
What the venue's listing no longer shows of ended windows is settlement's matter.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec

from foresight.board import MICRO, window_of_slug
from foresight.book import (
    DECIDED_KEPT,
    LISTING_LAG_CYCLES,
    Book,
    decided_here,
    flag,
    is_recent,
    spend,
)
from foresight.market import Holdings, VenuePosition
from foresight.trades import Entry, Position

ADOPTED: Final = "position_adopted"
UNREDEEMED_S: Final = 3600  # an ended window's shares are adopted no later than this
DUST_MICRO: Final = 10_000  # a listing with two decimals rounds by less than this


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that book and venue say differently.

    Attributes:
        kind: `position_adopted`, `position_missing`, `position_foreign`, `order_resting`.
        slug: The window or market, or an order's id.
        detail: Both sides of it, in words.
        is_newer: Whether an order that was decided after this book may account for it.
        found: What is to be adopted and what it cost, or None.
    """

    kind: str
    slug: str
    detail: str
    is_newer: bool = False
    found: VenuePosition | None = None


def take_kind(book: Book, kind: str) -> None:
    """Let a book belong to a kind of venue: one that belongs to none, or that holds nothing.

    Args:
        book: Changed; the cash of another kind's account is not this one's, and what was won
            there covers no loss here.
        kind: Where orders go from now on.
    """
    if strange_kind(book, kind):
        return
    if not book.venue:
        # Sums of a book of version 1: it did not say the kind.
        book.tallies = {
            kind + key if key.startswith(":") else key: sums for key, sums in book.tallies.items()
        }
    elif book.venue != kind:
        book.cash, book.venue_since_s = None, book.now_s
        # Losses stay: otherwise a guard would begin anew for whoever goes and comes back.
        book.results = [one for one in book.results if one.profit_micro < 0]
    book.venue = kind


def strange_kind(book: Book, kind: str) -> str:
    """Return why a book cannot be traded at a kind of venue, or an empty string.

    Args:
        book: Whatever is open in it has to be settled where it was bought.
        kind: Where orders would go.
    """
    if book.venue in {"", kind} or not (book.positions or book.orders):
        return ""
    return (
        f"{len(book.positions)} positions and {len(book.orders)} orders of the venue kind "
        f"{book.venue!r} are open, and this release trades at {kind!r}: pause, wait until all is "
        "decided, then deploy with [engine] replay = 0"
    )


def in_doubt(book: Book) -> frozenset[str]:
    """Return the tokens of which a listing may say one thing or the other."""
    waiting = {order.token for order in book.orders.values()}
    held = book.positions.values()
    unsure = {position.token for position in held if position.unconfirmed}
    gone = {token for token, cycle in book.let_go.items() if is_recent(book, cycle)}
    return frozenset(waiting | unsure | gone)


def differences(
    book: Book, holdings: Holdings, *, now_s: int, besides: Collection[str] = ()
) -> tuple[Difference, ...]:
    """Return what book and venue say differently.

    Args:
        book: With every receipt taken in.
        holdings: The venue's listing.
        now_s: Application time of the listing.
        besides: Tokens that are not compared beside those that are in doubt here.
    """
    skipped = in_doubt(book).union(besides)
    return (
        *_unknown(book, [one for one in holdings.positions if one.token not in skipped], now_s),
        *_missing(book, holdings.positions, now_s, skipped),
        *(
            Difference(kind="position_foreign", slug=slug, detail="in a market of another kind")
            for slug in holdings.foreign
        ),
        *(
            Difference(kind="order_resting", slug=order_id, detail="an order that is not ours")
            for order_id in holdings.resting
        ),
    )


def adopt(book: Book, holdings: Holdings, *, now_s: int, besides: Collection[str] = ()) -> None:
    """Flag every difference and take unknown positions into the book.

    Args:
        book: Changed.
        holdings: The venue's listing.
        now_s: Application time of the listing.
        besides: Tokens that are not compared beside those that are in doubt here.
    """
    for difference in differences(book, holdings, now_s=now_s, besides=besides):
        flag(book, difference.kind, difference.slug, detail=difference.detail)
        if difference.found is not None:
            _adopt(book, difference.found)


def _unknown(book: Book, listed: Iterable[VenuePosition], now_s: int) -> Iterator[Difference]:
    decided = {(trade.entry.slug, trade.entry.side) for trade in decided_here(book)}
    # What ended earlier may have been decided by a trade that is no longer kept.
    kept_since_s = book.decided[0].decided_s if len(book.decided) >= DECIDED_KEPT else 0
    for found in listed:
        window = window_of_slug(found.slug)
        if window is None:
            continue
        known = _held(book, found.token)
        excess = found.shares_micro - known
        is_live = now_s < window.end_s
        over_s = max(kept_since_s, now_s - UNREDEEMED_S)
        is_over = (found.slug, found.side) in decided or window.end_s <= over_s
        if excess >= DUST_MICRO and (is_live or not (known or is_over)):
            yield Difference(
                kind=ADOPTED,
                slug=found.slug,
                detail=f"venue {found.shares_micro} {found.side.value} micro-shares, book {known}",
                # It may have been bought in a window that has ended since.
                is_newer=is_live or 0 < book.now_s < window.end_s,
                found=_excess(book, found, excess),
            )


def _missing(
    book: Book, listed: Iterable[VenuePosition], now_s: int, skipped: Collection[str]
) -> Iterator[Difference]:
    at_venue = {found.token: found.shares_micro for found in listed}
    for token in sorted({position.token for position in book.positions.values()} - set(skipped)):
        held = [position for position in book.positions.values() if position.token == token]
        entry = held[0].entry
        known = sum(position.shares_micro for position in held)
        there = at_venue.get(token, 0)
        has_ended = entry.end_s <= now_s
        is_fresh = max(position.entry.cycle for position in held) > book.cycle - LISTING_LAG_CYCLES
        if known - there >= DUST_MICRO and not has_ended and not is_fresh:
            yield Difference(
                kind="position_missing",
                slug=entry.slug,
                detail=f"book {known} {entry.side.value} micro-shares, venue {there}",
            )


def _excess(book: Book, found: VenuePosition, shares_micro: int) -> VenuePosition:
    # The venue's average is over all shares of the token, ours among them.
    ours = [position for position in book.positions.values() if position.token == found.token]
    if not found.cost_micro:
        cost = shares_micro * found.price_micro // MICRO
        return msgspec.structs.replace(found, shares_micro=shares_micro, cost_micro=cost)
    return msgspec.structs.replace(
        found,
        shares_micro=shares_micro,
        cost_micro=max(0, found.cost_micro - sum(one.cost_micro for one in ours)),
        fee_micro=max(0, found.fee_micro - sum(one.fee_micro for one in ours)),
    )


def _held(book: Book, token: str) -> int:
    return sum(
        position.shares_micro for position in book.positions.values() if position.token == token
    )


def _adopt(book: Book, found: VenuePosition) -> None:
    window = window_of_slug(found.slug)
    assert window is not None, "differences name windows of our kind only"
    key = f"adopted:{found.token}"
    known = book.positions.get(key)
    book.positions[key] = Position(
        entry=Entry(
            effect_id="",
            slot=window.slot.slot_id,
            slug=found.slug,
            end_s=window.end_s,
            side=found.side,
            cycle=book.cycle,
            is_adopted=True,
        ),
        token=found.token,
        shares_micro=found.shares_micro + (known.shares_micro if known else 0),
        cost_micro=found.cost_micro + (known.cost_micro if known else 0),
        fee_micro=found.fee_micro + (known.fee_micro if known else 0),
    )
    spend(book, found.cost_micro + found.fee_micro)
