"""What `promote` writes and refuses: which bake is meant, by whom, and what follows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from foresight.cli.main import main as foresight
from handoff.__main__ import main
from handoff.commands import promoting
from handoff.commands.control import write
from handoff.commands.promoting import Meant, NotBaking, OtherBake, lacks_inputs, promote, words_of
from handoff.exit_codes import ExitCode
from state.journal_frames import Health
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot
from tests.homes import open_store
from tests.records import B, decide, note, release, seize, settle, started, take, worker

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import Record


@pytest.fixture(autouse=True)
def _any_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written here need not survive a power cut."""
    monkeypatch.setattr("state.local_store.refuse_unsuitable", lambda *_, **__: None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home where B of r2 has decided and settled one cycle of three."""
    store = started(open_store(tmp_path / "home"))
    store.transact(take, note("take"))
    store.transact(decide, note("decide", health=Health(asked=4, answered=4)))
    store.transact(settle, note("settle"))
    return tmp_path / "home"


def record_of(home: Path) -> Record:
    return read_only_snapshot(home / "state")


def test_the_journal_names_who_asked_and_what_was_promoted(home: Path) -> None:
    promote(home, Meant())
    line = list(read_lines(home / "journal"))[-1]
    assert (line.kind, line.evidence["promoted"], line.evidence["release"]) == (
        "command",
        "deploy-b",
        "r2",
    )
    assert f"uid {os.getuid()}" in str(line.evidence["by"])
    promote(home, Meant(), by="page (uid 7, 127.0.0.1:5)")
    assert list(read_lines(home / "journal"))[-1].evidence["by"] == "page (uid 7, 127.0.0.1:5)"


@pytest.mark.parametrize("meant", [Meant(deploy="d2"), Meant(release="r1"), Meant(epoch=1)])
def test_another_bake_than_the_one_that_is_meant_is_refused(home: Path, meant: Meant) -> None:
    before = record_of(home)
    with pytest.raises(OtherBake, match="nothing was promoted: meant deploy"):
        promote(home, meant)
    assert record_of(home) == before


def test_what_returned_between_the_look_and_the_write_is_not_promoted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = worker("a2", "r1")
    found = record_of(home)
    write(home, lambda record: take(record, back), note("take"))
    monkeypatch.setattr(promoting, "read_only_snapshot", lambda _: found)
    with pytest.raises(NotBaking):
        promote(home, Meant())


def test_a_terminal_is_told_what_follows_or_why_not(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["promote", "--home", str(home)]
    assert main([*typed, "r1"]) == ExitCode.REFUSED
    assert main([*typed, "--epoch", "9"]) == ExitCode.REFUSED
    assert record_of(home).rollout is not None
    assert main(typed) == ExitCode.DONE
    said = capsys.readouterr().err
    assert "the next clean cycle makes r2 permanent; until then the way back stays" in said
    assert main(typed) == ExitCode.DONE, "said twice it is the same"
    for step, kind in ((decide, "decide"), (settle, "settle")):
        write(home, step, note(kind))
    assert record_of(home).ownership.previous is None
    assert main(typed) == ExitCode.REFUSED
    said = capsys.readouterr().err
    assert "error: no release bakes: there is nothing to promote" in said
    assert "Traceback" not in said


def test_foresight_takes_a_release_by_the_beginning_of_its_name_and_an_epoch(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "foresight.toml"
    config.write_text(f'[engine]\napp = "test"\nhome = "{home}"\n', encoding="utf-8")
    typed = ["-c", str(config), "deploy"]
    assert foresight([*typed, "--epoch", "2"]) == ExitCode.USAGE, "it says not what for"
    assert foresight([*typed, "--promote", "r1"]) == ExitCode.REFUSED
    assert foresight([*typed, "--promote", "--epoch", "1"]) == ExitCode.REFUSED
    before = record_of(home).rollout
    assert before is not None
    assert before.of == 3
    assert foresight([*typed, "--promote", "r2", "--epoch", "2"]) == ExitCode.DONE
    bake = record_of(home).rollout
    assert bake is not None
    assert (bake.clean_cycles, bake.of) == (1, 1)
    assert "makes r2 permanent" in capsys.readouterr().err


def test_while_inputs_fail_it_is_said_that_nothing_becomes_permanent(home: Path) -> None:
    assert not lacks_inputs(home, record_of(home))
    write(home, decide, note("decide", unavailable="timed out"))
    record = promote(home, Meant())
    assert lacks_inputs(home, record)
    assert words_of(record, lacks=True).startswith("its inputs fail, so r2 is not made permanent")


def test_between_two_owners_it_is_kept_for_the_one_that_comes(home: Path) -> None:
    write(home, release, note("release"))
    record = promote(home, Meant(release="r2", epoch=2))
    assert record.rollout is not None
    write(home, lambda found: seize(found, worker("b2", B.release)), note("seize"))
    assert record_of(home).rollout == record.rollout
