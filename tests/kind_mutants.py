"""Broken rules of ten kinds that tests let pass for long; `tests.mutants` tries them.

Each kind has a pattern: what a test of it did not do. `docs/proofs.md` lists them with their tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.mutants import Mutant

CORE: Final = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"{CORE}/{file}")


def _exchange(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    path = Path("foresight/exchange") / target
    return Mutant(name, source, replacement, test, path, "tests/exchange/test_desk.py")


def _pair(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file = "tests/process/test_release_commands.py"
    return Mutant(name, source, replacement, test, Path(target), file)


BOUNDS: Final = (
    _mutant(
        "a journal that is as large as it may be loses a segment",
        "state/journal.py",
        "if total <= self._retention.total_bytes_max and not too_old:",
        "if total < self._retention.total_bytes_max and not too_old:",
        "test_journal_kept.py::test_a_journal_goes_when_it_is_larger_than_its_bytes_and_not_at_them",
    ),
    _mutant(
        "a line goes on its last day",
        "state/journal.py",
        "_newest_line(path).at_ms < oldest_ms",
        "_newest_line(path).at_ms <= oldest_ms",
        "test_journal_kept.py::test_a_line_goes_when_it_is_older_than_its_days_and_not_at_them",
    ),
    _mutant(
        "one segment more goes than has to",
        "state/journal.py",
        "            total, count = total - size, count + 1\n",
        "            total, count = total - size // 2, count + 1\n",
        "test_journal_kept.py::test_no_more_of_a_journal_goes_than_has_to",
    ),
)

HANGS: Final = (
    _mutant(
        "who asks about the account has no limit",
        "handoff/worker/gates.py",
        "asyncio.timeout(LIMITS_S[GateName.RECONCILE])",
        "asyncio.timeout(None)",
        "test_hangs.py::test_a_candidate_whose_gate_hangs_is_refused_at_the_gates_limit[reconcile]",
    ),
    _mutant(
        "who gets warm has no limit",
        "handoff/worker/gates.py",
        "asyncio.timeout(LIMITS_S[GateName.WARM])",
        "asyncio.timeout(None)",
        "test_hangs.py::test_a_candidate_whose_gate_hangs_is_refused_at_the_gates_limit[warm]",
    ),
    _mutant(
        "a standby has as long as a candidate for each gate",
        "handoff/worker/gates.py",
        "async with asyncio.timeout(limit_s):",
        "async with asyncio.timeout(None):",
        "test_hangs.py::test_a_standby_whose_gates_hang_leaves_in_time_for_another",
    ),
    _mutant(
        "a job that dies is started again for ever",
        "handoff/launcher/workforce.py",
        "left = running.attempts_left - 1",
        "left = running.attempts_left",
        "test_hangs.py::test_a_job_that_always_dies_is_given_up",
    ),
    _mutant(
        "a bake that hangs is refused although its release owns",
        "handoff/rollout/table.py",
        "(Phase.BAKING, TimeLimitPassed): Phase.BAKING,",
        "(Phase.BAKING, TimeLimitPassed): Phase.REFUSED,",
        "test_driver.py::test_a_bake_without_end_is_said_and_undone_by_nobody_here",
    ),
    _mutant(
        "a candidate that is asked to stop is waited for without end",
        "handoff/rollout/driver.py",
        "            Phase.STOPPING: self.stopping_s,\n",
        "",
        "test_driver.py::"
        "test_an_approved_candidate_that_neither_takes_nor_leaves_is_stopped_and_given_up",
    ),
    _pair(
        "a replay pair has no limit",
        "deploy/commands.py",
        "while not _ended(child) and time.monotonic() < deadline_s and not stop():",
        "while not _ended(child) and not stop():",
        "test_a_pair_of_which_one_hangs_ends_at_its_limit[0]",
    ),
    _pair(
        "a replay that hangs passes for one without an answer",
        "deploy/replay.py",
        "    if source.timed_out:\n",
        "    if source.timed_out and stop():\n",
        "test_a_replay_that_hangs_is_the_candidates_fault_and_says_which_knob_to_turn",
    ),
)

INTERLEAVED: Final = (
    _mutant(
        "a store believes the record that it knows although the journal went on",
        "state/local_store.py",
        "known and (known.identity, known.chain) == (self._file.identity(), chain)",
        "known and known.identity == self._file.identity()",
        "test_two_stores.py::"
        "test_a_store_beside_one_that_dies_in_a_commit_goes_on_from_what_happened",
    ),
    _mutant(
        "a store believes the end of the journal that it knows",
        "state/journal.py",
        "(known.segment, known.size) == (segment, size)",
        "known.segment == segment",
        "test_two_stores.py::test_a_store_that_acts_without_a_look_acts_on_what_happened",
    ),
    _mutant(
        "a launcher that returns starts a deployer beside one that lives",
        "handoff/launcher/workforce.py",
        "                continue  # it outlived that launcher\n",
        "                pass\n",
        "test_hangs.py::"
        "test_a_launcher_that_returns_starts_no_second_deployer_beside_one_that_lived",
    ),
    _mutant(
        "an abort undoes what is permanent",
        "handoff/rollout/driver.py",
        "            while self._deploy.phase not in ENDED:\n"
        "                self._check_interrupt()\n",
        "            while self._deploy.phase not in ENDED or not self._interrupted:\n"
        "                self._check_interrupt()\n",
        "test_driver.py::test_an_abort_that_comes_after_the_last_cycle_of_a_bake_undoes_nothing",
    ),
    _mutant(
        "an abort brings a request back whose deploy has ended",
        "deploy/requests.py",
        "        with _alone(home):  # or an abort that comes now would write it once more\n"
        "            path.unlink(missing_ok=True)\n",
        "        path.unlink(missing_ok=True)\n",
        "test_deploy_requests.py::test_a_request_is_forgotten_only_when_nobody_changes_it",
    ),
)

EXIT_CODES: Final = (
    _mutant(
        "status in JSON says that all is well",
        "foresight/cli/status.py",
        'return ExitCode.DONE if summary["running"] else',
        'return ExitCode.DONE if summary["running"] or as_json else',
        "test_exit_codes_in_json.py::"
        "test_where_nothing_runs_status_says_so_however_it_is_printed[json]",
    ),
    _mutant(
        "a check in JSON that finds a changed line is done",
        "foresight/cli/cycles.py",
        '            emit_json({"ok": False, "reason": str(broken), "cycle": broken.cycle})\n',
        '            emit_json({"ok": False, "reason": str(broken), "cycle": broken.cycle})\n'
        "            return ExitCode.DONE\n",
        "test_exit_codes_in_json.py::"
        "test_a_check_of_a_changed_journal_fails_however_it_is_printed[json]",
    ),
    _mutant(
        "a check in JSON that finds a missed cycle is done",
        "foresight/cli/cycles.py",
        "return ExitCode.FAILED if faults else ExitCode.DONE",
        "return ExitCode.FAILED if faults and not as_json else ExitCode.DONE",
        "test_exit_codes_in_json.py::"
        "test_a_check_that_finds_a_missed_cycle_fails_however_it_is_printed[json]",
    ),
    _mutant(
        "a deploy in JSON that was refused is done",
        "foresight/cli/deploying.py",
        "    if as_json:\n        emit_json(ended)\n",
        "    if as_json:\n        emit_json(ended)\n        return ExitCode.DONE\n",
        "test_exit_codes_in_json.py::"
        "test_how_a_deploy_ended_is_its_exit_code_however_it_is_printed[refused-3-json]",
    ),
    _mutant(
        "a restore in JSON over newer state fails as any error does",
        "foresight/cli/state.py",
        "            complain(str(error), error.hint)\n            return ExitCode.REFUSED\n"
        "        note_restored",
        "            complain(str(error), error.hint)\n"
        "            return ExitCode.FAILED if as_json else ExitCode.REFUSED\n"
        "        note_restored",
        "test_exit_codes_in_json.py::"
        "test_a_restore_over_newer_state_is_refused_however_it_is_printed[json]",
    ),
)

ACCOUNTS_AND_SPEED: Final = (
    _exchange(
        "anybody cancels an order",
        "counters/prediction_desk.py",
        "elif order is None or order.account != account:",
        "elif order is None:",
        "test_nobody_cancels_an_order_of_another_account",
    ),
    _exchange(
        "what one account waits for claims the cash of all",
        "ledger/predictions.py",
        "if order.account == account_id and order.terms.is_buy and",
        "if order.terms.is_buy and",
        "test_what_waits_for_one_account_claims_no_cash_of_another",
    ),
    _exchange(
        "what one account offers claims the shares of all",
        "ledger/predictions.py",
        "if order.account == account_id and order.terms.token == token and",
        "if order.terms.token == token and",
        "test_what_waits_for_one_account_claims_no_shares_of_another",
    ),
    _exchange(
        "the first account is paid for all",
        "ledger/predictions.py",
        "            account = self.accounts[one.account]\n            pay(",
        "            account = next(iter(self.accounts.values()))\n            pay(",
        "test_a_settled_window_pays_each_account_what_it_holds",
    ),
    _exchange(
        "a window ends by the wall clock",
        "counters/settlement.py",
        "result = self.result(window, now.market_ns)",
        "result = self.result(window, now.wall_ns)",
        "test_a_hold_and_a_windows_end_are_market_time_at_any_speed",
    ),
    _exchange(
        "a hold ends by the wall clock",
        "counters/prediction_desk.py",
        "if due_ns > now.market_ns:",
        "if due_ns > now.wall_ns:",
        "test_a_hold_and_a_windows_end_are_market_time_at_any_speed",
    ),
    _exchange(
        "an order for a time ends by the market's clock",
        "counters/prediction_desk.py",
        "elif 0 < order.terms.expires_s <= now.wall_ns // NS_PER_SECOND:",
        "elif 0 < order.terms.expires_s <= now.market_ns // NS_PER_SECOND:",
        "test_an_order_for_a_time_ends_by_the_wall_clock_at_any_speed",
    ),
)

PRUNED: Final = (
    _mutant(
        "the newest segment goes with the others",
        "state/journal.py",
        "zip(kept[:-1], sizes, strict=False)",
        "zip(kept, sizes, strict=False)",
        "test_journal_kept.py::test_the_newest_segment_stays_however_old_and_large_it_is",
    ),
    _mutant(
        "an export forgets what was pruned",
        "state/archive.py",
        "paths = [record, home / STATE / PREVIOUS, home / JOURNAL / PRUNED]",
        "paths = [record, home / STATE / PREVIOUS]",
        "test_journal_kept.py::test_what_retention_left_is_proven_elsewhere_too",
    ),
    _mutant(
        "what was pruned now is all that ever was",
        "state/journal.py",
        "pruned = with_ranges(pruned, [",
        "pruned = with_ranges(type(pruned)(), [",
        "test_journal_kept.py::test_a_copy_that_is_pruned_again_remembers_both_times",
    ),
    _mutant(
        "segments go before it is written down that they do",
        "state/journal.py",
        "        if surplus:\n            pruned =",
        "        for path in surplus:\n            self._files.unlink(path)\n"
        "        if surplus:\n            pruned =",
        "test_journal_kept.py::test_an_export_while_a_pruning_died_half_way_has_one_journal",
    ),
)

UNITS: Final = (
    _mutant(
        "four hundred days are ten hours",
        "state/journal.py",
        "DAY_MS: Final = 86_400_000",
        "DAY_MS: Final = 86_400",
        "test_journal_kept.py::test_a_line_is_kept_for_four_hundred_days_and_no_day_longer",
    ),
)

LEDGER: Final = (
    _mutant(
        "an order is answered before it is on the disk",
        "foresight/exchange/ledger/file.py",
        "                view = view[os.write(self._descriptor, view) :]\n"
        "            os.fsync(self._descriptor)\n",
        "                view = view[os.write(self._descriptor, view) :]\n",
        "test_ledger_durable.py::test_what_was_appended_is_on_the_disk_before_anybody_is_answered",
    ),
    _mutant(
        "the name of a new ledger is not made durable",
        "foresight/exchange/ledger/file.py",
        "            os.fsync(folder)\n",
        "            pass\n",
        "test_ledger_durable.py::test_the_name_of_a_new_ledger_is_on_the_disk_with_its_first_line",
    ),
    _mutant(
        "half a line may come back with the power",
        "foresight/exchange/ledger/file.py",
        "            os.ftruncate(self._descriptor, whole)\n"
        "            os.fsync(self._descriptor)\n",
        "            os.ftruncate(self._descriptor, whole)\n",
        "test_ledger_durable.py::test_half_a_line_is_cut_off_for_good_before_anything_follows_it",
    ),
)

RELEASES: Final = (
    _mutant(
        "a refused release takes the place of one to go back to",
        "deploy/deployer.py",
        "for each in entries if each.outcome == history.Outcome.PERMANENT]",
        "for each in entries]",
        "test_releases_kept.py::"
        "test_a_release_that_never_stayed_takes_no_place_of_one_to_go_back_to",
    ),
    _mutant(
        "the way back of a bake is pruned",
        "deploy/deployer.py",
        "(held.owner, held.last_owner, held.previous)",
        "(held.owner, held.last_owner)",
        "test_releases_kept.py::test_what_the_record_names_stays_however_long_ago_it_was_deployed",
    ),
    _mutant(
        "a release deployed twice has two places",
        "deploy/release.py",
        "list(dict.fromkeys(reversed(deployed)))[:spare]",
        "list(reversed(deployed))[:spare]",
        "test_releases_kept.py::"
        "test_what_was_deployed_again_and_again_is_one_release_to_go_back_to",
    ),
    _mutant(
        "the oldest releases are the ones to go back to",
        "deploy/release.py",
        "dict.fromkeys(reversed(deployed))",
        "dict.fromkeys(deployed)",
        "test_releases_kept.py::"
        "test_after_many_deploys_the_newest_permanent_ones_are_kept_for_a_rollback",
    ),
    _mutant(
        "an environment goes with the first release that used it",
        "deploy/releases_dir.py",
        "used = {manifest.environment for manifest in built(home)}",
        "used = {manifest.environment for manifest in built(home) if manifest.release in removed}",
        "test_releases_kept.py::test_an_environment_stays_as_long_as_a_release_that_uses_it",
    ),
)

KIND_MUTANTS: Final = (
    *BOUNDS,
    *HANGS,
    *INTERLEAVED,
    *EXIT_CODES,
    *ACCOUNTS_AND_SPEED,
    *PRUNED,
    *UNITS,
    *LEDGER,
    *RELEASES,
)
