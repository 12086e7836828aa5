"""The broken rules at a bound: one side of it, its unit, where it is counted from, who hangs."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

CORE = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"{CORE}/{file}")


BOUND_MUTANTS = (
    _mutant(
        "a body is due in a bake only",
        "state/commit.py",
        "    return crosses_checkpoint(before.progress.cycle, after.progress.cycle)",
        "    return False",
        "test_commit.py::test_a_checkpoint_needs_no_bake_and_is_not_left_out_where_its_cycle_is_missed",
    ),
    _mutant(
        "a day of carrying is one of milliseconds",
        "state/absence.py",
        "86_400 * 10**9",
        "86_400 * 10**6",
        "test_absence.py::test_the_bounds_are_one_day_and_a_thousand_cycles",
    ),
    _mutant(
        "carried cycles are counted from the first one ever",
        "state/absence.py",
        "cycle - effect.cycle >= CARRIED_CYCLES_MIN",
        "cycle >= CARRIED_CYCLES_MIN",
        "test_absence.py::test_the_thousand_cycles_are_counted_from_the_one_that_planned_it",
    ),
    _mutant(
        "half a stop excuses a cycle",
        "state/planned_stop.py",
        "if from_ms and until_ms else None",
        "if from_ms or until_ms else None",
        "test_planned_stop.py::test_half_a_stop_excuses_nothing",
    ),
    _mutant(
        "what was decided in a stop is counted as its cost",
        "state/cycle_audit.py",
        "        owned = max(first - 1, min(",
        "        owned = max(first - 2, min(",
        "test_planned_stop.py::test_what_was_decided_although_it_began_after_a_stop_was_asked_for"
        "_is_no_cost_of_it",
    ),
    _mutant(
        "a promotion ends nothing",
        "state/transitions.py",
        "enough = replace(bake, of=bake.clean_cycles)",
        "enough = replace(bake, of=bake.of)",
        "test_promotion.py::test_it_ends_with_the_next_clean_cycle_and_has_a_way_back_until_then",
    ),
    _mutant(
        "a later owner says anew what cycle numbers mean",
        "state/transitions.py",
        "return replace(record, cadence=record.cadence or cadence)",
        "return replace(record, cadence=cadence)",
        "test_transitions_asked.py::test_what_cycle_numbers_mean_is_said_once_and_stays",
    ),
    _mutant(
        "a cycle without inputs is replayed on empty ones",
        "handoff/deciding.py",
        "    if recorded.unavailable:\n        return Unavailable(recorded.unavailable)\n",
        "",
        "test_deciding.py::test_recorded_inputs_come_back_and_what_was_unavailable_stays_so",
    ),
    _mutant(
        "in a bake a body is brought down to its own shape",
        "handoff/deciding.py",
        "target = record.fallback.schema if record.fallback is not None else record.schema",
        "target = record.schema",
        "test_deciding.py::test_in_a_bake_the_shape_of_the_way_back_is_that_of_the_first_decision",
    ),
    _mutant(
        "an unproven effect is never sent again",
        "handoff/worker/carried.py",
        "            case Next.SEND:\n                return await self._send(effect)\n",
        "            case Next.SEND:\n                return Fate.DOUBTFUL\n",
        "test_effects_carried.py::test_an_unproven_effect_is_sent_again_where_a_second_one_is_refused",
    ),
    _mutant(
        "what may execute twice is sent beyond the limit",
        "handoff/worker/lanes.py",
        "                if self._late():\n                    break\n            answer",
        "            answer",
        "test_effects_order.py::test_what_may_execute_twice_is_not_sent_beyond_the_limit",
    ),
    _mutant(
        "beyond the limit each request gets a second",
        "handoff/worker/lanes.py",
        "/ NS, 0.05)",
        "/ NS, 1.0)",
        "test_effects_order.py::test_beyond_the_limit_each_request_gets_a_moment_and_no_more",
    ),
    _mutant(
        "one bad try refuses a release",
        "handoff/worker/glance.py",
        "    if len(tries) < GATE_TRIES_MIN and not faults[-1]:",
        "    if len(tries) < 1 and not faults[-1]:",
        "test_glance.py::test_one_bad_try_alone_refuses_nobody_unless_the_release_itself_raised",
    ),
    _mutant(
        "a baseline is the newest cycle",
        "handoff/worker/glance.py",
        "BASELINE_CYCLES: Final = 8 ",
        "BASELINE_CYCLES: Final = 1 ",
        "test_glance.py::test_a_baseline_is_the_median_of_the_newest_eight",
    ),
    _mutant(
        "a lost cycle is followed by none that can be judged",
        "handoff/replay/comparison.py",
        "        record = record or assemble(line, None)",
        "",
        "test_redeciding.py::test_from_a_checkpoint_on_nothing_is_lost_any_more",
    ),
    _mutant(
        "an order that was absent before the close never arrives",
        "foresight/venues/polymarket.py",
        "return await self._executed(order) or Missing(is_final=True)",
        "return Missing(is_final=True)",
        "test_trading_venue.py::"
        "test_an_order_that_was_executed_while_it_was_asked_about_is_not_written_off",
    ),
)
