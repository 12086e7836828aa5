"""What variables override reaches whoever decides, and is said; nothing of it is lost in silence.

`foresight.toml` promises that any key can be overridden by a variable. Somebody who lowers a stake
that way before going to bed must find it lowered in the morning, whatever crashed or was deployed
in between.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from handoff.launcher.engine_config import read_engine_config
from tests.process.cli_project import Project
from tests.process.overriding import (
    OVERRIDES,
    STAKE,
    RunningProject,
    logged,
    variables_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)
PERIOD = {"FORESIGHT_ENGINE_PERIOD_S": "60"}
PASSWORD = "hush-hush"  # noqa: S105 - of a proxy that is not there


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningProject]:
    with RunningProject(tmp_path) as found:
        yield found


def test_an_override_reaches_the_owner_its_successor_a_candidate_and_a_replay(
    running: RunningProject,
) -> None:
    """It was read by `up` alone: the worker decided by the file, and nobody said so."""
    running.up(**{STAKE: "1", "FORESIGHT_LIVE": "1"})
    wanted = {"risk.stake_window_usdc": "1"}
    told = running.told()
    assert json.loads(told[OVERRIDES]) == wanted
    assert "FORESIGHT_LIVE" not in told
    assert STAKE not in told
    (shown,) = running.status()["overrides"]
    assert (shown["key"], shown["value"], shown["instead_of"]) == (
        "risk.stake_window_usdc",
        1,
        25.0,
    )
    assert (
        "override  risk.stake_window_usdc = 1.0 instead of 25.0"
        in running.project.run("status").stdout
    )
    running.kill_owner()
    assert json.loads(running.told()[OVERRIDES]) == wanted
    path = running.project.tree / "foresight.toml"
    path.write_text(path.read_text("utf-8") + "# changed\n", encoding="utf-8")
    running.project.git("commit", "-qam", "Change a comment")
    done = running.project.run("deploy", "--bake", "1", "--wait", "90")
    assert done.returncode == 0, done.stderr + running.last_words()
    assert json.loads(running.told()[OVERRIDES]) == wanted
    verified = running.project.run("state", "verify")
    assert verified.returncode == 0, verified.stderr


def test_an_up_without_a_kept_override_starts_without_it_and_says_so_first(
    running: RunningProject,
) -> None:
    """Kept for crashes, not for ever: whoever starts it anew says what holds from now on."""
    running.up(**{STAKE: "1", "FORESIGHT_RISK_COOLDOWN_LOSSES": "2"})
    running.down()
    said = running.up(**{STAKE: "3"}).stderr.splitlines()
    assert f"override risk.stake_window_usdc: 3 instead of 1 ({STAKE})" in said
    gone = "override risk.cooldown_losses = 2 ends: FORESIGHT_RISK_COOLDOWN_LOSSES is not set"
    assert said.index(gone) < next(i for i, line in enumerate(said) if "running" in line)
    assert json.loads(running.told()[OVERRIDES]) == {"risk.stake_window_usdc": "3"}
    running.down()
    running.up()
    assert OVERRIDES not in running.told()
    assert running.status()["overrides"] == []


def test_what_the_init_system_hands_over_is_passed_on_and_never_kept(
    running: RunningProject,
) -> None:
    """The place of a key is another one at each start; only the project's directory stays."""
    place = str(running.project.place / "credentials")
    handed = {"CREDENTIALS_DIRECTORY": place, "FORESIGHT_VENUE_KEY_FILE": f"{place}/venue-key"}
    running.up(**handed)
    told = running.told()
    assert handed.items() <= told.items()
    assert told["FORESIGHT_PROJECT"] == str(running.project.tree)
    kept = (running.project.home / "run" / "engine.json").read_text("utf-8")
    assert place not in kept
    running.kill_owner()
    assert handed.items() <= running.told().items()
    # For a moment there are two: the release's page takes the place of the first one.
    running.wait(lambda: len(pages(running)) == 1, "one page")
    (page,) = pages(running)
    assert not handed.keys() & variables_of(page).keys()


def pages(running: RunningProject) -> list[int]:
    """Return the pids of what shows the page."""
    children = running.status()["children"]
    return [int(each["pid"]) for each in children if each["name"].startswith("dashboard")]


def test_a_proxy_reaches_workers_without_its_password_being_shown(
    running: RunningProject,
) -> None:
    """This host is reached directly all the same: the local exchange answers no proxy."""
    proxy = f"http://mia:{PASSWORD}@127.0.0.1:9"
    done = running.up(HTTPS_PROXY=proxy, http_proxy=proxy, NO_PROXY="example.invalid")
    told = running.told()
    assert (told["HTTPS_PROXY"], told["http_proxy"]) == (proxy, proxy)
    assert {"example.invalid", "127.0.0.1", "localhost"} <= set(told["NO_PROXY"].split(","))
    assert told["no_proxy"] == told["NO_PROXY"]
    running.wait(lambda: running.status()["health"]["answered"] > 0, "an answer")
    shown = running.project.run("unit", "show", HTTPS_PROXY=proxy)
    assert "HTTPS_PROXY holds a password and stays out of the unit" in shown.stderr
    for text in (done.stdout, done.stderr, shown.stdout, shown.stderr):
        assert PASSWORD not in text
    assert not logged(running.project.home, PASSWORD)
    assert read_engine_config(running.project.home).environment
    kept = (running.project.home / "run" / "engine.json").read_text("utf-8")
    assert PASSWORD not in kept


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FORESIGHT_VENUE_KIND", "paper"),
        ("FORESIGHT_VENUE_LIVE", "true"),
        ("FORESIGHT_VENUE_WALLET", "0x1"),
    ],
)
def test_whose_money_it_is_is_said_in_the_file_alone(
    tmp_path: Path, variable: str, value: str
) -> None:
    """A variable that somebody exported long ago must not choose the venue or the wallet."""
    Project(tmp_path).assert_refused(2, f"{variable} contradicts", "up", "-d", **{variable: value})


def test_what_is_no_key_here_nor_in_the_release_is_refused(tmp_path: Path) -> None:
    with RunningProject(tmp_path) as running:
        running.up()
        running.down()
        for variable, about in (
            ("FORESIGHT_RISK_STAKE_WINDW_USDC", "FORESIGHT_RISK_STAKE_WINDW_USDC"),
            ("FORESIGHT_STRATEGY_5M_MINUTES", "FORESIGHT_STRATEGY_5M_MINUTES"),
        ):
            done = running.project.run("up", "-d", **{variable: "1"})
            assert done.returncode == 2, done.stderr
            assert about in done.stderr
            assert "Traceback" not in done.stderr


def test_what_stands_for_an_option_is_not_taken_from_outside(tmp_path: Path) -> None:
    with RunningProject(tmp_path) as running:
        said = running.up(FORESIGHT_LIVE="1", FORESIGHT_EXCHANGE_URL="http://127.0.0.1:9").stderr
        assert "FORESIGHT_LIVE is not used: say --live" in said
        assert "FORESIGHT_EXCHANGE_URL is not used: say FORESIGHT_VENUE_URL" in said
        assert running.told()["FORESIGHT_EXCHANGE_URL"] != "http://127.0.0.1:9"


def test_a_unit_carries_its_overrides_so_that_a_reboot_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    said = {STAKE: "7", "FORESIGHT_ENGINE_BAKE": "3", "HTTPS_PROXY": "http://proxy.invalid:3128"}
    done = project.run("unit", "show", **said)
    assert done.returncode == 0, done.stderr
    for name, value in said.items():
        assert f'Environment="{name}={value}"' in done.stdout.splitlines()
