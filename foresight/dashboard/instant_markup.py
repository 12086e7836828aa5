"""An instant as HTML.

Owns how it is written: in UTC, and for the browser to show in local time.
"""

from state.moments import rfc3339


def moment(milliseconds: float) -> str:
    """Return an instant; the browser shows it in local time."""
    utc = rfc3339(round(milliseconds * 1e6))
    clock = utc[11:19]
    return f'<time data-clock="{milliseconds:.0f}" datetime="{utc}" title="{utc}">{clock}</time>'


def dated(milliseconds: float) -> str:
    """Return an instant with its day; the browser shows both in local time."""
    utc = rfc3339(round(milliseconds * 1e6))
    words = f"{utc[:10]} {utc[11:19]}"
    return f'<time data-date="{milliseconds:.0f}" datetime="{utc}" title="{utc}">{words}</time>'
