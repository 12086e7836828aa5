"""What an application gets without writing it, and the values that it passes to the engine."""

from __future__ import annotations

import msgspec
import pytest

from handoff.deciding import cycle_of, decide_once
from handoff.errors import WorkloadFaulty
from handoff.virtual_time import run_virtual
from handoff.workload import (
    Cycle,
    Ready,
    Reconciliation,
    Unavailable,
    Unknown,
    Workload,
    effect,
    is_json,
    payload_of,
    receipt,
)
from state.record import Outcome, Progress, Record, SchemaId
from tests.engine_world import APP, FIRST, Application, schedule, worker_id

CYCLE = Cycle(number=1, now_ns=0, seed=0)


def test_what_an_application_leaves_out_allows_everything_and_knows_nothing() -> None:
    async def main() -> None:
        bare: Workload[object, object] = Workload()
        await bare.warm(None)
        await bare.close()
        assert await bare.follow(CYCLE, None) == Ready()
        assert await bare.reconcile(None, ()) == Reconciliation(differences=())
        assert isinstance(await bare.resolve(effect("a", effect_id="1", payload=None)), Unknown)
        assert bare.invariants(None) == ()

    run_virtual(main())


def test_what_an_application_has_to_write_says_so_when_it_is_missing() -> None:
    async def main() -> None:
        bare: Workload[object, object] = Workload()
        with pytest.raises(NotImplementedError):
            await bare.observe(CYCLE, None)
        with pytest.raises(NotImplementedError):
            bare.decide(CYCLE, None, Unavailable("none"), ())
        with pytest.raises(NotImplementedError):
            await bare.perform(effect("a", effect_id="1", payload=None))

    run_virtual(main())


def test_payloads_come_back_as_they_were_given() -> None:
    planned = effect("order", effect_id="1", payload={"side": "up", "shares": 5})
    answer = receipt(planned, Outcome.REFUSED, payload=[1, 2], reason="no money")
    assert payload_of(planned, dict) == {"side": "up", "shares": 5}
    assert payload_of(answer, list[int]) == [1, 2]
    assert (answer.effect_id, answer.kind, answer.reason) == ("1", "order", "no money")
    with pytest.raises(msgspec.ValidationError):
        payload_of(planned, list[int])


def test_an_effect_has_a_lane_of_its_own_unless_it_names_one() -> None:
    assert effect("order", effect_id="1", payload=None).lane == "1"
    assert effect("order", effect_id="1", payload=None, lane="btc").lane == "btc"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"null", True), (b'{"a":1}', True), (b"", False), (b"{", False), (b'"\xff"', False)],
)
def test_bytes_that_would_spoil_the_record_are_told_from_json(
    raw: bytes, *, expected: bool
) -> None:
    assert is_json(msgspec.Raw(raw)) is expected


def test_a_body_that_this_code_cannot_read_is_a_fault_that_names_both_versions() -> None:
    record = Record(
        app=APP,
        progress=Progress(cycle=FIRST),
        schema=SchemaId(name="test.body", version=7, fingerprint="later"),
    )
    cycle = cycle_of(record, FIRST + 1, schedule(), release=worker_id().release)
    with pytest.raises(WorkloadFaulty, match="stored version 7, known 1"):
        decide_once(Application(), record, cycle, [])
