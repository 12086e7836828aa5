"""foresight.toml: what it may say, and how clearly it is told what it may not."""

import stat
from pathlib import Path

import pytest

from foresight.config import ASSETS, Config, config_hash, home_of, load, nearest, parse
from foresight.errors import ConfigError
from foresight.strategies import build
from foresight.strategies.late_entry import LateEntry
from foresight.strategies.registry import own_names
from foresight.venues.keys import read_key

KEY = "0x" + "ab" * 32


def read(text: str, **environment: str) -> Config:
    return parse(text, environment, where="foresight.toml")


def refusal(text: str, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(text, **environment)
    return caught.value


def test_an_empty_file_means_the_defaults() -> None:
    config = read("")
    assert config.board.assets == ASSETS
    assert config.venue.kind == "local"
    assert config.venue.live is False
    assert config == Config()


def test_the_repositorys_own_file_is_read(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    config = load(str(root / "foresight.toml"), {})
    strategies = build(config)
    assert isinstance(strategies["5m"], LateEntry)
    assert isinstance(strategies["15m"], LateEntry)
    assert load(str(tmp_path / "missing.toml"), {}) == Config()


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path), {})
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"latin\.toml cannot be read"):
        load(str(tmp_path / "latin.toml"), {})


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("[engin]", "unknown section [engin]", "did you mean engine?"),
        ("[risk]\nstake_widow_usdc = 1", "stake_widow_usdc in [risk]", "stake_window_usdc"),
        ("[venue]\nzzzz = 1", "unknown key zzzz", "known: "),
        ("[strategy.1h]\nname = 'fade'", "unknown section [strategy.1h]", "15m"),
        ("[board]\nassets = ['BTC', 'BTC']", "assets names something twice", ""),
        ("[board]\ntimeframes = ['5m', '5m']", "timeframes names something twice", ""),
        ("[venue]\nkind = 'live'", "kind and live disagree", "live = true"),
        ("[venue]\nkind = 'paper'\n[engine]\nspeed = 60", "60 times faster", "local"),
        ("[engine]\nspeed = 'fast'", "Expected `int`", "every key"),
        ("[engine]\nperiod_s = 0", "$.engine.period_s", "every key"),
        ("risk = 3", "$.risk", "every key"),
        ("= 1", "is not TOML", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, what: str, hint: str) -> None:
    error = refusal(text)
    assert what in error.what
    assert hint in error.hint


def test_a_variable_overrides_a_key() -> None:
    config = read(
        "[engine]\nspeed = 2\n[strategy.5m]\nname = 'late_entry'",
        FORESIGHT_ENGINE_SPEED="60",
        FORESIGHT_BOARD_ASSETS="BTC, ETH",
        FORESIGHT_BOARD_TIMEFRAMES='["5m"]',
        FORESIGHT_VENUE_QUOTE="USDC",
        FORESIGHT_RISK_STAKE_WINDOW_USDC="7.5",
        FORESIGHT_STRATEGY_5M_MINUTE="2",
        FORESIGHT_EXCHANGE_URL="http://127.0.0.1:1",
        FORESIGHT="no key",
        PATH="/bin",
    )
    assert config.engine.speed == 60
    assert config.board.assets == ("BTC", "ETH")
    assert config.board.timeframes == ("5m",)
    assert config.venue.quote == "USDC"
    assert config.risk.stake_window_usdc == 7.5
    assert config.strategy["5m"] == {"name": "late_entry", "minute": 2}


def test_a_misspelt_variable_is_refused_like_a_key() -> None:
    error = refusal("", FORESIGHT_ENGINE_SPEEED="60")
    assert "FORESIGHT_ENGINE_SPEEED" in error.what
    assert error.hint == "did you mean speed?"


def test_the_hash_covers_the_release_and_not_the_installation() -> None:
    base = config_hash(read(""))
    assert config_hash(read("[engine]\nspeed = 60")) == base
    assert config_hash(read("[risk]\nkelly_fraction = 0.1")) != base
    assert config_hash(read("", FORESIGHT_RISK_KELLY_FRACTION="0.1")) != base
    assert len(base) == 12


def test_home_is_found_outside_the_tree() -> None:
    assert home_of(read("[engine]\nhome = '/x'"), {}) == "/x"
    assert home_of(read(""), {"XDG_STATE_HOME": "/s"}) == "/s/foresight/foresight"
    assert home_of(read(""), {"HOME": "/h"}) == "/h/.local/state/foresight/foresight"
    with pytest.raises(ConfigError, match="no home directory"):
        home_of(read(""), {})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name = 'late_entri'", "unknown strategy 'late_entri'"),
        ("minute = 3", "unknown strategy ''"),
        ("name = 'late_entry'\nminutes = 3", "late_entry has no parameter minutes"),
        ("name = 'late_entry'\nminute = 30", "$.minute"),
        ("name = 'late_entry'\nminute = 4\nminute_last = 3", "is before minute 4"),
        ("name = 'fade'\nminute = 4\nminute_last = 3", "is before minute 4"),
        ("name = 'late_entry'\ncalibration = [[1.0, 0.5], [1.0, 0.6]]", "must rise"),
    ],
)
def test_a_strategy_says_what_it_does_not_understand(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(read(f"[strategy.5m]\n{text}"))
    assert what in caught.value.what


def test_a_timeframe_without_a_section_stands_aside() -> None:
    assert build(read(""))["5m"].name == "stand_aside"


def test_strategies_of_the_project_are_named_once_each() -> None:
    own = '[strategy.{0}]\nname = "strategy:Momentum"\n'
    assert own_names(read(own.format("5m") + own.format("15m"))) == ["strategy:Momentum"]
    assert own_names(read('[strategy.5m]\nname = "stand_aside"\n')) == []


def test_hints_name_the_nearest_or_all() -> None:
    assert nearest("spede", ["speed", "app"]) == "did you mean speed?"
    assert nearest("qqq", ["speed", "app"]) == "known: app, speed"


def test_a_key_is_read_from_a_private_file_only(tmp_path: Path) -> None:
    """A key that others can read is as good as given away."""
    path = tmp_path / "key"
    path.write_text(KEY.removeprefix("0x") + "\n")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert read_key(str(path)) == KEY
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        read_key(str(path))
    path.chmod(0o600)
    path.write_text("not a key")
    with pytest.raises(ConfigError, match="holds no private key"):
        read_key(str(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(str(tmp_path / "missing"))
