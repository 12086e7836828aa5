"""The cards of the board as HTML.

Owns how a slot looks in words, symbols and one small drawing. As `markup`, it escapes what comes
from outside and tells nothing by colour alone.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from foresight.dashboard.instant_markup import moment
from foresight.dashboard.slots import Held, Holding, LastResult, SlotView

WIDTH: Final = 100.0  # of the drawing, in its own units
HEIGHT: Final = 26.0
MARGIN: Final = 2.0
LEVEL: Final = 0.00005  # of the reference; less reads as 0.00 %
SIDES: Final = {"up": "▲ Up", "down": "▼ Down"}
LEGEND: Final = (
    '<details class="cards-key" data-key="cards-key"><summary>How to read a card</summary><dl>'
    "<div><dt>Above</dt><dd>asset, length of the window, time left of the running one</dd></div>"
    "<div><dt>Price</dt><dd>newest close, and how far it is ▲ above or ▼ below the price to beat; "
    "! and when it was, where newer ones are lacking</dd></div>"
    "<div><dt>Line</dt><dd>closes of the last four windows; the running one is shaded, the price "
    "to beat dashed</dd></div>"
    "<div><dt>▲ Up, ▼ Down</dt><dd>the side that is held, shares @ price paid; ahead or behind: "
    "whether the price is on that side now</dd></div>"
    "<div><dt>Words</dt><dd>without a position: what became of the last look, and why</dd></div>"
    "<div><dt>✓ ✗ ○</dt><dd>the last trade won, lost or was void, and USDC after fees</dd></div>"
    "<div><dt>Lower edge</dt><dd>how much of the running window is over</dd></div></dl></details>"
)
RESULTS: Final = {"won": "✓", "lost": "✗", "void": "○"}


def slots_html(slots: Sequence[SlotView]) -> str:
    """Return all cards."""
    if not slots:
        return '<p class="quiet">The board shows with the first decision.</p>'
    cards = f'<ul class="slots">{"".join(_card(slot) for slot in slots)}</ul>'
    return f"{cards}{_ended_html(slots)}{LEGEND}"


def _ended_html(slots: Sequence[SlotView]) -> str:
    """Return the bets on windows that ended: the prices on the cards say nothing of them."""
    items = "".join(
        f"<li><b>{escape(slot.asset)} {escape(slot.timeframe)}</b> window to "
        f"{moment(each.until_ms)}: {_holding(each)}</li>"
        for slot in slots
        for each in slot.ended
    )
    # It has a place of its own even where it is empty: windows end every few minutes.
    items = items or '<li class="quiet">none</li>'
    name = "Ended, not ruled on by the venue yet"
    listed = f'<ul tabindex="0" aria-label="{name}">{items}</ul>'
    return f'<div class="ended"><h3>{name}</h3>{listed}</div>'


def price_text(price: float | None) -> str:
    """Return a price with about six digits, whatever its size."""
    if price is None:
        return "—"
    steps = ((10_000, 1), (100, 2), (1, 4))
    digits = next((digits for least, digits in steps if price >= least), 5)
    return f"{price:,.{digits}f}"


def _card(slot: SlotView) -> str:
    name = f"{slot.asset} {slot.timeframe}"
    holding = _holding(slot.holding) if slot.holding else _word(slot)
    classes = f"slot {'held' if slot.holding else 'free'}"
    span = f'data-from="{slot.window_from_ms}" data-until="{slot.window_until_ms}"'
    return (
        f'<li class="{classes}" data-key="{escape(slot.slot)}" aria-label="{escape(name)}">'
        f'<div class="line"><h3><a data-view="slots/{escape(slot.slot)}">{escape(slot.asset)} '
        f"<small>{escape(slot.timeframe)}</small></a></h3>"
        f'<span class="left num" data-left="{slot.window_until_ms}" '
        'title="left of the running window">&ndash;</span></div>'
        f'<div class="line"><span class="price num">{price_text(slot.price)}</span>'
        f"{_move(slot)}</div>"
        f"{_drawing(slot)}"
        f'<div class="line last">{holding}{_last(slot.last)}</div>'
        f'<span class="window" aria-hidden="true"><span {span}></span></span></li>'
    )


def _move(slot: SlotView) -> str:
    move = slot.move
    if slot.price_at_ms is not None:
        at = moment(slot.price_at_ms)
        return f'<span class="move num old-price" title="no newer price came">! {at}</span>'
    if move is None:
        return '<span class="move quiet" title="the reference is not known">no reference</span>'
    if abs(move) < LEVEL:
        return '<span class="move num quiet" title="at the reference">= 0.00%</span>'
    side, symbol, words = ("up", "▲", "above") if move > 0 else ("down", "▼", "below")
    return (
        f'<span class="move num {side}" title="{words} the reference">{symbol} '
        f"{abs(move):.2%}</span>"
    )


def _drawing(slot: SlotView) -> str:
    points = slot.path
    if len(points) < 2:  # noqa: PLR2004 - one point is no line
        return '<div class="path"></div>'
    known = [*points, slot.reference] if slot.reference else points
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    step = WIDTH / (len(points) - 1)

    def height(price: float) -> float:
        return HEIGHT - MARGIN - (price - low) / span * (HEIGHT - 2 * MARGIN)

    line = " ".join(f"{i * step:.1f},{height(price):.1f}" for i, price in enumerate(points))
    start = WIDTH - max(0, slot.path_in_window - 1) * step if slot.path_in_window else WIDTH
    shade = (
        f'<rect class="running" x="{start:.1f}" y="0" width="{WIDTH - start:.1f}" '
        f'height="{HEIGHT:.0f}"/>'
    )
    reference = ""
    if slot.reference:
        y = f"{height(slot.reference):.1f}"
        reference = f'<line class="reference" x1="0" x2="{WIDTH:.0f}" y1="{y}" y2="{y}"/>'
    move = slot.move or 0.0
    side = "level" if abs(move) < LEVEL else "up" if move > 0 else "down"
    return (
        f'<svg class="path {side}" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" '
        'preserveAspectRatio="none" aria-hidden="true">'
        f'{shade}{reference}<polyline points="{line}"/></svg>'
    )


def _holding(holding: Holding) -> str:
    words = SIDES[holding.side]
    shares = f"{holding.shares:,.1f}".removesuffix(".0")
    if holding.held is Held.ORDERED:
        return (
            f'<span class="holding {holding.side}"><b>{words}</b> {shares} ≤ '
            f'<span class="num">{holding.price:.2f}</span></span><span class="tag">ordering</span>'
        )
    tag = ""
    if holding.held is Held.AWAITING:
        tag = '<span class="tag" title="the window ended; the venue rules">awaiting</span>'
    elif holding.is_adopted:
        tag = '<span class="tag">adopted</span>'
    elif holding.is_ahead is not None:
        tag = f'<span class="tag">{"ahead" if holding.is_ahead else "behind"}</span>'
    more = f" +{holding.more}" if holding.more else ""
    title = f"decided by {holding.release}" if holding.release else ""
    return (
        f'<span class="holding {holding.side}" title="{escape(title)}"><b>{words}</b> '
        f'<span class="num">{shares} @ {holding.price:.2f}</span>{more}</span>{tag}'
    )


def _word(slot: SlotView) -> str:
    words = f"{slot.word}: {slot.reason}" if slot.reason else slot.word
    words = "watching" if slot.word == "new" else words.replace("_", " ")
    return f'<span class="word" title="{escape(words)}">{escape(words)}</span>'


def _last(last: LastResult | None) -> str:
    if last is None:
        return '<span class="result none" title="no decided trade yet">&ndash;</span>'
    sign = "+" if last.profit >= 0 else "\N{MINUS SIGN}"
    title = f"last trade {last.outcome}, {sign}{abs(last.profit):.2f} USDC after fees"
    return (
        f'<span class="result num {last.outcome}" title="{title}">'
        f'<span class="visually-hidden">last trade {last.outcome}</span>'
        f'<span aria-hidden="true">{RESULTS[last.outcome]}</span> '
        f"{sign}{abs(last.profit):.2f}</span>"
    )
