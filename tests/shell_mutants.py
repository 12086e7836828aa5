"""The broken rules of everything around the transitions and the store: effects, cycles, workers."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

CORE = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"{CORE}/{file}")


SHELL_MUTANTS = (
    _mutant(
        "a candidate takes from an owner of another home",
        "handoff/worker/follower.py",
        "if owner is not None and self._is_doubtful(owner):",
        "if owner is None:",
        "test_worker_takes.py::test_nobody_takes_from_an_owner_that_may_have_another_home",
    ),
    _mutant(
        "what is absent is sent again at once",
        "handoff/worker/requests.py",
        "        return self._asked_ns[effect.effect_id] > last_ns + IN_FLIGHT_NS",
        "        return self._asked_ns[effect.effect_id] >= last_ns",
        "test_effects_outcomes.py::test_what_is_absent_where_repeats_execute_is_not_"
        "sent_while_a_request_may_be_under_way",
    ),
    _mutant(
        "an absence counts from its answer on",
        "handoff/worker/requests.py",
        "        return self._asked_ns[effect.effect_id] > last_ns + IN_FLIGHT_NS",
        "        return self.monotonic_ns() > last_ns + IN_FLIGHT_NS",
        "test_effects_outcomes.py::test_a_question_from_before_all_had_arrived_proves_no_absence",
    ),
    _mutant(
        "a doubtful effect is sent again",
        "state/absence.py",
        "    return effect.unproven and absence.repeatable\n",
        "    return absence.repeatable\n",
        "test_effects_outcomes.py::test_a_doubtful_effect_is_only_ever_asked_about",
    ),
    _mutant(
        "a new owner sends without asking",
        "handoff/worker/lanes.py",
        "        if effect.fate is Fate.PLANNED and self._fresh:",
        "        if effect.fate is Fate.PLANNED:",
        "test_effects_outcomes.py::test_absence_is_final_only_when_no_request_can_be_under_way",
    ),
    _mutant(
        "an accepted effect is sent again",
        "handoff/worker/lanes.py",
        "        return await self._ask_about(effect, may_send=not isinstance(answer, Pending))",
        "        return await self._ask_about(effect, may_send=True)",
        "test_effects_outcomes.py::test_an_accepted_effect_is_never_sent_again_even_"
        "where_it_is_absent",
    ),
    _mutant(
        "a halted owner sends",
        "handoff/worker/lanes.py",
        'blocked = blocked or ("" if self._may_send else "halted")',
        'blocked = blocked or ""',
        "test_effects_outcomes.py::test_while_halted_nothing_is_sent",
    ),
    _mutant(
        "an unknown outcome is repeated blindly",
        "handoff/worker/cycle.py",
        "            return found if found.attempt == attempt else "
        "self._store.transact(bound, note)",
        "            return found if found.attempt == note.kind else "
        "self._store.transact(bound, note)",
        "test_cycle_commits.py::test_a_write_whose_outcome_is_unknown_and_that_"
        "landed_is_not_repeated",
    ),
    _mutant(
        "a command is decided over",
        "handoff/worker/cycle.py",
        "    if record.control != control:",
        "    if record.control != control and record.control.halted:",
        "test_cycle_commits.py::test_a_command_that_lands_while_it_is_decided_is_decided_upon",
    ),
    _mutant(
        "the fallback is not written",
        "handoff/deciding.py",
        "    if target == workload.body.schema_id:\n        return None",
        "    if target != workload.body.schema_id:\n        return None",
        "test_cycle_faults.py::test_in_a_bake_the_body_is_written_for_the_previous_release_too",
    ),
    _mutant(
        "a violated invariant is committed",
        "handoff/deciding.py",
        "    if violations:\n",
        "    if len(violations) > 9:\n",
        "test_cycle_commits.py::test_an_invariant_that_is_violated_is_a_fault",
    ),
    _mutant(
        "an early wake is accepted",
        "handoff/worker/life.py",
        "            if left_ns <= 0 or self._leave:",
        "            if left_ns <= 2_000_000 or self._leave:",
        "test_worker_wakes.py::test_a_timer_that_wakes_early_starts_no_cycle_early",
    ),
    _mutant(
        "a signal that was sent counts as death",
        "handoff/worker/follower.py",
        "        if self._watch_owner(owner).gone():",
        "        if self._killed == owner or self._watch_owner(owner).gone():",
        "test_worker_seizes.py::test_an_owner_that_does_not_die_of_a_kill_is_not_seized_from",
    ),
    _mutant(
        "an owner is overdue by the clock alone",
        "handoff/worker/follower.py",
        "        return waited_ns > schedule.bounds.overdue_ns and (",
        "        return waited_ns >= 0 and (",
        "test_worker_overdue.py::test_an_owner_has_the_whole_limit_after_a_suspension",
    ),
    _mutant(
        "a release that is its own way back leaves a cycle to it",
        "handoff/worker/follower.py",
        "        if previous is None or previous.release == me.release:",
        "        if previous is None:",
        "test_worker_returns.py::test_a_cycle_that_kills_in_a_bake_is_left_to_the_way_back_only_if"
        "_that_is_another_release[r2]",
    ),
    _mutant(
        "a candidate takes unapproved",
        "handoff/worker/follower.py",
        "        if self._bake is None:\n            return False\n        return record",
        "        if self._bake is None and self._took_epoch:\n"
        "            return False\n"
        "        return record",
        "test_worker_takes.py::test_a_candidate_that_is_not_approved_neither_takes_nor_seizes",
    ),
    _mutant(
        "a cycle within its limit is given up",
        "handoff/cadence.py",
        "> limit",
        "> limit // 2",
        "test_cadence.py::test_a_cycle_is_given_up_past_its_limit_and_not_at_it[1]",
    ),
    _mutant(
        "a wish to go back outlives its bake",
        "handoff/worker/follower.py",
        "            asked = self._take_back == record.rollout.deploy_id",
        "            asked = bool(self._take_back)",
        "test_worker_returns.py::test_a_wish_to_undo_one_deploy_does_not_undo_a_later_one",
    ),
    _mutant(
        "what a release does wrong while it performs is forgotten",
        "handoff/worker/requests.py",
        "        if not is_outside(error, self._workload.outside):",
        "        if is_outside(error, self._workload.outside):",
        "test_cycle_weather.py::test_an_effect_whose_code_is_wrong_ends_a_bake_and_is_in_doubt_"
        "all_the_same",
    ),
    _mutant(
        "a bad cycle counts as clean",
        "handoff/worker/cycle.py",
        "is_clean = begun is not None and not (begun.lack or raised or self._slow_cycles)",
        "is_clean = begun is not None and not begun.lack",
        "test_cycle_weather.py::test_a_slow_cycle_between_punctual_ones_is_not_clean_and_ends_"
        "nothing",
    ),
    _mutant(
        "a release that is too slow for its period stays",
        "handoff/worker/cycle.py",
        "        if self._slow_cycles <= SLOW_CYCLES_MAX:",
        "        if self._slow_cycles >= 0:",
        "test_cycle_weather.py::test_cycles_longer_than_the_period_end_a_bake_when_too_many_run_"
        "in_a_row",
    ),
    _mutant(
        "what a release declares as weather is its fault",
        "handoff/outside.py",
        "isinstance(error, (*ALWAYS, *declared))",
        "isinstance(error, ALWAYS)",
        "test_cycle_weather.py::test_weather_leaves_a_cycle_without_inputs_and_a_bake_where_it_"
        "was[error3]",
    ),
    _mutant(
        "what may execute twice is dropped with its cycle",
        "handoff/worker/lanes.py",
        "        return self._requests.doubtful(effect, reason)\n\n    async def _ask_about(",
        "        return receipt(effect, Outcome.UNKNOWN, reason=reason)\n\n"
        "    async def _ask_about(",
        "test_effects_carried.py::test_a_message_outlasts_an_outage_of_several_cycles",
    ),
    _mutant(
        "what is carried is sent while halted",
        "handoff/worker/carried.py",
        "        may_send = self._may_send and not blocked",
        "        may_send = not blocked",
        "test_effects_carried.py::test_while_halted_what_is_carried_is_kept_and_not_sent",
    ),
    _mutant(
        "what is carried is sent before what it comes after",
        "handoff/worker/carried.py",
        "        may_send = self._may_send and not blocked",
        "        may_send = self._may_send",
        "test_effects_carried.py::test_what_comes_after_a_carried_effect_waits_for_it",
    ),
    _mutant(
        "an effect goes after one that is carried",
        "handoff/worker/lanes.py",
        "        if effect.after in self._carried:",
        "        if effect.after in self._verdicts:",
        "test_effects_carried.py::test_a_new_effect_after_a_carried_one_is_refused",
    ),
    _mutant(
        "a new owner asks about earlier cycles first thing",
        "handoff/worker/cycle.py",
        "        limit_s = budget_s * CARRIED_PART if self._has_settled else 0",
        "        limit_s = budget_s * CARRIED_PART",
        "test_effects_carried.py::test_only_an_owner_that_settled_a_cycle_asks_about_earlier_ones",
    ),
    _mutant(
        "what is carried takes all the time",
        "handoff/worker/carried.py",
        "            if self._seconds_left() <= 0:\n                return\n",
        "",
        "test_effects_carried.py::test_what_finds_no_time_has_its_turn_in_the_next_cycle",
    ),
    _mutant(
        "what was tried last is tried first",
        "handoff/worker/effects.py",
        "        return sorted(effects, key=lambda effect: self._turns[effect.effect_id])",
        "        return list(effects)",
        "test_effects_carried.py::test_what_finds_no_time_has_its_turn_in_the_next_cycle",
    ),
    _mutant(
        "what is carried never ends",
        "handoff/worker/effects.py",
        "        self._end_carried(left, cycle=cycle, planned_ns=planned_ns)\n",
        "",
        "test_effects_carried.py::test_what_is_carried_ends_as_unknown_after_its_last_moment",
    ),
    _mutant(
        "an unproven effect is written off by waiting",
        "handoff/worker/carried.py",
        "        behind = self._requests.absence(effect, answer)\n",
        "        behind = self._requests.absence(effect, answer)\n"
        "        behind = type(behind)(quiet=True, enforced=True)\n",
        "test_effects_carried.py::test_an_unproven_effect_is_never_written_off_by_waiting",
    ),
    _mutant(
        "the cadence of the record is not looked at",
        "handoff/worker/gates.py",
        "(held.period_ns, held.offset_ns) == (own.period_ns, own.offset_ns)",
        "held.offset_ns == own.offset_ns",
        "test_worker_numbers.py::test_a_candidate_of_another_cadence_is_refused[9]",
    ),
    _mutant(
        "a follower of another cadence seizes",
        "handoff/worker/life.py",
        "            if fault:  # said by",
        "            if not fault and not fault.isascii():  # said by",
        "test_worker_numbers.py::test_a_worker_whose_numbers_mean_other_moments_does_not_own_"
        "though_it_passed_its_gates",
    ),
    _mutant(
        "an owner that finds other moments goes on",
        "handoff/worker/life.py",
        "            if self._numbers_fault:",
        "            if self._numbers_fault is None:",
        "test_worker_numbers.py::test_an_owner_that_finds_other_moments_gives_ownership_up_and_"
        "says_so",
    ),
    _mutant(
        "an owner says what nothing proves",
        "handoff/worker/life.py",
        "parts.schedule.recorded() if known else None",
        "parts.schedule.recorded()",
        "test_worker_numbers.py::test_an_owner_that_nothing_proves_right_decides_and_leaves_it_"
        "unsaid",
    ),
    _mutant(
        "the journal is asked about its newest lines only",
        "state/numbering.py",
        "    known = list(places)\n",
        "    known = list(places)[-8:]\n",
        "test_worker_numbers.py::test_where_the_record_does_not_say_it_the_journal_does_behind_"
        "any_number_of_commands[9]",
    ),
    _mutant(
        "a baking release costs a cycle its limit of owners",
        "handoff/worker/follower.py",
        "        if record.rollout is None or record.ownership.release != me.release:",
        "        if record.rollout is not None or record.ownership.release != me.release:",
        "test_cycle_given_up.py::test_in_a_bake_a_worker_whose_seize_would_reach_the_limit_leaves",
    ),
    _mutant(
        "one owner more is tried in a bake",
        "handoff/worker/follower.py",
        "        return attempts >= ATTEMPTS_MAX and (",
        "        return attempts > ATTEMPTS_MAX and (",
        "test_cycle_given_up.py::test_in_a_bake_a_worker_whose_seize_would_reach_the_limit_leaves",
    ),
    _mutant(
        "a cycle that no owner survives is run once more",
        "handoff/worker/life.py",
        "            return self._miss(runner, number, GIVEN_UP)\n        record = await",
        "            pass\n        record = await",
        "test_cycle_given_up.py::test_a_cycle_that_kills_its_owners_before_the_decision_is_missed_"
        "after_the_third",
    ),
    _mutant(
        "a cycle in hand that no owner survives is performed once more",
        "handoff/worker/cycle.py",
        "given_up(record.outbox) if reason else await",
        "given_up(record.outbox) if not reason else await",
        "test_cycle_given_up.py::test_a_decided_cycle_is_given_up_without_a_call_of_the_application",
    ),
)
