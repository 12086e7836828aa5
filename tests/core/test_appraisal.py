"""What deciding otherwise would have come to: what an application is given, and what is said."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import asdict
from typing_extensions import override

from handoff.cadence import Schedule
from handoff.replay.appraisal import WORDS_MAX, appraisal_words
from handoff.replay.comparison import (
    Comparison,
    Lost,
    Origin,
    Recorded,
    compare,
    origin_of,
    recorded_cycles,
    words_of,
)
from handoff.simulation import simulate
from handoff.workload import Appraisal, TwiceDecided, Workload, payload_of
from tests.engine_world import Application, Body, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handoff.replay.comparison import Message
    from handoff.simulation import Simulation
    from handoff.workload import Cycle

CYCLES = 30
NO_APPRAISAL = Workload.appraise


class Appraising(Application):
    """Orders in each cycle; appraises by what the test gives."""

    def __init__(
        self,
        price: Callable[[int], int] = lambda _: 1,
        says: Callable[[Body, Iterable[TwiceDecided[list[str]]]], Any] | None = None,
    ) -> None:
        super().__init__()
        self._price = price
        self._says = says
        self.deciding = self._plan

    def _plan(self, cycle: Cycle, body: Body) -> None:
        del body
        name, price = f"order-{cycle.number}", self._price(cycle.number)
        self.plans[cycle.number] = [order(name, payload={"price": price})] if price else []

    @override
    def appraise(self, body: Body, cycles: Iterable[TwiceDecided[list[str]]]) -> Appraisal | str:
        said: Appraisal | str = "" if self._says is None else self._says(body, cycles)
        return said


@pytest.fixture(scope="module")
def ran() -> Simulation:
    return simulate(Appraising(), cycles=CYCLES)


def told(ran: Simulation, kind: type[Appraising] = Appraising) -> Iterator[Message]:
    """What the running release tells of its cycles, through the bytes of a pipe."""
    app = kind()
    schedule = Schedule(app.cadence, ran.record.timeline)
    cycles = recorded_cycles(ran.lines, app, schedule, release=ran.release, first=0)
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Origin | Recorded | Lost)
    for each in itertools.chain([origin_of(app, ran.release)], cycles):
        yield decoder.decode(msgspec.json.encode(each))


def saying(said: object) -> Callable[[Body, Iterable[TwiceDecided[list[str]]]], Any]:
    return lambda _body, _cycles: said


def test_an_application_is_given_the_cycles_from_the_first_that_differs_on(
    ran: Simulation,
) -> None:
    newest = ran.record.progress.cycle
    differs = newest - 9
    given: list[tuple[Body, list[TwiceDecided[list[str]]]]] = []

    def look(body: Body, cycles: Iterable[TwiceDecided[list[str]]]) -> str:
        given.append((body, list(cycles)))
        return "seen"

    found = compare(told(ran), Appraising(lambda number: 2 if number == differs else 1, look))
    ((body, cycles),) = given
    assert body.cycles[-1] == differs - 1, "the body before the first of them"
    assert [each.cycle.number for each in cycles] == list(range(differs, newest + 1))
    assert [each.inputs for each in cycles] == [
        [f"seen in {number}"] for number in range(differs, newest + 1)
    ]
    prices = [
        [payload_of(one, dict[str, int])["price"] for one in (*each.decided, *each.wanted)]
        for each in cycles
    ]
    assert prices == [[1, 2], *[[1, 1]] * 9]
    assert found.appraisal == "seen"


def test_nothing_is_asked_where_every_cycle_is_decided_alike(ran: Simulation) -> None:
    found = compare(told(ran), Appraising(says=saying("asked")))
    assert (found.cycles, found.differ, found.appraisal) == (CYCLES, 0, "")


def test_a_cycle_that_this_code_cannot_decide_is_not_appraised(ran: Simulation) -> None:
    newest = ran.record.progress.cycle

    def price(number: int) -> int:
        assert number != newest - 3, "nothing"
        return 2

    numbers: list[int] = []

    def look(_body: Body, cycles: Iterable[TwiceDecided[list[str]]]) -> str:
        numbers.extend(each.cycle.number for each in cycles)
        return ""

    found = compare(told(ran), Appraising(price, look))
    assert found.raised == 1
    assert len(numbers) == CYCLES - 1
    assert newest - 3 not in numbers


def test_an_application_that_cannot_say_changes_no_word(ran: Simulation) -> None:
    class Silent(Appraising):
        appraise = NO_APPRAISAL

    found = compare(told(ran), Silent(lambda _: 2))
    assert found.differ == CYCLES
    assert found.appraisal == ""
    assert words_of(found).startswith(f"{CYCLES} cycles, {CYCLES} differ; cycle ")


def test_an_appraisal_stands_beside_the_count(ran: Simulation) -> None:
    said = Appraisal(of="orders", fewer=30, amount_micro=-3_100_000, unit="USDC", unended=2)
    found = compare(told(ran), Appraising(lambda _: 0, saying(said)))
    assert found.appraisal == said
    words = "30 fewer orders; the difference would have earned -3.10 USDC, 2 not ended yet"
    assert words_of(found).startswith(f"{CYCLES} cycles, {CYCLES} differ ({words}); cycle ")


def failing(_body: Body, cycles: Iterable[TwiceDecided[list[str]]]) -> str:
    first = next(iter(cycles))
    raise KeyError(first.cycle.number)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (failing, "appraise raised KeyError: "),
        (saying(None), "appraise raised ValidationError: "),
        (saying(Appraisal(more=1, amount_micro=1.5)), "appraise raised ValidationError: "),  # type: ignore[arg-type] # its mistake
        (saying(object()), "appraise raised TypeError: "),
    ],
    ids=["raises", "nothing", "no whole number", "no value"],
)
def test_an_appraisal_that_fails_is_said_and_refuses_nobody(
    says: Callable[[Body, Iterable[TwiceDecided[list[str]]]], Any], words: str, ran: Simulation
) -> None:
    found = compare(told(ran), Appraising(lambda _: 2, says))
    assert isinstance(found.appraisal, str)
    assert found.appraisal.startswith(words)
    assert (found.cycles, found.differ, found.raised) == (CYCLES, CYCLES, 0)


def test_words_in_place_of_numbers_are_short(ran: Simulation) -> None:
    found = compare(told(ran), Appraising(lambda _: 2, saying("long " * WORDS_MAX)))
    assert isinstance(found.appraisal, str)
    assert len(found.appraisal) == WORDS_MAX


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", ""),
        ("three words here", "three words here"),
        (Appraisal(), "no other effects"),
        (Appraisal(more=1), "1 more effects"),
        (Appraisal(of="orders", more=5, fewer=9, changed=2), "5 more orders, 9 fewer, 2 changed"),
        (
            Appraisal(of="orders", fewer=9, amount_micro=1_005_000, unit="USDC", basis="at cost"),
            "9 fewer orders; the difference would have earned +1.01 USDC at cost",
        ),
        (
            Appraisal(of="orders", more=3, amount_micro=-4_999, unit="EUR", unjudged=1),
            "3 more orders; the difference would have earned 0.00 EUR, 1 cannot be judged",
        ),
        (
            Appraisal(of="orders", changed=2, amount_micro=-1_234_567_890, unit="EUR"),
            "2 changed orders; the difference would have earned -1234.57 EUR",
        ),
        (
            Appraisal(of="orders", more=3, unit="EUR", unended=3),
            "3 more orders; what the difference would have earned cannot be said, 3 not ended yet",
        ),
    ],
)
def test_an_appraisal_in_words(said: Appraisal | str, words: str) -> None:
    assert appraisal_words(said) == words


def test_releases_with_and_without_appraisals_understand_each_other() -> None:
    """A comparison crosses from the candidate's engine to the one that runs, old or new."""
    found = Comparison(release="r1", cycles=9, differ=1, appraisal=Appraisal(of="orders", more=1))
    older = {name: value for name, value in asdict(found).items() if name != "appraisal"}
    told_by_older = msgspec.json.encode(older)
    assert msgspec.json.decode(told_by_older, type=Comparison) == msgspec.structs.replace(
        found, appraisal=""
    )
    told_by_newer = msgspec.json.decode(msgspec.json.encode(found))
    told_by_newer["appraisal"] |= {"median_micro": 7}
    told_by_newer["certainty"] = 0.9
    assert msgspec.convert(told_by_newer, Comparison) == found
    bare = {"release": "r1", "appraisal": {"more": 1, "of": "orders"}}
    assert msgspec.convert(bare, Comparison).appraisal == found.appraisal


def test_what_is_kept_for_an_appraisal_holds_no_bodies() -> None:
    """Thirty bodies of a quarter of a megabyte: only the first is still there at the end."""
    size = 1 << 18

    class Heavy(Appraising):
        @override
        def _plan(self, cycle: Cycle, body: Body) -> None:
            super()._plan(cycle, body)
            body.outcomes = ["x" * size]

    ran = simulate(Heavy(), cycles=CYCLES)
    messages = [msgspec.json.encode(each) for each in told(ran, Heavy)]
    assert sum(map(len, messages)) > (CYCLES - 1) * size
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Origin | Recorded | Lost)
    held: list[int] = []

    def weigh(_body: Body, cycles: Iterable[TwiceDecided[list[str]]]) -> str:
        held.append(tracemalloc.get_traced_memory()[0])
        return f"{len(list(cycles))} cycles"

    tracemalloc.start()
    try:
        # Each message has a buffer of its own, as when it is read from a pipe.
        told_apart = (decoder.decode(bytes(bytearray(each))) for each in messages)
        found = compare(told_apart, Heavy(lambda _: 2, weigh))
    finally:
        tracemalloc.stop()
    assert found.appraisal == f"{CYCLES} cycles"
    assert held[0] < 8 * size
