"""Equity as HTML: what its chart shows, in words, and the deploys that are marked in it.

As `markup`, it escapes what comes from outside. The chart itself is drawn by `static/charts.js`
from an address of its own, so that no frame carries it; `data-stamp` says when that has changed.
"""

from html import escape

from foresight.dashboard.equity import Equity
from foresight.dashboard.figures_markup import signed
from foresight.dashboard.instant_markup import moment
from foresight.dashboard.money_markup import VENUES
from handoff.plurals import counted


def equity_html(equity: Equity | None) -> str:
    """Return the words around the chart."""
    if equity is None or not equity.trades:
        words = "It begins with the first trade that the venue decides."
        return f'<header><h2>Equity</h2></header><p class="quiet" data-stamp="0">{words}</p>'
    venue = escape(VENUES.get(equity.venue, equity.venue))
    head = (
        f'<header><h2>Equity</h2><p class="summary"><b>{signed(equity.now)}</b> USDC after fees, '
        f'{venue} · <a data-view="trades">trades and profit as tables</a></p></header>'
    )
    items = "".join(
        f'<li class="hued" data-css="--hue:{mark.hue}"><span class="swatch" aria-hidden="true">'
        f'</span><a class="mono" data-view="deploys/{escape(mark.deploy)}">{escape(mark.name)}</a> '
        f'<span class="what">{escape(mark.subject)}</span> <span class="quiet">'
        f"{escape(mark.outcome)} {moment(mark.at_ms)}</span></li>"
        for mark in equity.marks
    )
    marks = f'<ol class="marks" aria-label="Deploys in the chart">{items}</ol>' if items else ""
    stamp = f"{equity.trades}-{equity.until_ms}-{len(equity.marks)}"
    return f'{head}<p class="told" data-stamp="{stamp}">{equity_words(equity)}</p>{marks}'


def equity_words(equity: Equity) -> str:
    """Return what the curve shows, for those who do not see it too."""
    before = f", after {counted(equity.older, 'older one')}" if equity.older else ""
    fell = (
        f"Deepest fall {signed(equity.deepest)} below the best until then, at "
        f"{moment(equity.deepest_ms)}; now {signed(equity.below)}."
        if equity.deepest < 0
        else "It never fell below its best."
    )
    return (
        f"{counted(equity.trades, 'trade')}{before}: from {signed(equity.start)} to "
        f"{signed(equity.now)} USDC between {moment(equity.from_ms)} and "
        f"{moment(equity.until_ms)}. Best {signed(equity.best)}. {fell}"
    )
