"""The page without its figures: where regions stand, and the files that it loads.

Owns landmarks, names for those who listen, and the static files, read once. What a region holds is
`markup`'s matter. Must never enter: anything of an installation, because whoever asks gets this.
"""

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import jinja2

from foresight.dashboard.frames import FORMAT
from foresight.dashboard.span import LABELS as RANGES

STATIC: Final = Path(__file__).parent / "static"
PLOTTING: Final = Path(__file__).parent / "uplot"  # of others: its README has digest and licence
TEMPLATES: Final = Path(__file__).parent / "templates"
DIGEST_CHARS: Final = 16
SERVED: Final = frozenset({".css", ".js", ".svg"})

LABELS: Final = {
    "version": "Running version",
    "tempo": "Next boundary",
    "crew": "Owner and standby",
    "hosts": "Hosts that share the record",
    "money": "Money at this moment",
    "strip": "Recent cycles by release",
    "deploy": "Deploys",
    "earned": "What each version earned",
    "acts": "What can be done",
    "board": "Slots of the board",
    "numbers": "Results of the trades",
    "equity": "Equity and drawdown",
    "guards": "Guards and locks",
    "events": "What happened lately",
    "neighbours": "Other bots of this user",
    "footer": "About this page",
    "banner": "What needs attention",
}


class Asset(NamedTuple):
    """A static file."""

    content: bytes
    kind: str


class Shell(NamedTuple):
    """The page and its files.

    Attributes:
        html: The page.
        assets: Static files by name.
        digest: What tells these files from those of another version of the page.
    """

    html: bytes
    assets: Mapping[str, Asset]
    digest: str


def shell() -> Shell:
    """Return the page and its files."""
    files = [path for folder in (STATIC, PLOTTING) for path in sorted(folder.iterdir())]
    assets = {path.name: _asset(path) for path in files if path.suffix in SERVED}
    summed = hashlib.sha256()
    for asset in assets.values():
        summed.update(asset.content)
    digest = summed.hexdigest()[:DIGEST_CHARS]
    page = templates().get_template("page.html")
    html = page.render(labels=LABELS, ranges=RANGES, digest=digest, format=FORMAT).encode()
    return Shell(html=html, assets=assets, digest=digest)


def templates() -> jinja2.Environment:
    """Return the templates; everything that they are given is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )


def _asset(path: Path) -> Asset:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(path.read_bytes(), kind)
