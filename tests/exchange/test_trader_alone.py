"""What the trader asks of its feed and its venue, and what it makes of each answer.

Neither is an exchange here: each answers what a test wants, the failures included that a real one
has once a year.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec.structs import replace
from typing_extensions import override

from foresight import decision, reconcile, trader
from foresight.board import Result, Side, Window, window_of_slug
from foresight.book import Book, SlotMemory, violations_of
from foresight.config import Config
from foresight.errors import AnswerUnreadable, VenueThrottled, VenueUnreachable
from foresight.market import (
    Candles,
    FeedClock,
    Holdings,
    Market,
    Offer,
    Ruling,
    Stage,
    VenuePosition,
    WindowFacts,
)
from foresight.orders import PAYLOAD, Bought, Buy
from foresight.trader import Trader
from foresight.venues.base import Missing, NotBought, Venue, Waiting
from foresight.venues.request_budget import Budget
from handoff.cadence import Schedule
from handoff.outside import is_outside
from handoff.virtual_time import run_virtual
from handoff.worker.boundary_clock import SystemClock
from handoff.workload import (
    Absent,
    Cycle,
    NotReady,
    Pending,
    Ready,
    Reconciliation,
    Unavailable,
    Unknown,
)
from state.journal_frames import Health
from state.record import Effect, Outcome, Timeline
from tests.core.test_trading_orders import NOW_S, planned
from tests.trading_values import (
    SLOT,
    START_S,
    WINDOW,
    Sure,
    closes,
    cycle_at,
    facts,
    holding,
    offer,
    policy,
    position,
)

if TYPE_CHECKING:
    from foresight.feeds.binance import BinanceCandles

MINUTE = NOW_S // 60
NS = 1_000_000_000
DOWN = VenueUnreachable("nobody answers " + "x" * 400)


class Clock(SystemClock):
    """Stands two seconds past the cycle's boundary."""

    @override
    def now_ns(self) -> int:
        return (NOW_S + 2) * NS


class World:
    """A feed and a venue in one: what they are asked, and what they answer.

    Attributes:
        asked: Every question, in order, with what it was about.
        budget: What may be asked; nothing counts here.
        answers: By question; an exception is raised.
        seconds: How long an answer takes, by question.
    """

    def __init__(self) -> None:
        known = closes(MINUTE - 1)
        self.asked: list[tuple[str, object]] = []
        self.budget = Budget(lambda: 0)
        self.seconds: dict[str, float] = {}
        self.answers: dict[str, object] = {
            "fetch": {"BTC": Candles(minutes=known.minutes, prices=known.prices)},
            "time": (NOW_S + 2) * 1000,
            "offers": {SLOT.slot_id: offer()},
            "books": {SLOT.slot_id: offer()},
            "rulings": (),
            "holdings": Holdings(),
            "trades": [],
            "buy": None,
            "find": None,
        }

    def said(self, question: str) -> list[object]:
        return [about for name, about in self.asked if name == question]

    async def _answer(self, question: str, about: object = None) -> Any:  # noqa: ANN401 - as set
        self.asked.append((question, about))
        await asyncio.sleep(self.seconds.get(question, 0))  # noqa: TID251 - of a virtual loop
        answer = self.answers.get(question)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def open(self) -> None:
        await self._answer("open")

    async def close(self) -> None:
        await self._answer("close")

    async def fetch(self, newest: Mapping[str, int], *, end_minute: int) -> Any:  # noqa: ANN401
        return await self._answer("fetch", (dict(newest), end_minute))

    async def time_ms(self) -> int:
        return cast("int", await self._answer("time"))

    async def facts(self, slugs: Sequence[str]) -> dict[str, WindowFacts]:
        await self._answer("facts", tuple(slugs))
        windows = {slug: window_of_slug(slug) for slug in slugs}
        return {slug: facts(window) for slug, window in windows.items() if window is not None}

    async def books(self, offers: Mapping[str, Offer]) -> dict[str, Offer]:
        about = {slot_id: (one.slug, one.side) for slot_id, one in offers.items()}
        return cast("dict[str, Offer]", await self._answer("books", about)) if offers else {}

    async def offers(self, wanted: Mapping[str, tuple[str, Side]]) -> dict[str, Offer]:
        return cast("dict[str, Offer]", await self._answer("offers", dict(wanted)))

    async def rulings(self, slugs: Sequence[str]) -> tuple[Ruling, ...]:
        return cast("tuple[Ruling, ...]", await self._answer("rulings", tuple(slugs)))

    async def holdings(self) -> Holdings | None:
        return cast("Holdings | None", await self._answer("holdings"))

    async def trades(
        self, wanted: Collection[str], *, since_s: int
    ) -> AsyncIterator[dict[str, Stage]]:
        for page in cast("list[dict[str, Stage]]", self.answers["trades"]):
            yield {name: stage for name, stage in page.items() if name in wanted}
            await self._answer("another page", since_s)

    async def buy(self, order: Buy) -> Any:  # noqa: ANN401 - as set
        return await self._answer("buy", order)

    async def find(self, order: Buy) -> Any:  # noqa: ANN401 - as set
        return await self._answer("find", order)

    def trader(self, **sections: Any) -> Trader:  # noqa: ANN401 - keys of the configuration
        config = msgspec.convert(sections, Config)
        feed, venue = cast("BinanceCandles", self), cast("Venue", self)
        return Trader(policy(Sure()), config, feed=feed, venue=venue, clock=Clock())


