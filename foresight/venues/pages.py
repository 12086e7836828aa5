"""Every row of a listing that a venue gives page by page.

Owns the walk over the pages, its bound, and rows that two pages both show because the listing
changed in between. What the rows are, and how a page is asked for, is the caller's.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from foresight.errors import AnswerUnreadable
from foresight.venues.ccxt_calls import list_of, mapping_of

PAGES_MAX: Final = 64  # of one listing; a venue whose listing never ends is not read for ever
LAST: Final = "LTE="  # the cursor after the last page

AskByCursor = Callable[[str], Awaitable[object]]
AskByOffset = Callable[[int], Awaitable[object]]


async def by_cursor(ask: AskByCursor, *, what: str) -> list[Any]:
    """Return the rows of all pages of a listing, each of which says how the next is asked for.

    Args:
        ask: Asks for the page of a cursor; empty for the first.
        what: The listing, for an error.

    Raises:
        AnswerUnreadable: A page is none, or they do not end.
    """
    found: dict[object, Any] = {}
    async for rows in each_by_cursor(ask, what=what):
        _take(found, rows, "id")
    return list(found.values())


async def each_by_cursor(ask: AskByCursor, *, what: str) -> AsyncGenerator[list[Any], None]:
    """Yield the rows of one page after the other: who stops early keeps what was read by then.

    Args:
        ask: Asks for the page of a cursor; empty for the first.
        what: The listing, for an error.

    Raises:
        AnswerUnreadable: A page is none, or they do not end.
    """
    cursor = ""
    for _ in range(PAGES_MAX):
        page = await ask(cursor)
        if isinstance(page, list):  # a venue without pages
            yield page
            return
        fields = mapping_of(page, what)
        yield list_of(fields.get("data"), what)
        cursor = str(fields.get("next_cursor") or LAST)
        if cursor == LAST:
            return
    raise _endless(what)


async def by_offset(ask: AskByOffset, *, rows: int, name: str, what: str) -> list[Any]:
    """Return the rows of all pages of a listing, of which only the last one is not full.

    Args:
        ask: Asks for the page that begins after so many rows.
        rows: Rows of a full page.
        name: Field that tells one row from another.
        what: The listing, for an error.

    Raises:
        AnswerUnreadable: A page is none, or they do not end.
    """
    found: dict[object, Any] = {}
    for page in range(PAGES_MAX):
        some = list_of(await ask(page * rows), what)
        _take(found, some, name)
        if len(some) < rows:
            return list(found.values())
    raise _endless(what)


def _take(found: dict[object, Any], rows: list[Any], name: str) -> None:
    for row in rows:
        said = row.get(name) if isinstance(row, dict) else None
        found[len(found) if said is None else str(said)] = row


def _endless(what: str) -> AnswerUnreadable:
    return AnswerUnreadable(f"{what}: more than {PAGES_MAX} pages")
