"""The lines of logs as people read them, and which of them they want.

Owns how a line is taken apart and put into words. A line is an event in JSON, or whatever a
program printed. No file, clock or process enters here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

_LEFT_OUT: Final = frozenset({"at", "at_ms", "event", "pid", "worker", "process", "app"})
_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Said(NamedTuple):
    """One line of a log.

    Attributes:
        source: Whose log it is: the name of a child, or `launcher`.
        text: The line.
        members: Its members where it is JSON, else empty.
        at: When it was written, RFC 3339 in UTC; of a line that does not say it, of the one before.
    """

    source: str
    text: str
    members: dict[str, Any]
    at: str


def said_in(source: str, lines: list[str], before: str = "") -> list[Said]:
    """Return the lines of one log, each with its time.

    Args:
        source: Whose log it is.
        lines: Its lines, oldest first.
        before: The time of the line before them, or empty.
    """
    found: list[Said] = []
    at = before
    for line in lines:
        members = _members(line)
        at = str(members.get("at") or at)
        found.append(Said(source, line, members, at))
    return found


def _members(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_of(said: Said, worker: str) -> bool:
    """Tell whether a line is of a worker: by its own name, its pid, or its log's name."""
    own = (said.members.get("worker"), str(said.members.get("pid", "")))
    return worker in own or worker == said.source or said.source.endswith(f"-{worker}")


def words_of(said: Said) -> str:
    """Return a line for people: when, with its day, who, what happened, and its facts."""
    when = f"{said.at[5:10]} {said.at[11:19]}" if said.at else " " * 14
    return f"{when} {said.source}  {_what(said)}"


def json_of(said: Said) -> dict[str, Any]:
    """Return a line as a JSON object: its own members, or its text, and whose it is."""
    own = said.members or {"text": said.text, "at": said.at}
    return {"source": said.source, **own}


def _what(said: Said) -> str:
    members = said.members
    if not members:
        return said.text
    event = str(members.get("event", "")).replace("_", " ")
    facts = [f"{name} {_fact(value)}" for name, value in members.items() if name not in _LEFT_OUT]
    return ": ".join(filter(None, (event, ", ".join(facts))))


def _fact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def since_of(text: str, now_ns: int) -> str:
    """Return the moment that somebody names, RFC 3339 in UTC: a time, or so long ago.

    Args:
        text: Such as `2026-11-22T18:00:00Z`, `10m`, `2h`.
        now_ns: Wall-clock time, nanoseconds UTC.

    Raises:
        ValueError: It is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        span = timedelta(**{_UNITS[ago.group(2)]: float(ago.group(1))})
        moment = datetime.fromtimestamp(now_ns / 1e9, UTC) - span
    else:
        named = datetime.fromisoformat(text)
        moment = named.astimezone(UTC) if named.tzinfo else named.replace(tzinfo=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
