"""What a line of the history says, and what a reader makes of a torn one."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.history import (
    HISTORY,
    OUTPUT_CHARS_MAX,
    Entry,
    History,
    Outcome,
    ended,
    entry_line,
    finish,
    history_of,
    never_owned,
    owned_in,
    phase_seconds,
    read_history,
    requested,
)
from handoff.gate_verdict import passed

ASKED = requested("d1", now_ns=1_500_000_000_123_456_789, by="mia", ref="HEAD", from_release="old")
ENDED = msgspec.structs.replace(
    ASKED,
    release="new",
    outcome=str(Outcome.PERMANENT),
    cycle=7,
    gates=(passed("boot", "said hello", seconds=0.5),),
    phases={"building": 0.25},
)


def test_a_release_that_only_ever_was_refused_never_owned() -> None:
    """A rollback to it was offered, and took it past the gates that had refused it."""
    refused = msgspec.structs.replace(
        ASKED, release="bad", outcome=str(Outcome.REFUSED), from_release="new"
    )
    entries = [ENDED, refused]
    assert never_owned(entries, "bad")
    assert not never_owned(entries, "new")
    assert not never_owned(entries, "old"), "it owned when another one was asked for"
    assert not never_owned(entries, "unheard of"), "of that nothing is known"
    returned = msgspec.structs.replace(refused, outcome=str(Outcome.RETURNED), cycle=9)
    assert not never_owned([*entries, returned], "bad")
    assert not never_owned([*entries, msgspec.structs.replace(refused, release="new")], "new")


def test_a_line_carries_the_documented_members() -> None:
    value = json.loads(entry_line(ENDED))
    assert value["from"] == "old"
    assert value["requested_at"] == "2017-07-14T02:40:00.123456Z"
    assert value["requested_ms"] == 1_500_000_000_123
    assert value["gates"][0]["name"] == "boot"
    assert value["boundary"] == ""
    assert {"by", "commit", "subject", "reason", "output", "boundary_ms"} <= set(value)


def test_a_deploy_under_way_is_no_history() -> None:
    with pytest.raises(AssertionError):
        entry_line(ASKED)


def test_what_a_dead_release_said_is_cut_to_its_end() -> None:
    """The traceback is at the end; a release that logs in a loop must not fill the disk."""
    said = "x" * OUTPUT_CHARS_MAX + "the reason"
    (entry,) = history_of(entry_line(msgspec.structs.replace(ENDED, output=said))).entries
    assert entry.output.endswith("the reason")
    assert len(entry.output) == OUTPUT_CHARS_MAX


@given(st.integers(min_value=0))
def test_a_torn_last_line_costs_that_line_only(cut: int) -> None:
    whole = entry_line(ENDED)
    torn = history_of(whole + whole[: cut % len(whole)])
    assert torn.entries[0] == ENDED
    assert len(torn.entries) + torn.unreadable <= 2


@given(st.lists(st.binary(max_size=40)))
def test_no_line_whatsoever_stops_the_reader(lines: list[bytes]) -> None:
    history = history_of(b"\n".join([*lines, entry_line(ENDED)]))
    assert history.entries[-1] == ENDED


def test_members_and_words_of_a_newer_program_are_no_trouble() -> None:
    value = json.loads(entry_line(ENDED))
    value |= {"outcome": "of tomorrow", "mood": "good"}
    value["gates"][0] |= {"result": "of tomorrow", "colour": "red"}
    history = history_of(json.dumps(value).encode())
    assert history.unreadable == 0
    assert history.entries[0].outcome == "of tomorrow"


def test_a_line_that_is_no_deploy_is_counted() -> None:
    assert history_of(b'{"deploy": 3}\n[]\n\n').unreadable == 2


def test_only_deploys_that_took_say_how_long_a_deploy_takes() -> None:
    """A refused one stopped half-way; its seconds would promise too much."""
    refused = Entry(
        deploy="d2", requested_at="", requested_ms=0, by="mia", phases={"building": 9.0}
    )
    assert phase_seconds([ENDED, refused]) == [{"building": 0.25}]


def test_releases_that_never_owned_are_none_that_did() -> None:
    """One that seized from a dead owner has no cycle in its line, and owned all the same."""
    lines = [
        Entry(deploy="d", requested_at="", requested_ms=0, by="", release=outcome, outcome=outcome)
        for outcome in map(str, Outcome)
    ]
    assert owned_in([ENDED, *lines]) == ["old", "new", "permanent", "returned"]
    left_late = msgspec.structs.replace(ENDED, release="late", outcome=str(Outcome.ABORTED))
    assert owned_in([left_late]) == ["old", "late"]


def test_what_owned_before_the_first_deploy_is_known_by_it() -> None:
    """It is in no line of its own; a deploy of it that was refused says that it owned, too."""
    first = msgspec.structs.replace(ENDED, from_release="first", release="second")
    refused = msgspec.structs.replace(
        first, from_release="second", release="third", cycle=None, outcome=str(Outcome.REFUSED)
    )
    back = msgspec.structs.replace(ENDED, from_release="second", release="first")
    assert owned_in([first, refused, back]) == ["first", "second"]


def test_how_a_deploy_ended_is_found_again(tmp_path: Path) -> None:
    """A deployer that was killed after its last line must not deploy once more."""
    assert ended(tmp_path, "d1") is None
    assert read_history(tmp_path) == History((), 0)
    for deploy, reason in (("d1", "first"), ("d2", "other")):
        entry = msgspec.structs.replace(
            requested(deploy, now_ns=0, by="mia", ref="main", from_release=""),
            outcome=Outcome.RETURNED.value,
            reason=reason,
        )
        finish(tmp_path, entry)
    found = ended(tmp_path, "d1")
    assert found is not None
    assert (found.outcome, found.reason) == ("returned", "first")


@pytest.mark.parametrize("torn", [b"", b"x", b'{"deploy": "d0', b'{"deploy": "d0"}'])
def test_a_line_is_never_the_end_of_one_that_a_power_cut_tore(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / HISTORY
    path.write_bytes(torn)
    for deploy in ("d1", "d2"):
        finish(tmp_path, msgspec.structs.replace(ENDED, deploy=deploy))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2 + bool(torn)
    assert [json.loads(line)["deploy"] for line in lines[-2:]] == ["d1", "d2"]
    assert [entry.deploy for entry in read_history(tmp_path).entries[-2:]] == ["d1", "d2"]


def test_what_is_said_of_a_name_that_is_no_text_keeps_all_the_rest() -> None:
    words, plain = "no such file: \udcff", "no such file: \\udcff"
    said = msgspec.structs.replace(ENDED, reason=words, gates=(passed("boot", words),))
    found = history_of(entry_line(said)).entries[0]
    assert found == msgspec.structs.replace(ENDED, reason=plain, gates=(passed("boot", plain),))
