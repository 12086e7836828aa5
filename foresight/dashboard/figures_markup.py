"""The figures over the trades as HTML: the verdict first, the win rate never alone.

Owns the two interval drawings and the words around them.
"""

from html import escape
from typing import Final

from foresight.dashboard.figures import Figures, Verdict
from foresight.scoring import TRADES_MIN, Interval, Score

SYMBOLS: Final = {
    Verdict.NOTHING: "\N{EN DASH}",
    Verdict.TOO_FEW: "…",
    Verdict.LOSING: "\N{MINUS SIGN}",
    Verdict.UNPROVEN: "≈",
    Verdict.EARNING: "+",
}
REACH_MIN: Final = 0.02  # of the expectation's scale: two cents to either side


def figures_html(figures: Figures | None) -> str:
    """Return the figures."""
    if figures is None:
        return '<p class="quiet">No book yet.</p>'
    recent = figures.recent
    return (
        f'<div class="verdict {figures.verdict.value}"><p class="what">'
        f'<span aria-hidden="true">{SYMBOLS[figures.verdict]}</span> {figures.words}</p>'
        f'<p class="why">{_why(figures)}</p></div>'
        f"{_expectation(recent)}{_win_rate(recent)}{_table(figures)}"
    )


def _why(figures: Figures) -> str:
    recent = figures.recent
    match figures.verdict:
        case Verdict.NOTHING:
            return "Figures show with the first result of the venue."
        case Verdict.TOO_FEW:
            return f"{recent.trades} decided; an interval means little below {TRADES_MIN}."
        case Verdict.UNPROVEN if recent.expectation_interval.low > 0:
            return "The last trades look good, but not by enough, or all trades or Brier disagree."
        case Verdict.UNPROVEN:
            return "Zero lies within what the last trades allow: this may all be luck."
        case Verdict.LOSING:
            return "After price and fees each share costs more than it brings."
        case Verdict.EARNING:
            return "Last trades, all trades and Brier score agree. It may still end tomorrow."


def _expectation(score: Score) -> str:
    interval = score.expectation_interval
    reach = max(abs(interval.low), abs(interval.high), REACH_MIN)
    low, high, point = (
        50 + 50 * value / reach for value in (interval.low, interval.high, score.expectation)
    )
    words = f"{_cents(interval.low)} to {_cents(interval.high)}"
    known = score.trades > 1
    return _scale(
        name="Expectation per share",
        value=_cents(score.expectation) if score.trades else "—",
        low=low,
        high=high,
        point=point if score.trades else None,
        tick=50.0,
        tick_words="0",
        words=f"95 % interval {words}" if known else "no interval yet",
    )


def _win_rate(score: Score) -> str:
    interval = score.win_rate_interval
    base = 0.5 if min(interval.low, score.break_even or 1.0) >= 0.5 else 0.0  # noqa: PLR2004 - half

    def place(share: float) -> float:
        return 100 * (min(1.0, max(base, share)) - base) / (1 - base)

    decided = score.with_result
    words = f"95 % interval {_percent(interval)}" if decided else "no trade has a result yet"
    need = f"needs {score.break_even:.1%} at these prices" if score.trades else ""
    return _scale(
        name=f"Win rate, last {score.trades}" if decided else "Win rate",
        value=f"{score.win_rate:.1%}" if decided else "—",
        low=place(interval.low),
        high=place(interval.high),
        point=place(score.win_rate) if decided else None,
        tick=place(score.break_even) if score.trades else None,
        tick_words="break-even",
        words=f"{words} · {need}" if need else words,
    )


def _scale(
    *,
    name: str,
    value: str,
    low: float,
    high: float,
    point: float | None,
    tick: float | None,
    tick_words: str,
    words: str,
) -> str:
    dot = "" if point is None else f'<i class="point" data-css="left:{point:.1f}%"></i>'
    mark = ""
    if tick is not None:
        side = " right" if tick > 70 else ""  # noqa: PLR2004 - there the words would leave the card
        mark = f'<i class="tick{side}" data-css="left:{tick:.1f}%"><span>{tick_words}</span></i>'
    return (
        f'<div class="scale"><p class="line"><span class="label">{escape(name)}</span>'
        f'<span class="value num">{value}</span></p>'
        f'<div class="axis" aria-hidden="true">{mark}<i class="band" data-css="left:{low:.1f}%;'
        f'width:{max(0.8, high - low):.1f}%"></i>{dot}</div>'
        f'<p class="quiet num">{escape(words)}</p></div>'
    )


def _table(figures: Figures) -> str:
    recent, overall = figures.recent, figures.overall
    knew = "the market knew more" if figures.market_knew_more else "lower is better; no interval"
    most = f", mostly {escape(figures.unbought_most.replace('_', ' '))}"
    brier = f"{recent.brier_ours:.4f} vs {recent.brier_price:.4f}" if recent.trades else "—"
    rows = (
        ("Mean price paid", f"{recent.mean_price:.3f}" if recent.trades else "—", "USDC a share"),
        (
            "Profit after fees",
            signed(recent.profit),
            f"{signed(overall.profit)} over all {overall.trades:,}",
        ),
        ("Fees", f"{recent.fees:.2f}", f"of {recent.staked:,.0f} staked"),
        ("Brier, ours vs price", brier, knew if recent.trades else ""),
        (
            "Signals not bought",
            f"{figures.unbought:,}",
            f"of {figures.signals:,}{most if figures.unbought else ''}",
        ),
    )
    items = "".join(
        f'<div><dt>{name}</dt><dd><span class="num">{value}</span><small>{note}</small></dd></div>'
        for name, value, note in rows
    )
    return f'<dl class="table">{items}</dl>'


def _cents(usdc: float) -> str:
    sign = "+" if usdc >= 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(usdc) * 100:.2f} ¢"


def signed(amount: float) -> str:
    """Return an amount with its sign, as text."""
    sign = "+" if amount >= 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(amount):,.2f}"


def _percent(interval: Interval) -> str:
    return f"{interval.low:.1%} to {interval.high:.1%}"
