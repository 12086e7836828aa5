"""Events, commands and actions with equal fields, produced one for the other.

A checker of types cannot tell two members of one union apart where a member is produced, so each
such exchange is a mutant. A member that is added here or there finds its pairs by itself.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Final, NamedTuple

from handoff.launcher import supervision
from handoff.rollout import events
from tests.mutants import Mutant

UNIONS: Final = (events.Event, events.Command, supervision.Action)
DRIVER: Final = "handoff/rollout/driver.py"
ROLLOUT: Final = "handoff/rollout/table.py"
SUPERVISION: Final = "handoff/launcher/supervision.py"
REQUESTS: Final = "deploy/requests.py"


class Site(NamedTuple):
    """Where a member is produced.

    Attributes:
        kind: The member's name.
        path: The module.
        source: The text that produces it; it occurs once, and names the member once.
        test: File and name of the test that must fail where another is produced.
    """

    kind: str
    path: str
    source: str
    test: str


_GOOD: Final = "test_driver.py::test_a_good_deploy_is_told_step_by_step"
_ASKED: Final = "test_rollout.py::test_a_good_deploy_asks_for_each_thing_once"
_INTERRUPTED: Final = "test_deploy_requests.py::test_who_interrupts_a_deploy_is_told"

SITES: Final = (
    Site("Build", ROLLOUT, "return Deploy(deploy_id), (Build(),)", _ASKED),
    Site("Approve", ROLLOUT, "return (Approve(),)", _ASKED),
    Site(
        "StopCandidate",
        ROLLOUT,
        "return (StopCandidate(),) if has_process",
        "test_rollout.py::test_an_approved_candidate_is_stopped_and_then_waited_for",
    ),
    Site(
        "ReturnOwnership",
        ROLLOUT,
        "return (ReturnOwnership(),)",
        "test_rollout.py::test_an_abort_in_the_bake_gives_ownership_back",
    ),
    Site("StartCandidate", ROLLOUT, "return (StartCandidate(release),)", _ASKED),
    Site("Built", DRIVER, "self._apply(Built(self._release))", _GOOD),
    Site("CandidateStarted", DRIVER, "self._apply(CandidateStarted(self._pid))", _GOOD),
    Site(
        "CandidateWarming",
        DRIVER,
        "self._apply(CandidateWarming())\n                return GatePassed(boot)",
        _GOOD,
    ),
    Site("GatePassed", DRIVER, "return GatePassed(verdict) if", _GOOD),
    Site(
        "GateFailed",
        DRIVER,
        "else GateFailed(verdict)",
        "test_driver.py::test_a_gate_that_refuses_stops_the_candidate",
    ),
    Site("CandidateReady", DRIVER, "return CandidateReady()", _GOOD),
    Site("Took", DRIVER, 'return Took(message["cycle"], message["boundary_ms"]', _GOOD),
    Site("CycleSettled", DRIVER, "return CycleSettled(", _GOOD),
    Site("BakeEnded", DRIVER, "return BakeEnded()", _GOOD),
    Site(
        "OwnershipReturned",
        DRIVER,
        'return OwnershipReturned(str(message.get("reason") or self._deploy.reason))',
        "test_driver.py::test_another_release_that_owns_in_the_bake_ends_it",
    ),
    Site(
        "CandidateExited",
        DRIVER,
        "who took says why\n        return CandidateExited(reason)",
        "test_driver.py::test_a_candidate_that_dies_in_its_gates_is_refused",
    ),
    Site(
        "TimeLimitPassed",
        DRIVER,
        "return TimeLimitPassed(limit_s)",
        "test_driver.py::test_a_phase_without_end_is_ended",
    ),
    Site("AbortAsked", REQUESTS, "return AbortAsked(by)", _INTERRUPTED),
    Site("Superseded", REQUESTS, "else Superseded(newer.deploy)", _INTERRUPTED),
    Site(
        "StartStandby",
        SUPERVISION,
        'return [StartStandby("no worker is alive")]',
        "test_supervision.py::test_without_a_standby_one_is_started",
    ),
    Site(
        "Drain",
        SUPERVISION,
        "Drain(child.name)\n        for child in situation.children\n"
        "        if child.stopping_s is None and",
        "test_supervision.py::test_a_standby_that_never_gets_warm_is_ended_and_followed_by_another",
    ),
    Site(
        "Kill",
        SUPERVISION,
        "Kill(child.name)",
        "test_supervision.py::test_who_does_not_leave_in_time_is_killed",
    ),
    Site(
        "Exit",
        SUPERVISION,
        "return [Exit()]",
        "test_supervision.py::test_stopping_goes_from_those_who_may_own_next_to_those_who_only_look",
    ),
)


def alike(kind: type) -> list[type]:
    """Return the other members of a member's union whose fields have the same types in order."""
    union = next(union for union in UNIONS if kind in typing.get_args(union))
    return [
        other
        for other in typing.get_args(union)
        if other is not kind and field_types(other) == field_types(kind)
    ]


def field_types(kind: type) -> tuple[str, ...]:
    """Return the types of a member's fields, as they are written."""
    # A named tuple keeps them wrapped.
    return tuple(
        str(getattr(each, "__forward_arg__", each)) for each in kind.__annotations__.values()
    )


def members() -> dict[str, type]:
    """Return every member of every union, by name."""
    return {kind.__name__: kind for union in UNIONS for kind in typing.get_args(union)}


def _mutants(site: Site) -> list[Mutant]:
    file, _, test = site.test.partition("::")
    target, tests = Path(site.path), f"tests/core/{file}"
    assert site.source.count(f"{site.kind}(") == 1, f"{site.source!r} produces one {site.kind}"
    return [
        Mutant(
            f"{site.kind} is produced as {other.__name__}",
            site.source,
            # Brought in where it is used: the module may not import the other at all.
            site.source.replace(
                f"{site.kind}(",
                f"__import__({other.__module__!r}, "
                f"fromlist=[{other.__name__!r}]).{other.__name__}(",
            ),
            test,
            target,
            tests,
        )
        for other in alike(members()[site.kind])
    ]


SWAP_MUTANTS: Final = tuple(mutant for site in SITES for mutant in _mutants(site))
