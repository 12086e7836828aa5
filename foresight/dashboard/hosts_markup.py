"""The hosts that share a record, as HTML.

As `markup`, it escapes what comes from outside and tells nothing by colour alone: each state has
its own sign and its words.
"""

from collections.abc import Sequence
from html import escape

from foresight.dashboard.hosts import HostRow


def hosts_html(rows: Sequence[HostRow]) -> str:
    """Return the hosts; nothing where there is one that shares its record with nobody."""
    if not rows:
        return ""
    items = "".join(
        f'<li data-key="{escape(row.name)}"><span class="symbol" aria-hidden="true">{_sign(row)}'
        f"</span> <b>{escape(row.name)}</b>{' (this host)' if row.is_here else ''}: "
        f"{escape(row.words)}</li>"
        for row in rows
    )
    return f'<header><h2>Hosts</h2></header><ul class="hosts-list">{items}</ul>'


def _sign(row: HostRow) -> str:
    if not row.counts:
        return "!"
    return "●" if row.owns else "○"
