"""The page as somebody sees it: a real server, a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from foresight.board import NS
from foresight.dashboard.hues import hue_of
from handoff.processes import identity_of
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.homes import FIRST, Home, busy_home
from tests.dashboard.serving import ROOT, Served, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)  # a browser on a busy machine, yielding to everybody

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")

# Every visible text against what lies behind it, by WCAG 2.2's formula (1.4.3, contrast minimum).
CONTRAST = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(parse(getComputedStyle(each).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const bad = [];
  const walker = document.createTreeWalker(document.querySelector(".page"), NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || !element.checkVisibility()) continue;
    texts += 1;
    const below = ground(element);
    const front = over(parse(getComputedStyle(element).color), below);
    const [high, low] = [light(front), light(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) bad.push(`${walker.currentNode.nodeValue}: ${ratio.toFixed(2)}`);
  }
  return { bad, texts };
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A system with cycles of a minute. Nobody lets it go on, so its clock is ahead: on a slow
    machine its next cycle would be overdue before the last of these tests.
    """
    return busy_home(tmp_path_factory.mktemp("busy"), until_ns=time.time_ns() + 600 * NS)


@pytest.fixture(scope="module")
def served(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(home.path, log=tmp_path_factory.mktemp("log") / "page.log") as page:
        yield page


@needs_chromium
def test_a_screen_shows_first_what_matters_first(browser: Chromium, served: Served) -> None:
    browser.call("Page.navigate", url="about:blank")
    browser.expect_that("location.href == 'about:blank'")  # the page before may still complain
    browser.asked.clear()
    browser.complaints.clear()
    browser.screen(1440, 900)
    browser.open(served.link)
    assert browser.value("document.title") == "c07be31 · Foresight"
    assert browser.value("document.querySelectorAll('.slot').length") == 16
    assert browser.value("document.querySelectorAll('.cell').length") == 120
    assert browser.value("document.documentElement.scrollWidth") == 1440
    for name in ("version", "money", "strip", "deploy", "earned"):
        place = f"document.querySelector('.{name}').getBoundingClientRect()"
        assert browser.value(f"{place}.bottom") < 600, f"{name} without scrolling"
    assert browser.complaints == []


@needs_chromium
def test_a_moment_of_another_day_has_its_day(browser: Chromium, served: Served) -> None:
    """A deploy of three days ago, or the last line of a stopped bot, stood there as of today."""
    browser.open(served.link)
    shown = "document.querySelector('.events time[data-clock]')"
    browser.value(f"{shown}.dataset.clock = Date.now() - 3 * 86_400_000")
    browser.expect_that(f"/^\\d{{4}}-\\d\\d-\\d\\d \\d\\d:\\d\\d$/.test({shown}.textContent)")
    browser.value(f"{shown}.dataset.clock = Date.now()")
    browser.expect_that(f"/^\\d\\d:\\d\\d:\\d\\d$/.test({shown}.textContent)")


@needs_chromium
def test_nothing_is_asked_of_another_machine(browser: Chromium, served: Served) -> None:
    """It has to work on a host without a way out, and to tell nobody that it is open."""
    browser.asked.clear()
    browser.open(served.link)
    # Any port: a page that was open before may still be asking for its own parts.
    own = re.compile(r"(http|ws)://127\.0\.0\.1:\d+/|data:|blob:")
    assert browser.asked != []
    assert [address for address in browser.asked if not own.match(address)] == []


@needs_chromium
@pytest.mark.parametrize("width", [320, 390, 820, 1180])
def test_no_screen_is_too_narrow(browser: Chromium, served: Served, width: int) -> None:
    browser.screen(width, 844)
    browser.open(served.link)
    assert browser.value("document.documentElement.scrollWidth") == width


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark"), (1440, "light")])
def test_every_text_can_be_read(browser: Chromium, served: Served, width: int, scheme: str) -> None:
    browser.screen(width, 900, scheme=scheme)
    browser.open(served.link)
    found = browser.value(CONTRAST)
    assert found["texts"] > 150
    assert found["bad"] == []


# How many pixels of a chart are painted.
PAINTED = """
(() => {
  const canvas = document.querySelector(".chart canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let at = 3; at < data.length; at += 4) painted += data[at] > 0;
  return painted;
})()
"""


@needs_chromium
def test_equity_is_drawn_and_its_range_is_kept_in_every_address(
    browser: Chromium, served: Served
) -> None:
    """By the page's own file, under its own policy; what a keyboard opens shows the same range."""
    browser.screen(1440, 900)
    browser.open(served.link)
    browser.asked.clear()
    browser.complaints.clear()
    browser.call("Page.reload")
    browser.expect_that("document.querySelector('.over-time canvas')")
    assert browser.value(PAINTED) > 1000
    told = browser.value("document.querySelector('.told').textContent")
    assert "trades" in told
    assert "Deepest fall \u2212" in told
    marked = browser.value("[...document.querySelectorAll('.marks .mono')].map((n) => n.innerText)")
    assert marked == ["3f2a91c", "a81c4e5"]
    browser.value("document.querySelector('[data-span=\"6h\"]').click()")
    browser.expect_that("location.search === '?span=6h'")
    browser.expect_that("document.querySelector('[data-span=\"6h\"][aria-current]')")
    browser.value("document.querySelector('.slot h3 a').focus()")
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
    browser.call("Input.dispatchKeyEvent", type="keyDown", **enter)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **enter)
    browser.expect_that("location.pathname === '/slots/btc-5m' && location.search === '?span=6h'")
    browser.expect_that("document.querySelector('.over-time canvas')")
    assert browser.value(PAINTED) > 1000
    assert browser.value("document.querySelector('h1').textContent") == "BTC 5m"
    back = "document.querySelector('.back').getAttribute('href')"
    assert browser.value(back) == "../?span=6h"
    browser.value("document.querySelector('.way a[href*=trades]').click()")
    browser.expect_that("location.pathname === '/trades' && location.search === '?span=6h'")
    browser.expect_that("document.querySelector('.over-time canvas')")
    assert browser.complaints == []


