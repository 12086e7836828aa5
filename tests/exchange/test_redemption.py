"""Shares of an ended window stay where they are until they are redeemed, as on the real venue."""

import json
from pathlib import Path
from typing import Any

import pytest

from foresight.cli.local_exchange import exchange_words
from foresight.exchange.__main__ import parser_of_options, settings_of
from foresight.exchange.counters.settlement import Ruling
from foresight.exchange.errors import TimelineMismatchError
from foresight.exchange.market.windows import Side
from foresight.exchange.market_clock import NS_PER_SECOND
from state.record import Timeline
from tests.exchange.served import Opener, Running, pinned, undecided
from tests.exchange.test_desk import OWNER, WINDOW, Counter, at
from tests.exchange.test_settlement import to_end
from tests.exchange.traded import demo_config

pytestmark = pytest.mark.timeout(60)  # several clients or exchanges one after another

REDEEM_S = 300


async def bought(running: Running, number: int = 1, side: Side = Side.UP) -> float:
    """Buy in the running window; returns the shares."""
    outcome = await running.outcome(side)
    placed = await running.board.create_order(outcome, "limit", "buy", 10, 0.99, pinned(number))
    return float(placed["info"]["takingAmount"])


async def listed(running: Running) -> Any:  # noqa: ANN401 - JSON
    user = {"user": running.board.walletAddress, "sizeThreshold": "0.01"}
    return await running.board.dataPublicGetPositions(user)


async def cash(running: Running) -> float:
    return float((await running.board.fetch_balance())["USDC"]["total"])


def same(running: Running) -> dict[str, Any]:
    """Return the settings that open the exchange of a running one again."""
    identity = running.venue.identity
    return {"seed": identity.seed, "origin_ns": identity.origin_ns, "speed": identity.speed}


