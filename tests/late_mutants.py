"""The broken rules of what comes late among hosts: answers, leases, deployers, hosts themselves."""

from __future__ import annotations

from typing import Final

from tests.etcd_mutants import ETCD, etcd_mutant

LATE_MUTANTS: Final = (
    etcd_mutant(
        "what landed after its answer was given up is taken for another's",
        "handoff/worker/cycle.py",
        "        return is_mine and progress.phase is Phase.DECIDED",
        "        return is_mine and progress.phase is Phase.SETTLED",
        "core/test_worker_leased.py::"
        "test_what_was_decided_by_a_write_that_was_given_up_is_sent_for_nobody_else_could",
    ),
    etcd_mutant(
        "who settled unheard takes itself for replaced",
        "handoff/worker/reach.py",
        " or found.progress == before.progress:",
        " or found.attempt != before.attempt:",
        "core/test_worker_unheard.py::"
        "test_an_owner_whose_settling_lies_beneath_a_word_of_an_operator_owns_on",
    ),
    etcd_mutant(
        "an owner whose lease is over waits for the end of the cycle with what it has to send",
        "handoff/worker/requests.py",
        "            self._stand_anew()\n",
        "",
        "core/test_worker_leased.py::"
        "test_what_is_decided_as_the_lease_is_found_to_be_over_is_sent_once_the_key_is_bound_anew",
    ),
    etcd_mutant(
        "a lease is asked for while a request is under way",
        "handoff/worker/requests.py",
        "        if self._under_way or is_early",
        "        if is_early",
        "core/test_worker_leased.py::test_nobody_waits_for_etcd_while_a_request_is_under_way",
    ),
    etcd_mutant(
        "who is back late proves what it followed after a copy was made",
        "state/host_journal.py",
        "        return min(following_cycle(last) - 1, source.said_of(seen.home))",
        "        return following_cycle(last) - 1",
        "core/test_etcd_late_hosts.py::"
        "test_a_host_that_is_back_late_proves_nothing_that_it_followed_after_a_copy_was_"
        "made",
    ),
    etcd_mutant(
        "who binds its key anew leaves the account forgotten",
        "state/etcd_store.py",
        "seen, owner, lease=lease, claim=claim)",
        "seen, owner, lease=lease)",
        "core/test_etcd_faults.py::"
        "test_who_binds_its_key_anew_says_again_for_whose_account_it_acts",
    ),
    etcd_mutant(
        "who is slow to begin a deploy counts as gone",
        f"{ETCD}/deploy_desk.py",
        "plans.filing(self._keys, asked, lease=lease)",
        "plans.filing(self._keys, asked)",
        "core/test_deploy_across.py::"
        "test_a_request_whose_deployer_is_slow_to_begin_is_ended_by_nobody_while_it_may_come",
    ),
    etcd_mutant(
        "a try that follows another counts as approved as that one was",
        "deploy/across.py",
        'return replace(asked, attempt="", candidate="", epoch=0, entry=entry)',
        "return replace(asked, entry=entry)",
        "core/test_deploy_across.py::"
        "test_a_second_try_that_was_not_approved_is_the_one_that_ends_with_its_host",
    ),
    etcd_mutant(
        "the try that follows another writes over an abort",
        f"{ETCD}/deploys.py",
        "    if read_at:\n",
        "    if is_left:\n",
        "core/test_deploy_across.py::"
        "test_a_second_try_that_was_not_approved_is_the_one_that_ends_with_its_host",
    ),
    etcd_mutant(
        "a take that finds its lease gone has its time once more",
        "state/etcd_store.py",
        "            left_s = until_s - time.monotonic()\n",
        "            left_s = limit_s\n",
        "core/test_etcd_faults.py::"
        "test_a_take_that_finds_its_lease_gone_is_over_within_the_time_of_one",
    ),
    etcd_mutant(
        "a certificate that was renewed is shown by who starts after that alone",
        f"{ETCD}/client.py",
        "        if files != self._files:\n",
        "        if not files:\n",
        "process/test_etcd_access.py::"
        "test_a_certificate_that_is_renewed_in_its_place_is_shown_with_the_next_connection",
    ),
    etcd_mutant(
        "whatever answers is an etcd",
        f"{ETCD}/client.py",
        "    if path in _HEADED and _HEADER not in data:",
        "    if path in _HEADED and data is None:",
        "process/test_etcd_store.py::test_an_answer_that_is_none_of_an_etcd_counts_as_none",
    ),
    etcd_mutant(
        "a lease that is got for a word to others passes for the owner's",
        "state/etcd/commits.py",
        "    if not answer.succeeded and (there is None or there.lease != lease):\n",
        "    if there is not None and there.lease != lease:\n",
        "process/test_etcd_lease.py::test_a_binding_that_somebody_came_before_is_refused",
    ),
    etcd_mutant(
        "nobody sees a gap in its own renewals while the record is out of reach",
        "handoff/worker/leased.py",
        "        self._standing()  # nobody else may look",
        "        # nobody else may look",
        "core/test_leased_footing.py::"
        "test_a_gap_between_renewals_counts_although_nobody_looked_at_the_owner_meanwhile",
    ),
    etcd_mutant(
        "a take is sent however long what went ahead of it took",
        "state/etcd_store.py",
        "            change(seen.record)  # they took",
        "            pass  # they took",
        "core/test_etcd_faults.py::"
        "test_a_take_for_which_it_is_too_late_once_its_chunks_are_there_is_not_sent",
    ),
    etcd_mutant(
        "words that etcd refused are tried again and again",
        "state/etcd/admission.py",
        "        is_refused = self.cluster.credentials == self._refused\n",
        "        is_refused = False\n",
        "core/test_etcd_admission.py::test_words_that_were_refused_are_not_tried_again_at_once",
    ),
)
