"""Gates that are arithmetic: does a second worker fit, does a build fit."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.gates import (
    DISK_RESERVE_BYTES,
    ENVIRONMENT_BYTES_DEFAULT,
    FILES_RESERVE,
    MEMORY_RESERVE_BYTES,
    MIB,
    REPLAY_CYCLES_MIN,
    WORKER_BYTES_DEFAULT,
    Disk,
    disk_gate,
    disk_needed,
    effects_gate,
    files_needed,
    memory_gate,
    memory_needed,
    replay_gate,
)
from handoff.gate_verdict import (
    LIMITS_S,
    GateName,
    GateResult,
    GateVerdict,
    failed,
    from_message,
    passed,
    skipped,
    to_message,
)
from handoff.limits import OBSERVE_S_MAX, SHADOW_S_MAX
from handoff.replay.comparison import Comparison, Example
from handoff.wish import Wish

SIZES = st.integers(min_value=0, max_value=1 << 45)


@given(SIZES, SIZES)
def test_two_workers_start_only_where_both_fit(available: int, worker: int) -> None:
    """Otherwise the kernel chooses which one dies, and it may choose the owner."""
    gate = memory_gate(available_bytes=available, worker_bytes=worker)
    assert gate.allows == (available >= memory_needed(worker))
    assert bool(gate.reason) != gate.allows


def test_the_numbers_are_those_that_were_measured() -> None:
    """A unit that slips fills a disk, or refuses every deploy for good."""
    assert (WORKER_BYTES_DEFAULT, MEMORY_RESERVE_BYTES) == (256 << 20, 128 << 20)
    assert (DISK_RESERVE_BYTES, ENVIRONMENT_BYTES_DEFAULT) == (256 << 20, 400 << 20)
    assert (FILES_RESERVE, REPLAY_CYCLES_MIN) == (1000, 20)


def test_a_gate_that_nobody_timed_took_no_time() -> None:
    gates = [
        memory_gate(available_bytes=0, worker_bytes=MIB),
        disk_gate(Disk(MIB, MIB)),
        replay_gate(Comparison(cycles=20), Wish()),
        effects_gate(Comparison(), Wish()),
        skipped("shadow", "not asked for"),
        failed("warm", "no venue"),
        passed("warm", "it is"),
        GateVerdict(name="warm", result="passed"),
    ]
    assert [gate.seconds for gate in gates] == [0.0] * len(gates)


def test_each_gate_has_its_limit_in_seconds_and_one_of_a_newer_program_none() -> None:
    """Too short refuses what is sound on a busy host; too long keeps a deploy from being undone."""
    assert {name: limit_s for name, limit_s in LIMITS_S.items() if limit_s < 600} == {
        "disk": 5,
        "memory": 5,
        "replay": 60,
        "effects": 60,
        "boot": 30,
        "cadence": 5,
        "schema": 10,
        "warm": 60,
        "reconcile": 30,
    }
    assert LIMITS_S[GateName.BACKTEST] == 900
    assert (LIMITS_S[GateName.SHADOW], LIMITS_S[GateName.OBSERVE]) == (SHADOW_S_MAX, OBSERVE_S_MAX)
    assert passed("of tomorrow", "whatever it saw").limit_s == 0.0
    assert GateVerdict(name="warm", result="passed").limit_s == 0.0


def test_a_second_worker_needs_a_quarter_more_than_the_first_and_a_reserve() -> None:
    assert memory_needed(400 * MIB) == 500 * MIB + MEMORY_RESERVE_BYTES
    assert memory_needed(0) == memory_needed(WORKER_BYTES_DEFAULT)


def test_exactly_enough_is_enough() -> None:
    needed = memory_needed(MIB)
    assert memory_gate(available_bytes=needed, worker_bytes=MIB).allows
    assert not memory_gate(available_bytes=needed - 1, worker_bytes=MIB).allows
    assert disk_gate(Disk(MIB, MIB, 5, 5)).allows
    assert not disk_gate(Disk(MIB - 1, MIB, 5, 5)).allows
    assert not disk_gate(Disk(MIB, MIB, 4, 5)).allows


def test_a_refusal_names_both_numbers() -> None:
    gate = memory_gate(available_bytes=10 * MIB, worker_bytes=400 * MIB, seconds=0.00123)
    assert gate.reason == "a second worker does not fit: 10 MiB available, 628 MiB needed"
    assert (gate.name, gate.result, gate.seconds) == ("memory", "failed", 0.001)
    assert gate.limit_s == LIMITS_S[GateName.MEMORY]


def test_a_build_leaves_room_for_what_the_bot_writes() -> None:
    assert disk_needed(tree_bytes=0, environment_bytes=0) == DISK_RESERVE_BYTES
    first = disk_needed(tree_bytes=4 * MIB, environment_bytes=ENVIRONMENT_BYTES_DEFAULT)
    assert first == 10 * MIB + ENVIRONMENT_BYTES_DEFAULT + DISK_RESERVE_BYTES


def test_a_build_leaves_room_for_files_as_well() -> None:
    """A disk with space and without inodes refuses the journal's next file all the same."""
    assert files_needed(sources=0, packages=0) == FILES_RESERVE
    assert files_needed(sources=10, packages=2) == 30 + 240 + FILES_RESERVE
    gate = disk_gate(Disk(MIB, MIB, 4, 5))
    assert gate.reason.endswith("1 MiB free, 1 MiB needed; 4 more files (inodes), 5 needed")


