"""How much may be asked for: weights of requests, counts of orders, and what happens beyond.

Owns the limits of the spot venue and their counting in wall time: 6 000 of weight a minute, all
callers together, since all come from the loopback's one address; 100 orders in ten seconds and
200 000 a day. Whoever asks on after a refusal is shut out for two minutes, then for twice as long
each time. Must never enter: HTTP, clocks, what a request weighs.
"""

from typing import Any, Final, NamedTuple

from foresight.exchange.binance.refusals import Refusal

_NS: Final = 1_000_000_000
WEIGHT_MAX: Final = 6000
"""Weight of all requests in one minute of wall time."""

BAN_AFTER: Final = 100
"""Requests in one minute that are refused before callers are shut out."""

_BAN_S_MIN: Final = 120
_BAN_S_MAX: Final = 3 * 86_400


class _Span(NamedTuple):
    name: str
    number: int
    letter: str
    length_s: int
    most: int


_MINUTE: Final = _Span("MINUTE", 1, "M", 60, WEIGHT_MAX)
_ORDER_SPANS: Final = (
    _Span("SECOND", 10, "S", 10, 100),
    _Span("DAY", 1, "D", 86_400, 200_000),
)


def shown() -> list[dict[str, Any]]:
    """Return the limits as exchangeInfo lists them."""
    rows = [("REQUEST_WEIGHT", _MINUTE), *(("ORDERS", span) for span in _ORDER_SPANS)]
    return [
        {
            "rateLimitType": kind,
            "interval": span.name,
            "intervalNum": span.number,
            "limit": span.most,
        }
        for kind, span in rows
    ]


class Meter:
    """Counts what was asked for in the running minute, ten seconds and day."""

    def __init__(self) -> None:
        """Begin with nothing used."""
        self._used: dict[_Span, tuple[int, int]] = {}
        self._refused = (0, 0)  # minute, requests
        self._banned_until_ns = 0
        self._ban_s = _BAN_S_MIN

    def charge(self, weight: int, wall_ns: int) -> None:
        """Count one request.

        Args:
            weight: Of the request, >= 1.
            wall_ns: When, nanoseconds since 1970 UTC.

        Raises:
            Refusal: The minute's weight is used up, or callers are shut out.
        """
        if wall_ns < self._banned_until_ns:
            raise self._ban(wall_ns)
        used = self._count(_MINUTE, wall_ns)
        if used + weight > _MINUTE.most:
            raise self._too_many(wall_ns)
        self._used[_MINUTE] = wall_ns // (_MINUTE.length_s * _NS), used + weight

    def count_order(self, wall_ns: int) -> None:
        """Count one order.

        Raises:
            Refusal: There were too many in ten seconds or today.
        """
        for span in _ORDER_SPANS:
            if self._count(span, wall_ns) >= span.most:
                text = (
                    f"Too many new orders; current limit is {span.most} orders per "
                    f"{span.number} {span.name}."
                )
                wait_s = _left_s(span, wall_ns)
                raise Refusal(-1015, text, status=429, retry_after_s=wait_s)
        for span in _ORDER_SPANS:
            place = wall_ns // (span.length_s * _NS)
            self._used[span] = place, self._count(span, wall_ns) + 1

    def weight_headers(self, wall_ns: int) -> dict[str, str]:
        """Return what every answer says about the running minute."""
        used = str(self._count(_MINUTE, wall_ns))
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def order_headers(self, wall_ns: int) -> dict[str, str]:
        """Return what an answer to an order says about their number."""
        return {
            f"X-MBX-ORDER-COUNT-{span.number}{span.letter}": str(self._count(span, wall_ns))
            for span in _ORDER_SPANS
        }

    def _count(self, span: _Span, wall_ns: int) -> int:
        place, count = self._used.get(span, (0, 0))
        return count if place == wall_ns // (span.length_s * _NS) else 0

    def _too_many(self, wall_ns: int) -> Refusal:
        minute = wall_ns // (_MINUTE.length_s * _NS)
        before = self._refused[1] if self._refused[0] == minute else 0
        self._refused = minute, before + 1
        if before >= BAN_AFTER:
            self._banned_until_ns = wall_ns + self._ban_s * _NS
            self._ban_s = min(2 * self._ban_s, _BAN_S_MAX)
            return self._ban(wall_ns)
        text = (
            f"Too much request weight used; current limit is {WEIGHT_MAX} request weight per "
            "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        )
        return Refusal(-1003, text, status=429, retry_after_s=_left_s(_MINUTE, wall_ns))

    def _ban(self, wall_ns: int) -> Refusal:
        until_ms = self._banned_until_ns // 1_000_000
        text = f"Way too much request weight used; IP banned until {until_ms}."
        wait_s = -(-(self._banned_until_ns - wall_ns) // _NS)
        return Refusal(-1003, text, status=418, retry_after_s=wait_s)


def _left_s(span: _Span, wall_ns: int) -> int:
    length_ns = span.length_s * _NS
    return -(-(length_ns - wall_ns % length_ns) // _NS)
