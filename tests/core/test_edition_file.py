"""What is written of editions, for the page, for `status` and for whoever removes releases."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from foresight.cli.status import edition_of
from foresight.dashboard.source import Source
from handoff.launcher.edition_file import (
    EDITIONS_FILE,
    read_editions,
    releases_in_editions,
    write_editions,
)
from handoff.launcher.edition_rules import Known
from handoff.launcher.editions import Editions
from handoff.launcher.engine_config import Companion
from handoff.limits import COMPANION_ENDS_MAX
from handoff.logs import Log

if TYPE_CHECKING:
    from pathlib import Path

PAGE = Companion("dashboard", ("/bin/true",), in_release=("page",))
OTHER = Companion("watcher", ("/bin/true",))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def editions(home: Path) -> Editions:
    found = Editions(home, Log(process="test", app="test"))
    found.begin(PAGE, [])
    return found


def test_what_is_written_comes_back(home: Path) -> None:
    write_editions(home, {"dashboard": Known("r2", "r1", "it hangs")})
    assert read_editions(home) == {"dashboard": Known("r2", "r1", "it hangs")}
    assert releases_in_editions(home) == {"r1", "r2"}
    assert edition_of(home) == {"page_release": "r1", "page_why": "it hangs"}
    assert (home / "run" / EDITIONS_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"companions": 7}', '{"companions": {"a": {}}}'])
def test_a_file_that_makes_no_sense_says_nothing(home: Path, text: str) -> None:
    (home / "run" / EDITIONS_FILE).write_text(text, encoding="utf-8")
    assert read_editions(home) == {}
    assert edition_of(home) == {"page_release": "", "page_why": ""}


def test_the_next_launcher_knows_which_was_ready_and_tries_the_wanted_one_again(home: Path) -> None:
    first = editions(home)
    first.want(PAGE, "r1")
    first.ready(PAGE, "r1")
    first.want(PAGE, "r2")
    first.give_up(PAGE, "r2", "it hangs")
    assert read_editions(home) == {"dashboard": Known("r2", "r1", "it hangs")}
    second = editions(home)
    second.want(PAGE, "r2")
    assert second.of(PAGE) == Known("r2", "r1")


def test_an_adopted_one_knows_better_than_the_file(home: Path) -> None:
    write_editions(home, {"dashboard": Known("r2", "r1")})
    for adopted, ready in (([("r2", True)], "r2"), ([("r2", False)], "r1"), ([("", False)], "")):
        found = Editions(home, Log(process="test", app="test"))
        found.begin(PAGE, adopted)
        assert found.of(PAGE).ready == ready, adopted


def test_of_a_companion_that_no_release_brings_nothing_is_wanted_or_written(home: Path) -> None:
    found = editions(home)
    found.begin(OTHER, [])
    found.want(OTHER, "r1")
    assert found.of(OTHER) == Known()
    assert not (home / "run" / EDITIONS_FILE).exists()


def test_a_release_is_given_up_after_so_many_ends_and_the_installations_own_never(
    home: Path,
) -> None:
    found = editions(home)
    found.want(PAGE, "r1")
    for number in range(1, COMPANION_ENDS_MAX + 1):
        assert found.of(PAGE).why == ""
        found.failed(PAGE, "r1", f"end {number}", is_fault=True)
        found.failed(PAGE, "", "end", is_fault=True)
    assert found.of(PAGE) == Known("r1", "", f"end {COMPANION_ENDS_MAX}")
    assert found.pauses(PAGE)[""] > 0, "it only waits"


def test_whoever_kills_a_page_that_served_says_nothing_of_its_release(home: Path) -> None:
    found = editions(home)
    found.want(PAGE, "r1")
    for _ in range(2 * COMPANION_ENDS_MAX):
        found.failed(PAGE, "r1", "killed", is_fault=False)
    assert found.of(PAGE) == Known("r1")
    found.failed(PAGE, "r1", "usage", is_fault=True, at_once=True)
    assert found.of(PAGE).why == "usage"


def test_another_wanted_release_begins_without_the_failures_of_the_one_before(home: Path) -> None:
    found = editions(home)
    found.want(PAGE, "r1")
    for _ in range(COMPANION_ENDS_MAX):
        found.failed(PAGE, "r1", "end", is_fault=True)
    found.want(PAGE, "r2")
    found.want(PAGE, "r1")
    assert found.of(PAGE) == Known("r1")
    assert found.pauses(PAGE)["r1"] == 0


def test_the_page_says_that_it_is_not_of_the_permanent_release_and_why(home: Path) -> None:
    write_editions(home, {"dashboard": Known("r2", "r1", "it hangs")})

    def told(source: Source) -> list[str]:
        source.refresh()
        texts = [each.text for each in source.snapshot().troubles]
        return [text for text in texts if text.startswith("This page")]

    source, own = Source(home, "r1"), Source(home)
    assert told(source) == ["This page is that of release r1, not of r2: it hangs."]
    assert told(own) == ["This page is that of the installation, not of r2: it hangs."]
    write_editions(home, {"dashboard": Known("r2", "r2")})
    assert told(source) == []


def test_a_full_disk_costs_only_those_who_read(home: Path) -> None:
    found = editions(home)
    (home / "run").chmod(0o500)
    try:
        found.want(PAGE, "r1")
    finally:
        (home / "run").chmod(0o700)
    assert found.of(PAGE) == Known("r1")
    assert os.geteuid() == 0 or read_editions(home) == {}


def test_it_is_plain_json_with_a_format(home: Path) -> None:
    write_editions(home, {"dashboard": Known("r2", "r1")})
    plain = json.loads((home / "run" / EDITIONS_FILE).read_bytes())
    assert plain["format"] == 1
    assert plain["companions"]["dashboard"]["release"] == "r1"
