"""What frames consist of: an open page of another release relies on it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from foresight.dashboard.frames import FORMAT, regions_of
from foresight.dashboard.shell import shell
from foresight.dashboard.snapshot import Neighbour
from foresight.dashboard.source import Source
from foresight.dashboard.view import view_of
from tests.dashboard.homes import busy_home

if TYPE_CHECKING:
    from pathlib import Path

NOW_NS = 1_795_000_330 * 10**9
# By format: the regions and attributes by which scripts of a release find what they move. Another
# attribute is another format, unless the scripts before can do without it.
WORDS = {
    1: """
    acts banner board crew data-about data-act data-boundary data-changed data-clock data-copy
    data-css data-deploy data-epoch data-for data-from data-key data-left data-name data-next
    data-period data-port data-release data-says data-shown data-since data-stamp data-told
    data-unit data-until data-view deploy earned equity events footer guards hosts money neighbours
    numbers strip tempo version
    """,
}


def words(home: Path) -> str:
    """Return the names of all regions and `data-` attributes in frames, in their order."""
    busy_home(home, until_ns=NOW_NS)
    found: set[str] = set()
    source = Source(home)
    source.refresh()
    view = view_of(source.snapshot(), now_ms=NOW_NS // 10**6)
    view = replace(view, neighbours=(Neighbour(name="other-bot", port=8643),))
    for may_act in (False, True):
        regions = regions_of(replace(view, may_act=may_act))
        found |= {*regions, *re.findall(r" (data-[a-z-]+)[=>]", "".join(regions.values()))}
    return " ".join(sorted(found))


def test_frames_of_a_format_consist_of_what_its_number_says(tmp_path: Path) -> None:
    """A page of the release before goes on with them, and would show half of what is there."""
    assert words(tmp_path / "home") == " ".join(WORDS[FORMAT].split())


def test_a_page_says_which_format_its_scripts_know() -> None:
    assert f'data-format="{FORMAT}"'.encode() in shell().html