@pytest.fixture
def world() -> World:
    return World()


def observed(world: World, body: Book | None = None, cycle: Cycle | None = None) -> Any:  # noqa: ANN401
    return asyncio.run(world.trader().observe(cycle or cycle_at(NOW_S), body or Book()))


# --- getting warm ---------------------------------------------------------------------


def test_who_gets_warm_opens_both_and_looks_once_at_each(world: World) -> None:
    """The first answer of each costs a tenth of a second: not in the first cycle, then."""
    one = world.trader()
    assert isinstance(asyncio.run(one.follow(cycle_at(NOW_S), Book())), NotReady)
    asyncio.run(one.warm(Book()))
    assert [name for name, _ in world.asked] == ["open", "open", "fetch", "offers"]
    assert world.said("fetch") == [({"BTC": MINUTE - 3}, MINUTE)]
    assert world.said("offers") == [{SLOT.slot_id: (WINDOW.slug, Side.UP)}]
    assert isinstance(asyncio.run(one.follow(cycle_at(NOW_S), Book())), Ready)


def test_a_worker_whose_feed_answers_nothing_is_not_warm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def once(attempt: Any) -> None:  # noqa: ANN401 - the wait itself is tried elsewhere
        await attempt()

    monkeypatch.setattr(trader, "until_reachable", once)
    world.answers["fetch"] = {"BTC": Candles(failure="no route"), "ETH": Candles(failure="none")}
    one = world.trader()
    with pytest.raises(VenueUnreachable, match="no route"):
        asyncio.run(one.warm(Book()))
    assert isinstance(asyncio.run(one.follow(cycle_at(NOW_S), Book())), NotReady)
    world.answers["fetch"] = {"BTC": Candles(failure="no route"), "ETH": Candles()}
    asyncio.run(one.warm(Book()))
    assert isinstance(asyncio.run(one.follow(cycle_at(NOW_S), Book())), Ready)


def test_who_is_closed_gives_both_back_and_is_cold(world: World) -> None:
    one = world.trader()
    asyncio.run(one.warm(Book()))
    asyncio.run(one.close())
    assert len(world.said("close")) == 2
    assert isinstance(asyncio.run(one.follow(cycle_at(NOW_S), Book())), NotReady)


# --- a cycle --------------------------------------------------------------------------


def test_a_cycle_asks_for_what_it_lacks_and_says_when(world: World) -> None:
    book = Book(closes={"BTC": closes(MINUTE - 4)})
    found = observed(world, book)
    assert world.said("fetch") == [({"BTC": MINUTE - 4}, MINUTE)]
    assert world.said("facts") == [(WINDOW.slug,)]
    assert world.said("books") == [{SLOT.slot_id: (WINDOW.slug, Side.UP)}]
    assert found.offers == {SLOT.slot_id: offer()}
    assert found.facts == {SLOT.slot_id: facts()}
    assert found.clock == FeedClock(now_ms=(NOW_S + 2) * 1000)
    assert found.seen_s == NOW_S + 2
    assert found.candles == world.answers["fetch"]


def test_what_a_market_said_of_its_window_is_not_asked_again(world: World) -> None:
    """Once for each window: the rest of its time a request asks for books alone."""
    book = Book(closes={"BTC": closes(MINUTE - 4)}, slots={SLOT.slot_id: SlotMemory(facts=facts())})
    found = observed(world, book)
    assert world.said("facts") == [()]
    assert found.facts == found.facts_unread == {}
    assert world.said("books") == [{SLOT.slot_id: (WINDOW.slug, Side.UP)}]
    world.answers["facts"] = DOWN
    found = observed(world)
    assert found.facts_unread == {SLOT.slot_id: str(DOWN)[:200]}
    assert found.offers == {}, "of a window that nobody knows"


