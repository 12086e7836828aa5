"""The broken rules of the store: files, lock, commits, recovery, archives."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

CORE = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    path = file if file.startswith("tests/") else f"{CORE}/{file}"
    return Mutant(name, source, replacement, test_name, Path(target), path)


STORE_MUTANTS = (
    _mutant(
        "a rename is not made durable",
        "state/record_file.py",
        "        sync(self._files, self.path.parent)\n"
        "        self._unsynced, self._named = False, named",
        "        sync(self._files, self.path)\n        self._unsynced, self._named = False, named",
        "tests/crash/test_power_cut.py::test_after_the_line_nothing_has_to_be_decided_again",
    ),
    _mutant(
        "a new file is not made durable",
        "state/atomic_file.py",
        "    descriptor = create(files, path)\n    try:\n"
        "        write_all(files, descriptor, data)\n        files.fsync(descriptor)\n",
        "    descriptor = create(files, path)\n    try:\n"
        "        write_all(files, descriptor, data)\n",
        "tests/crash/test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_o"
        "r_did_not[decide, name lost]",
    ),
    _mutant(
        "the next record is not made durable before its line",
        "state/atomic_file.py",
        "            files.truncate(descriptor, 0)\n"
        "        write_all(files, descriptor, data)\n        files.fsync(descriptor)\n",
        "            files.truncate(descriptor, 0)\n        write_all(files, descriptor, data)\n",
        "tests/crash/test_power_cut.py::test_after_the_line_nothing_has_to_be_decided_again",
    ),
    _mutant(
        "a file whose fsync failed is kept",
        "state/record_file.py",
        "        except OSError:\n            discard(self._files, self._next)\n"
        "            raise\n",
        "        except OSError:\n            raise\n",
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
        "        write_all(self._files, descriptor, data)\n        self._files.fsync(descriptor)",
        "        write_all(self._files, descriptor, data)",
        "tests/crash/test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "a new segment's name is not made durable",
        "state/journal.py",
        "            self._write(descriptor, data)\n            sync(self._files, self._directory)",
        "            self._write(descriptor, data)",
        "tests/crash/test_power_cut.py::test_the_first_record_is_there_once_it_was_acknowledged",
    ),
    _mutant(
        "half a line is taken for one",
        "state/journal.py",
        "            if tail.torn:\n",
        "            if tail.torn and not tail.lines:\n",
        "tests/crash/test_power_cut.py::test_whatever_the_medium_forgot_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "the line goes before the next record",
        "state/local_store.py",
        "        self._with_spare(lambda: self._file.prepare(commit.data), spend=spend)\n"
        "        try:\n            line = self._with_spare(append, spend=spend)\n"
        "        except AppendInDoubt as doubt:\n"
        "            raise OutcomeUnknown(attempt) from doubt\n",
        "        line = self._with_spare(append, spend=spend)\n"
        "        self._with_spare(lambda: self._file.prepare(commit.data), spend=spend)\n",
        "test_local_store_faults.py::test_killed_at_any_call_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "the rename goes before the line",
        "state/local_store.py",
        "        self._with_spare(lambda: self._file.prepare(commit.data), spend=spend)\n"
        "        try:\n",
        "        self._with_spare(lambda: self._file.prepare(commit.data), spend=spend)\n"
        "        self._with_spare(self._file.place, spend=spend)\n"
        "        self._with_spare(lambda: self._file.prepare(commit.data), spend=spend)\n"
        "        try:\n",
        "test_local_store_faults.py::test_killed_at_any_call_a_commit_happened_or_did_not[decide]",
    ),
    _mutant(
        "what fails after the line passes for a failed write",
        "state/local_store.py",
        "        except OSError as error:\n            raise OutcomeUnknown(attempt) from error\n",
        "        except OSError:\n            raise\n",
        "test_local_store_faults.py::test_what_fails_after_the_line_has_happene"
        "d_and_is_found_by_its_attempt",
    ),
    _mutant(
        "an append in doubt passes for a failed write",
        "state/journal.py",
        "            raise AppendInDoubt from error",
        "            raise",
        "test_local_store_faults.py::test_an_append_that_cannot_be_taken_back_i"
        "s_an_unknown_outcome",
    ),
    _mutant(
        "an append that failed is taken back until the power goes",
        "state/journal.py",
        "            self._files.truncate(descriptor, size)\n"
        "            self._files.fsync(descriptor)\n",
        "            self._files.truncate(descriptor, size)\n",
        "test_local_store_faults.py::test_an_append_that_failed_is_taken_back_for_good",
    ),
    _mutant(
        "a line whose fsync failed is fsynced again",
        "state/journal.py",
        "            self._unsynced = True\n            raise",
        "            raise",
        "test_local_store_faults.py::test_an_append_that_cannot_be_taken_back_i"
        "s_an_unknown_outcome",
    ),
    _mutant(
        "the name of the next record is not made durable",
        "state/record_file.py",
        "                write_new(self._files, self._next, data)\n"
        "                sync(self._files, self.path.parent)\n",
        "                write_new(self._files, self._next, data)\n",
        "test_local_store.py::test_where_the_name_of_the_next_record_is_missing"
        "_one_fsync_makes_it_durable",
    ),
    _mutant(
        "a waiting record that has another name is written over",
        "state/record_file.py",
        " and status.st_nlink == 1",
        "",
        "test_local_store.py::test_a_waiting_record_that_is_another_file_too_is_not_written_over",
    ),
    _mutant(
        "what an older release left waiting is not made durable",
        "state/record_file.py",
        "        sync(self._files, self._next)\n        sync(self._files, self.path.parent)\n",
        "        sync(self._files, self.path.parent)\n",
        "tests/crash/test_power_cut.py::test_what_an_older_release_left_waiting_is_durable_before_it_is_told",
    ),
    _mutant(
        "a line ahead of the record never happened",
        "state/recovery.py",
        "    if newest is None or newest.digest == last.parent:\n        return Standing.BEHIND\n",
        "    if newest is None or newest.digest == last.parent:\n        return Standing.BEYOND\n",
        "tests/crash/test_record_put_back.py::test_at_each_step_of_a_commit",
    ),
    _mutant(
        "an older record wins",
        "state/recovery.py",
        "    return Standing.BEHIND if behind or is_earlier(newest) else Standing.BEYOND",
        "    return Standing.BEYOND",
        "tests/crash/test_record_put_back.py::test_between_two_commits",
    ),
    _mutant(
        "what was taken back is not looked for",
        "state/recovery.py",
        "Standing.BEHIND if behind or is_earlier(newest) else",
        "Standing.BEHIND if behind else",
        "test_local_store_damage.py::test_what_an_older_release_took_back_is_ol"
        "der_than_the_end_of_the_journal",
    ),
    _mutant(
        "a record that no line leads to is taken for an older one",
        "state/recovery.py",
        "    behind = _reached(newest.record) < (",
        "    behind = _reached(newest.record) <= (",
        "test_recovery.py::test_the_newest_line_counts_over_all_but_a_record_th"
        "at_went_on_without_the_journal",
    ),
    _mutant(
        "any release decides again",
        "state/opening.py",
        "        if replay is None or self._release not in {None, release_of(line)}:",
        "        if replay is None:",
        "test_local_store_damage.py::test_a_decision_is_made_again_by_its_own_release_alone",
    ),
    _mutant(
        "a line is decided again for ever",
        "state/opening.py",
        "        if tries >= TRIES_MAX:",
        "        if tries < 0:",
        "test_local_store_damage.py::test_a_decision_that_comes_out_otherwise_i"
        "s_tried_three_times_and_then_by_an_operator",
    ),
    _mutant(
        "an export leaves a line ahead behind",
        "state/archive.py",
        "            _finish_line_ahead(home)\n",
        "            pass\n",
        "test_archive.py::test_a_line_ahead_of_the_record_is_finished_first",
    ),
    _mutant(
        "a decision in a bake is not in its line",
        "state/commit.py",
        '    if kind == "decide" and after.rollout is not None and',
        '    if kind == "decide" and after.rollout is None and',
        "test_recovery.py::test_a_decision_in_a_bake_is_in_its_line",
    ),
    _mutant(
        "what is visible is taken for durable",
        "state/opening.py",
        "        self._file.make_durable(found.newest)\n",
        "",
        "tests/crash/test_power_cut.py::test_what_a_reader_was_told_outlives_the_power[decide]",
    ),
    _mutant(
        "the spare is not used",
        "state/local_store.py",
        "            if not (spend and is_full(error) and self._file.spend()):",
        "            if not (spend and is_full(error) and not self._file.spend()):",
        "test_local_store_faults.py::test_on_a_full_disk_nothing_new_starts_and"
        "_what_was_planned_gets_its_fate",
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
        "a record is recovered without its digest",
        "state/recovery.py",
        "    return Generation(record, promised) if encode_record(record)[1] == promised else None",
        "    return Generation(record, promised)",
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
        '        if b"null" in data:\n            require_finite',
        '        if b"NaN" in data:\n            require_finite',
        "test_schema.py::test_a_number_that_json_cannot_hold_is_refused[nan]",
    ),
    _mutant(
        "an archive is restored unproven",
        "state/archive.py",
        "    if found != contents.members:",
        "    if len(found) < 0:",
        "test_archive.py::test_a_damaged_archive_is_refused_and_nothing_is_touched[previous]",
    ),
    _mutant(
        "an archive's links are followed",
        "state/archive.py",
        "if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse():",
        "if info.issparse():",
        "test_archive.py::test_a_forged_archive_brings_nothing_but_the_files_of_an_export",
    ),
    _mutant(
        "newer state is replaced unasked",
        "state/archive.py",
        "    if not force and _reached(there) > _reached(wanted):",
        "    if not force and _reached(there) < _reached(wanted):",
        "test_archive.py::test_what_is_replaced_is_kept",
    ),
    _mutant(
        "a forked helper keeps the lock of a holder that dies",
        "state/record_lock.py",
        "os.register_at_fork(after_in_child=_forget_all)",
        "os.register_at_fork(after_in_child=bool)",
        "test_record_lock.py::test_a_forked_helper_that_outlives_the_holder_holds_nothing",
    ),
    _mutant(
        "a forked helper gives up the lock of its parent",
        "state/record_lock.py",
        "just closing it\n                os.close(descriptor)",
        "just closing it\n                unlock_descriptor(descriptor)",
        "test_record_lock.py::test_a_forked_helper_does_not_give_up_the_lock_of_its_parent",
    ),
)
