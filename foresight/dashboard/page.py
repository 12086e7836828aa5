"""The page on NiceGUI: regions of HTML, sent to each browser when they differ.

Owns the layout of the regions and the one loop that looks for changes. Nothing is read or drawn
while nobody looks.
"""

import sys
import traceback
from pathlib import Path
from typing import Final

import msgspec
from nicegui import Client, app, ui

from foresight.dashboard.markup import REGIONS, title_of
from foresight.dashboard.source import Source
from foresight.dashboard.view import Snapshot, Trouble, View, view_of
from handoff.limits import MS
from handoff.worker.boundary_clock import system_clock

STATIC: Final = Path(__file__).parent / "static"
ASSETS: Final = "/assets"
POLL_S: Final = 0.2  # a look at five files' dates; a change shows within it
REDRAW_NS: Final = 1_000_000_000  # what time alone changes: overdue, a window that ends

LABELS: Final = {
    "banner": "What needs attention",
    "version": "Running version",
    "tempo": "Next boundary",
    "crew": "Owner and standby",
    "strip": "Recent cycles by release",
    "deploy": "Deploys",
    "board": "Slots of the board",
    "numbers": "Results of the trades",
    "footer": "About this page",
}
HEADER: Final = ("version", "tempo", "crew")
MAIN: Final = ("strip", "deploy")
COLUMNS: Final = ("board", "numbers")
TAGS: Final = {"footer": "footer"}


class Reader:
    """One view of a home directory, made anew when the files or the time ask for it."""

    def __init__(self, source: Source) -> None:
        """Keep the source; nothing is read yet."""
        self._source = source
        self._clock = system_clock()
        self._drawn_ns = 0
        self._view: View | None = None

    def now_ms(self) -> int:
        """Return wall-clock milliseconds."""
        return self._clock.now_ns() // MS

    def view(self) -> View:
        """Return the view as it is now."""
        changed = self._source.refresh()
        now_ns = self._clock.now_ns()
        if changed or self._view is None or not 0 <= now_ns - self._drawn_ns < REDRAW_NS:
            self._view = self._make(now_ns // MS)
            self._drawn_ns = now_ns
        return self._view

    def _make(self, now_ms: int) -> View:
        try:
            return view_of(self._source.snapshot(), now_ms=now_ms)
        except Exception as error:  # noqa: BLE001 - values nobody foresaw must not end the page
            traceback.print_exc(file=sys.stderr)
            text = f"What was read makes no sense to this page: {type(error).__name__}: {error}."
            trouble = Trouble(level="stop", text=text, hint="see the log of the dashboard")
            return view_of(Snapshot(troubles=(trouble,)), now_ms=now_ms)

    async def pause(self) -> None:
        """Wait until it is worth looking again."""
        await self._clock.pause(POLL_S)


class Window:
    """One browser window and what it shows."""

    def __init__(self, client: Client, shown: dict[str, str]) -> None:
        """Keep the client and the regions it began with."""
        self._client = client
        self._shown = shown
        self._is_new = True

    def show(self, regions: dict[str, str], *, title: str, now_ms: int) -> None:
        """Send the regions that differ."""
        if not self._client.has_socket_connection:
            return
        changed = {name: html for name, html in regions.items() if self._shown.get(name) != html}
        if not changed and not self._is_new:
            return
        self._is_new = False
        self._shown |= changed
        arguments = msgspec.json.encode([changed, title, now_ms]).decode()
        self._client.run_javascript(f"foresight.show(...{arguments})")


class Windows:
    """All browser windows."""

    def __init__(self, reader: Reader) -> None:
        """Start with none."""
        self._reader = reader
        self._open: dict[str, Window] = {}

    async def follow(self) -> None:
        """Keep every window up to date, for as long as the server runs."""
        seen: View | None = None
        regions: dict[str, str] = {}
        while True:
            await self._reader.pause()
            if not self._open:
                continue
            view = self._reader.view()
            if view is not seen:
                seen, regions = view, regions_of(view)
            for window in tuple(self._open.values()):
                window.show(regions, title=title_of(view), now_ms=self._reader.now_ms())

    def build(self) -> None:
        """Lay out a new window."""
        client = ui.context.client
        view = self._reader.view()
        regions = regions_of(view)
        ui.page_title(title_of(view))
        ui.add_head_html(_HEAD)
        with ui.element("div").classes("page"):
            _region("banner", regions)
            with ui.element("header").classes("top"):
                for name in HEADER:
                    _region(name, regions)
            with ui.element("main"):
                for name in MAIN:
                    _region(name, regions)
                with ui.element("div").classes("columns"):
                    for name in COLUMNS:
                        _region(name, regions)
            _region("footer", regions)
        self._open[client.id] = Window(client, regions)
        client.on_delete(lambda: self._open.pop(client.id, None))


def install(windows: Windows) -> None:
    """Register the page, its files and its loop."""
    app.add_static_files(ASSETS, STATIC)
    app.on_startup(windows.follow)
    ui.page("/", title="Foresight", dark=True, language="en-US")(windows.build)


def regions_of(view: View) -> dict[str, str]:
    """Return every region of the page as HTML."""
    return {name: make(view) for name, make in REGIONS.items()}


def _region(name: str, regions: dict[str, str]) -> None:
    live = ' aria-live="polite"' if name == "version" else ""
    # The markup escapes whatever comes from outside, so the browser need not clean it again.
    region = ui.html(regions[name], sanitize=False, tag=TAGS.get(name, "section"))
    region.classes(f"region {name}")
    region.props(f'data-region={name} aria-label="{LABELS[name]}"{live}')


_HEAD: Final = (
    f'<link rel="stylesheet" href="{ASSETS}/dashboard.css">'
    f'<script src="{ASSETS}/dashboard.js"></script>'
    '<meta name="color-scheme" content="dark"><meta name="referrer" content="no-referrer">'
)