def test_a_cycle_without_anything_known_asks_for_all_there_is(world: World) -> None:
    observed(world, cycle=cycle_at(NOW_S + 59))
    assert world.said("fetch") == [({"BTC": -1}, MINUTE)], "of the minutes that are over"


def test_positions_are_asked_for_every_so_many_cycles(world: World) -> None:
    def asked(number: int) -> bool:
        world.asked.clear()
        found = observed(world, cycle=replace(cycle_at(NOW_S), number=number))
        assert (found.holdings is not None) == bool(world.said("holdings"))
        return bool(world.said("holdings"))

    assert [number for number in range(100, 111) if asked(number)] == [100, 105, 110]


def test_ended_windows_with_positions_are_asked_about(world: World) -> None:
    book = holding(Book(), position())
    world.answers["rulings"] = (Ruling(slug=WINDOW.slug, result=Result.UP),)
    found = observed(world, book, cycle_at(WINDOW.end_s))
    assert world.said("rulings") == [(WINDOW.slug,)]
    assert found.rulings == world.answers["rulings"]
    world.asked.clear()
    observed(world, book, cycle_at(WINDOW.end_s - 1))
    assert world.said("rulings") == [()]


def test_each_failure_stands_in_its_own_place_in_few_words(world: World) -> None:
    """One market's trouble is not the trouble of all; and a proxy may answer with a whole page."""
    world.answers |= {"rulings": DOWN, "holdings": DOWN}
    book = holding(Book(), position())
    found = observed(world, book, replace(cycle_at(WINDOW.end_s), number=5))
    assert isinstance(found, Market)
    words = str(DOWN)[:200]
    assert found.rulings == (Ruling(slug=WINDOW.slug, failure=words),)
    assert found.holdings == Holdings(failure=f"VenueUnreachable: {DOWN}"[:200])
    world.answers |= {"books": DOWN}
    found = observed(world)
    assert found.offers == {
        SLOT.slot_id: Offer(slug=WINDOW.slug, side=Side.UP, failure=words),
    }
    assert len(words) == 200


def test_a_listing_that_does_not_end_costs_what_it_would_have_said_and_not_the_cycle(
    world: World,
) -> None:
    """Losing shares stay listed until somebody redeems them: thousands of rows, page by page."""
    world.seconds["holdings"] = 3600.0
    one = world.trader(venue={"positions_every": 1})
    budget_s = Schedule(one.cadence, Timeline()).bounds.budget_ns / NS

    async def within() -> Any:  # noqa: ANN401 - what was observed
        async with asyncio.timeout(budget_s):
            return await one.observe(cycle_at(NOW_S), Book())

    found = run_virtual(within())
    assert found.holdings.failure.startswith("VenueUnreachable: not read to its end within 5 s")
    assert found.offers == {SLOT.slot_id: offer()}
    world.seconds["holdings"] = 4.0
    assert run_virtual(within()).holdings == Holdings()


def test_only_where_nothing_at_all_was_answered_is_a_cycle_without_inputs(world: World) -> None:
    book = holding(Book(), position())
    ended = cycle_at(WINDOW.end_s)
    none: Iterable[tuple[object, object]] = (
        ({"BTC": Candles(failure="gone")}, (Ruling(slug=WINDOW.slug, failure="gone"),)),
        ({"BTC": Candles(failure="gone"), "ETH": Candles(failure="shut")}, ()),
    )
    for fetched, rulings in none:
        world.answers |= {"fetch": fetched, "rulings": rulings}
        found = observed(world, book, ended)
        assert isinstance(found, Unavailable)
        assert found.reason == "gone"
    world.answers["rulings"] = (Ruling(slug=WINDOW.slug, result=Result.UP),)
    assert isinstance(observed(world, book, ended), Market)
    world.answers |= {"fetch": {"BTC": Candles()}, "rulings": DOWN}
    assert isinstance(observed(world, book, ended), Market)


def test_a_board_on_which_no_strategy_speaks_asks_for_no_offer(world: World) -> None:
    world.answers["fetch"] = {"BTC": Candles()}
    found = observed(world)
    assert world.said("books") == []
    assert found.offers == {}


def test_a_cycle_is_decided_by_the_policy_and_by_nothing_else(world: World) -> None:
    one, book, cycle = world.trader(), Book(), cycle_at(NOW_S)
    inputs = asyncio.run(one.observe(cycle, book))
    decided = one.decide(cycle, book, inputs, ())
    again = decision.decide(policy(Sure()), cycle=cycle, body=book, inputs=inputs, receipts=())
    assert decided == again
    assert len(decided.effects) == 1


