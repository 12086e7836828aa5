"""The broken rules of a store in etcd: each comparison of a transaction, and what answers mean."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

ETCD = "state/etcd"
STANDING = (
    "    return wire.at_revision(keys.record, seen.revision), wire.of_value(keys.head, seen.head)"
)


def etcd_mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    """Return a mutant whose test stands as `FILE::TEST`, below `tests`."""
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"tests/{file}")


def _commit(name: str, source: str, replacement: str, test: str) -> Mutant:
    test = f"core/test_etcd_keys.py::{test}"
    return etcd_mutant(name, f"{ETCD}/commits.py", source, replacement, test)


def _deploy(name: str, source: str, replacement: str, test: str) -> Mutant:
    test = f"core/test_etcd_deploys.py::{test}"
    return etcd_mutant(name, f"{ETCD}/deploys.py", source, replacement, test)


ETCD_MUTANTS = (
    _deploy(
        "two requests for one commit are filed",
        "        compare=(wire.at_revision(wanted, 0),),\n",
        "",
        "test_of_two_open_requests_for_one_commit_one_is_filed_and_the_other_is_told_which",
    ),
    _deploy(
        "two deploys are under way at a time",
        "compare=(wire.at_revision(keys.deploy, 0), wire.is_there(keys.request(value.request))),",
        "compare=(wire.is_there(keys.request(value.request)),),",
        "test_one_deploy_is_under_way_and_it_is_over_with_its_deployers_lease",
    ),
    _deploy(
        "an approval outlives its deploy",
        "    return wire.Transaction(compare=(wire.created_at(keys.deploy, created),))",
        "    return wire.Transaction(compare=(wire.is_there(keys.deploy),))",
        "test_an_approval_is_void_once_its_deploy_is_over_also_if_another_is_under_way",
    ),
    _deploy(
        "a deploy is ended for a host that lives",
        "    if is_left:\n",
        "    if is_left and not read_at:\n",
        "test_who_settles_for_another_is_refused_while_its_deployer_lives",
    ),
    etcd_mutant(
        "an approval writes over an abort that came between",
        f"{ETCD}/deploys.py",
        "        compare.append(wire.at_revision(keys.request(asked.request), revision))",
        "        compare.append(wire.is_there(keys.request(asked.request)))",
        "core/test_etcd_deploy_desk.py::"
        "test_an_abort_that_comes_while_the_candidate_is_approved_is_not_lost",
    ),
    etcd_mutant(
        "who settles for another goes by an old request",
        f"{ETCD}/deploy_desk.py",
        "            if is_left and before != asked:",
        "            if is_left and not before.request:",
        "core/test_etcd_deploy_desk.py::"
        "test_who_settles_for_another_says_nothing_of_a_request_that_has_changed_since",
    ),
    etcd_mutant(
        "nobody hears the abort of a bake whose host is gone",
        "deploy/others.py",
        "            if asked.aborted_by:",
        "            if asked.aborted_by and not asked.attempt:",
        "core/test_deploy_across.py::test_a_bake_whose_host_is_gone_is_ended_for_who_aborts_it",
    ),
    _deploy(
        "a wish holds in every epoch",
        "    return value.waiting and value.epoch == epoch",
        "    return value.waiting and epoch > 0",
        "test_a_wish_holds_in_the_epoch_that_it_names_and_in_no_other",
    ),
    _commit(
        "a commit in etcd does not compare the head",
        STANDING,
        "    return (wire.at_revision(keys.record, seen.revision),)",
        "test_a_commit_from_before_a_snapshot_was_put_back_is_refused_at_an_equal_revision",
    ),
    _commit(
        "a commit in etcd does not compare the revision",
        STANDING,
        "    return (wire.of_value(keys.head, seen.head),)",
        "test_a_commit_is_refused_once_its_record_was_written_although_the_head_is_the_same",
    ),
    _commit(
        "who seizes does not compare that the owner is unbound",
        "        if not seen.is_owner_bound:\n",
        "        if seen is None:\n",
        "test_who_saw_no_key_of_the_owner_is_refused_once_there_is_one",
    ),
    _commit(
        "who comes to own does not compare whose account it is",
        "    compare += claim.compare\n",
        "",
        "test_of_two_accounts_over_one_record_the_second_never_comes_to_own",
    ),
    etcd_mutant(
        "a forgotten account is one that somebody trades for",
        f"{ETCD}/account.py",
        "    return wire.Transaction(compare=(wire.at_revision(owner, 0),), ",
        "    return wire.Transaction(compare=(), ",
        "core/test_etcd_keys.py::"
        "test_an_account_is_written_with_the_first_record_and_by_who_owns_where_it_was_forgotten",
    ),
    _commit(
        "a first record in etcd replaces another one",
        "for key in (keys.record, keys.head))",
        "for key in ())",
        "test_of_two_first_records_one_stays",
    ),
    _commit(
        "a binding does not compare the head",
        "    compare = (wire.of_value(keys.head, seen.head), wire.at_revision(keys.owner, 0))",
        "    compare = (wire.at_revision(keys.owner, 0),)",
        "test_an_owner_binds_its_key_anew_only_where_nobody_wrote_or_bound",
    ),
    _commit(
        "a binding does not compare that the key is absent",
        "    compare = (wire.of_value(keys.head, seen.head), wire.at_revision(keys.owner, 0))",
        "    compare = (wire.of_value(keys.head, seen.head),)",
        "test_an_owner_binds_its_key_anew_only_where_nobody_wrote_or_bound",
    ),
    _commit(
        "a commit leaves its chunks their lease",
        "    steps += [wire.releasing(key) for key in new.chunks]\n",
        "",
        "test_chunks_stay_once_a_commit_took_them_and_go_once_another_one_did",
    ),
    etcd_mutant(
        "two writings of one attempt have the same chunks",
        "state/etcd_store.py",
        "writing=secrets.token_hex(4))",
        "writing=secrets.token_hex(0))",
        "core/test_etcd_faults.py::"
        "test_chunks_of_a_commit_that_arrived_late_are_not_those_of_its_second_try",
    ),
    _commit(
        "old chunks stay for ever",
        "    steps += [wire.releasing(key, lease=lease) for key in seen.chunks]\n",
        "",
        "test_chunks_stay_once_a_commit_took_them_and_go_once_another_one_did",
    ),
    _commit(
        "a line is taken for one's own whoever wrote it",
        "    return (mark.attempt, mark.result) == (generation.record.attempt, generation.digest)",
        "    return bool(mark.attempt) or not generation.digest",
        "test_of_two_commits_from_one_record_the_second_is_refused_and_reads_the_first",
    ),
    etcd_mutant(
        "a lease is counted from when its renewal was answered",
        f"{ETCD}/keeper.py",
        "        sent_ns = self._boot_ns()\n"
        '        data = self._client.call(wire.KEEP_ALIVE, {"ID": lease})\n',
        '        data = self._client.call(wire.KEEP_ALIVE, {"ID": lease})\n'
        "        sent_ns = self._boot_ns() + self._ttl_s * NS\n",
        "process/test_etcd_lease.py::"
        "test_a_lease_that_nobody_renews_is_over_for_its_holder_before_it_is_for_others",
    ),
    etcd_mutant(
        "a renewal without a time to live counts",
        f"{ETCD}/lease.py",
        "    if ttl_s <= 0:\n",
        "    if ttl_s < 0:\n",
        "core/test_lease.py::test_a_renewal_without_time_ends_a_lease_for_good",
    ),
    etcd_mutant(
        "a cycle is begun as long as the lease lasts",
        f"{ETCD}/lease.py",
        "<= standing.ttl_ns // PARTS",
        "<= standing.ttl_ns",
        "core/test_lease.py::"
        "test_a_cycle_is_begun_only_within_a_third_of_the_lease_after_a_renewal",
    ),
    etcd_mutant(
        "a commit without an answer is not sent again",
        f"{ETCD}/session.py",
        "                is_unclear, last = True, str(error)\n",
        "                is_unclear, last = True, str(error)\n                break\n",
        "process/test_etcd_store.py::"
        "test_a_commit_whose_delivery_goes_wrong_happens_once_and_is_known[Fault.ANSWER_LOST]",
    ),
    etcd_mutant(
        "an etcd at a lower revision is believed",
        f"{ETCD}/session.py",
        "        if found < self._highest:\n",
        "        if found.revision < 0:\n",
        "process/test_etcd_put_back.py::"
        "test_an_etcd_that_was_put_back_is_refused_by_who_saw_more_of_it[folder]",
    ),
    etcd_mutant(
        "an etcd that contradicts what was read there is believed",
        "state/etcd_store.py",
        "        if stored is None or plans.mark_of(stored.value).result != seen.digest:\n",
        "        if stored is None:\n",
        "process/test_etcd_put_back.py::"
        "test_a_commit_from_before_an_etcd_was_put_back_finds_no_place_at_an_equal_revision[folder]",
    ),
    etcd_mutant(
        "nobody asks whose a line is",
        "state/etcd_store.py",
        "        if commits.is_commit(found.get(self._keys.line(new.number)), new):\n",
        "        if found is None:\n",
        "process/test_etcd_store.py::"
        "test_a_commit_whose_delivery_goes_wrong_happens_once_and_is_known[Fault.ANSWER_LOST]",
    ),
    etcd_mutant(
        "a take is tried again",
        f"{ETCD}/reruns.py",
        '    if note.kind == "take" or note.approval:\n        raise',
        '    if note.kind == "" or note.approval:\n        raise',
        "process/test_etcd_store.py::test_a_take_is_tried_once",
    ),
    etcd_mutant(
        "a refusal of an old record is a refusal",
        f"{ETCD}/reruns.py",
        "    except StateError:\n        return None\n",
        "    except StateError:\n        raise\n",
        "process/test_etcd_store.py::test_what_a_known_record_refuses_is_asked_of_the_newest",
    ),
    etcd_mutant(
        "a token that is worth nothing is shown again",
        f"{ETCD}/client.py",
        '            self._token = ""  # it expired, or the user was changed\n',
        "",
        "process/test_etcd_access.py::"
        "test_a_store_logs_in_and_does_so_again_when_its_token_is_worth_nothing",
    ),
    etcd_mutant(
        "the member that does not answer is asked again",
        f"{ETCD}/client.py",
        "        self._turn += 1\n",
        "        self._turn += 0\n",
        "process/test_etcd_store.py::test_another_member_is_asked_where_one_does_not_answer",
    ),
    etcd_mutant(
        "a watch that is silent is waited for",
        f"{ETCD}/watch.py",
        "silence_s=self._silence_s)",
        "silence_s=60 + self._silence_s)",
        "process/test_etcd_store.py::test_a_watch_that_says_nothing_is_opened_anew",
    ),
    etcd_mutant(
        "a commit in etcd compares nothing",
        f"{ETCD}/commits.py",
        "    return wire.Transaction(compare=tuple(compare), success=tuple(steps), "
        "failure=failure)",
        "    return wire.Transaction(success=tuple(steps), failure=failure)",
        "core/test_etcd_faults.py::"
        "test_whatever_becomes_of_requests_and_answers_everybody_knows_what_happened",
    ),
    etcd_mutant(
        "a cycle begins however old its lease's renewal is",
        "handoff/worker/leased.py",
        "return may_begin(self._standing(), now_ns=self._clock.boot_ns())",
        "return True",
        "core/test_leased_footing.py::test_a_cycle_begins_only_within_a_third_of_the_lease",
    ),
    etcd_mutant(
        "an owner whose key is gone goes on",
        "handoff/worker/leased.py",
        "        return self._store.bound_lease() == standing.lease\n",
        "        return bool(standing.lease)\n",
        "core/test_leased_footing.py::test_an_owner_goes_on_only_where_its_key_is_bound",
    ),
    etcd_mutant(
        "an owner goes on with a lease that may be gone",
        "handoff/worker/leased.py",
        "        return not (lasts and self._is_bound(standing))\n",
        "        return not self._is_bound(standing)\n",
        "core/test_leased_footing.py::test_an_owner_goes_on_only_where_its_key_is_bound",
    ),
    etcd_mutant(
        "a commit that landed is done again",
        "state/etcd_store.py",
        "            self._seen_in(found)  # an earlier delivery of it; somebody may have written "
        "on top\n"
        "            return None\n",
        "            pass\n",
        "core/test_etcd_faults.py::"
        "test_whatever_becomes_of_requests_and_answers_everybody_knows_what_happened",
    ),
    etcd_mutant(
        "an outcome that nobody knows passes for none",
        f"{ETCD}/session.py",
        "        if is_unclear and attempt is not None:\n",
        "        if is_unclear and attempt is None:\n",
        "core/test_etcd_faults.py::"
        "test_whatever_becomes_of_requests_and_answers_everybody_knows_what_happened",
    ),
    etcd_mutant(
        "a standby says nothing of an owner on another host",
        "handoff/worker/life.py",
        "            self._told.elsewhere(record)\n",
        "",
        "core/test_worker_leased.py::"
        "test_a_standby_says_as_long_as_it_is_so_that_another_host_owns",
    ),
    etcd_mutant(
        "who is silent is counted from before another host was said to own",
        "handoff/launcher/supervision.py",
        "for each in (before_s, elsewhere_s) if each is not None",
        "for each in (before_s,) if each is not None",
        "core/test_supervision.py::test_nobody_is_known_to_own_since_the_last_word_of_anybody",
    ),
)