@needs_chromium
def test_landmarks_and_names_are_there_for_those_who_listen(
    browser: Chromium, served: Served
) -> None:
    browser.open(served.link)
    for place in ("header", "main", "footer", "[role=timer][aria-label]", "h2"):
        assert browser.value(f"document.querySelector('.page {place}') !== null"), place
    assert browser.value("document.documentElement.lang") == "en-US"
    named = "[...document.querySelectorAll('[data-region]')].every((r) => r.ariaLabel)"
    assert browser.value(named)
    spoken = browser.value("document.querySelector('.runs').ariaLabel")
    assert spoken.startswith("Last 120 cycles: 3f2a91c for")
    assert "1 late" in spoken


LATE = "document.querySelector('.cell.late')"
CELLS = "[...document.querySelectorAll('.cell')]"
TOLD = "document.querySelector('[data-told]').textContent"


@needs_chromium
def test_what_is_known_of_a_cycle_is_read_without_hovering(
    browser: Chromium, home: Home, tmp_path: Path
) -> None:
    """By a tap, by the arrow keys, by ear, and as text: it stood in a tooltip alone."""
    with Served(home.path, log=tmp_path / "log") as page:
        browser.screen(390, 844)
        browser.open(page.link)
        assert "tap it" in browser.value(TOLD)
        words = browser.value(f"{LATE}.dataset.says")
        assert " · late · " in words
        browser.value("document.querySelector('.unlike summary').click()")
        assert words in browser.value("document.querySelector('.unlike').innerText")
        _tap(browser, LATE)
        browser.expect_that(f"{TOLD} === {json.dumps(words)}")
        browser.value("document.querySelector('.runs').focus()")
        _press(browser, "ArrowRight")
        after = browser.value(f"{CELLS}[{CELLS}.indexOf({LATE}) + 1].dataset.says")
        assert browser.value(TOLD) == after
        spoken = "document.querySelector('.runs').getAttribute('aria-valuetext')"
        assert browser.value(spoken) == after
        home.pause(note="another frame")
        browser.expect_that("document.body.innerText.includes('another frame')")
        assert browser.value(TOLD) == after, "it stays chosen"
        _press(browser, "Escape")
        assert "tap it" in browser.value(TOLD)
        home.resume()


