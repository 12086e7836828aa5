"""A log that anybody may write to by sending nonsense, kept from growing.

Owns how many lines it gets. Must never enter: what the lines say.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from aiohttp.http import HttpProcessingError
from typing_extensions import override

LINES_MAX: Final = 20
WINDOW_S: Final = 60.0


def sparse_handler(clock_s: Callable[[], float] = time.monotonic) -> logging.Handler:
    """Return a handler for standard error: so many entries a minute, and how many it left out.

    What a peer sent wrong is one line, without a traceback.

    Args:
        clock_s: A clock that only goes forward, seconds.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_Sparse(clock_s))
    return handler


class _Sparse(logging.Filter):
    def __init__(self, clock_s: Callable[[], float]) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._begun_s = float("-inf")
        self._lines = 0

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        now_s, left_out = self._clock_s(), 0
        if now_s - self._begun_s > WINDOW_S:
            left_out = max(0, self._lines - LINES_MAX)
            self._begun_s, self._lines = now_s, 0
        self._lines += 1
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}", None
            record.exc_info = record.exc_text = None
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more left out)", None
        return self._lines <= LINES_MAX
