"""What became of an order: proven by an answer, never by the lack of one.

The venue's client is written by hand: it answers what a test says. The adapter is the real one.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from typing_extensions import override

from foresight.errors import AnswerUnreadable, VenueError, VenueRefused, VenueUnreachable
from foresight.market import Stage
from foresight.orders import Bought
from foresight.venues.base import Missing, NotBought, Waiting
from foresight.venues.ccxt_calls import AnswerT, Requests
from foresight.venues.polymarket import Polymarket
from tests.core.test_trading_answers import ORDER, event

pytestmark = pytest.mark.asyncio

OURS = "0xa"
UNREACHABLE = VenueUnreachable("no answer within 2 s")
REFUSALS = ("not enough balance / allowance", "invalid signature", "invalid api key")
UNFILLED = ("no orders found to match with FAK order", "order couldn't be fully filled")


def http(status: int, words: str) -> VenueUnreachable:
    """Return what a status is told as: a plain 400 looks like an outage but for its text."""
    return VenueUnreachable(
        f'ExchangeNotAvailable: polymarket POST http://x/order {status} W {{"error": "{words}"}}'
    )


class Plain(Requests):
    """Requests that are made as they are, without a client's exceptions to translate."""

    @override
    async def read(
        self, ask: Callable[[], Awaitable[AnswerT]], *, timeout_s: float | None = None
    ) -> AnswerT:
        return await ask()

    @override
    async def once(self, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        return await ask()


class Client:
    """Answers with what it was given, and raises what is an error."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.outcomes_by_id: dict[str, Any] = {}
        self.outcomes: dict[str, Any] = {}

    def _said(self, name: str) -> object:
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def create_order(self, *_: object) -> dict[str, object]:
        return {"info": self._said("sent")}

    async def clobPrivateGetDataOrderId(self, _: object) -> object:  # noqa: N802 - the library's names
        return self._said("order")

    async def clobPrivateGetDataTrades(self, _: object) -> object:  # noqa: N802 - as above
        return self._said("trades")

    async def gammaPublicGetEvents(self, _: object) -> object:  # noqa: N802 - as above
        return self._said("events")


def venue(**answers: object) -> Polymarket:
    said: dict[str, Any] = {"order": http(404, "not found"), "trades": [], "events": [event()]}
    made = Polymarket({}, requests=Plain(1, timeout_s=1.0))
    made._client = Client(**said | answers)  # noqa: SLF001 - in the place of the library's
    made._ids[ORDER] = OURS  # noqa: SLF001 - what signing would give
    return made


class Closing(Client):
    """Executes the order after it was asked about, and closes the market then."""

    @override
    async def gammaPublicGetEvents(self, _: object) -> object:
        self.answers |= {"order": known("12"), "trades": [trade("12")]}
        return await super().gammaPublicGetEvents(_)


def trade(size: str, order_id: str = OURS, status: str = "MATCHED") -> dict[str, str]:
    return {"taker_order_id": order_id, "size": size, "price": "0.82", "status": status}


def taken(status: str = "matched", taking: str = "") -> dict[str, object]:
    """Return the answer to an order; amounts that are no single price prove no fee."""
    making = str(float(taking) * 0.8) if taking else ""
    amounts = {"takingAmount": taking, "makingAmount": making}
    return {"success": True, "orderID": OURS, "status": status} | amounts


def known(matched: str, status: str = "MATCHED", order_id: str = OURS) -> dict[str, str]:
    return {"id": order_id, "status": status, "size_matched": matched}


@pytest.mark.parametrize("words", REFUSALS)
async def test_known_words_in_a_failure_of_the_venues_side_are_no_refusal(words: str) -> None:
    """A gateway repeats what it heard; the order may have been executed behind it."""
    for status in (500, 502, 503, 504):
        with pytest.raises(VenueUnreachable):
            await venue(sent=http(status, words)).buy(ORDER)
    with pytest.raises(VenueUnreachable):
        await venue(sent=VenueUnreachable(words)).buy(ORDER)
    for said in (http(400, words), VenueRefused(f'InvalidOrder: {{"error": "{words}"}}')):
        answer = await venue(sent=said).buy(ORDER)
        assert answer == NotBought(f"refused_by_venue: {words}")


@pytest.mark.parametrize("words", UNFILLED)
async def test_words_of_an_unfilled_order_prove_it_in_a_refusal_only(words: str) -> None:
    """As above: nobody sold, says who answers; who does not answer has said nothing."""
    for status in (500, 502, 503):
        with pytest.raises(VenueUnreachable):
            await venue(sent=http(status, words)).buy(ORDER)
    for said in (http(400, words), VenueRefused(words)):
        assert await venue(sent=said).buy(ORDER) == NotBought("not_fillable")


async def test_a_refusal_in_words_that_are_not_known_is_unknown() -> None:
    """A new reason may be one that an executed order gets, too: it is asked about."""
    for said in (http(400, "trading is odd today"), VenueRefused("trading is odd today")):
        with pytest.raises(VenueError, match="odd today"):
            await venue(sent=said).buy(ORDER)


async def test_trades_that_lag_behind_the_matched_amount_are_no_outcome() -> None:
    """A receipt that is written from half of the trades loses the other half for good."""
    for rows in ([], [trade("4")], [trade("4"), trade("6", "0xb")], [trade("4"), trade("7")]):
        with pytest.raises(AnswerUnreadable, match="do not add up to 10000000"):
            await venue(order=known("10"), trades=rows).find(ORDER)
    found = await venue(order=known("10"), trades=[trade("4"), trade("6")]).find(ORDER)
    assert isinstance(found, Bought)
    assert found.shares_micro == 10_000_000


async def test_a_question_about_an_order_that_failed_proves_no_absence() -> None:
    """Only the venue's own "not found" is one; what is absent may be sent again, or expires."""
    for failed in (http(500, "x"), http(502, "x"), http(400, "x"), http(401, "x"), UNREACHABLE):
        with pytest.raises(VenueUnreachable):
            await venue(order=failed).find(ORDER)
    for none in (http(404, "not found"), None, "", "null"):
        assert await venue(order=none).find(ORDER) == Missing(is_final=False)


async def test_trades_that_were_not_read_prove_no_absence() -> None:
    """An order that is no longer shown may have bought: its trades say so, and nothing else."""
    for failed in (UNREACHABLE, AnswerUnreadable("trades: no list")):
        with pytest.raises(VenueError):
            await venue(trades=failed).find(ORDER)
    with pytest.raises(AnswerUnreadable):
        await venue(trades={"data": "soon"}).find(ORDER)
    assert isinstance(await venue(trades=[trade("3")]).find(ORDER), Bought)


async def test_a_market_that_was_not_read_is_not_closed_for_good() -> None:
    """What is absent for good is given up: that needs a market that says that it is closed."""
    shut = [event(closed=True)]
    assert await venue(events=shut).find(ORDER) == Missing(is_final=True)
    for unread in (UNREACHABLE, AnswerUnreadable("broken"), [event(outcomes="[broken")]):
        assert await venue(events=unread).find(ORDER) == Missing(is_final=False)


async def test_an_order_that_was_executed_while_it_was_asked_about_is_not_written_off() -> None:
    """Absent before the close and closed afterwards is no proof: it was on its way, and is lost."""
    closing = venue()
    client = Closing(order=http(404, "not found"), trades=[], events=[event(closed=True)])
    closing._client = client  # noqa: SLF001 - in the place of the library's
    found = await closing.find(ORDER)
    assert isinstance(found, Bought)
    assert found.shares_micro == 12_000_000


async def test_an_answer_about_another_order_is_none_about_ours() -> None:
    """A cache that mixes up answers must not make a stranger's purchase ours."""
    with pytest.raises(AnswerUnreadable, match="asked for order 0xa"):
        await venue(order=known("10", order_id="0xb"), trades=[trade("10")]).find(ORDER)


async def test_an_order_that_is_still_open_is_waited_for() -> None:
    """It may be executed yet, whatever it has matched so far, and in whatever spelling."""
    for status in ("LIVE", "delayed", "ORDER_STATUS_LIVE", "ORDER_STATUS_DELAYED"):
        for matched in ("0", "4"):
            answer = await venue(order=known(matched, status), trades=[trade("4")]).find(ORDER)
            assert answer == Waiting(status.lower().removeprefix("order_status_"))


async def test_a_word_that_nobody_knows_is_no_end_of_an_order() -> None:
    """An order called unfilled while it may still be matched is bought by nobody's book."""
    for status, said in (("ORDER_STATUS_NEW", "new"), ("", "without a status")):
        for matched in ("0", "4"):
            answer = await venue(order=known(matched, status), trades=[trade("4")]).find(ORDER)
            assert answer == Waiting(said)
    for taking in ("", "10"):
        answer = await venue(sent=taken("PENDING", taking), trades=[trade("4")]).buy(ORDER)
        assert answer == Waiting("pending")


async def test_an_order_that_matched_nothing_bought_nothing() -> None:
    """The other side of the above: this is proof, and the slot is told."""
    for status in ("CANCELED", "ORDER_STATUS_CANCELED", "ORDER_STATUS_INVALID", "UNMATCHED"):
        assert await venue(order=known("0", status)).find(ORDER) == NotBought("not_fillable")
    assert await venue(order=known("0")).find(ORDER) == Waiting("matched"), "a match has an amount"


@pytest.mark.parametrize("words", [*REFUSALS, *UNFILLED])
async def test_what_is_refused_now_may_have_been_executed_before(words: str) -> None:
    """The answer to the first try was lost and its shares cost the balance that is missing now."""
    said = http(400, words)
    for executed in (
        venue(sent=said, order=known("10"), trades=[trade("10")]),
        venue(sent=said, trades=[trade("10")]),
    ):
        found = await executed.buy(ORDER)
        assert isinstance(found, Bought)
        assert found.shares_micro == 10_000_000
    assert await venue(sent=said, order=known("0", "DELAYED")).buy(ORDER) == Waiting("delayed")
    for unread in ({"order": http(502, "x")}, {"trades": UNREACHABLE}):
        with pytest.raises(VenueUnreachable):
            await venue(sent=said, **unread).buy(ORDER)


async def test_a_duplicate_that_is_not_shown_is_unknown() -> None:
    """The venue has the order: to call it refused would lose what it bought."""
    said = http(400, "order 0xa is invalid. Duplicated.")
    with pytest.raises(AnswerUnreadable, match="does not show it"):
        await venue(sent=said).buy(ORDER)
    found = await venue(sent=said, order=known("10"), trades=[trade("10")]).buy(ORDER)
    assert isinstance(found, Bought)


async def test_a_match_whose_trades_are_not_listed_yet_is_waited_for() -> None:
    """The listing comes later than the answer: nothing was bought is the one thing not said."""
    some = [trade("4")]
    for rows, taking in (([], ""), ([], "10"), (some, ""), (some, "10")):
        answer = await venue(sent=taken(taking=taking), trades=rows).buy(ORDER)
        assert answer == Waiting("matched")
    found = await venue(sent=taken(taking="10"), trades=[trade("4"), trade("6")]).buy(ORDER)
    assert isinstance(found, Bought)
    assert found.shares_micro == 10_000_000
    shouted = await venue(sent=taken("ORDER_STATUS_MATCHED", "10"), trades=some).buy(ORDER)
    assert shouted == Waiting("matched")
    assert await venue(sent=taken("unmatched")).buy(ORDER) == Waiting("unmatched")


async def test_trades_that_failed_bought_nothing() -> None:
    """Their shares went back to the seller and the cash to us; what is left of the order counts."""
    half = [trade("4"), trade("6", status="FAILED")]
    for found in (
        await venue(sent=taken(taking="10"), trades=half).buy(ORDER),
        await venue(order=known("10"), trades=half).find(ORDER),
        await venue(trades=half).find(ORDER),
    ):
        assert isinstance(found, Bought)
        assert found.shares_micro == 4_000_000


async def test_an_order_all_of_whose_trades_failed_is_known_and_bought_nothing() -> None:
    """Absent would mean that it may be sent again; unknown would be asked about for ever."""
    gone = [trade("4", status="FAILED"), trade("6", status="TRADE_STATUS_FAILED")]
    nothing = NotBought("not_fillable")
    assert await venue(sent=taken(taking="10"), trades=gone).buy(ORDER) == nothing
    assert await venue(order=known("10"), trades=gone).find(ORDER) == nothing
    assert await venue(trades=gone).find(ORDER) == nothing
    with pytest.raises(AnswerUnreadable, match="do not add up"):
        await venue(order=known("11"), trades=gone).find(ORDER)


class Pages(Client):
    """Answers questions about trades page by page, and keeps what was asked."""

    def __init__(self, *pages: object) -> None:
        super().__init__()
        self.pages = list(pages)
        self.asked: list[object] = []

    @override
    async def clobPrivateGetDataTrades(self, query: object) -> object:
        self.asked.append(query)
        page = self.pages.pop(0)
        return {"data": page, "next_cursor": f"c{len(self.asked)}" if self.pages else "LTE="}


def paged(*pages: object) -> tuple[Polymarket, Pages]:
    made, client = venue(), Pages(*pages)
    made._client = client  # noqa: SLF001 - in the place of the library's
    return made, client


def state(trade_id: str, status: str) -> dict[str, str]:
    return {"id": trade_id, "status": status}


async def test_states_of_trades_are_read_through_all_pages() -> None:
    """A trade on the second page that failed is as gone as one on the first."""
    made, client = paged([state("x", "FAILED")], [state("t1", "MINED")], [state("t2", "FAILED")])
    assert await said_of(made, "t1", "t2") == {"t1": Stage.MINED, "t2": Stage.FAILED}
    assert client.asked == [
        {"after": "77"},
        {"after": "77", "next_cursor": "c1"},
        {"after": "77", "next_cursor": "c2"},
    ]


async def said_of(made: Polymarket, *trades: str) -> dict[str, Stage]:
    return {
        name: stage
        async for page in made.trades(trades, since_s=77)
        for name, stage in page.items()
    }


async def test_pages_beyond_the_last_trade_that_is_waited_for_are_not_asked_for() -> None:
    made, client = paged([state("t1", "MINED")], [state("t2", "FAILED")], [state("x", "MINED")])
    assert await said_of(made, "t1", "t2") == {"t1": Stage.MINED, "t2": Stage.FAILED}
    assert len(client.asked) == 2


async def test_what_a_page_said_is_told_before_the_next_one_is_asked_for() -> None:
    """A venue that answers no further page has said of the newest trades what it said."""
    made, _ = paged([state("t1", "FAILED")], "soon")
    told = made.trades({"t1", "t2"}, since_s=77)
    assert await anext(told) == {"t1": Stage.FAILED}
    with pytest.raises(AnswerUnreadable):
        await anext(told)


async def test_a_delayed_order_that_ends_unmatched_bought_nothing() -> None:
    """It was taken, held and matched with nobody: proof, and no reason to send it again."""
    held = {"success": True, "orderID": OURS, "status": "delayed"}
    made = venue(sent=held, order=known("0", "DELAYED"))
    assert await made.buy(ORDER) == Waiting("delayed")
    assert await made.find(ORDER) == Waiting("delayed")
    assert await venue(order=known("0", "UNMATCHED")).find(ORDER) == NotBought("not_fillable")
