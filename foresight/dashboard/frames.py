"""Frames: what is sent to browsers, as events of one stream.

Owns which regions there are in which order, what an event holds and how it is written
(html.spec.whatwg.org, server-sent events). Nothing is sent from here.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from foresight.dashboard.markup import REGIONS, title_of
from foresight.dashboard.view import View

# Of the frames, and of what the scripts ask the server for. A page that is open goes on with
# another process while this number stays the same: it changes where a frame lacks what the scripts
# of releases before look for, or has what their styles do not know.
FORMAT: Final = 1
RETRY: Final = b"retry: 500\n\n"  # milliseconds; the launcher holds the socket of a new process


def regions_of(view: View) -> dict[str, str]:
    """Return every region of the page as HTML."""
    return {name: make(view) for name, make in REGIONS.items()}


def shown(view: View, regions: Mapping[str, str]) -> bytes:
    """Return an event that shows regions.

    Args:
        view: What they were made of.
        regions: HTML by name: all of them, or those that differ from the frame before.
    """
    return _event("show", {"regions": regions, "title": title_of(view), "running": view.is_running})


def beat(now_ms: int) -> bytes:
    """Return an event that says that all stands as it stood, at an instant."""
    return _event("beat", {"now_ms": now_ms})


def hello(assets: str) -> bytes:
    """Return the first event of a stream: whose scripts and styles are served, and which format."""
    return RETRY + _event("hello", {"assets": assets, "format": FORMAT})


def _event(name: str, value: object) -> bytes:
    data = msgspec.json.encode(value)
    assert b"\n" not in data, "a line break would end the data of an event"
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
