"""Which editions of companions serve, as a file: `run/editions.json`.

Owns the shape of that file. The launcher writes it at each change, and reads which edition was
ready last; the page, `status` and whoever removes releases read the rest. It is advice: one that
cannot be read says nothing. Standard library only.
"""

from __future__ import annotations

import json

from handoff.launcher.edition_rules import Known
from handoff.launcher.engine_config import write_json
from handoff.light_typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EDITIONS_FILE: Final = "editions.json"
EDITIONS_FORMAT: Final = 1


def write_editions(home: Path, editions: Mapping[str, Known]) -> None:
    """Write what is known of each companion that releases bring.

    Raises:
        OSError: It cannot be written.
    """
    companions = {
        name: {"release": known.ready, "wanted": known.wanted, "why": known.why}
        for name, known in editions.items()
    }
    plain = {"format": EDITIONS_FORMAT, "companions": companions}
    write_json(home / "run" / EDITIONS_FILE, plain)


def read_editions(home: Path) -> dict[str, Known]:
    """Return what a launcher knew, by companion; nothing where the file says nothing."""
    try:
        plain = json.loads((home / "run" / EDITIONS_FILE).read_bytes())
        return {
            str(name): Known(str(each["wanted"]), str(each["release"]), str(each["why"]))
            for name, each in plain["companions"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def releases_in_editions(home: Path) -> set[str]:
    """Return the releases that a companion runs from, or may at any moment."""
    known = read_editions(home).values()
    return {release for each in known for release in (each.ready, each.wanted) if release}