def _tap(browser: Chromium, element: str) -> None:
    browser.value(f"{element}.scrollIntoView({{ block: 'center' }})")
    place = browser.value(
        f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
        f"({element}.getBoundingClientRect())"
    )
    point = [{"x": place[0], "y": place[1]}]
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=point)
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def _press(browser: Chromium, key: str) -> None:
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)


@needs_chromium
def test_who_wants_calm_sees_no_movement(browser: Chromium, served: Served) -> None:
    running = (
        "document.getAnimations().filter((a) => a instanceof CSSAnimation"
        " || a.effect.getTiming().easing === 'linear').length"
    )
    browser.screen(1440, 900)
    browser.open(served.link)
    browser.expect_that(f"{running} > 16")
    browser.screen(1440, 900, calm=True)
    browser.open(served.link)
    browser.expect_that("document.getAnimations().length > 16")  # the same, in steps
    assert browser.value(running) == 0
    browser.screen(1440, 900)


@needs_chromium
def test_the_countdown_runs(browser: Chromium, served: Served) -> None:
    browser.open(served.link)
    browser.expect_that("/^(\\d+|1:00)$/.test(document.querySelector('.count').textContent)")
    before = browser.value("document.querySelector('.count').textContent")
    browser.expect_that(f"document.querySelector('.count').textContent !== '{before}'", limit_s=3)


@needs_chromium
def test_a_deploy_shows_at_once_and_without_a_gap(browser: Chromium, tmp_path: Path) -> None:
    home = busy_home(tmp_path / "home", until_ns=time.time_ns(), period_ns=NS)
    with Served(home.path, log=tmp_path / "log") as page:
        browser.screen(1440, 900)
        browser.open(page.link)
        browser.value("window.sameWindow = true")
        _run(home, 5)
        home.take(FIRST)
        browser.expect_that("document.querySelector('.name').textContent === '3f2a91c'")
        browser.expect_that("document.querySelector('.version.changed')", limit_s=3)
        _run(home, 2)
        last = f"document.querySelector('.cell[data-key=c{home.cycle}]')"
        browser.expect_that(last)
        hue = browser.value(f"{last}.closest('.run').style.getPropertyValue('--hue')")
        assert hue == str(hue_of(FIRST))
        cells = browser.value("[...document.querySelectorAll('.cell')].map((c) => c.dataset.key)")
        assert cells == [f"c{home.cycle - n}" for n in reversed(range(120))]
        assert browser.value("document.querySelectorAll('.cell.absent').length") == 0
        assert browser.value("window.sameWindow")
        assert "0 missed" in browser.value("document.querySelector('.strip').textContent")


@needs_chromium
def test_a_new_process_on_the_same_socket_takes_the_windows_over(
    browser: Chromium, tmp_path: Path
) -> None:
    home = busy_home(tmp_path / "home", until_ns=time.time_ns())
    with Served(home.path, log=tmp_path / "log") as page:
        browser.open(page.link)
        browser.value("window.sameWindow = true")
        browser.complaints.clear()
        page.leave()
        page.get("/healthz")
        home.pause(note="maintenance")
        browser.expect_that("document.body?.textContent.includes('maintenance')", limit_s=30)
        assert browser.value("window.sameWindow"), "nothing was loaded anew"
        assert browser.complaints == []


