"""Where `calibrate` finds windows: candles in a folder, or the offers that a journal kept.

Owns the reading of both. A journal's lines count from where the installation came to the kind of
venue that it trades at now; what is made of them is `foresight.backtest.kept_offers`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from foresight.backtest.calibration import Span, seen_in
from foresight.backtest.candle_rows import stretches
from foresight.backtest.kept_offers import LOCAL, Kept, seen_of, sights_in, whole_of
from foresight.book import SCHEMA as BOOK
from foresight.book import Book
from foresight.cli.output import progress
from foresight.errors import ConfigError
from foresight.exchange.prices.recordings import load_recordings
from foresight.market import SCHEMA as MARKET
from handoff.cadence import app_time_ns
from handoff.limits import MS, NS
from state.cycle_audit import effective
from state.journal_reader import read_lines
from state.record import SchemaId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from foresight.backtest.calibration import Seen
    from foresight.backtest.candle_rows import Rule
    from foresight.cli.installation import Installation
    from foresight.strategies.table import Prices, Venue
    from state.journal_frames import Line
    from state.record import Timeline

_RECORDED_COLUMNS: Final = 5  # of a recording: prices, then the volume


class WindowSource(NamedTuple):
    """What tables are fitted on and judged by.

    Attributes:
        whole: The stretch of time that it covers.
        seen: Returns the windows of a timeframe and a rule that lie in a stretch.
        source: Whose prices.
        venue: Kind of the venue whose offers they are; empty for candles.
        words: What it is, for people.
        more: How there would be more of it.
    """

    whole: Span
    seen: Callable[[str, Rule, Span], Seen]
    source: Prices
    venue: Venue
    words: str
    more: str


def of_candles(folder: Path, source: Prices | None) -> WindowSource:
    """Return the windows of the candles in a folder.

    Args:
        folder: As the exchange replays it.
        source: Whose prices they are; a real market's where nobody says.

    Raises:
        RecordingError: The recordings cannot be read.
    """
    recordings = load_recordings(folder)
    candles = [
        part
        for each in recordings
        for part in stretches(each.minutes, each.values, _RECORDED_COLUMNS)
    ]
    prices: Prices = source or "recorded"
    return WindowSource(
        whole=Span(
            min(each.minutes[0] for each in recordings),
            max(each.minutes[-1] for each in recordings) + 1,
        ),
        seen=lambda timeframe, rule, span: seen_in(candles, timeframe, rule, span),
        source=prices,
        venue="",
        words=f"{prices} minutes",
        more="take more assets, or more days",
    )


def of_journal(installation: Installation) -> WindowSource:
    """Return the windows of the offers that an installation's journal kept.

    Raises:
        ConfigError: It kept none of a decided window.
        StateError: Record or journal cannot be read.
    """
    progress("reading the journal")
    venue, cycles = _kept_inputs(installation)
    sights = sights_in(cycles, venue)
    if not sights:
        what = f"the journal in {installation.home} keeps no offer of a decided window"
        raise ConfigError(what, "let the strategies speak for some days, or name DIR with candles")
    return WindowSource(
        whole=whole_of(sights),
        seen=lambda timeframe, rule, span: seen_of(sights, timeframe, rule, span),
        source="synthetic" if venue == LOCAL else "recorded",
        venue=venue,
        words=f"offers in the journal of a {venue} venue",
        more="let it run for longer, or name DIR with candles",
    )


def _kept_inputs(installation: Installation) -> tuple[Venue, Iterator[Kept]]:
    record = installation.record()
    book: Book = BOOK.decode(record.body, record.schema)
    lines = effective(read_lines(installation.home / "journal"))
    kept = (_kept(line, record.timeline) for line in lines if _has_inputs(line))
    since_s = book.venue_since_s
    return cast("Venue", book.venue), (each for each in kept if each.now_s >= since_s)


def _has_inputs(line: Line) -> bool:
    return line.kind == "decide" and line.inputs_schema > 0 and not line.unavailable


def _kept(line: Line, timeline: Timeline) -> Kept:
    stored = SchemaId(name=MARKET.schema_id.name, version=line.inputs_schema, fingerprint="")
    # A boundary in milliseconds of the wall may have lost a few nanoseconds of its second.
    now_ns = app_time_ns(timeline, round((line.scheduled_ms or 0.0) * MS))
    return Kept((now_ns + MS) // NS, MARKET.decode(line.inputs, stored))
