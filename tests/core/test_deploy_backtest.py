"""`deploy --backtest`: what an option or a key asks of the gate, and what is refused at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from foresight.backtest import gate
from foresight.cli.deploy_trial import standing_trial, trial_asked
from foresight.cli.installation import Installation
from foresight.errors import ConfigError
from foresight.exchange.errors import RecordingError
from tests.recordings import write_recording

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.wish import Trial


def installation(place: Path, *lines: str) -> Installation:
    path = place / "foresight.toml"
    path.write_text("\n".join(("[engine]", "period_s = 30.0", *lines)), encoding="utf-8")
    return Installation(path)


def asked(
    one: Installation,
    *,
    days: int | None = None,
    limit_cents: float | None = None,
    folder: Path | None = None,
) -> Trial | None:
    return trial_asked(one, days=days, limit_cents=limit_cents, folder=folder)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return write_recording(tmp_path / "recorded", minutes=2)


def test_nobody_is_asked_unless_somebody_says_so(tmp_path: Path) -> None:
    one = installation(tmp_path)
    assert asked(one) is None
    assert standing_trial(one) is None


def test_an_option_tells_the_gate_all_that_it_needs(tmp_path: Path, recorded: Path) -> None:
    told = asked(installation(tmp_path), days=2, folder=recorded)
    assert told is not None
    assert told.program == gate.PROGRAM
    assert told.arguments == ("--candles", str(recorded), "--days", "2", "--period", "30.0")
    assert not told.refuses
    assert told.words == f"both releases over the newest 2 days of {recorded}"


def test_a_limit_refuses_also_what_cannot_be_told(tmp_path: Path, recorded: Path) -> None:
    told = asked(installation(tmp_path), days=2, folder=recorded, limit_cents=0.0)
    assert told is not None
    assert told.arguments[-2:] == ("--limit", "0.0")
    assert told.refuses


def test_keys_stand_for_the_options_also_where_a_merge_asks(tmp_path: Path, recorded: Path) -> None:
    keys = "backtest = 3", "backtest_limit_cents = 1.5", 'candles = "recorded"'
    one = installation(tmp_path, *keys)
    told = asked(one)
    assert told == standing_trial(one)
    assert told is not None
    assert told.arguments == gate.arguments_of(recorded, days=3, period_s=30.0, limit_cents=1.5)
    assert asked(one, days=0) is None, "an option says otherwise"
    wider = asked(one, days=1, limit_cents=9.0)
    assert wider is not None
    assert wider.arguments == gate.arguments_of(recorded, days=1, period_s=30.0, limit_cents=9.0)


def test_without_a_recording_it_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recording is named") as refused:
        asked(installation(tmp_path), days=1)
    assert "--candles DIR" in refused.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="no <ASSET>USDT"):
        asked(installation(tmp_path), days=1, folder=tmp_path / "empty")


def test_how_without_whether_is_refused(tmp_path: Path, recorded: Path) -> None:
    """A limit that nobody checks would look like one."""
    one = installation(tmp_path)
    with pytest.raises(click.UsageError, match="say --backtest DAYS as well"):
        asked(one, limit_cents=1.0)
    with pytest.raises(click.UsageError, match="say --backtest DAYS as well"):
        asked(one, folder=recorded)


def test_a_key_without_candles_is_refused_where_merges_are_prepared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recording is named"):
        standing_trial(installation(tmp_path, "backtest = 1"))


def test_a_recording_that_is_gone_keeps_nobody_from_coming_up(tmp_path: Path) -> None:
    """The gate says so when a merge comes."""
    one = installation(tmp_path, "backtest = 1", 'candles = "gone"')
    assert standing_trial(one) is not None
