"""The parameters of a request to the spot venue, as text becomes numbers.

Owns whole numbers, instants in milliseconds or microseconds, page sizes and lists. Must never
enter: HTTP, signatures, what a parameter is for.
"""

import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from foresight.exchange.binance.refusals import Refusal, illegal, missing

Query = Mapping[str, str]

MICROSECONDS_FROM: Final = 10**14
"""An instant that is not below this is in microseconds: in milliseconds it is the year 5138."""

_WHOLE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_FIELDS_MAX: Final = 64  # of one request; an order has at most 20


def parsed(text: str) -> dict[str, str]:
    """Return the parameters of a query or of a form.

    Args:
        text: As sent, percent-encoded.

    Raises:
        Refusal: A parameter is there twice, empty, or there are too many.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise Refusal(-1101, "Too many parameters sent for this endpoint.") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Refusal(-1101, f"Duplicate values for parameter '{name}' detected.")
        if not value:
            raise Refusal(-1105, f"Parameter '{name}' was empty.")
        found[name] = value
    return found


def required(query: Query, name: str) -> str:
    """Return a parameter that must be there."""
    try:
        return query[name]
    except KeyError as error:
        raise missing(name) from error


def integer(query: Query, name: str) -> int | None:
    """Return a whole number >= 0, or None where it was not sent.

    Raises:
        Refusal: It is not spelled as one.
    """
    text = query.get(name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        raise illegal(name, "^[0-9]{1,20}$")
    return int(text)


def page_size(query: Query, *, default: int, most: int) -> int:
    """Return how many rows are wanted, 1 to `most`.

    Raises:
        Refusal: It is no number, or 0.
    """
    wanted = integer(query, "limit")
    if wanted == 0:
        raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
    return default if wanted is None else min(wanted, most)


def instant_us(query: Query, name: str) -> int | None:
    """Return an instant in microseconds since 1970 UTC, or None where it was not sent.

    Args:
        query: All parameters.
        name: Of one in milliseconds or in microseconds.
    """
    number = integer(query, name)
    if number is None:
        return None
    return number if number >= MICROSECONDS_FROM else 1000 * number


def names(query: Query, name: str) -> list[str] | None:
    """Return a list of texts, sent as JSON, or None where it was not sent.

    Raises:
        Refusal: It is no list of texts.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise illegal(name, '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$')
    return found
