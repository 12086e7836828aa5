"""`python -m tests.dashboard.pictures`: make the pictures of the page that the docs show, anew."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

from tests.dashboard.chromium import Chromium
from tests.dashboard.homes import busy_home
from tests.dashboard.serving import ROOT, Served

PICTURES: Final = (
    ("dashboard.png", 1440, 1024, "dark"),
    ("dashboard-light.png", 1440, 1024, "light"),
    ("dashboard-phone.png", 390, 844, "light"),
    ("dashboard-phone-dark.png", 390, 844, "dark"),
)


PHONE: Final = 600  # and below; there what is seen first is shown, elsewhere the whole page


def main() -> None:
    """Make them in `docs`."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        home = busy_home(path / "home", until_ns=time.time_ns())
        with Served(home.path, log=path / "log") as page, Chromium(path / "profile") as browser:
            for name, width, height, scheme in PICTURES:
                browser.screen(width, height, calm=True, scheme=scheme)
                browser.open(page.link)
                browser.picture(ROOT / "docs" / name, whole=width > PHONE)


if __name__ == "__main__":
    main()
