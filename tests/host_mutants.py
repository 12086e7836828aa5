"""The broken rules of a host: who lives, whose home it is, what is started and how it ended."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

CORE = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"{CORE}/{file}")


HOST_MUTANTS = (
    _mutant(
        "who owns by a try that was given up does not know it",
        "handoff/worker/follower.py",
        "        if record.ownership.owner == self._parts.me:\n            self._came()",
        "        if record.ownership.owner == self._killed is not None:\n            self._came()",
        "test_worker_leased.py::"
        "test_who_comes_to_own_after_it_stopped_waiting_for_the_answer_finds_that_it_owns[seize]",
    ),
    _mutant(
        "another machine's owner is dead because its lock is free here",
        "handoff/liveness.py",
        "if known and other_boot and told.machine != here.machine:",
        "if known and other_boot and told.machine == '':",
        "test_liveness.py::test_another_machine_needs_a_word",
    ),
    _mutant(
        "a machine without an id is another machine",
        "handoff/liveness.py",
        "if known and other_boot and told.machine != here.machine:",
        "if other_boot and told.machine != here.machine:",
        "test_liveness.py::test_a_reboot_or_a_new_container_over_the_same_home_comes_up",
    ),
    _mutant(
        "a living process is this home's owner whatever lock it holds",
        "handoff/liveness.py",
        "here = not inode or seen.holds == HOME",
        "here = True",
        "test_liveness.py::test_whoever_holds_the_lock_of_another_home_makes_this_one_a_copy",
    ),
    _mutant(
        "the lock decides where the process can be seen",
        "handoff/liveness.py",
        "    if seen.process is Process.GONE:\n",
        "    if seen.process is Process.GONE or seen.lock is Lock.FREE:\n",
        "test_liveness.py::test_in_one_namespace_the_process_decides_and_never_the_lock",
    ),
    _mutant(
        "what cannot be seen is dead",
        "handoff/liveness.py",
        "    if seen.process is Process.GONE:\n",
        "    if seen.process is not Process.RUNS:\n",
        "test_liveness.py::test_what_cannot_be_seen_is_not_dead",
    ),
    _mutant(
        "a boot id that cannot be seen is another boot",
        "handoff/liveness.py",
        "return bool(told.boot_id and here.boot_id) and told.boot_id != here.boot_id",
        "return told.boot_id != here.boot_id",
        "test_liveness.py::test_a_boot_id_that_cannot_be_seen_is_not_another_boot",
    ),
    _mutant(
        "a pid of a host that hides its boot is one of this host",
        "handoff/liveness.py",
        "    if not told.boot_id:  #",
        "    if told.boot_id is None:  #",
        "test_liveness.py::test_two_hosts_that_hide_their_boots_are_not_one",
    ),
    _mutant(
        "a process that proc hides is gone",
        "handoff/processes.py",
        "hidden = ticks is None and pidfd is not None and not watched.gone()",
        "hidden = False",
        "test_hidden_pids.py::test_a_pid_of_which_nothing_is_shown_lives_until_its_descriptor_says",
    ),
    _mutant(
        "a process that proc forbids is an error",
        "handoff/processes.py",
        "    except (FileNotFoundError, PermissionError):\n",
        "    except FileNotFoundError:\n",
        "test_hidden_pids.py::test_a_pid_of_which_nothing_is_shown_lives_until_its_descriptor_says",
    ),
    _mutant(
        "a group with others in it may write above a home",
        "state/access.py",
        "        return set(group.members) <= {ROOT, side.uid}",
        "        return side.uid in group.members",
        "test_access.py::test_a_group_may_write_if_nobody_but_us_is_in_it_or_it_is_trusted",
    ),
    _mutant(
        "a directory of everybody's may hold a home",
        "state/access.py",
        "    if found.mode & stat.S_IWOTH:\n",
        "    if not found.mode:\n",
        "test_access.py::test_everybody_may_write_above_a_home_only_where_nobody_may_replace",
    ),
    _mutant(
        "what a record calls a release is a path",
        "handoff/release_files.py",
        "    if not is_release_id(release):",
        "    if not release:",
        "test_release_files.py::test_what_is_called_a_release_is_never_a_path",
    ),
    _mutant(
        "any lock of that name is this home's",
        "handoff/life_signs.py",
        "if own is not None and (own.st_dev, own.st_ino) == (opened.st_dev, opened.st_ino):",
        "if own is not None:",
        "test_life_signs.py::test_a_worker_holds_the_lock_of_its_own_home_and_of_no_copy",
    ),
    _mutant(
        "a word about one owner is about every owner",
        "handoff/worker/hosts.py",
        "moved=self._environment.get(MOVED) == worker.worker,",
        "moved=MOVED in self._environment,",
        "test_life_signs.py::test_a_word_is_about_one_worker_and_is_kept_as_evidence",
    ),
    _mutant(
        "a copy's launcher adopts what the original's wrote down",
        "handoff/launcher/adoption.py",
        'return (plain.get("device"), plain["lock"]) == held',
        "return True",
        "test_adoption.py::test_companions_of_the_original_are_not_adopted_by_a_copy",
    ),
    _mutant(
        "a worker imports from where its launcher was started",
        "handoff/release_files.py",
        'isolated = ["-s", "-P"]',
        'isolated = ["-s"]',
        "test_release_files.py::test_a_borrowed_interpreter_is_told_where_the_release_is",
    ),
    _mutant(
        "a tree's digest stops at links",
        "handoff/tree_snapshot.py",
        "_in_place(home, fresh, entry, tree_digest(copied, entry))",
        "_in_place(home, fresh, entry, tree_digest(source if copied else copied, entry))",
        "test_tree_snapshot.py::test_what_lies_behind_a_link_to_a_directory_is_a_part_of_the_release",
    ),
    _mutant(
        "the standby in a bake is of the release that bakes",
        "handoff/launcher/restart_policy.py",
        "        if beside_owner and failed_starts < FAILED_STARTS_MAX:",
        "        if beside_owner and failed_starts < 0:",
        "test_restart_policy.py::test_the_standby_of_a_bake_is_its_way_back",
    ),
    _mutant(
        "what a worker left behind is asked to end and never killed",
        "handoff/launcher/burials.py",
        "number = KILL if self.kills else TERM",
        "number = TERM",
        "test_burials.py::test_a_helper_that_does_not_end_is_killed_before_its_worker_is_reaped",
    ),
    _mutant(
        "a worker is reaped while its helpers live",
        "handoff/launcher/burials.py",
        "        found = members_left(self.leader)\n",
        "        assert self._unreaped is None or self._unreaped.reap() or True\n"
        "        found = members_left(self.leader)\n",
        "test_burials.py::test_a_helper_that_does_not_end_is_killed_before_its_worker_is_reaped",
    ),
    _mutant(
        "whoever has the number of a session that is free is of it",
        "handoff/launcher/burials.py",
        "if command_of(each.identity.pid) == self._command]",
        "]",
        "test_burials.py::test_of_who_ended_unseen_only_what_has_its_command_is_ended",
    ),
    _mutant(
        "whoever has the number of a session is of it, whenever it began",
        "handoff/sessions.py",
        "start_ticks(identity.pid) == identity.start_ticks >= leader.start_ticks",
        "start_ticks(identity.pid) == identity.start_ticks",
        "test_burials.py::test_whoever_began_before_the_leader_is_none_of_its_session",
    ),
    _mutant(
        "no exit status counts as success",
        "deploy/commands.py",
        "    see_children_end()  # an installer",
        "    # an installer",
        "test_children_end.py::test_a_program_that_failed_did_not_succeed_because_its_parent_"
        "ignores_children",
    ),
    _mutant(
        "what cannot be watched goes on",
        "handoff/processes.py",
        "        _end_child(pid)\n",
        "",
        "test_children_end.py::test_what_cannot_be_watched_is_ended",
    ),
    _mutant(
        "a call that the library has is one that the system grants",
        "handoff/processes.py",
        "        return error.errno in _PASSING\n",
        "        return bool(error.errno)\n",
        "test_children_end.py::test_a_system_that_refuses_one_call_is_found_out[1-pidfd_open]",
    ),
    _mutant(
        "an installer's word is proof",
        "deploy/release.py",
        "        if pin.version and not pin.marker and pin.name not in there\n",
        "        if pin.version and pin.marker and pin.name not in there\n",
        "test_deploy_release.py::test_what_a_lock_pins_and_nobody_installed_is_named",
    ),
)
