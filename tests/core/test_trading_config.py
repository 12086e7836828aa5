"""foresight.toml: what it may say, and how clearly it is told what it may not."""

import os
from pathlib import Path

import pytest

from foresight.config import ASSETS, Config, config_hash, home_of, load, nearest, parse
from foresight.errors import ConfigError
from foresight.strategies import build
from foresight.strategies.late_entry import LateEntry
from foresight.strategies.registry import own_names
from foresight.table_files import strategies_of
from foresight.venues.keys import KeyFile, key_file_of

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
    strategies, _ = strategies_of(config, {}, root, {})
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
        ("name = 'late_entry'\nminute = 30", "minute = 30, and a window of 5m has 5"),
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
    assert [*own_names(read(own.format("5m") + own.format("15m")))] == ["strategy:Momentum"]
    assert own_names(read('[strategy.5m]\nname = "stand_aside"\n')) == {}


def test_hints_name_the_nearest_or_all() -> None:
    assert nearest("spede", ["speed", "app"]) == "did you mean speed?"
    assert nearest("qqq", ["speed", "app"]) == "known: app, speed"


def key_in(path: Path, *, places: tuple[str, ...] = ()) -> KeyFile:
    return KeyFile(path, places)


def test_a_key_is_read_from_a_private_file_only(tmp_path: Path) -> None:
    """A key that others can read is as good as given away; one that they can write is theirs."""
    path = tmp_path / "key"
    path.write_text(KEY.removeprefix("0x") + "\n")
    path.chmod(0o600)
    assert key_in(path).read() == KEY
    for mode, words in ((0o640, "read by others"), (0o604, "read"), (0o620, "changed by others")):
        path.chmod(mode)
        for ask in (key_in(path).check, key_in(path).read):
            with pytest.raises(ConfigError, match=words) as refused:
                ask()
            assert refused.value.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    path.write_text("not a key")
    key_in(path).check()  # what it holds is nobody's but the venue's
    with pytest.raises(ConfigError, match="holds no private key"):
        key_in(path).read()
    for ask in (key_in(tmp_path / "missing").check, key_in(tmp_path / "missing").read):
        with pytest.raises(ConfigError, match="cannot be read"):
            ask()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="no plain file"):
        key_in(path).read()


def test_the_way_to_a_key_is_nobody_elses_either(tmp_path: Path) -> None:
    """Whoever can rename its directory puts another key there, and the money goes elsewhere."""
    path = tmp_path / "shared" / "key"
    path.parent.mkdir()
    path.write_text(KEY)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link"):
        assert key_in(name).read() == KEY
    path.parent.chmod(0o777)
    for name in (path, tmp_path / "link"):
        with pytest.raises(ConfigError, match="by everybody"):
            key_in(name).check()


def test_a_place_for_secrets_keeps_others_out_by_itself(tmp_path: Path) -> None:
    """An init system or a container lets a group read there, and links to what it exchanges."""
    place = tmp_path / "secrets"
    (place / "..2026").mkdir(parents=True)
    (place / "..2026" / "key").write_text(KEY)
    (place / "..2026" / "key").chmod(0o444)
    (place / "key").symlink_to("..2026/key")
    with pytest.raises(ConfigError, match="read by others"):
        key_in(place / "key").read()
    assert key_in(place / "key", places=(str(place),)).read() == KEY
    config = read(f'[engine]\nsecrets = ["{place}"]\n[venue]\nkey_file = "key"')
    assert key_file_of(config, {}, place).read() == KEY
    config = read('[venue]\nkey_file = "key"')
    assert key_file_of(config, {"CREDENTIALS_DIRECTORY": str(place)}, place).read() == KEY
