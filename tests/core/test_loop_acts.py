"""Doing is the only way out of a loop: planned once, after the commit, and told how it ended."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from handoff import LoopCycle, loop, simulate
from handoff.errors import WorkloadFaulty
from handoff.loops.facts import DONE_MAX, Done, Envelope, kept
from handoff.loops.workload import RESULT_BYTES_MAX
from handoff.workload import Pending
from state import Delivery, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff import PlainLoopCycle
    from handoff.loops.decorator import Loop


class Order(msgspec.Struct):
    """A payload with a type."""

    symbol: str
    size: int = 1


def doing(
    act: Callable[..., Any],
    *payloads: Any,  # noqa: ANN401 - plain JSON, or not
    key: str = "",
    delivery: Any = None,  # noqa: ANN401 - as above
) -> Loop:
    """A loop that does one thing in each cycle, and keeps what it is told."""

    @loop(every=60, acts=[act])
    async def does(cycle: LoopCycle, state: dict[str, Any]) -> None:
        state.setdefault("done", []).append([msgspec.to_builtins(each) for each in cycle.done])
        for payload in payloads:
            cycle.do(act, payload, key=key and f"{key}-{cycle.number}", delivery=delivery)

    return does


def test_an_act_is_done_once_however_often_the_loop_is_run() -> None:
    """The loop runs when it observes, when it decides and when it is decided again."""
    told: list[str] = []

    async def notify(line: str) -> None:
        told.append(line)

    ran = simulate(doing(notify, "a", "b")(), cycles=2)
    assert told == ["a", "b", "a", "b"], "in the order of the loop"
    assert {each.outcome for each in ran.receipts} == {Outcome.CONFIRMED}
    assert {each.delivery for each in ran.effects} == {Delivery.AT_LEAST_ONCE}
    assert len({each.lane for each in ran.effects}) == 1


def test_its_id_is_cycle_act_and_place_or_the_key() -> None:
    def notify(line: str) -> None:
        """Tell nobody."""

    ran = simulate(doing(notify, "a", "b")(), cycles=1)
    number = ran.record.progress.cycle
    assert [each.effect_id for each in ran.effects] == [f"notify/{number}/0", f"notify/{number}/1"]
    [keyed] = simulate(doing(notify, "a", key="row")(), cycles=1).effects
    assert keyed.effect_id == f"notify=row-{number}"
    with pytest.raises(WorkloadFaulty, match=rf"twice with key 'row-{number}' in one cycle"):
        simulate(doing(notify, "a", "b", key="row")(), cycles=1)


def test_an_act_whose_outcome_is_unknown_is_done_again_unless_said_otherwise() -> None:
    tries: list[str] = []

    def notify(line: str) -> None:
        tries.append(line)
        if len(tries) == 1:
            message = "reset"
            raise ConnectionError(message)

    ran = simulate(doing(notify, "a")(), cycles=1)
    assert (tries, ran.receipts[0].outcome) == (["a", "a"], Outcome.CONFIRMED)
    tries.clear()
    ran = simulate(doing(notify, "a", delivery="at_most_once")(), cycles=1)
    assert (tries, ran.receipts[0].outcome) == (["a"], Outcome.UNKNOWN)


def test_the_loop_may_declare_its_way_of_delivery_once() -> None:
    def notify(line: str) -> None:
        """Tell nobody."""

    @loop(every=60, acts=[notify], delivery="at_most_once")
    def does(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        cycle.do(notify, "a")
        cycle.do(notify, "b", delivery=Delivery.AT_LEAST_ONCE)

    kinds = [each.delivery for each in simulate(does(), cycles=1).effects]
    assert kinds == [Delivery.AT_MOST_ONCE, Delivery.AT_LEAST_ONCE]


@pytest.mark.parametrize("word", ["by_id", "twice"])
def test_a_way_of_delivery_that_a_loop_has_not_is_a_fault(word: str) -> None:
    with pytest.raises(WorkloadFaulty, match='say "at_least_once" or "at_most_once"'):
        simulate(doing(print, "a", delivery=word)(), cycles=1)


def test_what_was_not_declared_cannot_be_done() -> None:
    """A worker that comes later would not know how to finish it."""

    @loop(every=60, acts=[print])
    def does(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        cycle.do(input, "a")

    with pytest.raises(WorkloadFaulty, match=r"do\(input\): .* acts=\[print\]"):
        simulate(does(), cycles=1)


def test_a_bound_method_is_the_act_that_was_declared() -> None:
    """Each look at it makes another object."""

    class Chat:
        def __init__(self) -> None:
            self.told: list[str] = []

        def send(self, line: str) -> None:
            self.told.append(line)

    chat = Chat()

    @loop(every=60, acts=[chat.send])
    def does(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        cycle.do(chat.send, "a")

    simulate(does(), cycles=1)
    assert chat.told == ["a"]


def test_a_payload_comes_as_the_type_that_the_act_names() -> None:
    got: list[Any] = []

    async def order(wanted: Order) -> None:
        got.append(wanted)

    simulate(doing(order, Order("BTC"), {"symbol": "ETH", "size": 2})(), cycles=1)
    assert got == [Order("BTC"), Order("ETH", 2)]
    with pytest.raises(WorkloadFaulty, match=r"not what the act's annotation says.*size"):
        simulate(doing(order, {"symbol": "ETH", "size": "2"})(), cycles=1)


def test_a_payload_that_is_no_json_is_a_fault_that_names_the_place() -> None:
    with pytest.raises(WorkloadFaulty, match=r"cycle\.do\(print\) has nan at rows\[1\]"):
        simulate(doing(print, {"rows": [None, float("nan")]})(), cycles=1)
    with pytest.raises(WorkloadFaulty, match=r"cycle\.do\(print\) is a object that is no JSON"):
        simulate(doing(print, object())(), cycles=1)


def test_an_act_may_take_nothing() -> None:
    rung: list[str] = []

    def ring() -> None:
        rung.append("ring")

    @loop(every=60, acts=[ring, abs])
    def does(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        cycle.do(ring)
        state["n"] = state.get("n", 0) + 1
        if state["n"] == 2:
            cycle.do(abs)

    simulation = simulate(does(), cycles=1)
    assert rung == ["ring"]
    with pytest.raises(WorkloadFaulty, match=r"do\(abs\): the act takes one"):
        simulation.run(1)
    with pytest.raises(WorkloadFaulty, match=r"do\(ring\): the act takes none"):
        simulate(doing(ring, "a")(), cycles=1)


def test_what_an_act_returned_is_told_once_and_alike_to_both_runs() -> None:
    """Known before the cycle began: what is done in cycle n is told in cycle n + 2."""
    ids = itertools.count()
    runs: list[tuple[int, list[Any]]] = []

    def save(_row: int) -> dict[str, int]:
        return {"id": next(ids)}

    @loop(every=60, acts=[save])
    def does(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        runs.append((cycle.number, [each.result for each in cycle.done]))
        state["told"] = [*state.get("told", []), *(each.result["id"] for each in cycle.done)]
        cycle.do(save, cycle.number)

    ran = simulate(does(), cycles=5)
    assert ran.body.state["told"] == [0, 1, 2]
    for _, same in itertools.groupby(sorted(runs, key=lambda run: run[0]), lambda run: run[0]):
        assert len({msgspec.json.encode(told) for _, told in same}) == 1
    newest = ran.record.progress.cycle
    assert runs[-1] == (newest, [{"id": 2}])


def test_outcomes_of_cycles_that_did_not_end_are_told_by_the_next_that_does() -> None:
    """Otherwise an outage of a feed would swallow the receipts of what was done before it."""

    def fetch(number: int) -> None:
        if number % 4 in {1, 2}:
            message = "down"
            raise OSError(message)

    @loop(every=60, acts=[abs])
    def does(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["told"] = [*state.get("told", []), *(each.result for each in cycle.done)]
        cycle.read(fetch, cycle.number)
        cycle.do(abs, -cycle.number)

    ran = simulate(does(), cycles=12)
    done = [each.cycle for each in ran.effects]
    assert ran.body.state["told"] == done[: len(ran.body.state["told"])]
    assert len(done) - len(ran.body.state["told"]) <= 2


def test_outcomes_beyond_the_bound_go_oldest_first_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def done(number: int) -> Done:
        return Done(act="save", id=str(number), outcome="confirmed")

    full: Envelope[Any] = Envelope(state={}, done=[done(number) for number in range(DONE_MAX)])
    after = kept(full, [done(DONE_MAX), done(DONE_MAX + 1)])
    assert DONE_MAX == 4096
    assert (len(after.done), after.done[0].id, after.forgotten) == (DONE_MAX, "2", 2)

    @loop(every=60)
    def does(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["forgotten"] = cycle.forgotten

    workload = does()
    workload.body.initial = lambda: Envelope(state={}, forgotten=2)
    assert simulate(workload, cycles=1).body == Envelope(state={"forgotten": 2})
    assert capsys.readouterr().err == "does: 2 outcomes were never seen\n"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (object(), "object that is no JSON"),
        (float("nan"), "has nan at its top"),
        ("a" * RESULT_BYTES_MAX, "is not kept"),
    ],
)
def test_what_was_done_is_done_whatever_it_returned(result: object, words: str) -> None:
    """An act that is repeated because its result cannot be written would be done for ever."""

    def save(_row: str) -> object:
        return result

    ran = simulate(doing(save, "a")(), cycles=1)
    [receipt] = ran.receipts
    assert (receipt.outcome, bytes(receipt.payload)) == (Outcome.CONFIRMED, b"null")
    assert words in receipt.reason


def test_an_act_that_this_version_has_not_stays_until_one_comes_that_has() -> None:
    """An earlier version that comes back in a bake must not lose what the later one planned."""
    told: list[str] = []

    def save(row: str) -> None:
        told.append(row)

    @loop(every=60)
    def without(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["n"] = cycle.number

    with_it, other = doing(save, "a")(), without()
    with_it.perform = other.perform  # type: ignore[method-assign] # it dies before it acts
    simulation = simulate(with_it, cycles=1).deploy(other, bake=0).run(2)
    [left] = simulation.record.outbox
    assert left.kind == "save"
    words = "this version of the loop has no act save"
    assert asyncio.run(other.perform(left)) == Pending(words), "no fault: a bake must not end by it"
    simulation.deploy(doing(save, "b")(), bake=0).run(2)
    assert sorted(told) == ["a", "b", "b"]
    assert simulation.record.outbox == ()
