"""The broken rules of an etcd that was put back: who notices it, and what a repair may do."""

from __future__ import annotations

from typing import Final

from tests.etcd_mutants import ETCD, etcd_mutant

REPAIR: Final = "core/test_etcd_repair.py::"
REPAIR_LEVEL: Final = "core/test_etcd_repair_level.py::"

REPAIR_MUTANTS: Final = (
    etcd_mutant(
        "what a home has seen of an etcd is not asked of it",
        "state/etcd_store.py",
        "        seen = home.sighting() if home is not None else None\n",
        "        seen = None\n",
        f"{REPAIR}test_what_a_home_has_seen_outlasts_its_workers",
    ),
    etcd_mutant(
        "an etcd without a record is a new one for everybody",
        "state/etcd_store.py",
        "        if stored is None and self._home is not None:\n",
        "        if stored is None and self._home is None:\n",
        f"{REPAIR}test_an_etcd_without_the_record_is_an_older_one_for_who_followed_it",
    ),
    etcd_mutant(
        "an etcd that has forgotten a repair is believed",
        f"{ETCD}/session.py",
        "        if repairs < self._highest.repairs:\n",
        "        if repairs < 0:\n",
        f"{REPAIR}test_a_copy_from_before_a_repair_is_an_older_one_too",
    ),
    etcd_mutant(
        "a repair waits for nobody",
        f"{ETCD}/put_back.py",
        "    if not unheard:\n        return\n",
        "    return\n",
        f"{REPAIR}test_a_repair_waits_for_every_host_and_is_done_where_the_journal_goes_furthest",
    ),
    etcd_mutant(
        "a host that owned after the copy is not asked",
        "state/etcd_repair.py",
        "            rows = put_back.rows_of(there.heard, there.kept, named_by(there, ours), "
        "self._without)\n",
        "            rows = put_back.rows_of(there.heard, there.kept, (), self._without)\n",
        f"{REPAIR}test_a_host_that_owned_after_the_copy_was_made_is_known_by_the_journals_of_others",
    ),
    etcd_mutant(
        "a repair is made wherever it is asked for",
        "state/etcd_repair.py",
        "        if furthest.result != ours.heard.result:\n",
        '        if furthest.result == "":\n',
        f"{REPAIR}test_a_repair_waits_for_every_host_and_is_done_where_the_journal_goes_furthest",
    ),
    etcd_mutant(
        "a repair forgets another history",
        f"{ETCD}/put_back.py",
        "        if each.result in is_in or not {each.host, each.home}.isdisjoint(without):\n",
        "        if each.result or not {each.host, each.home}.isdisjoint(without):\n",
        f"{REPAIR}test_two_histories_are_one_too_many",
    ),
    etcd_mutant(
        "a repair leaves effects planned",
        "state/outbox.py",
        "    return tuple(replace(each, fate=Fate.DOUBTFUL, unproven=True) for each in outbox)",
        "    return tuple(replace(each, unproven=True) for each in outbox)",
        f"{REPAIR}test_effects_that_were_forgotten_are_asked_about_and_sent_by_nobody",
    ),
    etcd_mutant(
        "a repair begins under the epoch that there was",
        "state/transitions.py",
        "    epoch = max(above, held.epoch) + 1\n",
        "    epoch = held.epoch\n",
        f"{REPAIR}test_one_host_brings_it_forward_to_its_newest_line_under_a_new_epoch",
    ),
    etcd_mutant(
        "an etcd that is in the newest cycle knows of every halt",
        "state/etcd_repair.py",
        "        return is_level or reached > furthest.reached",
        "        return is_level or reached >= furthest.reached",
        f"{REPAIR_LEVEL}test_a_halt_that_came_after_the_newest_cycle_is_brought_forward",
    ),
    etcd_mutant(
        "a copy of a home speaks over the one that goes further",
        "state/etcd_repair.py",
        "            if not said_here and not self._known.is_known(there, each):",
        "            if said_here and not self._known.is_known(there, each):",
        f"{REPAIR_LEVEL}test_a_copy_of_a_home_does_not_speak_over_the_one_that_goes_further",
    ),
)
