"""Numbers and times as texts on the prediction venue's wire.

Owns the writing of millionths and unix seconds. Must never enter: anything that has fields.
"""

from datetime import UTC, datetime


def iso(seconds: int) -> str:
    """Return an RFC 3339 text of unix seconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(micro: int) -> str:
    """Return a number of millionths as the shortest decimal text."""
    whole, rest = divmod(abs(micro), 1_000_000)
    sign = "-" if micro < 0 else ""
    tail = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{sign}{whole}{tail}"
