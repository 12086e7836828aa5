"""The range of time that charts and tables are shown for: it stands in the address.

Owns the words of a query, what they mean, and how a link carries them on. All times are wall-clock
milliseconds. What lies in a range is the matter of whoever shows it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

HOUR_MS: Final = 3_600_000
PRESETS: Final[Mapping[str, tuple[str, int]]] = {
    "1h": ("the last hour", HOUR_MS),
    "6h": ("the last 6 hours", 6 * HOUR_MS),
    "1d": ("the last day", 24 * HOUR_MS),
    "7d": ("the last 7 days", 7 * 24 * HOUR_MS),
}
LABELS: Final[Mapping[str, str]] = {"1h": "1 h", "6h": "6 h", "1d": "1 d", "7d": "7 d", "": "all"}
MS_MAX: Final = 1 << 43  # the year 2248
_NAMES: Final = frozenset({"span", "from", "until"})


class SpanUnknown(ValueError):
    """A query says no range."""


class Span(NamedTuple):
    """A range of time.

    Attributes:
        name: One of `PRESETS`, `own`, or empty for everything.
        from_ms: Its beginning, or None.
        until_ms: Its end, or None where it goes on.
    """

    name: str = ""
    from_ms: int | None = None
    until_ms: int | None = None

    @property
    def query(self) -> str:
        """What a link carries on, with its question mark; empty for everything."""
        if self.name == "own":
            return f"?from={self.from_ms}&until={self.until_ms}"
        return f"?span={self.name}" if self.name else ""

    @property
    def words(self) -> str:
        """The range in words."""
        if self.name == "own":
            return "the chosen range"
        return PRESETS[self.name][0] if self.name else "everything that is kept"

    def holds(self, at_ms: float) -> bool:
        """Tell whether a moment lies in it."""
        is_later = self.from_ms is None or at_ms >= self.from_ms
        return is_later and (self.until_ms is None or at_ms <= self.until_ms)


def span_of(query: Mapping[str, str], now_ms: int) -> Span:
    """Return the range that a query says; everything where it says none.

    Args:
        query: Names and values of an address; others than those of a range are not looked at.
        now_ms: Wall-clock time.

    Raises:
        SpanUnknown: It says one that there is not.
    """
    said = {name: value for name, value in query.items() if name in _NAMES}
    if not said:
        return Span()
    if set(said) == {"span"}:
        return _preset(said["span"], now_ms)
    if set(said) == {"from", "until"}:
        first, last = _moment("from", said["from"]), _moment("until", said["until"])
        if first < last:
            return Span("own", first, last)
        message = f"from={first} is not before until={last}"
        raise SpanUnknown(message)
    message = "a range is span=, or from= and until= together"
    raise SpanUnknown(message)


def _preset(name: str, now_ms: int) -> Span:
    if name in {"", "all"}:
        return Span()
    if name not in PRESETS:
        message = f"span is {name[:20]!r}, none of {', '.join(PRESETS)} and all"
        raise SpanUnknown(message)
    return Span(name, now_ms - PRESETS[name][1])


def _moment(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 14 and int(text) < MS_MAX):  # noqa: PLR2004 - digits of `MS_MAX`
        message = f"{name} is {text[:20]!r}, not milliseconds since 1970"
        raise SpanUnknown(message)
    return int(text)
