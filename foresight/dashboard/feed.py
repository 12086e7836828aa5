"""The one loop that looks for changes and tells everybody who follows.

Owns what was told last, and the beat: once a second all followers hear that this process looked
again, and whoever does not hear it knows that what it shows is old. Nothing is read or drawn while
nobody looks.
"""

import time
from typing import Final

from foresight.dashboard.audience import Audience, Follower
from foresight.dashboard.frames import beat, hello, regions_of, shown
from foresight.dashboard.reader import Reader
from foresight.dashboard.view import View

BEAT_S: Final = 1.0


class Feed:
    """What followers are told.

    Args:
        reader: Where the view comes from.
        assets: Digest of the scripts and styles that the regions are made for.

    Attributes:
        is_over: Nobody is told anything any more.
    """

    def __init__(self, reader: Reader, assets: str) -> None:
        """Begin with nobody who follows."""
        self._reader = reader
        self._assets = assets
        self._audience = Audience()
        self._view: View | None = None
        self._regions: dict[str, str] = {}
        self._whole = b""  # what a follower begins with; made anew where something differs
        self._beat_s = 0.0
        self.is_over = False

    async def run(self) -> None:
        """Keep everybody up to date, for as long as the server runs."""
        while True:
            await self._reader.pause()
            if len(self._audience):
                self._reader.look_beside()
                self._look()
                self._beat()

    def join(self, *, is_compressed: bool) -> Follower | None:
        """Return a follower that begins with everything as it is now; None without room."""
        view = self._look()
        if not self._whole:
            self._whole = hello(self._assets) + shown(view, self._regions)
        follower = self._audience.join(self._whole, is_compressed=is_compressed)
        self._beat_s = 0.0
        self._beat()
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower."""
        self._audience.leave(follower)

    def end(self) -> None:
        """Let everybody go; who comes now is told to come again."""
        self.is_over = True
        self._audience.end()

    def _look(self) -> View:
        view = self._reader.view()
        if view is self._view:
            return view
        self._view, regions = view, regions_of(view)
        changed = {name: html for name, html in regions.items() if self._regions.get(name) != html}
        if changed:
            self._regions, self._whole = regions, b""
            self._audience.tell(shown(view, changed))
        return view

    def _beat(self) -> None:
        now_s = time.monotonic()
        if now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            self._audience.tell(beat(self._reader.now_ms()))
