"""What a client says on an open stream, and what it listens to.

Owns the requests SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY and GET_PROPERTY, their
answers and errors. Must never enter: sockets, clocks, events.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from foresight.exchange.binance.messages import Json
from foresight.exchange.binance.stream_names import Stream, stream_of

STREAMS_MAX: Final = 1024
"""Streams of one connection."""

_METHODS: Final = (
    *("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"),
)
_COMBINED: Final = "combined"
_BAD_REQUEST: Final = 2
_BAD_JSON: Final = 3


class _RequestError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.body = {"code": code, "msg": text}


class Subscriptions:
    """What one connection listens to."""

    def __init__(self, assets: Collection[str], *, is_combined: bool) -> None:
        """Begin with nothing.

        Args:
            assets: The board's.
            is_combined: Whether each event names its stream.
        """
        self._assets = assets
        self.streams: dict[str, Stream] = {}
        self.is_combined = is_combined

    def add_all(self, names: Sequence[str]) -> str:
        """Listen to all, or to none where one is wrong; return what is wrong, or nothing."""
        found = {name: stream_of(name, self._assets) for name in names}
        wrong = [name for name, stream in found.items() if stream is None]
        if wrong:
            return f"stream {wrong[0]!r} is not served here"
        if len(self.streams.keys() | found.keys()) > STREAMS_MAX:
            return f"more than {STREAMS_MAX} streams"
        self.streams |= {name: stream for name, stream in found.items() if stream is not None}
        return ""

    def answer(self, text: str) -> Json:
        """Do what a message asks, and return the answer to it.

        Args:
            text: As it came.
        """
        try:
            request = _read(text)
        except _RequestError as error:
            return {"error": error.body}
        try:
            return {"result": self._do(request), "id": request.get("id")}
        except _RequestError as error:
            return {"error": error.body, "id": request.get("id")}

    def _do(self, request: Json) -> Any:  # noqa: ANN401 - JSON
        method, wanted = request["method"], request.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.streams)
        if method == "SET_PROPERTY" and _is_property(wanted, 2) and isinstance(wanted[1], bool):
            self.is_combined = wanted[1]
            return None
        if method == "GET_PROPERTY" and _is_property(wanted, 1):
            return self.is_combined
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"} or not _are_names(wanted):
            raise _RequestError(_BAD_REQUEST, "Invalid request: invalid `params`")
        if method == "UNSUBSCRIBE":
            for name in wanted:
                self.streams.pop(name, None)
            return None
        wrong = self.add_all(wanted)
        if wrong:
            raise _RequestError(_BAD_REQUEST, f"Invalid request: {wrong}")
        return None


def _read(text: str) -> Json:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _RequestError(_BAD_JSON, f"Invalid JSON: {type(error).__name__}") from error
    if not isinstance(request, dict):
        raise _RequestError(_BAD_REQUEST, "Invalid request: it is no object")
    if "method" not in request:
        raise _RequestError(_BAD_REQUEST, "Invalid request: missing field `method`")
    if request["method"] not in _METHODS:
        known = ", ".join(f"`{method}`" for method in _METHODS)
        text = f"Invalid request: unknown variant, expected one of {known}"
        raise _RequestError(_BAD_REQUEST, text)
    return request


def _is_property(wanted: object, length: int) -> bool:
    return isinstance(wanted, list) and len(wanted) == length and wanted[0] == _COMBINED


def _are_names(wanted: object) -> bool:
    return (
        isinstance(wanted, list) and bool(wanted) and all(isinstance(name, str) for name in wanted)
    )
