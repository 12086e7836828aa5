"""A slot may have a strategy of its own: it alone is asked there, and a wrong name is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from typing_extensions import override

from foresight.board import MICRO, Side, Slot
from foresight.config import Config, config_hash, parse
from foresight.decision import Policy, strategy_for
from foresight.errors import ConfigError
from foresight.own_strategies import load_own
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.registry import build, own_names, parameters_unknown, refuse_misfits
from state.record import Timeline

if TYPE_CHECKING:
    from pathlib import Path

BOARD = '[board]\nassets = ["BTC", "ETH"]\ntimeframes = ["5m", "15m"]\n'
TWO = f"""{BOARD}
[strategy.5m]
name = "late_entry"
minute = 2
[strategy.btc-5m]
name = "fade"
minute = 3
"""


def read(text: str, **environment: str) -> Config:
    return parse(text, environment, where="mine.toml")


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        refuse_misfits(read(BOARD + text), {}, "", "mine.toml")
    return caught.value


def policy(config: Config) -> Policy:
    return Policy(
        app="a",
        config=config_hash(config),
        venue="local",
        timeline=Timeline(),
        slots=(),
        strategies=build(config),
        risk=config.risk,
    )


def test_a_slot_is_asked_by_its_own_strategy_and_the_others_by_their_timeframes() -> None:
    """A rule that suits one asset is tried there, without a word for fifteen others."""
    asked = policy(read(TWO))
    assert strategy_for(asked, Slot("BTC", "5m")).name == "fade"
    assert strategy_for(asked, Slot("ETH", "5m")).name == "late_entry"
    assert strategy_for(asked, Slot("BTC", "15m")).name == "stand_aside"
    assert list(asked.strategies) == ["5m", "15m", "btc-5m"]


def test_a_slots_strategy_takes_nothing_from_its_timeframes() -> None:
    found = build(read(TWO.replace("minute = 3\n", "")))
    assert found["btc-5m"] == build(read("[strategy.5m]\nname = 'fade'"))["5m"]


def test_another_strategy_of_a_slot_is_another_configuration() -> None:
    """What decided a trade is looked up by this hash."""
    assert config_hash(read(TWO)) != config_hash(read(TWO.replace("minute = 3", "minute = 4")))


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (
            '[strategy.btc-5m]\nname = "fadee"\n',
            "mine.toml: [strategy.btc-5m] name: unknown strategy 'fadee'",
            "did you mean fade?",
        ),
        ("[strategy.btc-5m]\nminute = 3\n", "[strategy.btc-5m] name: unknown strategy ''", ""),
        ('[strategy.btc-5m]\nname = "fade"\nminut = 3\n', "fade has no parameter minut", ""),
        ('[strategy.btc-5m]\nname = "fade"\nminute = 7\n', "a window of 5m has 5", ""),
        (
            '[strategy.btx-5m]\nname = "fade"\n',
            ": unknown section [strategy.btx-5m]",
            "btc",
        ),
        ('[strategy.sol-5m]\nname = "fade"\n', "unknown section [strategy.sol-5m]", "slot of the"),
        ('[strategy.btc-1h]\nname = "fade"\n', "unknown section [strategy.btc-1h]", ""),
        ("[strategy.btc-5m]\nname = 5\n", "mine.toml: [strategy.btc-5m] name = 5 is no name", ""),
    ],
)
def test_a_wrong_name_is_refused_with_its_file_and_its_key(text: str, what: str, hint: str) -> None:
    error = refused(text)
    assert what in error.what
    assert hint in error.hint


def test_a_board_made_smaller_by_a_variable_keeps_its_file() -> None:
    """`FORESIGHT_BOARD_ASSETS=ETH foresight up` is a wish, not a mistake in the file."""
    found = read(TWO, FORESIGHT_BOARD_ASSETS="ETH")
    assert found.board.assets == ("ETH",)
    assert "btc-5m" in found.strategy


def test_a_variable_overrides_a_slots_parameter_where_there_is_one() -> None:
    found = read(TWO, **{"FORESIGHT_STRATEGY_BTC-5M_MINUTE": "4"})
    assert found.strategy["btc-5m"] == {"name": "fade", "minute": 4}
    told = ("strategy.btc-5m.minute", "strategy.btc-5m.nothing")
    assert parameters_unknown(found, told, {}) == ("strategy.btc-5m.nothing",)


def test_a_strategy_of_the_project_that_is_not_there_is_named_with_its_key() -> None:
    config = read(BOARD + '[strategy.btc-5m]\nname = "no_such_module_here:Mine"\n')
    with pytest.raises(ConfigError) as caught:
        load_own(own_names(config), "mine.toml")
    assert caught.value.what.startswith("mine.toml: [strategy.btc-5m] name: strategy no_such_mod")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\nimport nothing_of_that_name\n", "'nothing_of_that_name' ({file}, line 2)"),
        ("def broken(:\n", "({file}, line 1)"),
        ("def check():\n    return 1 / 0\n\n\ncheck()\n", "zero ({file}, line 2)"),
    ],
)
def test_a_strategy_that_cannot_be_imported_is_named_with_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    """Else the newest line that is known is one of this engine, which nobody has to mend."""
    module = f"own_{abs(hash(text)):x}"
    (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    config = read(f'{BOARD}[strategy.btc-5m]\nname = "{module}:Mine"\n')
    with pytest.raises(ConfigError) as caught:
        load_own(own_names(config), "mine.toml")
    assert caught.value.what.endswith(says.format(file=f"{module}.py"))


class Cheap(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Buys only what is cheap and deep."""

    name = "cheap"

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        if view.side_asked is not None and not view.depth_micro(MICRO // 2):
            return Silence("nobody sells")
        return self.opinion(Side.UP, 0.9)


def test_a_strategy_of_a_slot_sees_the_sellers_as_any_other() -> None:
    config = read(BOARD + '[strategy.btc-5m]\nname = "own:Cheap"\n')
    found = build(config, {"own:Cheap": Cheap})["btc-5m"]
    view = WindowView(minutes=5, elapsed=3, reference=1.0, price=1.0, sigma=0.001, closes=(1.0,))
    assert isinstance(found.judge(view), Opinion)
    asked = msgspec.structs.replace(view, side_asked=Side.UP)
    assert found.judge(asked) == Silence("nobody sells")
