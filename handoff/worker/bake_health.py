"""How an owner counts the cycles of its bake that got too little, and when it gives up waiting.

Owns that count. Such a cycle is neither clean nor bad, because the world may be at fault; but a
bake holds up every later deploy, so it waits only so long. No clock and no file enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handoff.limits import NS
from handoff.outside import BAKE_WORDS
from handoff.worker.glance import is_low, words_of

if TYPE_CHECKING:
    from handoff.worker.settings import Settings
    from state.journal_frames import Health

CYCLES_MIN: Final = 5  # without inputs in a row, however long a period is
MAKE_WAY_CYCLES: Final = 3  # after so many the way back has compared two and may want to take


class BakeHealth:
    """The count of one owner in one bake.

    Args:
        usual: Median share of the previous release's newest cycles, or None where none says.
        settings: How much less is too little, and how long a bake waits.
    """

    def __init__(self, usual: float | None, settings: Settings) -> None:
        """Start with none."""
        self._usual = usual
        self._settings = settings
        self._cycles = 0  # in a row that got too little
        self._since_ns = 0

    @property
    def makes_way(self) -> bool:
        """Whether the way back may want to take by now."""
        return self._cycles >= MAKE_WAY_CYCLES

    def too_little(self, health: Health | None, unavailable: str) -> str:
        """Return why a cycle counts as one that got too little, or an empty string."""
        if unavailable:
            return unavailable
        if health is None or self._usual is None:
            return ""
        if not is_low(health, self._usual, self._settings.health_drop):
            return ""
        return f"{words_of(health)}, the release before it had {self._usual:.0%}"

    def count(self, too_little: str, begun_ns: int, now_ns: int) -> str:
        """Count a cycle; return why the bake ends, once it has waited long enough.

        Args:
            too_little: What `too_little` said of it.
            begun_ns: When its owner began it, monotonic.
            now_ns: Monotonic time.
        """
        if not too_little:
            self._cycles = 0
            return ""
        if not self._cycles:
            self._since_ns = begun_ns
        self._cycles += 1
        waited_s = (now_ns - self._since_ns) / NS
        if self._cycles < CYCLES_MIN or waited_s < self._settings.bake_outside_s:
            return ""
        how_long = f"in {self._cycles} cycles running, {waited_s:.0f} s"
        return f"{BAKE_WORDS}no inputs {how_long}: {too_little}"
