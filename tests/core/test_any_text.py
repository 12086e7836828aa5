r"""Texts and numbers that no file can hold: refused or escaped where they enter.

A file name of other bytes reads as a lone surrogate, here `\udc80`, and no encoder writes one; JSON
has no word for NaN. Either must cost one decision or a few letters, and never the loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typing_extensions import override

from deploy import history
from handoff.errors import WorkloadFaulty
from handoff.outside import WORDS_MAX
from handoff.virtual_time import run_virtual
from handoff.workload import Pending, Unavailable, Unknown, effect, receipt
from state.errors import ValueUnstorable
from state.record import Delivery, Outcome, Phase, Receipt
from tests.engine_world import Application, Venue, order
from tests.owner_world import NEXT, World, expect_faulty, in_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.workload import Cycle

LONE = "caf\udc80"
ESCAPED = "caf\\udc80"
NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_payload_with_a_number_that_json_lacks_is_refused(number: float) -> None:
    """As null it would be sent by nobody and stay in doubt; 1024 of these stop a bot."""
    with pytest.raises(ValueUnstorable):
        effect("order", effect_id="order-1", payload={"price": number})
    with pytest.raises(ValueUnstorable):
        receipt(order(), Outcome.CONFIRMED, payload=[{"filled": number}])


def test_a_payload_may_say_that_something_is_missing() -> None:
    """None is a value like any other, also in JSON that was made elsewhere."""
    nothing = msgspec.Raw(b'{"b": null}')
    for payload, written in [
        ({"price": None}, b'{"price":null}'),
        ({"a": nothing}, b'{"a":{"b": null}}'),
        (nothing, b'{"b": null}'),
        (None, b"null"),
    ]:
        assert bytes(effect("order", effect_id="o", payload=payload).payload) == written
        assert bytes(receipt(order(), Outcome.CONFIRMED, payload=payload).payload) == written


def test_a_decision_with_such_a_number_is_the_releases_fault() -> None:
    async def story(world: World) -> None:
        def plan(cycle: Cycle, _body: Any) -> None:  # noqa: ANN401 - the application's body
            world.app.plans[cycle.number] = [order(payload={"price": float("nan")})]

        world.app.deciding = plan
        await expect_faulty(world, world.run(), match="not JSON compliant")

    in_world(story)


@pytest.mark.parametrize("name", [LONE, 7], ids=["no text", "number"])
@pytest.mark.parametrize("member", ["effect_id", "kind", "lane", "after"])
def test_a_name_that_cannot_be_written_down_is_the_releases_fault(
    member: str, name: object
) -> None:
    """Escaped it would be the name of something else; committed it would end every commit."""

    async def story(world: World) -> None:
        planned = msgspec.structs.replace(order(), **{member: name})
        world.app.plans[NEXT] = [planned]
        await expect_faulty(world, world.run(), match="cannot be stored")

    in_world(story)


def _says(app: Application) -> None:
    async def observed(_: object) -> Unavailable:
        return Unavailable(LONE)

    app.observed = observed


def _says_no_words(app: Application) -> None:
    async def observed(_: object) -> Unavailable:
        return Unavailable(FileNotFoundError(LONE))  # type: ignore[arg-type]  # a tired author's

    app.observed = observed


def _raises(app: Application) -> None:
    async def observed(_: object) -> Unavailable:
        raise FileNotFoundError(LONE)

    app.observed = observed


@pytest.mark.parametrize("prepare", [_says, _says_no_words, _raises])
def test_a_reason_that_no_file_can_hold_is_escaped(
    prepare: Callable[[Application], None],
) -> None:
    """The world may fail in any words: the cycle goes on without inputs, as in any outage."""

    async def story(world: World) -> None:
        prepare(world.app)
        record = await world.run()
        assert record.progress.phase is Phase.SETTLED
        assert ESCAPED in world.lines("decide")[-1].unavailable

    in_world(story)


def test_a_fault_in_such_words_is_still_a_fault() -> None:
    """Its words go into the record, the log and the history."""
    assert WorkloadFaulty(f"decide raised {LONE}").reason == f"decide raised {ESCAPED}"
    assert str(WorkloadFaulty(LONE)) == ESCAPED


def _settled_with(answer: Receipt) -> list[Receipt]:
    """Return the receipts of a cycle whose one effect got this answer."""

    async def main() -> list[Receipt]:
        venue = Venue()
        world = World(Application(venue))
        venue.answers["order-1"] = [answer]
        world.app.plans[NEXT] = [order()]
        return list((await world.run()).receipts)

    return run_virtual(main())


def test_a_receipt_in_such_words_is_a_receipt() -> None:
    """That an order was refused must not get lost for the words that it was refused in."""
    answer = receipt(order(), Outcome.REFUSED, reason=LONE)
    assert _settled_with(answer) == [msgspec.structs.replace(answer, reason=ESCAPED)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": LONE},
        {"outcome": "filled"},
        {"outcome": None},
        {"schema_version": "1"},
        {"payload": b"null"},
        {"payload": {"filled": 1}},
        {"payload": msgspec.Raw(b"[" * 100_000 + b"]" * 100_000)},
    ],
    ids=["kind", "outcome", "no outcome", "version", "bytes", "dict", "depth"],
)
def test_a_receipt_that_cannot_be_stored_proves_nothing(wrong: dict[str, Any]) -> None:
    """It is asked about instead; written down, it would make the record unreadable for good."""
    venue_says = msgspec.structs.replace(receipt(order(), Outcome.REFUSED), **wrong)
    found = _settled_with(venue_says)
    assert [each.outcome for each in found] == [Outcome.CONFIRMED]


def test_a_receipt_that_says_its_outcome_in_words_is_one() -> None:
    """The next decision finds the member, whoever decides it."""
    venue_says = msgspec.structs.replace(receipt(order(), Outcome.REFUSED), outcome="refused")
    assert [each.outcome for each in _settled_with(venue_says)] == [Outcome.REFUSED]


@pytest.mark.parametrize("reason", [LONE, None, 7], ids=["no text", "nothing", "number"])
@pytest.mark.parametrize("answer", [Pending, Unknown], ids=["pending", "unknown"])
def test_a_receipt_of_what_stays_unknown_can_be_read(
    answer: Callable[[Any], Any], reason: object
) -> None:
    """What is sent at most once ends with it, in the words of whoever sent it."""

    async def story(world: World) -> None:
        world.app.plans[NEXT] = [order(delivery=Delivery.AT_MOST_ONCE)]
        world.app.venue.answers["order-1"] = [answer(reason)]
        record = await world.run()
        said = [(each.outcome, each.reason) for each in record.receipts]
        assert said == [(Outcome.UNKNOWN, ESCAPED if reason == LONE else str(reason))]
        world.store.read()

    in_world(story)


class Mute(ConnectionError):
    """A tired author's: it looks for a second argument that nobody gave."""

    @override
    def __str__(self) -> str:
        return str(self.args[1])


