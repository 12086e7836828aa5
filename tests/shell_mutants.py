"""The broken rules of everything around the transitions: files, locks, effects, workers."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

CORE = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"{CORE}/{file}")


SHELL_MUTANTS = (
    _mutant(
        "a rename is not made durable",
        "state/atomic_file.py",
        "    try:\n        sync(files, path.parent)\n    except",
        "    try:\n        sync(files, path)\n    except",
        "test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "a new file is not made durable",
        "state/atomic_file.py",
        "        write_all(files, descriptor, data)\n        files.fsync(descriptor)\n    finally",
        "        write_all(files, descriptor, data)\n    finally",
        "test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_or_did_not[settle]",
    ),
    _mutant(
        "a file whose fsync failed is kept",
        "state/atomic_file.py",
        "        files.replace(fresh, path)\n"
        "    except OSError:\n"
        "        discard(files, fresh)\n"
        "        raise",
        "        files.replace(fresh, path)\n    except OSError:\n        raise",
        "test_local_store_faults.py::test_a_file_whose_fsync_failed_is_thrown_away",
    ),
    _mutant(
        "the record is written in its place",
        "state/atomic_file.py",
        '    fresh = path.with_name(f"{path.name}.new")',
        "    fresh = path",
        "test_atomic_file.py::test_killed_at_any_call_the_file_is_the_old_or_the_new_one",
    ),
    _mutant(
        "a journal line is not made durable",
        "state/journal.py",
        "            write_all(self._files, descriptor, data)\n"
        "            self._files.fsync(descriptor)",
        "            write_all(self._files, descriptor, data)",
        "test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "a new segment's name is not made durable",
        "state/journal.py",
        "            self._write(descriptor, data, undo_size=0)\n"
        "            sync(self._files, self._directory)",
        "            self._write(descriptor, data, undo_size=0)",
        "test_power_cut.py::test_the_first_record_is_there_once_it_was_acknowledged",
    ),
    _mutant(
        "half a line is taken for one",
        "state/journal.py",
        "            if tail.torn:\n",
        "            if tail.torn and not tail.lines:\n",
        "test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "the journal goes after the record",
        "state/local_store.py",
        "        line = self._with_spare(append, spend=spend)\n"
        "        self._with_spare(lambda: self._file.replace(commit.data, "
        "attempt=attempt), spend=spend)\n",
        "        self._with_spare(lambda: self._file.replace(commit.data, "
        "attempt=attempt), spend=spend)\n"
        "        line = self._with_spare(append, spend=spend)\n",
        "test_local_store_faults.py::test_killed_at_any_call_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "what is visible is taken for durable",
        "state/local_store.py",
        "        self._file.make_durable(generation)\n        return generation\n",
        "        return generation\n",
        "test_power_cut.py::test_what_a_reader_was_told_outlives_the_power[decide]",
    ),
    _mutant(
        "the spare is not used",
        "state/local_store.py",
        "            if not (spend and is_full(error) and self._file.spend()):",
        "            if not (spend and is_full(error) and not self._file.spend()):",
        "test_local_store_faults.py::test_on_a_full_disk_nothing_new_starts_and_what_"
        "was_planned_gets_its_fate",
    ),
    _mutant(
        "the spare is spent on what only starts",
        "state/local_store.py",
        "spend=not starts)",
        "spend=True)",
        "test_local_store_faults.py::test_what_only_starts_leaves_the_spare_to_what_was_planned",
    ),
    _mutant(
        "a commit that landed is called a failure",
        "state/local_store.py",
        "        with contextlib.suppress(OSError):\n            identity",
        "        with contextlib.suppress(ZeroDivisionError):\n            identity",
        "test_local_store_faults.py::test_a_commit_that_is_in_place_is_never_called_a_failure",
    ),
    _mutant(
        "the lock is not taken",
        "state/record_lock.py",
        "        while not lock_descriptor(self._descriptor, blocking=False):",
        "        while lock_descriptor(self._descriptor, blocking=False) is None:",
        "test_record_lock.py::test_two_descriptors_exclude_each_other",
    ),
    _mutant(
        "a lock on a file that was replaced counts",
        "state/record_lock.py",
        "            if self._is_current():",
        "            if self._is_current() or True:",
        "test_record_lock.py::test_a_lock_on_a_file_that_is_no_longer_there_is_no_lock[replaced]",
    ),
    _mutant(
        "a decision behind bookkeeping never happened",
        "state/recovery.py",
        "    if before.kind in BOOKKEEPING:",
        "    if not before.kind:",
        "test_local_store_damage.py::test_a_decision_that_follows_bookkeeping_is_not_"
        "taken_for_one_that_never_happened[aborted]",
    ),
    _mutant(
        "a record is recovered without its digest",
        "state/recovery.py",
        "    return Generation(record, line.result) if encode_record(record)[1] == "
        "line.result else None",
        "    return Generation(record, line.result)",
        "test_recovery.py::test_a_decision_that_cannot_be_proven_is_not_made_up",
    ),
    _mutant(
        "a record of a newer format is read",
        "state/record.py",
        "    if version > FORMAT:",
        "    if version > FORMAT + 98:",
        "test_record.py::test_a_newer_format_is_refused_whatever_else_changed",
    ),
    _mutant(
        "a line may be left out of the journal",
        "state/journal_frames.py",
        "    if line.seq != previous.seq + 1:",
        "    if line.seq < previous.seq:",
        "test_journal_frames.py::test_a_line_may_only_change_the_record_that_the_line_before_left",
    ),
    _mutant(
        "the end of the journal may be cut off",
        "state/journal_reader.py",
        "        reached = reached or digest in {line.result, line.parent}",
        "        reached = True",
        "test_journal.py::test_a_removed_segment_is_noticed",
    ),
    _mutant(
        "a number that is none is stored",
        "state/schema.py",
        '        if b"null" in data:\n            _require_finite',
        '        if b"NaN" in data:\n            _require_finite',
        "test_schema.py::test_a_number_that_json_cannot_hold_is_refused[nan]",
    ),
    _mutant(
        "an archive is restored unproven",
        "state/archive.py",
        "    if tuple(found) != contents.members:",
        "    if len(found) < 0:",
        "test_archive.py::test_a_damaged_archive_is_refused_and_nothing_is_touched[previous]",
    ),
    _mutant(
        "newer state is replaced unasked",
        "state/archive.py",
        "    if not force and _reached(there) > _reached(wanted):",
        "    if not force and _reached(there) < _reached(wanted):",
        "test_archive.py::test_what_is_replaced_is_kept",
    ),
    _mutant(
        "what is absent is sent again at once",
        "handoff/worker/effects.py",
        "        return self.monotonic_ns() > last_ns + IN_FLIGHT_NS",
        "        return self.monotonic_ns() >= last_ns",
        "test_effects_outcomes.py::test_what_is_absent_where_repeats_execute_is_not_"
        "sent_while_a_request_may_be_under_way",
    ),
    _mutant(
        "a doubtful effect is sent again",
        "handoff/worker/effects.py",
        "        may_repeat = planned and self._may_send and not blocked",
        "        may_repeat = self._may_send and not blocked",
        "test_effects_outcomes.py::test_a_doubtful_effect_is_only_ever_asked_about",
    ),
    _mutant(
        "a new owner sends without asking",
        "handoff/worker/effects.py",
        "        if planned and self._fresh:",
        "        if planned:",
        "test_effects_outcomes.py::test_absence_is_final_only_when_no_request_can_be_under_way",
    ),
    _mutant(
        "an accepted effect is sent again",
        "handoff/worker/effects.py",
        "        return await self._ask_about(effect, may_repeat=not isinstance(answer, Pending))",
        "        return await self._ask_about(effect, may_repeat=True)",
        "test_effects_outcomes.py::test_an_accepted_effect_is_never_sent_again_even_"
        "where_it_is_absent",
    ),
    _mutant(
        "a halted owner sends",
        "handoff/worker/effects.py",
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
        "        if not self._watch_owner(owner).gone():",
        "        if not (self._killed == owner or self._watch_owner(owner).gone()):",
        "test_worker_seizes.py::test_an_owner_that_does_not_die_of_a_kill_is_not_seized_from",
    ),
    _mutant(
        "an owner is overdue by the clock alone",
        "handoff/worker/follower.py",
        "        return waited_ns > schedule.bounds.overdue_ns and (",
        "        return waited_ns >= 0 and (",
        "test_worker_overdue.py::test_an_owner_has_the_whole_limit_after_a_step_of_"
        "the_clock_or_a_suspension",
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
        "handoff/worker/effects.py",
        "        if not is_outside(error, self._workload.outside):",
        "        if is_outside(error, self._workload.outside):",
        "test_cycle_weather.py::test_an_effect_whose_code_is_wrong_ends_a_bake_and_is_in_doubt_"
        "all_the_same",
    ),
    _mutant(
        "a bad cycle counts as clean",
        "handoff/worker/cycle.py",
        "cleanliness=Cleanliness.OUTSIDE if raised or self._slow_cycles else cleanliness",
        "cleanliness=cleanliness",
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
)
