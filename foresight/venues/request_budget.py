"""How much a venue may still be asked, by what its answers said: weight used, and when to wait.

Owns the counting. The header counts an address, not a program, so each process sees the total of
all that share it. Whoever only looks on (a candidate, the way back, a worker that warms up) stops
at half of the limit, whoever owns at nine tenths: what is left belongs to the owner, and the last
tenth to whatever else runs here. What is asked is no matter of this module.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from foresight.errors import VenueThrottled
from handoff.limits import NS

WEIGHT_MAX: Final = 6000  # of one minute: Binance spot's documented limit of an address
OWNER_SHARE: Final = 0.9
BESIDE_SHARE: Final = 0.5
RETRY_AFTER_S_MAX: Final = 3 * 86_400  # the longest ban that Binance documents
SPENT: Final = "the request budget is spent"

_USED: Final = ("x-mbx-used-weight-1m", "x-mbx-used-weight")
_WAIT: Final = frozenset({418, 429})
_MINUTE_S: Final = 60
_SECOND: Final = re.compile(r":(?P<second>[0-5][0-9]) GMT$")  # of a Date, which has one form


class Budget:
    """What one client may ask; it begins as one that only looks on."""

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        """Begin with nothing used.

        Args:
            monotonic_ns: A clock that never steps, nanoseconds.
        """
        self._monotonic_ns = monotonic_ns
        self._share = BESIDE_SHARE
        self._used = 0
        self._used_until_ns = 0
        self._shut_until_ns = 0
        self._is_spent = False

    def ask_as(self, *, owner: bool) -> None:
        """Say in which role what follows is asked."""
        self._share = OWNER_SHARE if owner else BESIDE_SHARE
        self._is_spent = False

    @property
    def is_spent(self) -> bool:
        """Whether anything was left unasked for its weight since the role was said."""
        return self._is_spent

    def require(self) -> None:
        """Return if another request may be made.

        Raises:
            VenueThrottled: It may not, and was not.
        """
        now_ns = self._monotonic_ns()
        if now_ns < self._shut_until_ns:
            left_s = (self._shut_until_ns - now_ns) / NS
            what = f"the venue wants no request for another {left_s:.0f} s"
            raise VenueThrottled(what)
        if now_ns < self._used_until_ns and self._used >= self._share * WEIGHT_MAX:
            self._is_spent = True
            what = (
                f"{SPENT}: {self._used} of {WEIGHT_MAX} are used in this minute by all programs "
                f"here, and this worker stops at {self._share:.0%}"
            )
            raise VenueThrottled(what)

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Take what an answer says of the budget.

        Args:
            status: Of the answer.
            headers: Of the answer.
        """
        said = {str(name).lower(): str(value) for name, value in headers.items()}
        now_ns = self._monotonic_ns()
        wait_s = min(_whole(said.get("retry-after")), RETRY_AFTER_S_MAX)
        if status in _WAIT:
            self._shut_until_ns = max(self._shut_until_ns, now_ns + wait_s * NS)
        used = max(_whole(said.get(name)) for name in _USED)
        if now_ns >= self._used_until_ns:
            self._used, self._used_until_ns = 0, now_ns + _left_s(said.get("date", "")) * NS
        # Answers overtake one another; within a minute the count only grows.
        self._used = max(self._used, used)


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


def _left_s(date: str) -> int:
    # Of the venue's own minute: ours may be another one.
    match = _SECOND.search(date)
    return _MINUTE_S - int(match["second"]) if match else _MINUTE_S
