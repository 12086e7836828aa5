"""Money, what each version earned, locks and what happened lately, as HTML.

As `markup`, it escapes what comes from outside and tells nothing by colour alone: what went up or
down has its own sign.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from foresight.dashboard.earned import EarnedRow
from foresight.dashboard.figures_markup import signed
from foresight.dashboard.happenings import Happening
from foresight.dashboard.instant_markup import moment
from foresight.dashboard.money import Money
from foresight.dashboard.view import Locked, Remark
from handoff.plurals import plural

VENUES: Final = {"local": "simulated", "paper": "paper money", "": "no venue yet"}
SYMBOLS: Final = {
    "began": "○",
    "took": "»",
    "seized": "!",
    "released": "■",
    "missed": "\N{MULTIPLICATION SIGN}",
    "refused": "✗",
    "returned": "↩",
    "superseded": "»",
    "aborted": "■",
}


def usdc(amount: float) -> str:
    """Return an amount that went up or down, with its sign."""
    symbol = "▲" if amount > 0 else "▼" if amount < 0 else "="
    return f'<span aria-hidden="true">{symbol}</span> {signed(amount)}'


def money_html(money: Money | None, *, day: str = "today, UTC") -> str:
    """Return the money of this moment.

    Args:
        money: The sums, or None where there is no book.
        day: Which day those of a day are of, in words.
    """
    if money is None:
        return '<p class="quiet">No money yet: there is no book.</p>'
    since = day if money.since_ms is None else f"since {moment(money.since_ms)}"
    way = "up" if money.profit > 0 else "down" if money.profit < 0 else ""
    orders = f", {money.orders} ordered for up to {money.ordered:,.2f}" if money.orders else ""
    cash = "not read yet" if money.cash is None else f"{money.cash:,.2f}"
    rows = (
        (
            "Profit after fees",
            f'<b class="{way}">{usdc(money.profit)}</b>',
            f"{money.trades} decided {since}",
        ),
        ("Open positions", f"<b>{money.positions}</b>", f"paid {day} {money.spent:,.2f}"),
        ("Stake at risk", f"<b>{money.at_risk:,.2f}</b>", f"lost if all of them lose{orders}"),
        ("Cash", f"<b>{cash}</b>", f"USDC, {escape(VENUES.get(money.venue, money.venue))}"),
    )
    items = "".join(
        f'<div><dt>{name}</dt><dd><span class="num">{value}</span><small>{note}</small></dd></div>'
        for name, value, note in rows
    )
    return f'<dl class="sums">{items}</dl>'


def earned_html(rows: Sequence[EarnedRow]) -> str:
    """Return what each version earned."""
    head = (
        "<header><h2>What each version earned</h2>"
        '<p class="summary"><a data-view="trades">all trades</a></p></header>'
    )
    if not rows:
        return f'{head}<p class="quiet">No version has decided a trade yet.</p>'
    items = "".join(_earned(row) for row in rows)
    return (
        f'{head}<div class="scroll"><table class="earned-table"><thead><tr><th scope="col">Version'
        '</th><th scope="col">Trades</th><th scope="col">Profit, USDC</th>'
        '<th scope="col">A share, 95 %</th><th scope="col">What that says</th></tr></thead>'
        f"<tbody>{items}</tbody></table></div>"
    )


def _earned(row: EarnedRow) -> str:
    hue = "" if row.hue is None else f' data-css="--hue:{row.hue}"'
    owner = ' <span class="tag">decides now</span>' if row.is_owner else ""
    unit = ' data-unit="a share"' if row.is_enough else ""
    interval = f"{row.low * 100:+.2f} to {row.high * 100:+.2f} ¢" if row.is_enough else "—"
    way = "up" if row.profit > 0 else "down" if row.profit < 0 else ""
    return (
        f'<tr data-key="{escape(row.release)}-{escape(row.venue)}"><th scope="row" '
        f'class="version{"" if row.hue is None else " hued"}"{hue}>'
        '<span class="swatch" aria-hidden="true"></span>'
        f'<span class="mono">{escape(row.name)}</span> <span class="what">{escape(row.subject)}'
        f"</span>{owner}<small>{escape(VENUES.get(row.venue, row.venue))}</small></th>"
        f'<td class="num" data-unit="{plural(row.trades, "trade")}">{row.trades:,}</td>'
        f'<td class="num {way}">{usdc(row.profit)}</td>'
        f'<td class="num"{unit}>{interval}</td><td>{escape(row.words)}</td></tr>'
    )


def guards_html(locks: Sequence[Locked]) -> str:
    """Return what buys nothing for a while, and until when."""
    head = "<header><h2>Guards and locks</h2></header>"
    if not locks:
        return f'{head}<p class="quiet">Nothing is locked.</p>'
    items = "".join(
        f"<li><b>{escape('the whole board' if lock.scope == '*' else lock.scope)}</b> "
        f"{escape(lock.reason.replace('_', ' '))}, "
        f"{'until it is unlocked' if lock.until_ms is None else f'until {moment(lock.until_ms)}'}"
        "</li>"
        for lock in locks
    )
    return f'{head}<ul class="locks">{items}</ul>'


def events_html(events: Sequence[Happening], remarks: Sequence[Remark]) -> str:
    """Return what happened lately, and what the trader remarked."""
    head = "<header><h2>Events</h2></header>"
    items = "".join(
        f'<li><span class="symbol" aria-hidden="true">{SYMBOLS.get(each.kind, "·")}</span> '
        f"{moment(each.at_ms)} {escape(each.text)}</li>"
        for each in events
    )
    noted = "".join(
        f"<li><b>{escape(remark.kind.replace('_', ' '))}</b> {escape(remark.subject)}: "
        f"{escape(remark.detail)} <span>(&times;{remark.count})</span></li>"
        for remark in remarks
    )
    body = f'<ol class="events-list">{items}</ol>' if items else '<p class="quiet">None yet.</p>'
    noted = f'<ul class="remarks" aria-label="Remarks of the trader">{noted}</ul>' if noted else ""
    return f"{head}{body}{noted}"
