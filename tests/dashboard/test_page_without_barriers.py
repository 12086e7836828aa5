"""The page for those who do not see it, or hear it, as most do: axe-core finds nothing serious."""

from __future__ import annotations

import hashlib
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from foresight.board import NS
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.homes import SECOND, busy_home
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

AXE: Final = Path(__file__).parent / "axe"
CHECKER: Final = (AXE / "axe.min.js").read_text(encoding="utf-8") + ";true"
GRAVE: Final = """
axe.run(document, { resultTypes: ["violations"] }).then((found) => found.violations
  .filter((each) => ["serious", "critical"].includes(each.impact))
  .map((each) => `${each.id}: ${each.nodes.map((node) => node.html).slice(0, 3).join(" ")}`))
"""

pytestmark = pytest.mark.timeout(240)  # a browser on a busy machine, yielding to everybody


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a busy bot's home in it."""
    made = tmp_path_factory.mktemp("barriers")
    busy_home(made / "home", until_ns=time.time_ns() + 600 * NS)
    return made


@pytest.fixture(scope="module")
def page(path: Path) -> Iterator[Chromium]:
    """A browser that shows a busy bot, with axe-core in it."""
    home = path / "home"
    with Served(home, log=path / "log") as served, Chromium(path / "profile") as browser:
        browser.screen(1440, 900)
        browser.open(served.link)
        browser.value(CHECKER)
        yield browser


def test_the_checker_is_the_one_that_its_readme_names() -> None:
    digest = hashlib.sha256((AXE / "axe.min.js").read_bytes()).hexdigest()
    assert digest in (AXE / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Chromium, width: int, scheme: str) -> None:
    page.screen(width, 900, calm=True, scheme=scheme)
    assert page.promised(GRAVE) == []


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
@pytest.mark.parametrize(
    "view",
    ["slots/btc-5m", f"deploys/deploy-{SECOND[:7]}", "deploys", "trades", "releases", "logs"],
)
def test_axe_finds_nothing_serious_in_what_is_opened(page: Chromium, view: str) -> None:
    """Each view in both themes and both widths, its chart drawn."""
    address = page.value("location.origin")
    page.call("Page.navigate", url="about:blank")
    page.expect_that("location.href === 'about:blank'")
    page.complaints.clear()  # of another test's pages
    page.call("Page.navigate", url=f"{address}/{view}")
    page.expect_that(f"location.pathname === '/{view}' && document.readyState === 'complete'")
    page.expect_that("document.querySelectorAll('[data-chart]:not(:has(canvas))').length === 0")
    page.value(CHECKER)
    for width, scheme in product((390, 1440), ("light", "dark")):
        page.screen(width, 900, calm=True, scheme=scheme)
        page.expect_that(f"document.documentElement.scrollWidth === {width}")  # charts follow
        assert page.promised(GRAVE) == [], (view, width, scheme)
    assert page.complaints == []


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
def test_axe_finds_nothing_serious_where_one_may_act(path: Path, page: Chromium) -> None:
    """With its buttons and choices, and with the question before an act."""
    words = ("--control", str(path / "foresight.toml"))
    before = page.tab
    with Served(path / "home", log=path / "acting", words=words) as served:
        page.go_to(page.add_tab())
        page.screen(390, 900, calm=True, scheme="light")
        page.open(served.link)
        page.value(CHECKER)
        page.expect_that("document.querySelector('[data-act=rollback]')")
        assert page.promised(GRAVE) == []
        page.value("document.querySelector('[data-act=rollback]').click()")
        assert page.value("document.querySelector('dialog.confirm').open")
        assert page.promised(GRAVE) == []
        page.close_tab()
    page.go_to(before)


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
def test_axe_finds_what_is_wrong(page: Chromium) -> None:
    """A checker that finds nothing anywhere would let everything pass."""
    page.value("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x>')")
    assert any(found.startswith("image-alt") for found in page.promised(GRAVE))
    page.value("document.querySelector('main > img').remove()")
