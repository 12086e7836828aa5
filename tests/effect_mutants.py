"""Broken rules of attempts, of the outbox and of absence; `tests.mutants` tries them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.mutants import OUTBOX, REQUIREMENTS, TARGET, Mutant

ATTEMPTS: Final = Path("state/attempts.py")
ABSENCE: Final = Path("state/absence.py")
TEST_ATTEMPTS: Final = "tests/core/test_attempts.py"
TEST_OUTBOX: Final = "tests/core/test_outbox.py"
TEST_ABSENCE: Final = "tests/core/test_absence.py"
TEST_COMMANDS: Final = "tests/core/test_commands.py"
TEST_PROMOTION: Final = "tests/core/test_promotion.py"

_ABSENT: Final = "test_absent_is_final_only_with_a_reason_that_nobody_can_overtake"


def _attempts(
    name: str, source: str, replacement: str, test: str, target: Path = ATTEMPTS
) -> Mutant:
    return Mutant(name, source, replacement, test, target, TEST_ATTEMPTS)


def _outbox(name: str, source: str, replacement: str, test: str, target: Path = OUTBOX) -> Mutant:
    return Mutant(name, source, replacement, test, target, TEST_OUTBOX)


def _absence(name: str, source: str, replacement: str, test: str) -> Mutant:
    return Mutant(name, source, replacement, test, ABSENCE, TEST_ABSENCE)


def _promotion(name: str, source: str, replacement: str, test: str) -> Mutant:
    return Mutant(name, source, replacement, test, REQUIREMENTS, TEST_PROMOTION)


EFFECT_MUTANTS: Final = (
    _attempts(
        "a death after the boundary is not counted",
        "(due or progress.phase is Phase.DECIDED)",
        "(progress.phase is Phase.DECIDED)",
        "test_an_owner_that_died_after_its_step_was_due_is_counted",
    ),
    _attempts(
        "a death before the boundary is counted",
        "(due or progress.phase is Phase.DECIDED)",
        "True",
        "test_an_owner_that_died_before_the_boundary_is_not",
    ),
    _attempts(
        "a death with a cycle in hand is counted by the clock",
        "(due or progress.phase is Phase.DECIDED)",
        "due",
        "test_with_a_cycle_in_hand_the_boundary_has_passed",
    ),
    _attempts(
        "an ordinary stop counts as a death",
        "cost = held.owner is not None and (",
        "cost = held.newest is not None and (",
        "test_an_ordinary_stop_and_start_costs_nothing",
    ),
    _attempts(
        "another release inherits what its forerunner cost",
        "    if held.release != worker.release:\n        return 0\n",
        "",
        "test_what_a_seize_would_cost_can_be_asked_before[of another]",
    ),
    _attempts(
        "a candidate takes over what its forerunner cost",
        "    if held.release != worker.release:\n        progress =",
        "    if not held.release:\n        progress =",
        "test_another_release_starts_anew",
        TARGET,
    ),
    _attempts(
        "the count of attempts has no end",
        "return min(progress.attempts + cost, ATTEMPTS_MAX)",
        "return progress.attempts + cost",
        "test_the_count_ends_at_its_limit",
    ),
    _attempts(
        "a step forward is not paid for",
        "return replace(progress, cycle=to, attempts=0)",
        "return replace(progress, cycle=to)",
        "test_each_step_forward_pays_for_what_it_cost",
        TARGET,
    ),
    _attempts(
        "a cycle at the limit is decided once more",
        "    require_attempts_left(record)\n    require_none_planned",
        "    require_none_planned",
        "test_at_the_limit_the_next_cycle_can_only_be_given_up",
        TARGET,
    ),
    _attempts(
        "a cycle at the limit is performed once more",
        "    if any(isinstance(fate, Receipt) for fate in fates.values()):\n"
        "        require_attempts_left(record)\n",
        "",
        "test_at_the_limit_a_decided_cycle_is_settled_without_asking",
        TARGET,
    ),
    _attempts(
        "a cycle that is given up is clean",
        " and not attempts_spent(record)",
        "",
        "test_a_cycle_that_is_given_up_is_never_clean",
        TARGET,
    ),
    _outbox(
        "a decision plans what it likes",
        "if len(effects) > PLANNED_MAX:",
        "if len(effects) > PENDING_MAX:",
        "test_a_decision_plans_a_thousand_effects_and_no_more",
    ),
    _outbox(
        "an effect comes into the outbox with somebody else's mark",
        "fate=Fate.PLANNED, unproven=False)",
        "fate=Fate.PLANNED)",
        "test_an_effect_is_planned_as_one_that_nobody_has_touched",
    ),
    _outbox(
        "what has no room is forgotten",
        "return kept, (*receipts, *refused)",
        "return kept, receipts",
        "test_what_finds_no_room_is_refused_unsent_and_the_decision_stands",
    ),
    _outbox(
        "what has no room gets any fate",
        "{effect.effect_id for effect in with_room(outbox)}",
        "{effect.effect_id for effect in outbox}",
        "test_what_found_no_room_has_no_other_fate",
    ),
    _outbox(
        "an outbox that is full blocks a decision",
        "    if len(effects) > PLANNED_MAX:",
        "    if len(outbox) + len(effects) > PENDING_MAX:",
        "test_a_full_outbox_blocks_nobody",
    ),
    _outbox(
        "doubtful effects block",
        "    pending = [effect.effect_id for effect in outbox if effect.fate is Fate.PLANNED]",
        "    pending = [effect.effect_id for effect in outbox]",
        "test_an_effect_at_least_once_is_carried_until_it_has_a_receipt",
    ),
    _outbox(
        "what nobody can ask about is carried for ever",
        "if effect.delivery is Delivery.AT_MOST_ONCE:",
        "if effect.delivery is None:",
        "test_an_effect_at_most_once_ends_where_it_would_be_doubtful",
    ),
    _outbox(
        "a lease that ended counts as a death",
        "    if proof is Proof.LEASE_ENDED:",
        "    if proof is Proof.NONE:",
        "test_an_owner_that_may_live_leaves_its_effects_doubtful_and_marked",
        TARGET,
    ),
    _outbox(
        "the effects of an owner that may live carry no mark",
        "replace(effect, fate=Fate.DOUBTFUL, unproven=True)",
        "replace(effect, fate=Fate.DOUBTFUL)",
        "test_an_owner_that_may_live_leaves_its_effects_doubtful_and_marked",
    ),
    _outbox(
        "a proof of death makes effects doubtful",
        "    if proof is Proof.LEASE_ENDED:",
        "    if proof is not Proof.NONE:",
        "test_an_owner_that_is_proven_dead_leaves_planned_effects_planned[Proof.DEAD]",
        TARGET,
    ),
    _absence(
        "absent is final while a request may be under way",
        "(absence.quiet and not effect.unproven)",
        "(not effect.unproven)",
        f"{_ABSENT}[doubtful-nothing-Next.ASK_AGAIN-Next.ASK_AGAIN]",
    ),
    _absence(
        "absent is final by waiting although an owner may live",
        "(absence.quiet and not effect.unproven)",
        "absence.quiet",
        f"{_ABSENT}[unproven-quiet-Next.ASK_AGAIN-Next.ASK_AGAIN]",
    ),
    _absence(
        "what the venue refuses from now on is sent",
        "if may_send and not absence.enforced and",
        "if may_send and",
        f"{_ABSENT}[planned-enforced-Next.WRITE_OFF-Next.WRITE_OFF]",
    ),
    _absence(
        "a doubtful effect is sent again because it is absent",
        "    return effect.unproven and absence.repeatable",
        "    return final or (effect.unproven and absence.repeatable)",
        f"{_ABSENT}[doubtful-quiet-Next.WRITE_OFF-Next.WRITE_OFF]",
    ),
    _absence(
        "an unproven effect is sent again although the venue would execute both",
        "    return effect.unproven and absence.repeatable",
        "    return effect.unproven",
        f"{_ABSENT}[unproven-quiet-Next.ASK_AGAIN-Next.ASK_AGAIN]",
    ),
    _absence(
        "every effect is repeated",
        "    return effect.delivery is Delivery.AT_LEAST_ONCE\n",
        "    return effect.delivery is not Delivery.AT_MOST_ONCE\n",
        "test_only_what_may_execute_twice_is_repeated_without_asking",
    ),
    _absence(
        "what is carried ends at the earlier of its bounds",
        ">= CARRIED_NS_MIN and cycle",
        ">= CARRIED_NS_MIN or cycle",
        "test_what_is_carried_ends_after_a_day_and_a_thousand_cycles[at least once]",
    ),
    _absence(
        "what is repeated is repeated after its last moment",
        "            return now_ns >= effect.not_after_ns",
        "            since_ns = effect.not_after_ns",
        "test_what_is_repeated_ends_at_its_last_moment_where_it_has_one",
    ),
    _absence(
        "what can be asked about is given up",
        "    else:\n        return False\n",
        "",
        "test_what_can_be_asked_about_is_asked_about_until_there_is_an_answer",
    ),
    _promotion(
        "a promotion is meant of whatever bakes",
        "if (bake.deploy_id, held.release, held.epoch) != (deploy, release, epoch):",
        "if not (deploy and release and epoch):",
        "test_another_bake_than_the_one_that_was_seen_is_left_alone",
    ),
    _promotion(
        "a promotion asks for no epoch",
        "if (bake.deploy_id, held.release, held.epoch) != (deploy, release, epoch):",
        "if (bake.deploy_id, held.release) != (deploy, release):",
        "test_a_release_that_dies_promoted_still_owes_a_clean_cycle",
    ),
    _promotion(
        "a promotion asks for no deploy",
        "if (bake.deploy_id, held.release, held.epoch) != (deploy, release, epoch):",
        "if (held.release, held.epoch) != (release, epoch):",
        "test_another_bake_than_the_one_that_was_seen_is_left_alone[named0-deploy deploy-a of r2 "
        "in epoch 2, found deploy-b of r2 in]",
    ),
    Mutant(
        "a promotion takes the way back away",
        "    return replace(record, attempt=attempt, rollout=enough)",
        "    return replace(\n        record,\n        attempt=attempt,\n"
        "        rollout=enough,\n        fallback=NO_FALLBACK,\n    )",
        "test_a_return_that_was_decided_goes_on_to_its_end",
        tests=TEST_PROMOTION,
    ),
    Mutant(
        "a promoted release that is spoilt from outside is permanent",
        "clean = cleanliness is Cleanliness.CLEAN and not attempts_spent(record)",
        "ends = record.rollout is not None and record.rollout.clean_cycles >= record.rollout.of\n"
        "    clean = ends or (cleanliness is Cleanliness.CLEAN and not attempts_spent(record))",
        "test_a_cycle_that_is_given_up_makes_nothing_permanent",
        tests=TEST_PROMOTION,
    ),
    Mutant(
        "a bake is promoted away at once",
        "of=bake.clean_cycles)",
        "of=0)",
        "test_it_ends_with_the_next_clean_cycle_and_has_a_way_back_until_then",
        tests=TEST_PROMOTION,
    ),
    Mutant(
        "an owner with another period decides",
        "== (cadence.period_ns, cadence.offset_ns):",
        "!= (0, 0):",
        "test_an_owner_whose_numbers_mean_other_moments_is_refused[other0]",
        REQUIREMENTS,
        TEST_COMMANDS,
    ),
    Mutant(
        "the cadence of the record is written over",
        "cadence=record.cadence or cadence)",
        "cadence=cadence)",
        "test_the_cadence_is_written_once_and_stays",
        tests=TEST_COMMANDS,
    ),
)