def test_a_file_system_that_makes_inodes_as_they_are_needed_lacks_none() -> None:
    """It says that it has none: a deploy there would never be allowed again."""
    assert disk_gate(Disk(MIB, MIB, None, 5)).allows


def test_what_needs_no_files_fits_where_there_are_none() -> None:
    bare = Disk(MIB, MIB, files_free=0)
    assert (bare.files_needed, disk_gate(bare).allows) == (0, True)


def test_nothing_is_built_where_it_could_not_be_loaded() -> None:
    gate = disk_gate(Disk(MIB, MIB, noexec="/home"))
    assert (gate.allows, "/home is mounted noexec" in gate.reason) == (False, True)


def test_a_noexec_place_for_temporary_files_is_said_and_nothing_more() -> None:
    """Hardened hosts mount /tmp so, and hardly a package minds."""
    gate = disk_gate(Disk(MIB, MIB, noexec_temporary="/tmp"))  # noqa: S108 - what is said of it
    assert (gate.allows, gate.evidence.endswith("; /tmp is mounted noexec")) == (True, True)


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


EXAMPLE = (Example(7, "payload of order-7 was 1, is 2"),)


def test_a_replay_within_the_limit_passes_and_says_what_differs() -> None:
    found = Comparison(release="r1", cycles=100, differ=25, differing=EXAMPLE)
    gate = replay_gate(found, Wish(), seconds=2.0)
    assert gate.result == GateResult.PASSED
    assert gate.evidence == "100 cycles, 25 differ; cycle 7: payload of order-7 was 1, is 2"


def test_a_replay_beyond_the_limit_is_refused_unless_somebody_looked() -> None:
    found = Comparison(release="r1", cycles=100, differ=26, differing=EXAMPLE)
    assert not replay_gate(found, Wish()).allows
    assert replay_gate(found, Wish(allow_differences=True)).allows


def test_a_cycle_that_cannot_be_decided_is_refused_whoever_looked() -> None:
    found = Comparison(release="r1", cycles=100, raised=1, raising=EXAMPLE)
    gate = replay_gate(found, Wish(replay_differ_max=1.0, allow_differences=True))
    assert gate.reason.startswith("1 of 100 recorded cycles cannot be decided; cycle 7: ")


def test_an_impure_running_release_is_named_and_refused_unless_somebody_looked() -> None:
    found = Comparison(release="r1", cycles=100, impure=3, impurities=EXAMPLE)
    gate = replay_gate(found, Wish(replay_differ_max=1.0))
    assert gate.reason.startswith("the running release r1 is not pure: it decides 3 of 100")
    assert replay_gate(found, Wish(replay_differ_max=1.0, allow_differences=True)).allows


def test_a_share_of_a_few_cycles_refuses_nobody() -> None:
    few = Comparison(release="r1", cycles=REPLAY_CYCLES_MIN - 1, differ=10, differing=EXAMPLE)
    gate = replay_gate(few, Wish())
    assert gate.allows
    assert gate.evidence.startswith("too few for a share: 19 cycles, 10 differ")
    enough = msgspec.structs.replace(few, cycles=REPLAY_CYCLES_MIN)
    assert not replay_gate(enough, Wish()).allows


def test_a_replay_without_any_cycle_proves_nothing_and_says_so() -> None:
    gate = replay_gate(Comparison(lost=4), Wish())
    assert (gate.result, gate.allows) == (GateResult.SKIPPED, True)
    assert "4 without a body" in gate.reason


def test_a_new_kind_of_effect_needs_a_word() -> None:
    found = Comparison(strange_kinds=("alert version 1",), kinds_known=True)
    assert not effects_gate(found, Wish()).allows
    accepted = effects_gate(found, Wish(irreversible=True))
    assert accepted.evidence == "there is no way back: alert version 1"
    assert effects_gate(Comparison(kinds_known=True), Wish()).allows


@pytest.mark.parametrize("verdict", [passed("warm", "it is", seconds=0.5), failed("warm", "no")])
def test_a_worker_s_verdict_is_told_in_words_of_release_0_2_and_heard_whole(
    verdict: GateVerdict,
) -> None:
    """A deployer of either release writes down what a worker of the other one says."""
    told = to_message(verdict)
    assert told == {
        "gate": "warm",
        "passed": verdict.allows,
        "reason": verdict.words,
        "seconds": verdict.seconds,
    }
    assert from_message({"kind": "gate", "deploy": "d1", **told}) == verdict


def test_a_verdict_stands_in_the_history_as_release_0_2_writes_it() -> None:
    """Byte by byte: somebody may have scripts that read it."""
    assert msgspec.json.encode(failed("warm", "no venue", evidence="3 asked", seconds=0.25)) == (
        b'{"name":"warm","result":"failed","reason":"no venue","evidence":"3 asked",'
        b'"seconds":0.25,"limit_s":60.0}'
    )