def lines_of(opener: Opener) -> list[dict[str, Any]]:
    text = (opener.folder / "ledger.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.asyncio
async def test_ended_shares_are_listed_and_unpaid_until_they_are_redeemed(opener: Opener) -> None:
    """Who counts cash only after the result misses what is won and not redeemed yet."""
    async with undecided(opener, redeem_s=None) as running:
        assert running.venue.identity.redeem_s == REDEEM_S
        window = running.window()
        up, down = await bought(running), await bought(running, 2, Side.DOWN)
        before = await cash(running)
        assert {row["redeemable"] for row in await listed(running)} == {False}
        to_end(running, window)
        event = await running.board.fetch_event(window.slug)
        won = event["markets"][0]["outcomes"][0]["winner"]
        to_end(running, window, late_s=REDEEM_S - 1)
        rows = await listed(running)
        assert {row["outcome"]: row["size"] for row in rows} == {"Up": up, "Down": down}
        assert {row["redeemable"] for row in rows} == {True}
        assert {row["outcome"]: row["curPrice"] for row in rows} == {"Up": won, "Down": not won}
        assert await cash(running) == before
        to_end(running, window, late_s=REDEEM_S)
        assert await listed(running) == []
        assert await cash(running) - before == pytest.approx(up if won else down)
        user = {"user": running.board.walletAddress}
        closed = await running.board.dataPublicGetClosedPositions(user)
        assert {row["redeemable"] for row in closed} == {False}
        assert len(closed) == 2
        accounts = running.venue.ledger.accounts
        again = same(running)
    lines = lines_of(opener)
    assert [line["payouts"] for line in lines if line["type"] == "settlement"] == [[]]
    (redeemed,) = [line for line in lines if line["type"] == "redemption"]
    assert (redeemed["slug"], len(redeemed["payouts"])) == (window.slug, 2)
    async with opener(redeem_s=None, **again) as running:
        assert running.venue.ledger.accounts == accounts


@pytest.mark.asyncio
async def test_only_a_control_call_keeps_shares_from_being_redeemed(opener: Opener) -> None:
    """They pile up then; the switch is remembered, or a restart would clear the pile away."""
    async with undecided(opener, redeem_s=None) as running:
        assert await running.control("redemption") == {"automatic": True}
        for _ in range(2):  # said twice, done once
            answer = await running.control("redemption", {"automatic": False})
            assert answer == {"automatic": False}
        windows = []
        for number in (1, 2):
            windows.append(running.window())
            await bought(running, number)
            to_end(running, windows[-1])
        again = same(running)
    async with opener(redeem_s=None, **again) as running:
        assert await running.control("redemption") == {"automatic": False}
        to_end(running, windows[-1], late_s=86_400)
        rows = await listed(running)
        assert [row["redeemable"] for row in rows] == [True, True]
        before = await cash(running)
        won = sum(row["size"] * row["curPrice"] for row in rows)
        assert await running.control("redemption", {"automatic": True}) == {"automatic": True}
        assert await cash(running) - before == pytest.approx(won)
        assert await listed(running) == []
        wrong: tuple[object, ...] = ({}, {"automatic": 1}, {"automatic": "no"}, [])
        for nonsense in wrong:
            assert "error" in await running.control("redemption", nonsense)
        assert await running.control("redemption") == {"automatic": True}
    lines = lines_of(opener)
    switched = [line for line in lines if line["type"] == "redemption_switch"]
    assert [line["is_automatic"] for line in switched] == [False, True]


@pytest.mark.asyncio
async def test_an_older_ledger_goes_on_paying_with_the_result(opener: Opener) -> None:
    """What a home was paid at once it is paid at once by a newer exchange, in the same words."""
    async with undecided(opener, redeem_s=0) as running:
        window = running.window()
        shares = await bought(running)
        again = same(running)
    path = opener.folder / "ledger.jsonl"
    first, _, rest = path.read_bytes().partition(b"\n")
    fields = {name: value for name, value in json.loads(first).items() if name != "redeem_s"}
    path.write_bytes(json.dumps(fields | {"format": 3}).encode() + b"\n" + rest)
    async with opener(redeem_s=None, **again) as running:
        assert (await running.control("health"))["redeem_s"] == 0
        to_end(running, window)
        assert await listed(running) == []
        (closed,) = next(iter(running.venue.ledger.accounts.values())).closed
        assert closed.bought_micro == round(shares * 1e6)
    kinds = [line["type"] for line in lines_of(opener)]
    assert (kinds.count("settlement"), kinds.count("redemption")) == (1, 0)
    with pytest.raises(TimelineMismatchError, match="redeem_s"):
        async with opener(redeem_s=REDEEM_S, **again):
            pass


def test_shares_wait_from_a_late_result_on() -> None:
    """A result that is hours late would otherwise be paid the moment it is known."""
    counter = Counter(redeem_ns=60 * NS_PER_SECOND)
    counter.rulings[WINDOW.slug] = Ruling(is_void=False, delay_ns=600 * NS_PER_SECOND)
    counter.order(1, at(1))
    seen = {}
    for late in (909, 911, 969, 971):
        counter.desk.advance(at(late))
        held = bool(counter.ledger.accounts[OWNER].positions)
        seen[late] = (bool(counter.ledger.settlements), held)
    assert seen == {
        909: (False, True),
        911: (True, True),
        969: (True, True),
        971: (True, False),
    }


def test_a_market_that_pays_at_once_keeps_shares_while_it_is_told_to() -> None:
    counter = Counter()
    counter.ledger.redeems = False
    counter.order(1, at(1))
    counter.desk.advance(at(400))
    assert counter.ledger.settlements.keys() == {WINDOW.slug}
    assert counter.ledger.accounts[OWNER].positions
    counter.ledger.redeems = True
    counter.desk.advance(at(401))
    assert counter.ledger.accounts[OWNER].positions == {}
    kinds = [type(entry).__name__ for entry in counter.entries]
    assert (kinds.count("WindowSettled"), kinds.count("WindowRedeemed")) == (1, 1)


def test_up_starts_an_account_that_a_year_of_a_fair_market_does_not_empty(tmp_path: Path) -> None:
    """An exchange that refuses for want of money looks like a trader that is broken."""
    timeline = Timeline(origin_ns=1_763_827_200 * NS_PER_SECOND, speed=60)
    words = exchange_words(tmp_path, demo_config(), timeline, None, ["BTC"])
    settings = settings_of(parser_of_options().parse_args(words))
    assert settings.balance == 1_000_000
    assert (settings.redeem_s, settings.hold_ms) == (None, None)  # as the ledger says, or shipped
    assert (settings.folder, settings.speed) == (tmp_path / "exchange", 60)


def test_a_settled_window_is_not_ruled_on_again_by_an_exchange_that_comes_back() -> None:
    """Its shares still wait, and the dice would be thrown once more for what is decided."""
    counter = Counter(redeem_ns=300 * NS_PER_SECOND)
    counter.order(1, at(1))
    counter.desk.advance(at(311))
    late = Ruling(is_void=True, delay_ns=3600 * NS_PER_SECOND)
    again = Counter(ledger=counter.ledger, redeem_ns=300 * NS_PER_SECOND)
    again.rulings[WINDOW.slug] = late
    again.desk.advance(at(312))
    assert again.ledger.rulings == {}
    again.desk.advance(at(611))
    assert again.ledger.accounts[OWNER].positions == {}
