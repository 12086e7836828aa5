"""Bad input to the `foresight` command: one clear message, the documented code, nothing changed.

Whoever types the wrong thing at three in the morning must read what is wrong and what to do,
and must find on disk exactly what was there before.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from foresight.exchange.ledger.file import Identity
from handoff.errors import AnotherInCharge
from handoff.launcher.account_lock import take_account
from state.open_struct import encode_open
from state.record import FORMAT, Ownership
from state.seal import seal
from tests.process.cli_project import ORIGIN_NS, ROOT, Project, record_of
from tests.records import worker
from tests.shared_environment import share_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

TABLES = ROOT / "foresight" / "strategies" / "tables"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("command", ["up", "status", "deploy", "cycles", "down"])
def test_a_missing_configuration_is_named(project: Project, command: str) -> None:
    project.assert_refused(2, "no configuration at", "-c", "elsewhere.toml", command)


@pytest.mark.parametrize("words", [["status"], ["deploy"], ["hook", "install"], ["hook", "status"]])
def test_outside_of_any_project_every_command_says_so(project: Project, words: list[str]) -> None:
    """Nothing refuses a deploy there: whoever typed it stands in the wrong directory."""
    done = project.run_in(project.place, *words)
    assert done.returncode == 2, done.stderr
    assert f"error: there is no configuration at {project.place}" in done.stderr
    assert "hint: change to the project's directory" in done.stderr


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["lock"], "foresight lock"),
        (["trades", "--last", "0"], "foresight trades"),
        (["hook", "instal"], "foresight hook"),
        (["depoly"], "foresight"),
        (["--colour"], "foresight"),
    ],
)
def test_a_usage_error_leads_to_the_help_of_the_command_that_was_typed(
    project: Project, words: list[str], where: str
) -> None:
    """All commands in a list are no answer to who forgot what one of them takes."""
    assert f"\nhint: `{where} --help`" in project.run(*words).stderr


def test_an_unknown_key_is_refused_with_the_nearest_known_one(project: Project) -> None:
    path = project.tree / "foresight.toml"
    path.write_text(path.read_text() + "\n[risk]\nstake_windw_usdc = 5\n", encoding="utf-8")
    project.assert_refused(2, "stake_windw_usdc", "up")
    assert "did you mean stake_window_usdc?" in project.run("up").stderr


def test_an_exchange_that_settles_by_one_rule_is_not_started_by_another(project: Project) -> None:
    """What was bought under one rule would be settled by the other."""
    ledger = project.home / "exchange" / "ledger.jsonl"
    ledger.parent.mkdir(parents=True)
    identity = Identity(1, ORIGIN_NS, 60, ("BTC",), "synthetic", rule="average")
    ledger.write_bytes(msgspec.json.encode(identity) + b"\n")
    project.assert_refused(2, "settles by average, not by last", "up", "--rule", "last")


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ('[board]\nassets = ["ETHH"]\n', "a local venue has no market for ETHH"),
        ('[strategy.5m]\nname = "late_entri"\n', "unknown strategy 'late_entri'"),
    ],
)
def test_a_damaged_configuration_is_found_by_up_and_by_doctor(
    project: Project, text: str, about: str
) -> None:
    """Before anything runs, in the same words and with the same exit code."""
    with (project.tree / "foresight.toml").open("a", encoding="utf-8") as file:
        file.write(text)
    project.assert_refused(2, about, "up", "-d")
    found = project.run("doctor", "--json")
    assert found.returncode == 2, found.stderr
    (line,) = [each for each in found.stdout.splitlines() if '"configuration"' in each]
    assert about in json.loads(line)["found"]


def test_a_project_that_was_never_started_says_so(project: Project) -> None:
    done = project.run("status")
    assert done.returncode == 6, done.stderr
    assert done.stdout.startswith("It was never started: there is no record.\n")


def test_a_real_market_refuses_a_table_of_generated_prices(project: Project) -> None:
    """Said before anything starts: a worker that refuses it would be started again and again."""
    shutil.copy(TABLES / "synthetic-5m-last.json", project.tree)
    path = project.tree / "foresight.toml"
    strategy = '[strategy.5m]\nname = "late_entry"\ntables = ["synthetic-5m-last.json"]\n'
    text = path.read_text(encoding="utf-8").replace("speed = 60", "speed = 1")
    path.write_text(f'{text}\n[venue]\nkind = "paper"\n{strategy}', encoding="utf-8")
    about = "synthetic-5m-last.json was fitted on synthetic prices, here they are recorded"
    project.assert_refused(2, about, "up")
    (project.tree / "synthetic-5m-last.json").unlink()
    project.assert_refused(2, "the table synthetic-5m-last.json cannot be read", "up")


def test_what_the_files_here_forbid_does_not_keep_down_what_ran_before(project: Project) -> None:
    """After a crash the release that owns comes up by its own files, whatever stands in these."""
    owned = Ownership(epoch=1, last_owner=worker(release="0123456789ab-cdef01"))
    project.record(replace(record_of(), ownership=owned))
    with (project.tree / "foresight.toml").open("a", encoding="utf-8") as file:
        file.write('[strategy.5m]\nname = "late_entry"\ntables = ["gone.json"]\n')
    done = project.run("up")
    assert "the table gone.json cannot be read" in done.stderr
    # It went on to start that release, which this home does not have.
    assert "release 0123456789ab-cdef01 is not in" in done.stderr, done.stderr
    assert done.returncode == 1


def test_an_unknown_command_is_a_usage_error(project: Project) -> None:
    project.assert_refused(2, "No such command", "depoly")


def test_an_unknown_ref_is_named(project: Project) -> None:
    project.assert_refused(2, "'nowhere' names no commit", "deploy", "nowhere")


def test_a_dirty_tree_is_not_deployed_as_head(project: Project) -> None:
    with (project.tree / "foresight.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    project.assert_refused(3, "uncommitted", "deploy")


@pytest.mark.parametrize("words", [["deploy"], ["down"], ["rollback", "x"]])
def test_without_a_launcher_nothing_is_asked_of_anybody(project: Project, words: list[str]) -> None:
    project.assert_refused(6, "no launcher answers", *words)


def test_status_says_that_nothing_runs_and_shows_the_record_all_the_same(
    project: Project,
) -> None:
    project.record(record_of())
    done = project.run("status", "--json")
    assert done.returncode == 6
    assert json.loads(done.stdout)["cycle"] == 7


def test_a_damaged_record_that_no_journal_proves_is_refused(project: Project) -> None:
    """With its journal it is brought back; see `test_state_repair`."""
    project.record(record_of())
    shutil.rmtree(project.home / "journal")
    path = project.home / "state" / "record.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    project.assert_refused(1, "is damaged", "up")
    project.assert_refused(1, "is damaged", "pause")


def test_a_record_of_another_app_is_refused(project: Project) -> None:
    project.record(record_of(app="other"), app="other")
    project.assert_refused(1, "the record's app is other", "up")


def test_a_record_of_another_timeline_is_refused(project: Project) -> None:
    project.record(record_of(speed=5), speed=5)
    project.assert_refused(1, "the record's timeline speed is 5", "up")


def test_a_record_of_a_newer_format_is_refused(project: Project) -> None:
    project.record(record_of())
    newer = encode_open(record_of()).replace(
        b'{"format":%d,' % FORMAT, b'{"format":%d,' % (FORMAT + 1), 1
    )
    (project.home / "state" / "record.json").write_bytes(seal(newer, field="digest")[0])
    project.assert_refused(1, "format", "up")
    project.assert_refused(1, "format", "status")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_refused(project: Project) -> None:
    closed = project.place / "closed"
    closed.mkdir(mode=0o500)
    project.assert_refused(1, "Permission denied", "up", FORESIGHT_ENGINE_HOME=str(closed / "home"))


def test_a_page_that_is_no_address_is_refused(project: Project) -> None:
    project.assert_refused(2, "page", "up", FORESIGHT_ENGINE_PAGE="nowhere")


def test_real_money_needs_the_word_of_configuration_and_command(project: Project) -> None:
    project.assert_refused(2, "--live was said", "up", "--live")


def test_a_venue_account_has_one_launcher_whatever_the_home(project: Project) -> None:
    project.run("status")  # whatever a first command writes is there already
    accounts = str(project.place / "accounts")
    said = {"FORESIGHT_ENGINE_ACCOUNT": "mine", "FORESIGHT_ENGINE_ACCOUNTS": accounts}
    held = take_account("mine", accounts).locks
    assert len(held) == 2
    try:
        about = "a launcher has this account already"
        project.assert_refused(7, about, "up", "-d", **said)
    finally:
        close(held)
    share_environment(project.home, project.tree)
    assert project.run("up", "-d", **said).returncode == 0
    try:
        with pytest.raises(AnotherInCharge):
            take_account("mine", accounts)
        close(take_account("another", accounts).locks)
    finally:
        assert project.run("down").returncode == 0


def test_a_record_of_another_foresight_says_how_to_go_on_and_how_to_begin_anew(
    project: Project,
) -> None:
    """After an `uninstall` and an upgrade nobody could tell what to type next."""
    commit = project.head()
    owned = Ownership(epoch=1, last_owner=worker(release=f"{commit[:12]}-000000"))
    project.record(replace(record_of(), ownership=owned))
    share_environment(project.home, project.tree)
    refused = project.run("up", "-d")
    assert refused.returncode == 1
    assert f"the same commit gives {commit[:12]}-" in refused.stderr
    ways = ("state export FILE", "uninstall --state", "up")
    assert all(f"`foresight {words}`" in refused.stderr for words in ways), refused.stderr
    kept = str(project.place / "kept")
    assert project.run("state", "export", kept).returncode == 0
    assert project.run("uninstall", "--state", "--yes").returncode == 0
    assert not project.home.exists()


def close(locks: dict[str, int]) -> None:
    for each in locks.values():
        os.close(each)


def test_an_abort_with_nothing_under_way_is_done_at_once(project: Project) -> None:
    done = project.run("deploy", "--abort")
    assert done.returncode == 0
    assert "no deploy is under way" in done.stderr
