"""Charts as SVG that stands in a page: lines over time, agreement of two shares, intervals.

Owns scales, ticks and marks; colours and strokes are the page's style. Every text is escaped, and
nothing is told by colour alone. Numbers in, text out: no file, clock or process enters here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from foresight.report.curves import Point
    from foresight.report.facts import Mark
    from foresight.scoring import Interval

WIDTH: Final = 960.0
HEIGHT: Final = 260.0
LEFT: Final = 64.0  # room for the words of the scale
BOTTOM: Final = 28.0
EDGE: Final = 14.0  # above and on the right
SIDE: Final = 420.0  # of the square of an agreement
TICKS: Final = 5
COLUMNS: Final = 600  # more points than this are drawn by the least and the most of each column
DAY_S: Final = 86_400
STEPS: Final = (1.0, 2.0, 5.0, 10.0)
REACH_MIN: Final = 0.02  # of an interval's scale, USDC a share
BAR: Final = 160.0
ROUNDING: Final = 1e-9


class Scale(NamedTuple):
    """A straight way from values to places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value."""
        part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


class Dot(NamedTuple):
    """A share that was said, and what came of it; all of 0 to 1."""

    said: float
    came: float
    interval: Interval


def over_time(
    points: Sequence[Point], *, name: str, marks: Sequence[Mark] = (), start: float = 0.0
) -> str:
    """Return a line over time, with a mark for each deploy within it, numbered from 1.

    Args:
        points: At least one, in the order of time.
        name: Of the chart, for those who listen.
        marks: Deploys; those outside are left out.
        start: The value before the first point.
    """
    low, high = _reach([start, 0.0, *(each.value for each in points)])
    first, last = points[0].at_s, points[-1].at_s
    across = Scale(first, last if last > first else first + 1, LEFT, WIDTH - EDGE)
    up = Scale(low, high, HEIGHT - BOTTOM, EDGE)
    line = _steps([(across.at(at_s), up.at(value)) for at_s, value in _thinned(points)])
    begin = f"{LEFT:.1f},{up.at(start):.1f}"
    inside = "".join(
        _mark(number, across.at(each.at_s), f"{each.name} {each.words}")
        for number, each in enumerate(within(points, marks), start=1)
    )
    shown = (
        _rows(up, _amount)
        + _times(across)
        + f'<polyline class="line" points="{begin} {line}"/>'
        + inside
    )
    return _svg(WIDTH, HEIGHT, name, shown)


def within(points: Sequence[Point], marks: Sequence[Mark]) -> list[Mark]:
    """Return the deploys that lie within a line, in its order."""
    if not points:
        return []
    return [each for each in marks if points[0].at_s <= each.at_s <= points[-1].at_s]


def agreement(dots: Sequence[Dot], *, name: str, across_words: str, up_words: str) -> str:
    """Return what was said against what came, with intervals, and the line where both agree.

    Args:
        dots: At least one.
        name: Of the chart, for those who listen.
        across_words: What was said.
        up_words: What came.
    """
    least = min(min(each.said, each.interval.low) for each in dots)
    low = floor(10 * max(0.0, least)) / 10
    low = min(low, 0.9)
    across = Scale(low, 1.0, LEFT, SIDE - EDGE)
    up = Scale(low, 1.0, SIDE - BOTTOM - EDGE, EDGE)
    diagonal = (
        f'<line class="agree" x1="{across.at(low):.1f}" y1="{up.at(low):.1f}" '
        f'x2="{across.at(1.0):.1f}" y2="{up.at(1.0):.1f}"/>'
    )
    shown = (
        _rows(up, _percent)
        + _columns(across)
        + diagonal
        + "".join(_dot(each, across, up) for each in dots)
        + f'<text class="axis" x="{SIDE / 2:.0f}" y="{SIDE - 4:.0f}" text-anchor="middle">'
        f"{escape(across_words)}</text>"
        f'<text class="axis" transform="translate(14 {SIDE / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(up_words)}</text>'
    )
    return _svg(SIDE, SIDE, name, shown)


def interval_bar(interval: Interval, value: float, *, reach: float) -> str:
    """Return an interval as a bar around 0.

    Args:
        interval: USDC a share.
        value: Its middle, as it was measured.
        reach: Where the scale ends on either side: one for all bars of a table.
    """
    scale = Scale(-reach, reach, 0.0, BAR)
    low, high = (min(BAR, max(0.0, scale.at(each))) for each in interval_ends(interval))
    point = min(BAR, max(0.0, scale.at(value)))
    return (
        f'<svg class="bar" viewBox="0 0 {BAR:.0f} 16" width="{BAR:.0f}" height="16" '
        f'aria-hidden="true"><line class="zero" x1="{BAR / 2:.1f}" x2="{BAR / 2:.1f}" y1="0" '
        f'y2="16"/><rect class="band" x="{low:.1f}" y="5" width="{max(1.0, high - low):.1f}" '
        f'height="6"/><circle class="dot" cx="{point:.1f}" cy="8" r="3.5"/></svg>'
    )


def interval_ends(interval: Interval) -> tuple[float, float]:
    """Return both ends of an interval."""
    return interval.low, interval.high


def reach_of(intervals: Sequence[Interval]) -> float:
    """Return where a scale ends that holds these intervals."""
    ends = [abs(end) for each in intervals for end in interval_ends(each)]
    return max([REACH_MIN, *ends])


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Return round values between two, about so many.

    Args:
        low: Least.
        high: Most, above it.
        count: How many are wanted.
    """
    rough = (high - low) / count
    size = 10.0 ** floor(log10(rough))
    step = next(size * each for each in STEPS if size * each >= rough * 0.999)
    first = ceil(low / step - ROUNDING)
    return [number * step for number in range(first, floor(high / step + ROUNDING) + 1)]


