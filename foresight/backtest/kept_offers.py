"""Windows as strategies saw them when their offers came, from the inputs that a journal kept.

Owns which offers count, what the view of a window said at that moment, and how the window was
decided: by the venue's ruling where one was kept, else by the kept candles and the market's rule.
Offers are read only where a strategy speaks, so the windows are those, and no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.appraisal import Seen as Told
from foresight.appraisal import note_market, result_of
from foresight.backtest.calibration import QUARTER_MINUTES, Observed, Seen, Span
from foresight.backtest.candle_rows import Rule
from foresight.board import LOCAL_SOURCE, MINUTE_S, Result, window_of_slug
from foresight.closes import Closes, extended
from foresight.strategies.base import SIGMA_MINUTES, WindowView, sigma_of
from foresight.strategies.table import RULE_OF
from foresight.window_facts import own_price_to_beat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from foresight.board import Window
    from foresight.market import Market, Offer
    from foresight.strategies.table import Venue

LOCAL: Final = "local"  # kind of the venue that is our own exchange


class Kept(NamedTuple):
    """What a cycle saw, and when: application time of its boundary."""

    now_s: int
    inputs: Market


class Sight(NamedTuple):
    """A window in a minute of an offer, and how it ended.

    Attributes:
        timeframe: `5m` or `15m`.
        rule: What settled it.
        minute: Whole minutes since its start.
        span: The window, with the minute before it.
        observed: How far it had moved, and whether it kept its side.
    """

    timeframe: str
    rule: Rule
    minute: int
    span: Span
    observed: Observed


def sights_in(cycles: Iterable[Kept], venue: Venue) -> list[Sight]:
    """Return the decided windows that offers were kept of, each once for each of its minutes.

    Args:
        cycles: Of one kind of venue, oldest first.
        venue: That kind: offers of another one are left out.
    """
    told, closes = Told(), dict[str, Closes]()
    views: dict[tuple[Window, int], WindowView] = {}
    for now_s, inputs in cycles:
        note_market(told, inputs)
        for asset, fresh in inputs.candles.items():
            closes[asset] = extended(closes.get(asset, Closes()), fresh)
        for offer in inputs.offers.values():
            window = _window_of(offer, now_s, venue)
            if window is not None:
                known = closes.get(window.slot.asset, Closes())
                view = _view(offer, window, known, now_s)
                if view is not None:
                    views.setdefault((window, view.elapsed), view)  # the first of its minute
    found = (_sight(window, view, result_of(told, window)) for (window, _), view in views.items())
    return [each for each in found if each is not None]


def whole_of(sights: Sequence[Sight]) -> Span:
    """Return the stretch that windows lie in, one at least."""
    return Span(min(each.span.first for each in sights), max(each.span.end for each in sights))


def seen_of(sights: Iterable[Sight], timeframe: str, rule: Rule, within: Span) -> Seen:
    """Return the windows that a table is fitted on, or judged by.

    Args:
        sights: Of all windows.
        timeframe: `5m` or `15m`.
        rule: What settles the windows.
        within: Windows count that lie in it, with the minute before them.
    """
    found: dict[int, list[Observed]] = {}
    for each in sights:
        is_inside = within.first <= each.span.first and each.span.end <= within.end
        if is_inside and (each.timeframe, each.rule) == (timeframe, rule):
            found.setdefault(each.minute, []).append(each.observed)
    return dict(sorted(found.items()))


def _window_of(offer: Offer, now_s: int, venue: Venue) -> Window | None:
    """Return the running window that an offer was made in, or None where it does not count."""
    if offer.failure or not offer.is_accepting or offer.rules is None:
        return None
    if (offer.rules.source == LOCAL_SOURCE) != (venue == LOCAL):
        return None  # generated prices must never pass for a real market's, nor the reverse
    window = window_of_slug(offer.slug)
    if window is None or not window.start_s + MINUTE_S <= now_s < window.end_s:
        return None
    return window


def _view(offer: Offer, window: Window, known: Closes, now_s: int) -> WindowView | None:
    """Return what the strategy saw, or None where the kept candles do not reach back far enough."""
    assert offer.rules is not None, "the caller looked"
    reference = offer.reference or own_price_to_beat(offer.rules.method, window, known)
    if not reference or len(known.minutes) <= SIGMA_MINUTES:
        return None
    return WindowView(
        minutes=window.slot.length_s // MINUTE_S,
        elapsed=(now_s - window.start_s) // MINUTE_S,
        reference=reference,
        price=known.prices[-1],
        sigma=sigma_of(known.minutes, known.prices),
        closes=(),
        rules=offer.rules,
    )


def _sight(window: Window, view: WindowView, result: Result | None) -> Sight | None:
    """Return a window and its end; None without one, without a winner, and if it had not moved."""
    assert view.rules is not None, "of an offer with rules"
    if result in {None, Result.VOID} or not view.distance:
        return None
    minute = window.start_s // MINUTE_S
    return Sight(
        timeframe=window.slot.timeframe,
        rule=Rule(RULE_OF[view.rules.method]),
        minute=view.elapsed,
        span=Span(minute - 1, window.end_s // MINUTE_S),
        observed=Observed(
            quarter=minute // QUARTER_MINUTES,
            distance=abs(view.distance),
            is_right=(view.distance > 0) == (result is Result.UP),
        ),
    )
