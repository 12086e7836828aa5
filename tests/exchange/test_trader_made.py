"""What a trader's clients are constructed with: limits, addresses, proxies, and a key or none."""

from typing import Any

import pytest

from foresight import trader
from foresight.config import parse
from foresight.overrides import EXCHANGE_URL, LIVE
from foresight.trader import create_with
from foresight.venues.ccxt_calls import OPEN_TIMEOUT_S
from foresight.venues.local import binance_options, polymarket_options
from handoff.worker.boundary_clock import SystemClock
from handoff.workload import Context
from state.record import Timeline

NS = 1_000_000_000
LIVE_TEXT = (
    '[venue]\nkind = "live"\nlive = true\nwallet = "0x1"\nsignature_type = 2\nkey_file = "k"'
)


class Made:
    """What the clients of a trader are constructed with.

    Attributes:
        bounds: Of both clients' requests: how many at a time, seconds for an answer.
        budgets: What each of them may ask.
        spot: The feed's settings.
        board: The venue's settings.
        has_key: Whether the venue was given a way to a key.
    """

    def __init__(self, patch: pytest.MonkeyPatch, text: str, speed: int, **variables: str) -> None:
        self.bounds: list[tuple[int, float]] = []
        self.budgets: list[object] = []
        self.spot: dict[str, Any] = {}
        self.board: dict[str, Any] = {}
        self.has_key = False
        patch.setattr(trader, "Requests", self._requests)
        patch.setattr(trader, "BinanceCandles", self._feed)
        patch.setattr(trader, "Polymarket", self._venue)
        timeline = Timeline(speed=speed)
        context = Context(app="app", release="r1", tree=".", home=".", timeline=timeline)
        self.trader = create_with(
            parse(text, {}, where="here"), context, variables, clock=SystemClock()
        )

    def _requests(self, at_once: int, *, timeout_s: float, budget: object) -> object:
        assert budget not in self.budgets, "each venue says for itself when to wait"
        self.budgets.append(budget)
        self.bounds.append((at_once, timeout_s))
        return object()

    def _feed(self, options: dict[str, Any], *, quote: str, requests: object) -> object:
        assert quote == "USDT"
        assert requests is not None
        self.spot = options
        return object()

    def _venue(self, options: dict[str, Any], *, requests: object, key: object) -> object:
        assert requests is not None
        self.board, self.has_key = options, key is not None
        return object()


URL = "http://127.0.0.1:1"
HERE = {EXCHANGE_URL: URL + "/"}


@pytest.mark.parametrize(
    ("text", "speed", "timeout_s"),
    [
        ("[engine]\nperiod_s = 10.0", 1, 3.0),
        ("[engine]\nperiod_s = 300.0", 1, 5.0),
        ("[engine]\nperiod_s = 300.0", 60, 1.5),
        ("[engine]\nperiod_s = 300.0\n[venue]\ntimeout_s = 7.5", 60, 7.5),
    ],
)
def test_an_answer_is_waited_for_in_seconds_of_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch, text: str, speed: int, timeout_s: float
) -> None:
    """Two rounds of requests fit into half of a period, however fast the market runs."""
    found = Made(monkeypatch, text, speed, **HERE)
    assert [at_once for at_once, _ in found.bounds] == [8, 8]
    assert [answer_s for _, answer_s in found.bounds] == pytest.approx([timeout_s] * 2)


def test_the_clients_own_limit_comes_after_ours_in_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Theirs would be an error of another kind, and close what other requests use."""
    short = Made(monkeypatch, "", 60, **HERE)
    assert short.spot["timeout"] == short.board["timeout"] == OPEN_TIMEOUT_S * 1000
    long = Made(monkeypatch, "[venue]\ntimeout_s = 30.5", 60, **HERE)
    assert long.spot["timeout"] == long.board["timeout"] == 30_500


def test_a_local_exchange_is_reached_at_once_directly_and_without_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Made(monkeypatch, "", 60, **HERE)
    assert found.spot.items() >= binance_options(URL).items()
    assert found.board.items() >= polymarket_options(URL).items()
    assert not found.spot["enableRateLimit"]
    assert not found.board["enableRateLimit"]
    assert not {"aiohttp_trust_env"} & {*found.spot, *found.board}
    assert not found.has_key


@pytest.mark.parametrize(
    ("text", "is_live"), [('[venue]\nkind = "paper"', False), (LIVE_TEXT, True)]
)
def test_real_markets_are_asked_within_their_limits_and_through_the_networks_proxy(
    monkeypatch: pytest.MonkeyPatch, text: str, *, is_live: bool
) -> None:
    found = Made(monkeypatch, text, 1, **{LIVE: "1"})
    for options in (found.spot, found.board):
        assert options["enableRateLimit"]
        assert options["aiohttp_trust_env"]
        assert "urls" not in options
    assert found.spot["options"] == {
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
    }
    assert found.has_key is is_live
    if is_live:
        assert found.board["walletAddress"] == "0x1"
        assert found.board["options"] == {"signatureType": 2}


def test_cycles_are_as_long_as_configured_and_given_up_as_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "[engine]\nperiod_s = 60.0\ncatch_up_s = 600.0"
    cadence = Made(monkeypatch, text, 1, **HERE).trader.cadence
    assert (cadence.period_ns, cadence.catch_up_ns) == (60 * NS, 600 * NS)
    never = Made(monkeypatch, "[engine]\nperiod_s = 60.0\ncatch_up_s = 0", 1, **HERE)
    assert never.trader.cadence.catch_up_ns is None