@needs_chromium
def test_what_nobody_confirms_looks_old(browser: Chromium, home: Home, tmp_path: Path) -> None:
    """A countdown ran on for 42 s after its server had stopped: only the browser can tell."""
    old = "document.documentElement.classList.contains('old')"
    with Served(home.path, log=tmp_path / "log") as page:
        browser.screen(1440, 900)
        browser.open(page.link)
        assert browser.value(old) is False
        page.signal(signal.SIGSTOP)
        browser.expect_that(old, limit_s=4)
        said = "document.querySelector('.silence')"
        assert "No word from the page" in browser.value(f"{said}.textContent")
        assert browser.value(f"{said}.checkVisibility()")
        assert browser.value("document.title").startswith("? ")
        shown = browser.value("document.querySelector('.page').innerText")
        assert "Foresight ran" in shown
        assert "Foresight runs" not in shown
        assert "trading" not in shown
        count = "getComputedStyle(document.querySelector('.ring .count')).visibility"
        assert browser.value(count) == "hidden"
        page.signal(signal.SIGCONT)
        browser.expect_that(f"!({old}) && !{said}.checkVisibility()", limit_s=20)
        assert "trading" in browser.value("document.querySelector('.page').innerText")


@needs_chromium
def test_a_launcher_that_is_gone_is_seen_at_once(browser: Chromium, tmp_path: Path) -> None:
    """The page outlives it, and its beat says nothing about it."""
    home = busy_home(tmp_path / "home", until_ns=time.time_ns())
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        identity = identity_of(process.pid)
        assert identity is not None
        home.launcher = identity
        home.write_children()
        with Served(home.path, log=tmp_path / "log") as page:
            browser.open(page.link)
            banner = "document.querySelector('.banner').textContent"
            assert "launcher" not in browser.value(banner)
            process.kill()
            process.wait()
            browser.expect_that(f"{banner}.includes('The launcher is gone')", limit_s=4)


@needs_chromium
def test_what_is_wrong_is_said_on_the_page(browser: Chromium, tmp_path: Path) -> None:
    with Served(tmp_path / "home", log=tmp_path / "log") as page:
        browser.open(page.link)
        first = browser.value("document.querySelector('.banner').textContent")
        assert "There is no record here yet" in first
        home = busy_home(tmp_path / "home", until_ns=time.time_ns())
        browser.expect_that("document.querySelectorAll('.slot').length === 16")
        (home.path / "state" / "record.json").write_bytes(b"{}")
        browser.expect_that(
            "document.querySelector('.banner').textContent.includes('cannot be read')"
        )
        assert "Traceback" not in page.said()


def test_programs_get_the_same_as_json(served: Served) -> None:
    status, body = served.get("/api/state")
    state = json.loads(body)
    assert status == 200
    assert state["version"]["name"] == "c07be31"
    assert len(state["slots"]) == 16
    assert state["figures"]["recent"]["trades"] == 100
    health = json.loads(served.get("/healthz")[1])
    assert health == {"ok": True}


def test_the_owner_comes_first(served: Served) -> None:
    """The page is at niceness 5, or where it was started if that yields even more."""
    assert served.niceness() == max(5, os.getpriority(os.PRIO_PROCESS, 0))


def test_a_foreign_name_for_this_machine_is_refused(served: Served) -> None:
    """Otherwise a page from elsewhere could read this one by pointing its name at us."""
    assert served.get("/api/state", {"Host": "attacker.example"})[0] == 421


def test_a_socket_open_to_others_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - that is the point
        command = [sys.executable, "-m", "foresight.dashboard", "--home", str(tmp_path)]
        done = subprocess.run(
            [*command, "--fd", str(listener.fileno())],
            check=False,
            capture_output=True,
            cwd=ROOT,
            pass_fds=(listener.fileno(),),
            text=True,
            timeout=15,
        )
    assert done.returncode == 3
    assert done.stderr.startswith("error: the page would be served on 0.0.0.0")
    assert "hint: " in done.stderr


def _run(home: Home, cycles: int) -> None:
    for _ in range(cycles):
        wait_until((home.cycle + 1) * home.period_ns / NS)
        home.run(1)
