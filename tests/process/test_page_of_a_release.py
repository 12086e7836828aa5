"""The page runs from the permanent release, and changes with it; nobody who looks notices."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from foresight.dashboard.source import Source
from handoff.launcher.edition_file import releases_in_editions
from handoff.launcher.edition_rules import Known
from handoff.processes import HAS_PIDFD
from tests.process.paged import ENDS, HANGS, OLDER, SLOW, Asking, Paged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
]


@pytest.fixture
def paged(tmp_path: Path) -> Iterator[Paged]:
    with Paged(tmp_path) as found:
        yield found


def test_nobody_who_asks_is_refused_while_pages_change(paged: Paged) -> None:
    """Both accept on the one socket; the old one answers whom it accepted before it goes."""
    paged.begin()
    pids = {paged.page_pid()}
    with Asking(paged) as asking:
        for version in ("v1", "v2", "v3"):
            pids.add(paged.wait_page_of(paged.put_page(version)))
    assert len(pids) == 4, "each of the releases served"
    assert asking.failures == []
    assert asking.answers > 50


def test_the_page_of_the_permanent_release_comes_back_whoever_is_killed(paged: Paged) -> None:
    """Page or launcher: the same port, and from the next deploy on the next release's page."""
    first = paged.begin()
    before = paged.page_pid()
    paged.end_process(before)
    paged.wait(lambda: paged.page_pid() not in (0, before), "another page")
    adopted = paged.wait_page_of(first)
    paged.kill_launcher()
    paged.ask_page()
    paged.launch()
    assert paged.wait_page_of(first) == adopted
    paged.put_page("v1", SLOW)
    paged.wait(lambda: len(paged.pages()) == 2, "the next page")
    paged.kill_launcher()
    paged.launch()
    release = paged.snapshot(paged.directory / "trees" / "v1", "faulty_worker:create").release
    assert paged.wait_page_of(release) != adopted
    paged.ask_page()
    assert paged.said("port_bound", "port_taken", "port_moved") == [], "never let go"


def test_kills_of_either_page_while_they_change_cost_a_restart(paged: Paged) -> None:
    paged.begin()
    release = paged.put_page("v1", SLOW)
    paged.wait(lambda: len(paged.pages()) == 2, "the next page")
    for page in paged.pages():
        paged.end_process(int(page["pid"]))
    paged.ask_page()
    paged.wait_page_of(release)
    assert paged.said("companion_refused") == []


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (HANGS, "it did not say that it is ready within 6 s"),
        (ENDS, "exited with status 1: no such library"),
        (OLDER, "exited with status 2: page: error: unrecognized arguments: --release"),
    ],
    ids=["hangs", "ends", "is-older"],
)
def test_a_page_that_never_is_ready_leaves_the_one_before_it(
    paged: Paged, page: str, why: str
) -> None:
    """The deploy is none of its business: the release is permanent all the same."""
    first = paged.begin(patience_s=6.0)
    before = paged.page_pid()
    bad = paged.put_page("v1", page)
    paged.wait(lambda: bool(paged.known().why), "that it is given up")
    known = paged.known()
    assert (known.wanted, known.ready) == (bad, first)
    assert known.why.startswith(why)
    assert [each["release"] for each in paged.said("companion_refused")] == [bad]
    assert releases_in_editions(paged.home) == {first, bad}, "none of them is removed"
    paged.wait(lambda: len(paged.pages()) == 1, "the end of the one that is given up")
    assert paged.page_pid() == before
    source = Source(paged.home, first)
    source.refresh()
    assert any(known.why in each.text for each in source.snapshot().troubles)
    paged.wait_page_of(paged.put_page("v2"))
    assert paged.known().why == ""


def test_a_page_whose_interpreter_went_is_replaced_by_the_installations_own(paged: Paged) -> None:
    """What cannot be started any more is given up, too: somebody serves."""
    first = paged.begin()
    manifest = paged.home / "releases" / first / "release.json"
    text = manifest.read_text("utf-8")
    python = text.partition('"python": "')[2].partition('"')[0]
    manifest.write_text(text.replace(python, "/nowhere/python"), encoding="utf-8")
    paged.end_process(paged.page_pid())
    paged.wait(lambda: paged.known() != Known(first, first), "that it is given up")
    assert paged.known() == Known(first, "", "its interpreter /nowhere/python is gone")
    paged.wait(lambda: [each["release"] for each in paged.pages()] == [""], "the installation's")
    paged.ask_page()


def test_the_launcher_becomes_another_one_and_keeps_both_pages(paged: Paged) -> None:
    paged.begin()
    release = paged.put_page("v1", SLOW)
    paged.wait(lambda: len(paged.pages()) == 2, "the next page")
    assert paged.launcher is not None
    paged.launcher.send_signal(signal.SIGUSR2)
    paged.wait(lambda: bool(paged.said("launcher_replaced")), "the new image")
    paged.wait_page_of(release)
    assert paged.said("port_bound", "port_taken", "port_moved") == []
