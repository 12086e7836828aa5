"""An installation that stands still before a browser's eyes: its page, all of it, its launcher.

Owns who is stopped, and how long it takes until the browser shows it. Everything that is stopped
goes on afterwards; a launcher that was killed is gone for good, and somebody has to start another.
"""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.evidence.errors import CourseLeft
from foresight.evidence.processes import end, send, workers_of
from foresight.evidence.waiting import wait_for
from handoff.processes import Identity, identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.dashboard.eyewitness import Eyewitness

PAGE: Final = "dashboard"
SEEN_MS_MAX: Final = 3000.0  # what is old looks old within it
PATIENCE_S: Final = 15.0
FRESH_S: Final = 30.0  # whoever stood still catches up first


class Running(NamedTuple):
    """The processes of an installation."""

    launcher: Identity
    page: Identity
    others: tuple[Identity, ...]


def running(home: Path) -> Running:
    """Return who runs for a home, once the page is the owner's and no other one is left.

    Raises:
        NeverCame: There is no launcher, or no such page.
    """
    return wait_for("a launcher and the owner's page alone", lambda: _settled(home), FRESH_S)


def _settled(home: Path) -> Running | None:
    told = json.loads((home / "run" / "launcher.json").read_bytes())
    launcher = identity_of(told["pid"])
    living = [(each, identity_of(each["pid"])) for each in told["children"]]
    # While one page makes way for the next there are two, or one that is not written down yet.
    pages = [each for each, lives in living if lives and each["name"].startswith(PAGE)]
    owners = {each["release"] for each, lives in living if lives and each.get("owner")}
    if launcher is None or len(pages) != 1 or {pages[0]["release"]} != owners:
        return None
    page = identity_of(pages[0]["pid"])
    if page is None:
        return None
    others = {lives for _, lives in living if lives not in (None, page)} | set(workers_of(home))
    return Running(launcher, page, tuple(sorted(each for each in others if each is not None)))


def page_stopped(home: Path, witness: Eyewitness) -> float | None:
    """Stop the page's process; return after how many milliseconds the browser showed it."""
    return _stopped([running(home).page], witness)


def all_stopped(home: Path, witness: Eyewitness) -> float | None:
    """Stop every process of the installation; return after how many milliseconds it showed."""
    found = running(home)
    return _stopped([found.launcher, *found.others, found.page], witness)


def launcher_killed(home: Path, witness: Eyewitness) -> float | None:
    """Kill the launcher; return after how many milliseconds the browser showed it."""
    launcher = running(home).launcher
    at_ms = time.time() * 1e3
    end(launcher)
    seen_ms = witness.wait_gone(limit_s=PATIENCE_S)
    return None if seen_ms is None else seen_ms - at_ms


def _stopped(who: Sequence[Identity], witness: Eyewitness) -> float | None:
    at_ms = time.time() * 1e3
    try:
        for each in who:
            send(each, signal.SIGSTOP)
        seen_ms = witness.wait_old(is_old=True, limit_s=PATIENCE_S)
    finally:
        for each in reversed(who):
            send(each, signal.SIGCONT)
    if witness.wait_old(is_old=False, limit_s=FRESH_S) is None:
        what = "the page never looked alive again"
        raise CourseLeft(what)
    return None if seen_ms is None else seen_ms - at_ms
