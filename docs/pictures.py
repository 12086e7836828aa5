"""The pictures of the documents: a handoff on a timeline, a deploy in five steps, a slot's card.

Owns what they show and how they look. Each carries its own ground, so it can be read on a light
and on a dark page; `docs/build.py` writes them, and a test compares.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

STYLE: Final = """\
<style>
text { font: 13px system-ui, sans-serif; fill: #16202c }
.ground { fill: #f6f8fb; stroke: #c9d2dc } .quiet { fill: #516072 } .small { font-size: 12px }
.head { font-weight: 600 } .old { fill: #b9822e } .new { fill: #2f7fc0 } .on { fill: #ffffff }
.card { fill: #ffffff; stroke: #c9d2dc } .warm { fill-opacity: 0.3 } .line { stroke: #516072 }
.up { fill: none; stroke: #2f7fc0 } .shade { fill: #516072; fill-opacity: 0.15 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf4 } .ground { fill: #121922; stroke: #3a4654 } .quiet { fill: #a9b6c4 }
.old { fill: #d39c48 } .new { fill: #5aa6e0 } .on { fill: #10161d }
.card { fill: #1b2530; stroke: #3a4654 } .line { stroke: #a9b6c4 } .up { stroke: #5aa6e0 }
.shade { fill: #a9b6c4 } }
</style>"""
OLD: Final = "old"
NEW: Final = "new"


def svg(parts: Iterable[str], *, width: int, height: int, title: str) -> str:
    """Return a picture on its own ground."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">'
    )
    ground = (
        f'<rect class="ground" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE, ground, *parts, "</svg>\n"])


def text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start") -> str:
    """Return words at a place; `anchor` says which part of them is there."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, *, kind: str, height: float = 26) -> str:
    """Return a filled bar."""
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>'


def line(x: float, y: float, x2: float, y2: float, *, dashed: bool = False) -> str:
    """Return a line."""
    dash = ' stroke-dasharray="3 4"' if dashed else ""
    return f'<line class="line" x1="{x}" y1="{y}" x2="{x2}" y2="{y2}"{dash}/>'


# --- a handoff as a timeline -------------------------------------------------------

FIRST: Final = 120  # where the first boundary is
CYCLE: Final = 110
TAKEN: Final = 2  # the first boundary of the new release
OLD_Y, NEW_Y = 74, 124


def handoff() -> str:
    """Return one planned handoff: who owns which cycle, and who is warm beside it."""
    boundaries = range(7)
    parts = [text(16, OLD_Y + 18, "old release"), text(16, NEW_Y + 18, "new release")]
    for number in boundaries:
        x = FIRST + number * CYCLE
        parts += [line(x, 44, x, 158, dashed=True)]
        name = "n" if not number else f"n+{number}"
        parts += [text(x, 34, f"boundary {name}", kind="quiet small", anchor="middle")]
    for number in range(6):
        x, kind, y = FIRST + number * CYCLE, *((OLD, OLD_Y) if number < TAKEN else (NEW, NEW_Y))
        parts += [
            box(x + 1, y, 44, kind=kind),
            text(x + 23, y + 18, "cycle", kind="on small", anchor="middle"),
        ]
    took = FIRST + TAKEN * CYCLE
    parts += [
        box(FIRST + 46, NEW_Y, took - FIRST - 60, kind=f"{NEW} warm"),
        text(FIRST + 54, NEW_Y + 18, "built, gates, warm", kind="small"),
        box(took - 12, OLD_Y, 3 * CYCLE + 60, kind=f"{OLD} warm"),
        text(took + 4, OLD_Y + 18, "way back: warm, follows, decides nothing", kind="small"),
        line(took - 12, 48, took - 12, NEW_Y + 26),
        text(took - 16, NEW_Y + 46, "take, before n+2", kind="head small", anchor="end"),
        text(took + 8, NEW_Y + 46, "bake: three clean cycles", kind="small"),
        text(took + 3 * CYCLE + 52, NEW_Y + 46, "permanent", kind="head small"),
        text(
            16,
            214,
            "Every boundary has one owner. If the new one dies, hangs or sees less in its "
            "bake, the old one runs that same cycle.",
            kind="quiet small",
        ),
    ]
    return svg(parts, width=880, height=230, title="A handoff between two releases")


# --- a deploy in five pictures -----------------------------------------------------

STEPS: Final = (
    ("1  Merge", "A commit reaches", "the branch.", "decides", "", "old owns"),
    ("2  Build, gates", "Anything wrong here", "costs nothing.", "decides", "is asked", "old owns"),
    ("3  Take", "One write, before", "the boundary.", "warm", "decides", "new owns"),
    (
        "4  Bake",
        "Worse than before?",
        "The old one is back.",
        "warm",
        "decides",
        "new, in its bake",
    ),
    ("5  Permanent", "The old one leaves;", "its release is kept.", "", "decides", "new owns"),
)
PANEL: Final = 172


def deploy() -> str:
    """Return the five steps of a deploy that goes well."""
    parts: list[str] = []
    for place, (head, first, second, old, new, record) in enumerate(STEPS):
        x = 12 + place * PANEL
        parts += [
            f'<rect class="card" x="{x}" y="12" width="{PANEL - 10}" height="206" rx="6"/>',
            text(x + 12, 36, head, kind="head"),
            text(x + 12, 58, first, kind="quiet small"),
            text(x + 12, 74, second, kind="quiet small"),
            *_worker(x + 12, 92, OLD, old),
            *_worker(x + 12, 130, NEW, new),
            line(x + 12, 174, x + PANEL - 22, 174),
            text(x + 12, 192, "the record says:", kind="quiet small"),
            text(x + 12, 209, record, kind="small head"),
        ]
    return svg(parts, width=5 * PANEL + 14, height=230, title="A deploy in five pictures")


def _worker(x: float, y: float, kind: str, does: str) -> list[str]:
    if not does:
        return []
    decides = does == "decides"
    bar = box(x, y, PANEL - 34, kind=kind if decides else f"{kind} warm", height=30)
    name = f"{kind}: {does}"
    return [bar, text(x + 8, y + 20, name, kind="on small" if decides else "small")]


# --- a slot's card -----------------------------------------------------------------

NOTES: Final = (
    (62, "asset, length of the window, time left"),
    (92, "newest close; how far above (▲) or below (▼) the price to beat"),
    (134, "closes; the running window is shaded, the price to beat is dashed"),
    (176, "what is held: side, shares @ price paid; ahead: the price is on that side"),
    (204, "the last trade: won, and USDC after fees"),
    (226, "how much of the window is over"),
)


def card() -> str:
    """Return one slot of the page with what each part of it says."""
    points = "40,140 70,146 100,134 130,138 160,128 190,132 220,118 250,120 280,116"
    parts = [
        '<rect class="card" x="24" y="34" width="276" height="196" rx="6"/>',
        box(24, 34, 4, kind=NEW, height=196),
        text(40, 62, "BTC 5m", kind="head"),
        text(286, 62, "1:11", kind="small quiet", anchor="end"),
        text(40, 92, "98,609.0", kind="head"),
        text(286, 92, "▲ 0.02%", anchor="end"),
        '<rect class="shade" x="248" y="108" width="38" height="48"/>',
        line(40, 128, 286, 128, dashed=True),
        f'<polyline class="up" stroke-width="2" points="{points}"/>',
        text(40, 176, "▲ Up 21 @ 0.82  ahead", kind="small"),
        text(40, 204, "✓ +1.72", kind="small"),
        box(24, 224, 210, kind="shade", height=6),
    ]
    for y, words in NOTES:
        parts += [line(306, y - 4, 336, y - 4), text(342, y, words, kind="small")]
    return svg(parts, width=800, height=252, title="A slot's card, explained")


PICTURES: Final = {"handoff.svg": handoff, "deploy.svg": deploy, "card.svg": card}
