"""Gates that are arithmetic: does a second worker fit, does a build fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.gates import (
    DISK_RESERVE_BYTES,
    ENVIRONMENT_BYTES_DEFAULT,
    LIMITS_S,
    MEMORY_RESERVE_BYTES,
    MIB,
    WORKER_BYTES_DEFAULT,
    GateName,
    GateResult,
    disk_gate,
    disk_needed,
    failed,
    memory_gate,
    memory_needed,
    passed,
    skipped,
)

SIZES = st.integers(min_value=0, max_value=1 << 45)


@given(SIZES, SIZES)
def test_two_workers_start_only_where_both_fit(available: int, worker: int) -> None:
    """Otherwise the kernel chooses which one dies, and it may choose the owner."""
    gate = memory_gate(available_bytes=available, worker_bytes=worker)
    assert gate.allows == (available >= memory_needed(worker))
    assert bool(gate.reason) != gate.allows


def test_a_second_worker_needs_a_quarter_more_than_the_first_and_a_reserve() -> None:
    assert memory_needed(400 * MIB) == 500 * MIB + MEMORY_RESERVE_BYTES
    assert memory_needed(0) == memory_needed(WORKER_BYTES_DEFAULT)


def test_exactly_enough_is_enough() -> None:
    needed = memory_needed(MIB)
    assert memory_gate(available_bytes=needed, worker_bytes=MIB).allows
    assert not memory_gate(available_bytes=needed - 1, worker_bytes=MIB).allows
    assert disk_gate(free_bytes=MIB, needed_bytes=MIB).allows
    assert not disk_gate(free_bytes=MIB - 1, needed_bytes=MIB).allows


def test_a_refusal_names_both_numbers() -> None:
    gate = memory_gate(available_bytes=10 * MIB, worker_bytes=400 * MIB, seconds=0.00123)
    assert gate.reason == "a second worker does not fit: 10 MiB available, 628 MiB needed"
    assert (gate.name, gate.result, gate.seconds) == ("memory", "failed", 0.001)
    assert gate.limit_s == LIMITS_S[GateName.MEMORY]


def test_a_build_leaves_room_for_what_the_bot_writes() -> None:
    assert disk_needed(tree_bytes=0, environment_bytes=0) == DISK_RESERVE_BYTES
    first = disk_needed(tree_bytes=4 * MIB, environment_bytes=ENVIRONMENT_BYTES_DEFAULT)
    assert first == 10 * MIB + ENVIRONMENT_BYTES_DEFAULT + DISK_RESERVE_BYTES


@pytest.mark.parametrize(
    ("gate", "result", "allows"),
    [
        (passed("boot", "said hello"), GateResult.PASSED, True),
        (failed("boot", "no such module"), GateResult.FAILED, False),
        (skipped("shadow", "not asked for"), GateResult.SKIPPED, True),
        (passed("of tomorrow", "whatever it saw"), GateResult.PASSED, True),
    ],
)
def test_only_a_failed_gate_stops_a_deploy(
    gate: object, result: GateResult, *, allows: bool
) -> None:
    assert getattr(gate, "result", None) == result
    assert getattr(gate, "allows", None) is allows
