"""Which variables override which keys, what travels to workers, and what is said of changes."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foresight import overrides
from foresight.config import Board, Config, Engine, Risk, Venue, config_hash, parse, unknown
from foresight.errors import ConfigError
from foresight.strategies.registry import build, parameters_unknown

SECTIONS: Final = {"engine": Engine, "board": Board, "venue": Venue, "risk": Risk}
KEYS: Final = [f"{name}.{key}" for name, kind in SECTIONS.items() for key in kind.__struct_fields__]
STAKE: Final = "FORESIGHT_RISK_STAKE_WINDOW_USDC"


def travelled(**told: str) -> dict[str, str]:
    keys = {key.replace("__", "."): text for key, text in told.items()}
    return overrides.as_variable(keys)


def read(text: str, environment: dict[str, str]) -> Config:
    return parse(text, environment, where="foresight.toml")


@pytest.mark.parametrize("key", [*KEYS, "strategy.5m.minute", "strategy.15m.threshold_sigmas"])
def test_each_key_has_a_variable_and_each_variable_its_key(key: str) -> None:
    assert overrides.key_of(overrides.variable_of(key)) == key


@pytest.mark.parametrize(
    "variable",
    [
        "FORESIGHT_LIVE",
        "FORESIGHT_EXCHANGE_URL",
        "FORESIGHT_OVERRIDES",
        "FORESIGHT_PROJECT",
        "FORESIGHT_SECRETS",
        "FORESIGHT_TRUSTED_GROUP",
        "FORESIGHT_RISK",
        "FORESIGHT_RISK_",
        "RISK_STAKE_WINDOW_USDC",
    ],
)
def test_what_is_no_key_overrides_nothing(variable: str) -> None:
    """An older release that takes one of ours for a key would not start."""
    assert overrides.key_of(variable) == ""
    text = "{}" if variable == overrides.OVERRIDES else "1"
    assert read("", {variable: text}) == Config()


def test_what_travels_is_what_a_releases_file_says_less_whose_money_it_is() -> None:
    """The list is made of the sections, so that a key that is added travels as well."""
    environment = {overrides.variable_of(key): "1" for key in KEYS}
    environment |= {"FORESIGHT_STRATEGY_5M_MINUTE": "4", "FORESIGHT_LIVE": "1", "PATH": "/bin"}
    stay = {key for key in KEYS if key.startswith("engine.")}
    stay |= {"venue.kind", "venue.live", "venue.wallet", "venue.key_file"}
    assert set(overrides.travelling(environment)) == {*KEYS, "strategy.5m.minute"} - stay


def test_what_travelled_says_the_same_as_the_variables_did() -> None:
    """Replay, candidate and owner read one variable; `up` read many."""
    environment = {
        STAKE: "7.5",
        "FORESIGHT_BOARD_ASSETS": "BTC, ETH",
        "FORESIGHT_VENUE_QUOTE": "USDC",
        "FORESIGHT_STRATEGY_5M_MINUTE": "2",
        "FORESIGHT_ENGINE_SPEED": "3",
    }
    text = "[strategy.5m]\nname = 'late_entry'"
    gathered = overrides.gathered(environment)
    assert set(gathered) == {"FORESIGHT_OVERRIDES", "FORESIGHT_ENGINE_SPEED"}
    assert read(text, gathered) == read(text, environment)
    told = {"FORESIGHT_OVERRIDES": gathered["FORESIGHT_OVERRIDES"]}
    assert config_hash(read(text, told)) == config_hash(read(text, environment))


def test_what_stands_for_an_option_is_not_taken_from_outside() -> None:
    """Not even to say that it holds: a shell variable would trade with real money."""
    environment = dict.fromkeys(overrides.INSTEAD, "1")
    assert overrides.gathered(environment) == {}
    said = overrides.unused({**environment, STAKE: "1", "FORESIGHT_RISKS_X": "1", "PATH": "/"})
    assert "FORESIGHT_LIVE is not used: say --live" in said
    assert "FORESIGHT_RISKS_X is not used: it is no key of the configuration" in said
    assert len(said) == len(overrides.INSTEAD) + 1


def test_a_plain_variable_comes_before_what_travelled() -> None:
    """What `up` itself decides, as the assets that were recorded, is a plain one."""
    environment = travelled(board__assets="BTC") | {"FORESIGHT_BOARD_ASSETS": "ETH"}
    assert read("", environment).board.assets == ("ETH",)


def test_a_release_leaves_out_what_it_does_not_know_and_says_which() -> None:
    """It may be older than the start that told it; a key must not keep it from running."""
    environment = travelled(
        risk__stake_window_usdc="1", risk__of_later="2", later__key="3", strategy__1h__name="fade"
    )
    assert read("", environment).risk.stake_window_usdc == 1
    told = overrides.kept(environment)
    assert unknown(told) == ("later.key", "risk.of_later", "strategy.1h.name")


def test_a_value_that_is_impossible_is_refused_all_the_same() -> None:
    with pytest.raises(ConfigError, match="stake_window_usdc"):
        read("", travelled(risk__stake_window_usdc="-1"))


def test_parameters_are_known_by_the_strategy_that_has_them() -> None:
    text = "[strategy.5m]\nname = 'late_entry'\n[strategy.15m]\nname = 'own:Mine'"
    environment = travelled(
        strategy__5m__minute="2",
        strategy__5m__minutes="2",
        strategy__15m__anything="1",
        risk__stake_window_usdc="1",
    )
    config = read(text, environment)
    told = overrides.kept(environment)
    # A strategy that is not at hand is not ours to judge.
    assert parameters_unknown(config, told, {}) == ("strategy.5m.minutes",)
    other = read(text, environment | {"FORESIGHT_STRATEGY_5M_NAME": "stand_aside"})
    assert parameters_unknown(other, told, {}) == ("strategy.5m.minute", "strategy.5m.minutes")
    with pytest.raises(ConfigError, match="no parameter minutes"):
        build(read("[strategy.5m]\nname = 'late_entry'\nminutes = 1", {}))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"risk.late_s": 3}', '{"risk.late_s": "\\udcff"}', "null", "7"]
)
def test_what_is_no_object_of_texts_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="FORESIGHT_OVERRIDES"):
        overrides.kept({"FORESIGHT_OVERRIDES": text})


@given(st.dictionaries(st.sampled_from(KEYS), st.text()))
def test_any_text_travels_unchanged(told: dict[str, str]) -> None:
    carried = overrides.as_variable(told)
    assert overrides.kept(carried) == told
    assert json.loads(carried.get("FORESIGHT_OVERRIDES", "{}")) == told


@pytest.mark.parametrize("section", ["RISK", "VENUE", "ENGINE", "STRATEGY_5M"])
@pytest.mark.parametrize(("key", "text"), [("NAME", "a\udcff"), ("N\udcff", "a")])
def test_bytes_that_are_no_text_are_refused_by_their_variable(
    section: str, key: str, text: str
) -> None:
    """They ended every command in a traceback, or a worker that was started with them."""
    environment = {f"FORESIGHT_{section}_{key}": text, "FORESIGHT_OF_NOBODY": "\udcff"}
    for enters in (overrides.gathered, overrides.travelling, overrides.told_by):
        with pytest.raises(ConfigError, match=f"FORESIGHT_{section}_N.* is not UTF-8"):
            enters(environment)
    assert overrides.told_by({"FORESIGHT_OF_NOBODY": "\udcff", "HOME": "/\udcff"}) == {}


def test_each_change_is_said_and_nothing_else() -> None:
    """Who starts it without a variable that held until then reads that before it trades."""
    before = {"risk.late_s": "1", "risk.kelly_fraction": "0.1", "risk.cooldown_losses": "2"}
    now = {"risk.late_s": "1", "risk.kelly_fraction": "0.2", "venue.quote": "USDC"}
    assert overrides.changes(before, now) == [
        "override risk.cooldown_losses = 2 ends: FORESIGHT_RISK_COOLDOWN_LOSSES is not set",
        "override risk.kelly_fraction: 0.2 instead of 0.1 (FORESIGHT_RISK_KELLY_FRACTION)",
        "override venue.quote: USDC (FORESIGHT_VENUE_QUOTE)",
    ]
    assert overrides.changes(now, now) == []