@pytest.mark.parametrize("stage", ["observe", "perform", "decide"])
def test_an_exception_that_cannot_say_itself_is_what_it_is(stage: str) -> None:
    """Weather is weather, an outcome unknown, a fault a fault: never a worker that dies of it."""

    async def story(world: World) -> None:
        def fails(*_: object) -> Any:  # noqa: ANN401 - it returns nothing
            raise Mute

        async def awaited(_: object) -> Any:  # noqa: ANN401 - as above
            fails()

        if stage == "decide":
            world.app.deciding = fails
            await expect_faulty(world, world.run(), match="decide raised Mute: it cannot say why")
            return
        if stage == "observe":
            world.app.observed = awaited
        world.app.plans[NEXT] = [order(delivery=Delivery.AT_MOST_ONCE)]
        world.app.venue.answers["order-1"] = [Mute()] if stage == "perform" else []
        record = await world.run()
        assert record.progress.phase is Phase.SETTLED
        said = [each.unavailable for each in world.lines("decide")]
        said += [each.reason for each in record.receipts]
        assert "Mute: it cannot say why" in said

    in_world(story)


def test_an_attempt_that_is_cancelled_within_the_application_is_unknown() -> None:
    """Its client may end its own task: the worker goes on, and asks what became of it."""

    async def story(world: World) -> None:
        async def ends() -> None:
            raise asyncio.CancelledError

        world.app.plans[NEXT] = [order()]
        world.app.venue.hooks["order-1"] = ends
        record = await world.run()
        assert record.progress.phase is Phase.SETTLED
        assert world.app.venue.asked

    in_world(story)


def test_a_venue_that_answers_with_pages_fills_no_disk() -> None:
    """One line of the journal for each cycle of an outage holds them, for years."""

    async def story(world: World) -> None:
        async def awaited(_: object) -> Any:  # noqa: ANN401 - it returns nothing
            raise ConnectionError("<html>" * 1_000_000)

        world.app.observed = awaited
        await world.run()
        said = world.lines("decide")[-1].unavailable
        assert said.startswith("ConnectionError: <html>")
        assert len(said) < 2 * WORDS_MAX

    in_world(story)


def test_an_effect_with_a_fraction_of_a_nanosecond_is_the_releases_fault() -> None:
    """Written down it stays in the record, which then no owner can read any more."""

    async def story(world: World) -> None:
        late = msgspec.structs.replace(order(), not_after_ns=world.clock.now_ns() + 30 * 1e9)
        world.app.plans[NEXT] = [late]
        await expect_faulty(world, world.run(), match=r"Expected `int \| null`, got `float`")
        world.store.read()

    in_world(story)


def test_a_deploy_that_ends_in_such_words_has_its_line() -> None:
    """Without one, whoever waits for its end waits for an hour."""
    asked = history.requested("d1", now_ns=1, by="mia", ref="HEAD", from_release="old")
    ended = msgspec.structs.replace(
        asked, outcome="refused", reason=f"the link {LONE} leads out", phases={LONE: 1.0}
    )
    (entry,) = history.history_of(history.entry_line(ended)).entries
    assert entry.reason == f"the link {ESCAPED} leads out"
    assert entry.outcome == history.Outcome.REFUSED
