"""Makes the pictures of the page that the docs show.

Owns which pictures there are and how they are taken: by a real browser, of the page's own process,
on a home that the store itself made with a market of a fixed seed. `python -m docs.page_pictures`
writes them. One that is larger than a clone should carry is an error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from docs.small_picture import small
from docs.typed import ROOT
from foresight.page_link import page_token
from tests.dashboard.chromium import Chromium
from tests.dashboard.homes import SECOND, busy_home
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES_MAX: Final = 250_000  # of a picture: it is in every clone
PHONE: Final = 600  # pixels and below; there what is seen first is shown, elsewhere the whole page
AHEAD_NS: Final = 600 * 10**9
DRAWN: Final = "document.querySelectorAll('[data-chart]:not(:has(canvas))').length === 0"


class Picture(NamedTuple):
    """One picture.

    Attributes:
        name: Of its file.
        view: What is opened, below the page's address.
        width: Of the screen, pixels.
        height: Of the screen, pixels.
        scheme: `light` or `dark`.
    """

    name: str
    view: str
    width: int
    height: int
    scheme: str


PICTURES: Final = (
    Picture("dashboard.png", "", 1280, 1024, "dark"),
    Picture("dashboard-light.png", "", 1280, 1024, "light"),
    Picture("dashboard-phone.png", "", 390, 844, "light"),
    Picture("dashboard-phone-dark.png", "", 390, 844, "dark"),
    Picture("dashboard-slot.png", "slots/btc-5m", 1280, 900, "light"),
    Picture("dashboard-deploy.png", f"deploys/deploy-{SECOND[:7]}", 1280, 900, "dark"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.page_pictures", description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs", help="where they are written")
    folder: Path = parser.parse_args(arguments).to
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        # Nobody lets it go on: its clock is ahead, or its next cycle would be overdue.
        home = busy_home(place / "home", until_ns=time.time_ns() + AHEAD_NS).path
        with Served(home, log=place / "log") as page, Chromium(place / "profile") as browser:
            browser.open(page.link)
            for picture in PICTURES:
                _take(browser, page, picture, folder)
            asked = "".join(browser.asked)
            assert page_token(home) not in asked, "an address in a picture is read by anybody"
    return _judged(folder)


def _take(browser: Chromium, page: Served, picture: Picture, folder: Path) -> None:
    browser.screen(picture.width, picture.height, calm=True, scheme=picture.scheme)
    browser.call("Page.navigate", url=f"{page.address}{picture.view}")
    there = f"location.pathname === '/{picture.view}' && document.readyState === 'complete'"
    browser.expect_that(there)
    browser.expect_that(f"document.querySelector('.region :is(h1, .name)') && {DRAWN}", limit_s=60)
    # Whoever else runs here is nobody's matter but of whoever makes the pictures.
    browser.value("document.querySelectorAll('.neighbours').forEach((each) => each.remove())")
    path = folder / picture.name
    browser.picture(path, whole=picture.width > PHONE)
    path.write_bytes(small(browser, path.read_bytes()))


def _judged(folder: Path) -> int:
    """Say how large they are; return 1 where one is too large."""
    sizes = {picture.name: (folder / picture.name).stat().st_size for picture in PICTURES}
    for name, size in sizes.items():
        print(f"{name}  {size:,} bytes")
    if max(sizes.values()) > BYTES_MAX:
        sys.stderr.write(f"error: a picture has more than {BYTES_MAX:,} bytes\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
