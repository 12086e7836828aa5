"""What clients of the prediction market read before they order agrees with what it does."""

from typing import Any

import aiohttp
import pytest

from foresight.exchange.market.windows import Side, Window, window_at
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.conditions import Conditions
from tests.exchange.served import Running

NOW_NS = 1_763_827_200 * NS_PER_SECOND


async def asked(running: Running, page: str, body: object = None) -> tuple[int, Any]:
    method = "GET" if body is None else "POST"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{running.url}/clob/{page}", json=body) as answer,
    ):
        return answer.status, await answer.json()


def test_a_condition_is_found_a_day_either_way() -> None:
    """An id is a digest: it is searched among what a client can have been told of."""
    conditions = Conditions(("BTC", "ETH"))
    now = window_at("ETH", "15m", NOW_NS)
    for days in (-0.99, 0, 0.99):
        window = Window("ETH", "15m", now.start_s + round(days * 96) * 900)
        assert conditions.window_of(tokens.condition_id(window), NOW_NS) == window
    far = Window("ETH", "15m", now.start_s + 2 * 86_400)
    assert conditions.window_of(tokens.condition_id(far), NOW_NS) is None
    assert conditions.window_of(tokens.condition_id(now).upper(), NOW_NS) is None
    other = window_at("SOL", "5m", NOW_NS)
    assert conditions.window_of(tokens.condition_id(other), NOW_NS) is None


def test_an_id_that_nobody_has_is_searched_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search is thousands of digests: who asks for nonsense again gets none of them."""
    conditions = Conditions(("BTC",))
    now = window_at("BTC", "5m", NOW_NS)
    later_ns = NOW_NS + 86_400 * NS_PER_SECOND
    last = Window("BTC", "15m", window_at("BTC", "15m", later_ns).start_s)
    assert conditions.window_of("0x" + "0" * 64, NOW_NS) is None
    with monkeypatch.context() as patched:
        patched.setattr("foresight.exchange.polymarket.conditions.condition_id", lambda _: 1 / 0)
        assert conditions.window_of("0x" + "1" * 64, NOW_NS) is None
        assert conditions.window_of(tokens.condition_id(now), NOW_NS) == now
    assert conditions.window_of(tokens.condition_id(last), later_ns) == last


@pytest.mark.asyncio
async def test_a_token_leads_to_its_markets_rules(running: Running) -> None:
    """As a client goes: version, market of the token, rules of the market."""
    window = running.window()
    up, down = (tokens.token_id(window, side) for side in Side)
    assert await asked(running, "version") == (200, {"version": 2})
    _, found = await asked(running, f"markets-by-token/{down}")
    assert (found["primary_token_id"], found["secondary_token_id"]) == (up, down)
    _, rules = await asked(running, f"clob-markets/{found['condition_id']}")
    assert [row["t"] for row in rules["t"]] == [up, down]
    assert (rules["mts"], rules["mos"], rules["nr"]) == (0.01, 5, False)
    assert rules["fd"] == {"r": 0.07, "e": 1, "to": True}
    await running.control("tick", {"slug": window.slug, "tick": "0.001"})
    assert (await asked(running, f"clob-markets/{found['condition_id']}"))[1]["mts"] == 0.001
    for page in ("markets-by-token/17", "clob-markets/0x17", f"markets/0x{'0' * 64}"):
        assert (await asked(running, page))[0] == 404


@pytest.mark.asyncio
async def test_a_market_says_how_it_ended(running: Running) -> None:
    """The winner is nobody's until there is a result."""
    window = running.window()
    page = f"markets/{tokens.condition_id(window)}"
    _, market = await asked(running, page)
    assert (market["accepting_orders"], market["closed"]) == (True, False)
    assert not any(row["winner"] for row in market["tokens"])
    running.clock.forward(6)
    running.venue.advance()
    _, market = await asked(running, page)
    assert (market["accepting_orders"], market["closed"]) == (False, True)
    assert sorted(row["price"] for row in market["tokens"]) == [0, 1]
    assert [row["winner"] for row in market["tokens"]] == [
        row["price"] == 1 for row in market["tokens"]
    ]


@pytest.mark.asyncio
async def test_prices_and_spreads_are_the_books(running: Running) -> None:
    """The price of BUY is the best bid and that of SELL the best ask, as on the real venue."""
    token = tokens.token_id(running.window(), Side.UP)
    _, book = await asked(running, f"book?token_id={token}")
    best = {"BUY": book["bids"][-1]["price"], "SELL": book["asks"][-1]["price"]}
    for side, price in best.items():
        assert (await asked(running, f"price?token_id={token}&side={side}"))[1]["price"] == price
    wanted = [{"token_id": token, "side": side} for side in best]
    assert (await asked(running, "prices", wanted))[1] == {token: best}
    spread = (await asked(running, f"spread?token_id={token}"))[1]["spread"]
    assert float(spread) == pytest.approx(float(best["SELL"]) - float(best["BUY"]))
    assert (await asked(running, "spreads", [{"token_id": token}]))[1] == {token: spread}
    assert (await asked(running, f"price?token_id={token}&side=HOLD"))[0] == 400
    assert (await asked(running, "prices", {}))[0] == 400


@pytest.mark.asyncio
async def test_a_history_ends_now_and_both_sides_make_one(running: Running) -> None:
    """A minute apart, from when the window is listed; nothing of the future is told."""
    window = running.window()
    up, down = [
        (await asked(running, f"prices-history?market={tokens.token_id(window, side)}"))[1]
        for side in Side
    ]
    now_s = running.venue.now().market_ns // NS_PER_SECOND
    times = [row["t"] for row in up["history"]]
    assert times == list(range(window.start_s - 3600, now_s + 1, 60))
    for one, other in zip(up["history"], down["history"], strict=True):
        assert one["p"] + other["p"] == pytest.approx(1, abs=0.001)
    token = tokens.token_id(window, Side.UP)
    some = f"startTs={window.start_s - 600}&endTs={window.start_s - 301}&fidelity=2"
    _, part = await asked(running, f"prices-history?market={token}&{some}")
    assert [row["t"] - window.start_s for row in part["history"]] == [-600, -480, -360]
    for wrong in ("interval=1y", "fidelity=x", "startTs=-1"):
        assert (await asked(running, f"prices-history?market={token}&{wrong}"))[0] == 400
