"""What a scraper gets: all series of one moment as text, made at most once a second.

Owns the text and its age. Series come from the files, at the scrape; there is no registry, and no
series of this process itself.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from foresight.dashboard.engine_series import engine_series
from foresight.dashboard.host_series import host_series
from foresight.dashboard.reader import Reader
from foresight.dashboard.snapshot import Snapshot
from foresight.dashboard.trade_series import trade_series
from foresight.dashboard.view import View

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
KEPT_S: Final = 1.0


def text_of(snapshot: Snapshot, view: View) -> bytes:
    """Return all series as text (prometheus.io, exposition formats, version 0.0.4).

    Args:
        snapshot: What was read.
        view: What the page shows of it.
    """
    return generate_latest(_Moment(snapshot, view))


class Scrape:
    """The newest text.

    Args:
        reader: Where the view comes from; it is the page's own, so that both say the same.
        now_s: Seconds of a clock that never goes back.
    """

    def __init__(self, reader: Reader, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self._reader = reader
        self._now_s = now_s
        self._text = b""
        self._made_s = 0.0

    def text(self) -> bytes:
        """Return the text as it is now, or was up to a second ago."""
        now_s = self._now_s()
        if not self._text or now_s - self._made_s >= KEPT_S:
            view = self._reader.view()
            self._text = text_of(self._reader.snapshot, view)
            self._made_s = now_s
        return self._text


class _Moment(Collector):
    """All series of one moment."""

    def __init__(self, snapshot: Snapshot, view: View) -> None:
        self._snapshot = snapshot
        self._view = view

    @override
    def collect(self) -> Iterator[Metric]:
        yield from engine_series(self._snapshot, self._view)
        yield from host_series(self._snapshot, self._view.now_ms)
        if self._snapshot.book is not None:
            yield from trade_series(self._snapshot.book, self._view)
