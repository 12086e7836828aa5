"""A configuration that cannot trade as it says is found before anything is started."""

import pytest

from foresight.config import parse
from foresight.errors import ConfigError
from foresight.overrides import EXCHANGE_ASSETS, REPLAYED
from foresight.sound_config import refuse_unsound
from foresight.strategies.registry import refuse_misfits

PAPER = "[venue]\nkind = 'paper'\n"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("[board]\nassets = ['ETHH']", "a local venue has no market for ETHH", "did you mean ETH?"),
        (f"{PAPER}[board]\nassets = ['LTC']", "a paper venue has no market for LTC", ""),
        (
            "[risk]\nstake_floor_usdc = 60",
            "stake_floor_usdc = 60 is above stake_window_usdc = 25",
            "no stake could pass both",
        ),
        (
            "[venue]\nkind = 'live'\nlive = true\nurl = 'http://127.0.0.1:1'",
            "no address for real money",
            "paper",
        ),
    ],
)
def test_what_the_market_or_the_limits_forbid_is_refused(text: str, what: str, hint: str) -> None:
    """A slot without a market is a ghost: it is shown, and nothing ever happens in it.

    The file itself is read all the same: a bot that runs by another one can be halted.
    """
    config = parse(text, {}, where="t")
    with pytest.raises(ConfigError, match=what) as caught:
        refuse_unsound(config, {})
    assert hint in caught.value.hint


def test_a_release_cannot_bring_an_asset_that_the_running_exchange_does_not_have() -> None:
    """The gate: the exchange was started with the board of that day, and goes on with it."""
    config = parse("[board]\nassets = ['BTC', 'LTC']", {}, where="t")
    refuse_unsound(config, {EXCHANGE_ASSETS: "BTC,LTC"})
    with pytest.raises(ConfigError, match="the exchange that runs has no market for LTC"):
        refuse_unsound(config, {EXCHANGE_ASSETS: "BTC,ETH"})


def test_what_another_exchange_has_is_not_ours_to_say() -> None:
    board = "[board]\nassets = ['PEPE']\n"
    refuse_unsound(parse(board, {}, where="t"), {REPLAYED: "1"})
    elsewhere = f"{board}[venue]\nurl = 'http://127.0.0.1:1'"
    refuse_unsound(parse(elsewhere, {}, where="t"), {})
    with pytest.raises(ConfigError, match="no market for PEPE"):
        refuse_unsound(parse(board, {}, where="t"), {})


@pytest.mark.parametrize(
    ("strategy", "what"),
    [
        ("name = 'late_entri'", "unknown strategy 'late_entri'"),
        ("name = 'late_entry'\nminute = 9", "minute = 9, and a window of 5m has 5 minutes"),
        ("name = 'fade'\nminute_last = 5", "minute_last = 5, and a window of 5m has 5 minutes"),
        ("name = 'fade'\npul = 1.0", "fade has no parameter pul"),
        ("name = 'mine:Own'\nminute = 9", "minute = 9, and a window of 5m has 5 minutes"),
        ("name = 'mine:Own'\nminute_last = 5", "minute_last = 5, and a window of 5m"),
    ],
)
def test_a_strategy_that_no_worker_would_take_is_refused(strategy: str, what: str) -> None:
    config = parse(f"[strategy.5m]\n{strategy}", {}, where="t")
    with pytest.raises(ConfigError, match=what):
        refuse_misfits(config, {}, "")


def test_a_projects_own_strategy_is_left_to_its_release() -> None:
    """Its code is a release's to run: nobody imports the working tree to look at it."""
    config = parse("[strategy.5m]\nname = 'nowhere:Nobody'\nwhatever = 9", {}, where="t")
    refuse_misfits(config, {}, "")
    assert config.strategy["5m"]["name"] == "nowhere:Nobody"
