"""What happened lately, newest first: changes of owner, cycles that were given up, deploys.

Owns the words for it. They come from the journal and from the history of deploys, and from the time
that these say; nothing is remembered by the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.history import Entry
from foresight.dashboard.cycles import CycleLine

SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened.

    Attributes:
        at_ms: When, wall-clock milliseconds.
        kind: `began`, `took`, `seized`, `released`, `missed`, or the outcome of a deploy.
        text: In words.
    """

    at_ms: float
    kind: str
    text: str


def happenings(
    lines: Sequence[CycleLine], deploys: Sequence[Entry], names: Mapping[str, str]
) -> tuple[Happening, ...]:
    """Return the newest ones.

    Args:
        lines: Journal lines that happened, oldest first.
        deploys: Finished deploys, oldest first.
        names: Short names by release id.
    """
    found: list[Happening] = []
    before = ""
    for line in lines:
        text = _text(line, before, names)
        if text:
            kind = "began" if line.kind == "seize" and not before else _KINDS[line.kind]
            found.append(Happening(at_ms=line.at_ms, kind=kind, text=text))
        before = line.release or before
    ended = [entry for entry in deploys[-SHOWN:] if entry.outcome not in {"", "permanent"}]
    found.extend(_ended(entry, names) for entry in ended)
    found.sort(key=lambda each: each.at_ms, reverse=True)
    return tuple(found[:SHOWN])


_KINDS: Final[Mapping[str, str]] = {
    "take": "took",
    "seize": "seized",
    "release": "released",
    "miss": "missed",
}


def _text(line: CycleLine, before: str, names: Mapping[str, str]) -> str:
    name = names.get(line.release, line.release)
    match line.kind:
        case "take":
            return f"{name} took over from {names.get(before, before) or 'nobody'}"
        case "seize":
            return f"{name} {_seized(line.release, before, names)}"
        case "release":
            return f"{name} gave ownership up: stopped"
        case "miss":
            reason = str(line.evidence.get("reason", ""))
            return f"cycle {line.cycle:,} was given up{': ' if reason else ''}{reason}"
        case _:
            return ""


def _seized(release: str, before: str, names: Mapping[str, str]) -> str:
    if not before:
        return "began: nobody owned before"
    if before == release:
        return "seized: nobody owned any more, or its owner was gone"
    return f"seized: back from {names.get(before, before)}"


def _ended(entry: Entry, names: Mapping[str, str]) -> Happening:
    name = names.get(entry.release) or entry.commit[:7] or entry.ref
    reason = f": {entry.reason}" if entry.reason else ""
    at_ms = float(entry.boundary_ms or entry.requested_ms)
    text = f"deploy of {name} {entry.outcome}{reason}"
    return Happening(at_ms=at_ms, kind=entry.outcome, text=text)
