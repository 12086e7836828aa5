"""The launcher starts the release that can bring the record forward, whatever lies in its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from handoff.launcher import newest_line
from handoff.launcher.newest_line import counted_record
from handoff.launcher.restart_policy import choose_release
from state.journal import Retention
from tests.homes import open_store, segment
from tests.records import B, deciding, effect, note, release, run_cycles, settle, started, take

if TYPE_CHECKING:
    from pathlib import Path

    from state.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def lived(home: Path, **changes: object) -> Store:
    store = started(open_store(home, **changes))
    run_cycles(store, 2)
    return store


def plain(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "state" / "record.json").read_bytes())
    return found


def chosen(home: Path, record: dict[str, Any] | None) -> str:
    """Return the release that the launcher starts."""
    counted = counted_record(home, record)
    return choose_release(counted, first="first", failed_starts=0, bad_cycle=False).release


def test_where_the_record_is_the_newest_both_say_the_same(home: Path) -> None:
    lived(home).transact(lambda record: take(record, B), note("take"))
    counted = counted_record(home, plain(home))
    assert counted is not None
    for name in ("ownership", "progress", "rollout"):
        assert counted[name] == plain(home)[name]
    assert chosen(home, plain(home)) == "r2"


@pytest.mark.parametrize("record", [None, {}], ids=["missing", "damaged"])
def test_without_a_record_the_release_of_the_newest_line_is_started(
    home: Path, record: dict[str, Any] | None
) -> None:
    """What is on the disk otherwise, or came first, could not decide its cycle again."""
    store = lived(home)
    store.transact(lambda record: take(record, B), note("take"))
    assert chosen(home, record) == "r2"
    store.transact(settle_all, note("settle"))
    store.transact(release, note("release"))
    assert chosen(home, record) == "r2", "nobody owns, and the last owner's release is named"


def settle_all(record: Any) -> Any:  # noqa: ANN401 - a record
    return settle(deciding()(record))


def test_a_record_that_was_put_back_does_not_choose(home: Path) -> None:
    store = lived(home)
    older = plain(home)
    store.transact(lambda record: take(record, B), note("take"))
    assert chosen(home, older) == "r2"


def test_a_record_that_went_further_than_the_journal_chooses(home: Path) -> None:
    store = lived(home)
    kept = segment(home).read_bytes()
    store.transact(lambda record: take(record, B), note("take"))
    run_cycles(store, 1)
    segment(home).write_bytes(kept)
    assert chosen(home, plain(home)) == "r2"


@pytest.mark.parametrize("inputs", [10, 100_000, 300_000])
def test_of_a_line_with_large_inputs_the_release_is_read(home: Path, inputs: int) -> None:
    store = lived(home)
    store.transact(lambda record: take(record, B), note("take"))
    large = Raw(b'"%s"' % (b"x" * inputs))
    store.transact(deciding(effect()), note("decide", inputs=large))
    assert chosen(home, None) == "r2"
    # Where it is the record's own line, the record says the rest, the way back included.
    counted = counted_record(home, plain(home))
    assert counted is not None
    assert counted["rollout"]["deploy_id"] == "deploy-b"


def test_without_a_journal_the_record_chooses_and_without_both_the_first_release(
    home: Path,
) -> None:
    assert chosen(home, None) == "first"
    (home / "journal").mkdir(parents=True)
    assert chosen(home, None) == "first"
    (home / "journal" / "000000000001.jsonl").write_bytes(b"")
    assert chosen(home, None) == "first"
    (home / "journal" / "000000000001.jsonl").write_bytes(b'{"chain":"0\n')
    assert chosen(home, None) == "first"


@pytest.mark.parametrize("block", [16, 1000, 64 * 1024])
def test_half_a_line_and_an_empty_segment_are_passed_over(
    home: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest_line, "_BLOCK_BYTES", block)
    store = lived(home, retention=Retention(segment_bytes_max=6_000))
    store.transact(lambda record: take(record, B), note("take"))
    newest = max((home / "journal").iterdir())
    with newest.open("ab") as file:
        file.write(b'{"chain":"0123","seq":99,"kind":"decide"')
    (home / "journal" / "000000000099.jsonl").write_bytes(b"")
    assert chosen(home, None) == "r2"