def test_what_is_wrong_with_a_book_is_said_before_it_is_committed(world: World) -> None:
    sound, mine = holding(Book(), position()), position()
    assert world.trader().invariants(sound) == []
    broken = holding(Book(), replace(mine, shares_micro=-1))
    said = world.trader().invariants(broken)
    assert [each.reason for each in said] == violations_of(broken) != []


def test_how_much_was_answered_is_counted_of_a_market_and_of_none(world: World) -> None:
    one, found = world.trader(), observed(world)
    assert one.health(found) == Health(asked=4, answered=4)
    lost = replace(found, candles={"BTC": Candles(failure="gone")})
    assert one.health(lost) == Health(asked=4, answered=3)
    assert one.health(Unavailable("gone")).answered == 0


# --- orders ---------------------------------------------------------------------------


def order() -> Effect:
    return planned(Book())


BOUGHT = Bought(order_id="0x1", shares_micro=9_000_000, cost_micro=7_380_000, fee_micro=93_000)


def test_an_order_is_sent_as_it_was_decided_and_its_answer_is_its_receipt(world: World) -> None:
    one, effect = world.trader(), order()
    world.answers["buy"] = [BOUGHT, NotBought("not_fillable"), Waiting("delayed")]
    confirmed, refused, pending = (asyncio.run(one.perform(effect)) for _ in range(3))
    assert world.said("buy") == [PAYLOAD.decode(effect.payload, PAYLOAD.schema_id)] * 3
    assert confirmed.outcome is Outcome.CONFIRMED  # type: ignore[union-attr] # a receipt
    assert msgspec.json.decode(confirmed.payload, type=Bought) == BOUGHT  # type: ignore[union-attr]
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, "not_fillable")  # type: ignore[union-attr]
    assert pending == Pending("delayed")


def test_what_became_of_an_order_is_asked_with_the_same_order(world: World) -> None:
    one, effect = world.trader(), order()
    world.answers["find"] = [
        BOUGHT,
        NotBought("not_fillable"),
        Waiting("delayed"),
        Missing(is_final=True),
        Missing(is_final=False),
    ]
    found = [asyncio.run(one.resolve(effect)) for _ in range(5)]
    assert world.said("find") == [PAYLOAD.decode(effect.payload, PAYLOAD.schema_id)] * 5
    assert [getattr(each, "outcome", None) for each in found[:2]] == [
        Outcome.CONFIRMED,
        Outcome.REFUSED,
    ]
    assert found[2] == Unknown("delayed")
    assert found[3:] == [
        Absent(enforced=True, repeatable=True),
        Absent(enforced=False, repeatable=True),
    ]


# --- the account ----------------------------------------------------------------------


def reconciled(world: World, body: Book | None = None) -> Reconciliation:
    return asyncio.run(world.trader().reconcile(body or Book(), ()))


def test_a_venue_that_did_not_answer_agrees_with_nothing(world: World) -> None:
    """It is the world's silence, no difference that the release would be refused for."""
    for silence in (DOWN, VenueThrottled("not so many"), AnswerUnreadable("no list")):
        world.answers["holdings"] = silence
        with pytest.raises(type(silence)) as found:
            reconciled(world)
        assert is_outside(found.value, Trader.outside)


def test_a_venue_that_keeps_no_account_contradicts_nothing(world: World) -> None:
    world.answers["holdings"] = None
    assert reconciled(world) == Reconciliation()


def test_differences_are_told_but_for_what_an_order_under_way_explains(world: World) -> None:
    mine = position()
    listed = VenuePosition(
        token=mine.token,
        slug=WINDOW.slug,
        side=Side.UP,
        shares_micro=mine.shares_micro,
        price_micro=800_000,
    )
    world.answers["holdings"] = Holdings(positions=(listed,), foreign=("an election",))
    (words,) = reconciled(world, holding(Book(), mine)).differences
    assert words.startswith("position_foreign an election: ")
    book, held = holding(Book(), mine), cast("Holdings", world.answers["holdings"])
    ended = Window(SLOT, START_S - 600)
    old = msgspec.structs.replace(listed, token="old", slug=ended.slug)  # noqa: S106 - no secret
    world.answers["holdings"] = msgspec.structs.replace(held, positions=(listed, old), foreign=())
    (words,) = reconciled(world, book).differences
    assert words.startswith(f"{reconcile.ADOPTED} {ended.slug}: venue 10000000 up")
    assert reconciled(world, Book()).differences == (words,), "of a window that may be traded now"
