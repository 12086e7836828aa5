"""A watch over the log of a worker or companion: at an interval, and at HUP.

Owns the thread that looks and the signal that makes it look at once, as rotation by others sends
it. The launcher looks in its own loop.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from handoff.limits import LOG_AGAIN_S
from handoff.own_log import OwnLog

if TYPE_CHECKING:
    from types import FrameType


def watch_own_log() -> None:
    """Keep the standard streams in the file of their name until this process ends.

    Called once, from the main thread. HUP ends this process no more from here on, unless it has
    no log: then a terminal that closes ends it as before.
    """
    own, asked = OwnLog(), threading.Event()
    if not own:
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    signal.signal(signal.SIGHUP, ask)
    threading.Thread(target=_look, args=(own, asked), name="own-log", daemon=True).start()


def _look(own: OwnLog, asked: threading.Event) -> None:
    while True:  # bounded by the life of the process
        asked.wait(LOG_AGAIN_S)
        asked.clear()
        own.look()
