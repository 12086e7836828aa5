"""Listings in pages, as the prediction venue gives them.

Owns how many rows a page has and how the next one is asked for: the clob by a cursor, the data
API by `limit` and `offset`. Source: the venue's documentation and its official clients.

Must never enter: what the rows are, HTTP.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

Json = dict[str, Any]
RowT = TypeVar("RowT")

CLOB_ROWS: Final = 100
"""Rows of one page of the clob."""

LAST: Final = "LTE="
"""Cursor that says there is no further page (base64 of -1)."""

_FIRST: Final = "MA=="  # base64 of 0
_OFFSET_MAX: Final = 1_000_000_000


class Limits(NamedTuple):
    """Rows of one page of the data API: when nothing is said, and at most."""

    default: int
    most: int


POSITIONS: Final = Limits(100, 500)
CLOSED: Final = Limits(10, 50)
TRADES: Final = Limits(100, 500)


class BadPageError(ValueError):
    """A page is asked for that cannot be; the text is what the venue answers."""


def clob_page(rows: Iterable[RowT], cursor: str, show: Callable[[RowT], Json]) -> Json:
    """Return one page of a listing of the clob.

    Args:
        rows: The whole listing.
        cursor: What the page before said; empty for the first.
        show: Writes a row; asked of those of the page alone, however long the listing is.

    Raises:
        BadPageError: It said no such thing.
    """
    everything = list(rows)
    start = _start(cursor)
    data = [show(row) for row in everything[start : start + CLOB_ROWS]]
    after = start + CLOB_ROWS
    following = _cursor(after) if after < len(everything) else LAST
    return {"data": data, "next_cursor": following, "limit": CLOB_ROWS, "count": len(data)}


def by_offset(rows: Sequence[Json], query: Mapping[str, str], limits: Limits) -> list[Json]:
    """Return the rows that a query of the data API asks for.

    Args:
        rows: The whole listing.
        query: With `limit` and `offset`, or without.
        limits: Of this listing; who asks for more gets the most.

    Raises:
        BadPageError: They are no numbers.
    """
    offset = _number(query.get("offset", "0"), "offset")
    limit = min(_number(query.get("limit", str(limits.default)), "limit"), limits.most)
    return list(rows[offset : offset + limit])


def _number(text: str, name: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= _OFFSET_MAX:
        return int(text)
    message = f"invalid {name}"
    raise BadPageError(message)


def _start(cursor: str) -> int:
    if cursor in {"", _FIRST}:
        return 0
    try:
        return _number(b64decode(cursor, validate=True).decode("ascii"), "cursor")
    except ValueError as error:  # what is no base64 and what is no ASCII are ones too
        message = "invalid next_cursor"
        raise BadPageError(message) from error


def _cursor(start: int) -> str:
    return b64encode(str(start).encode()).decode()