def _svg(width: float, height: float, name: str, inside: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(name)}">'
        f"{inside}</svg>"
    )


def _reach(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or 1.0
    return low - room, high + room


def _rows(up: Scale, words: Callable[[float], str]) -> str:
    right = SIDE - EDGE if up.start > HEIGHT else WIDTH - EDGE
    return "".join(
        f'<line class="{"zero" if abs(value) < ROUNDING else "grid"}" x1="{LEFT:.0f}" '
        f'x2="{right:.0f}" y1="{up.at(value):.1f}" y2="{up.at(value):.1f}"/>'
        f'<text class="tick" x="{LEFT - 6:.0f}" y="{up.at(value) + 4:.1f}" text-anchor="end">'
        f"{escape(words(value + 0.0))}</text>"
        for value in ticks(up.low, up.high)
    )


def _columns(across: Scale) -> str:
    y = SIDE - BOTTOM
    return "".join(
        f'<text class="tick" x="{across.at(value):.1f}" y="{y + 2:.1f}" '
        f'text-anchor="{_anchor(value)}">'
        f"{escape(_percent(value))}</text>"
        for value in ticks(across.low, across.high)
    )


def _anchor(value: float) -> str:
    return "middle" if value < 1 - ROUNDING else "end"  # the last one would leave the drawing


def _times(across: Scale) -> str:
    shape = "%b %d" if across.high - across.low > 2 * DAY_S else "%b %d %H:%M"
    parts = []
    for at in range(TICKS):
        value = across.low + (across.high - across.low) * at / (TICKS - 1)
        anchor = "start" if at == 0 else "end" if at == TICKS - 1 else "middle"
        words = datetime.fromtimestamp(value, UTC).strftime(shape)
        parts.append(
            f'<text class="tick" x="{across.at(value):.1f}" y="{HEIGHT - 8:.0f}" '
            f'text-anchor="{anchor}">{words}</text>'
        )
    return "".join(parts)


def _mark(number: int, x: float, words: str) -> str:
    return (
        f'<g class="deploy"><title>{escape(words)}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{EDGE:.0f}" y2="{HEIGHT - BOTTOM:.0f}"/>'
        f'<text x="{x + 3:.1f}" y="{EDGE + 9:.0f}">{number}</text></g>'
    )


def _dot(dot: Dot, across: Scale, up: Scale) -> str:
    x = f"{across.at(min(1.0, max(across.low, dot.said))):.1f}"
    low, high = (up.at(max(up.low, end)) for end in interval_ends(dot.interval))
    return (
        f'<line class="spread" x1="{x}" x2="{x}" y1="{low:.1f}" y2="{high:.1f}"/>'
        f'<circle class="dot" cx="{x}" cy="{up.at(max(up.low, dot.came)):.1f}" r="4"/>'
    )


def _steps(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _thinned(points: Sequence[Point]) -> Iterator[Point]:
    """Give all points, or of each column the first, the least, the most and the last."""
    if len(points) <= COLUMNS:
        yield from points
        return
    size = ceil(len(points) / COLUMNS)
    for at in range(0, len(points), size):
        part = points[at : at + size]
        ends = {0, len(part) - 1}
        values = [each.value for each in part]
        ends |= {values.index(min(values)), values.index(max(values))}
        yield from (part[place] for place in sorted(ends))


def _amount(value: float) -> str:
    return f"{value:+,.4g}" if abs(value) > ROUNDING else "0"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
