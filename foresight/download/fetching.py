"""Fetching a range of minutes of one asset, page by page.

Owns the walk: each page moves it on, so it ends. What came is kept at once; a run that is killed
goes on behind its last page. An exchange that has no candle for a stretch says so by an empty page
or by a later one, and both are counted as gaps in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from foresight.download.candle_lines import Gap, following, gaps_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from foresight.download.recording import Recording, Source

MINUTES_MAX: Final = 5 * 366 * 1440  # of one range: what is packed in memory in the end
PAGES_BETWEEN_WORDS: Final = 50


class Pages(Protocol):
    """Where candles come from."""

    @property
    def rows(self) -> int:
        """Return how many candles a page has at most."""
        ...

    async def page(self, pair: str, first_minute: int) -> list[object]:
        """Return rows from a minute on, at most `rows` of them.

        Raises:
            DownloadStopped: There is no usable answer.
        """
        ...


class Fetched(NamedTuple):
    """What a recording holds.

    Attributes:
        candles: How many, those of runs before included.
        gaps: Minutes of the range without one.
        bad: Rows of this run that were no candles; their minutes are in gaps.
    """

    candles: int
    gaps: tuple[Gap, ...]
    bad: int


async def fetch(
    pages: Pages, recording: Recording, wanted: Source, say: Callable[[str], None]
) -> Fetched:
    """Fetch what a recording lacks of a range, and put it under its name.

    A range without any candle leaves no file: nobody could read one.

    Args:
        pages: Where candles come from.
        recording: The asset's files.
        wanted: Of what, and which minutes.
        say: Takes a line about how far it is, now and then.

    Raises:
        ConfigError: The folder holds something else.
        DownloadStopped: An exchange does not answer; what came is kept.
        OSError: A file cannot be read or written.
    """
    at, end = recording.begin(wanted), wanted.end_minute
    bad = 0
    for number in range(1, wanted.end_minute - wanted.first_minute + 1):
        if at >= end:
            break
        rows = await pages.page(wanted.pair, at)
        candles, none = following(rows, first=at, end=end)
        bad += none
        recording.append(candles)
        # A page without a candle of the range says that of its own length alone.
        at = candles[-1].minute + 1 if candles else at + pages.rows
        if not number % PAGES_BETWEEN_WORDS:
            say(f"{wanted.pair}: {share(at, wanted)} %")
    minutes = list(recording.minutes())
    gaps = tuple(gaps_in(minutes, first=wanted.first_minute, end=end))
    if minutes:
        recording.finish(wanted)
    else:
        recording.forget()
    return Fetched(len(minutes), gaps, bad)


def share(at: int, wanted: Source) -> int:
    """Return how much of a range lies before a minute, per cent, rounded down."""
    first = wanted.first_minute
    return 100 * (min(at, wanted.end_minute) - first) // (wanted.end_minute - first)
