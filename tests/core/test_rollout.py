"""Every pair of phase and event: it moves as the table says, or is refused and changes nothing."""

from __future__ import annotations

import dataclasses
import typing
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.errors import InvalidTransition
from handoff.gate_verdict import failed, passed
from handoff.rollout import events
from handoff.rollout import table as rollout
from handoff.rollout.events import (
    AbortAsked,
    Approve,
    BakeEnded,
    Build,
    BuildFailed,
    Built,
    CandidateExited,
    CandidateReady,
    CandidateStarted,
    CandidateWarming,
    CycleSettled,
    Event,
    GateFailed,
    GatePassed,
    OwnershipReturned,
    ReturnOwnership,
    StartCandidate,
    StopCandidate,
    Superseded,
    TimeLimitPassed,
    Took,
)
from handoff.rollout.table import ENDED, TRANSITIONS, Deploy, Phase, step

if TYPE_CHECKING:
    from handoff.rollout.events import Command

SCHEMA = passed("schema", "version 2", seconds=0.1)
EXAMPLES: tuple[Event, ...] = (
    BuildFailed("no wheel"),
    Built("r2"),
    CandidateStarted(7),
    CandidateWarming(),
    GatePassed(SCHEMA),
    GateFailed(failed("warm", "no venue", seconds=0.2)),
    CandidateReady(),
    Took(cycle=12, boundary_ms=1000, bakes=True),
    CycleSettled(cycle=12, clean_cycles=1, of=3),
    BakeEnded(),
    OwnershipReturned("a bad cycle"),
    CandidateExited("killed by SIGKILL"),
    TimeLimitPassed(30.0),
    AbortAsked("alice"),
    Superseded("d2"),
)
PAIRS = [(phase, event) for phase in Phase for event in EXAMPLES]
NAMES = [f"{phase.value}-{type(event).__name__}" for phase, event in PAIRS]


def in_phase(phase: Phase) -> Deploy:
    return Deploy("d1", phase=phase, release="r2", reason="before", clean_cycles=1)


def driven(*happened: Event) -> tuple[Deploy, list[Command]]:
    deploy, commands = rollout.begin("d1")
    asked = list(commands)
    for event in happened:
        deploy, commands = step(deploy, event)
        asked += commands
    return deploy, asked


def test_there_is_an_example_of_every_event() -> None:
    """A new event without one would be tried by no test here."""
    assert [type(event) for event in EXAMPLES] == list(typing.get_args(Event))


@pytest.mark.parametrize(("phase", "event"), PAIRS, ids=NAMES)
def test_a_pair_moves_as_the_table_says_or_changes_nothing(phase: Phase, event: Event) -> None:
    before = in_phase(phase)
    copy = dataclasses.replace(before)
    target = TRANSITIONS.get((phase, type(event)))
    if target is None:
        with pytest.raises(InvalidTransition, match=f"{type(event).__name__}.*{phase.value}"):
            step(before, event)
    else:
        after, _ = step(before, event)
        assert after.phase is target
        assert after.deploy_id == before.deploy_id
    assert before == copy


def test_what_ended_has_no_way_out_and_every_other_phase_has_one() -> None:
    """A deploy that cannot end would block the next one for ever."""
    sources = {phase for phase, _ in TRANSITIONS}
    assert sources == set(Phase) - ENDED
    reached = set(ENDED)
    for _ in Phase:
        reached |= {phase for (phase, _), target in TRANSITIONS.items() if target in reached}
    assert reached == set(Phase)


def test_every_phase_can_be_reached() -> None:
    reached = {Phase.BUILDING}
    for _ in Phase:
        reached |= {target for (phase, _), target in TRANSITIONS.items() if phase in reached}
    assert reached == set(Phase)


def test_only_a_take_leads_to_owning_and_nothing_that_owns_is_refused() -> None:
    """Before the take everything falls back; after it everything goes forward."""
    into_baking = {event for (phase, event), to in TRANSITIONS.items() if to is Phase.BAKING}
    from_elsewhere = {
        event
        for (phase, event), to in TRANSITIONS.items()
        if to is Phase.BAKING and phase is not Phase.BAKING
    }
    assert from_elsewhere == {Took}
    assert Took in into_baking
    leaving = {to for (phase, _), to in TRANSITIONS.items() if phase is Phase.BAKING}
    assert leaving == {Phase.BAKING, Phase.PERMANENT, Phase.RETURNED}


def test_a_deploy_begins_with_nothing_but_the_wish_to_build() -> None:
    """Whatever it said of a cycle or a boundary would be read as the take."""
    deploy, commands = rollout.begin("d1")
    assert (deploy.deploy_id, deploy.phase, commands) == ("d1", Phase.BUILDING, (Build(),))
    assert (deploy.cycle, deploy.boundary_ms, deploy.clean_cycles, deploy.gates) == (0, 0, 0, ())
    assert (deploy.release, deploy.reason) == ("", "")


def test_a_good_deploy_asks_for_each_thing_once() -> None:
    deploy, asked = driven(
        GatePassed(passed("memory", "two fit", seconds=0.0)),
        Built("r2"),
        CandidateStarted(7),
        CandidateWarming(),
        GatePassed(passed("schema", "version 2", seconds=0.5)),
        CandidateReady(),
        Took(cycle=12, boundary_ms=1000, bakes=True),
        CycleSettled(12, 1, 2),
        CycleSettled(13, 2, 2),
        BakeEnded(),
    )
    assert asked == [Build(), StartCandidate("r2"), Approve()]
    assert deploy == Deploy(
        "d1",
        phase=Phase.PERMANENT,
        release="r2",
        cycle=12,
        boundary_ms=1000,
        clean_cycles=2,
        gates=(passed("memory", "two fit"), passed("schema", "version 2", seconds=0.5)),
    )


def test_a_take_without_a_bake_is_permanent_at_once() -> None:
    ready = in_phase(Phase.READY)
    deploy, commands = step(ready, Took(cycle=12, boundary_ms=1000, bakes=False))
    assert (deploy.phase, deploy.cycle, commands) == (Phase.PERMANENT, 12, ())


def test_a_take_that_won_against_the_wish_to_stop_is_not_permanent() -> None:
    """Whether it bakes or not: it is on its way out, and the previous release seizes."""
    deploy, commands = step(in_phase(Phase.STOPPING), Took(12, 1000, bakes=False))
    assert (deploy.phase, deploy.cycle, commands) == (Phase.STOPPING, 12, ())
    returned, _ = step(deploy, OwnershipReturned("the previous release owns again"))
    assert returned.phase is Phase.RETURNED


@pytest.mark.parametrize(
    ("phase", "event", "reason", "asked"),
    [
        (Phase.BUILDING, BuildFailed("no wheel"), "no wheel", ()),
        (Phase.BUILDING, AbortAsked("alice"), "aborted by alice", ()),
        (
            Phase.BUILDING,
            GateFailed(failed("memory", "one fits")),
            "memory: one fits",
            (),
        ),
        (Phase.STARTING, CandidateExited("status 1"), "status 1", ()),
        (Phase.STARTING, TimeLimitPassed(3.5), "starting took longer than 3.5 s", "stop"),
        (
            Phase.GATING,
            GateFailed(failed("warm", "no venue")),
            "warm: no venue",
            "stop",
        ),
        (Phase.GATING, Superseded("d2"), "superseded by d2", "stop"),
        (Phase.READY, CandidateExited("killed"), "killed", ()),
    ],
)
def test_a_refused_deploy_says_why_and_leaves_no_candidate(
    phase: Phase, event: Event, reason: str, asked: str | tuple[()]
) -> None:
    deploy, commands = step(Deploy("d1", phase=phase), event)
    assert (deploy.phase, deploy.reason) == (Phase.REFUSED, reason)
    assert commands == ((StopCandidate(),) if asked else ())


@pytest.mark.parametrize("event", [AbortAsked("alice"), TimeLimitPassed(600)])
def test_an_approved_candidate_is_stopped_and_then_waited_for(event: Event) -> None:
    """It may take at this very moment: nobody knows yet which of the two came first."""
    deploy, commands = step(in_phase(Phase.READY), event)
    assert (deploy.phase, commands) == (Phase.STOPPING, (StopCandidate(),))
    gone, commands = step(deploy, CandidateExited("exited with status 0"))
    assert (gone.phase, commands) == (Phase.REFUSED, ())
    late, commands = step(deploy, TimeLimitPassed(30))
    assert (late.phase, commands) == (Phase.REFUSED, (StopCandidate(),))


def test_the_verdict_of_a_gate_is_kept_as_it_was() -> None:
    before, _ = step(in_phase(Phase.GATING), GatePassed(SCHEMA))
    refused, _ = step(before, GateFailed(failed("warm", "no venue", seconds=0.2)))
    assert refused.gates == (SCHEMA, failed("warm", "no venue", seconds=0.2))


def test_an_abort_in_the_bake_gives_ownership_back() -> None:
    deploy, commands = step(in_phase(Phase.BAKING), AbortAsked("alice"))
    assert (deploy.phase, deploy.reason) == (Phase.BAKING, "aborted by alice")
    assert commands == (ReturnOwnership(),)


def test_a_newer_request_ends_a_bake_that_waits_for_inputs_as_outside() -> None:
    """It would wait for half an hour behind a release of which nothing can be said."""
    deploy, commands = step(in_phase(Phase.BAKING), Superseded("d2"))
    assert deploy.phase is Phase.BAKING, "until the previous release owns again"
    assert deploy.reason == "outside: it waited for inputs when it was superseded by d2"
    assert commands == (ReturnOwnership(),)


@pytest.mark.parametrize("event", [CandidateExited("killed"), TimeLimitPassed(7200)])
def test_what_owns_is_undone_by_nobody_here(event: Event) -> None:
    """The record says who owns; whoever is warm seizes."""
    deploy, commands = step(in_phase(Phase.BAKING), event)
    assert (deploy.phase, commands) == (Phase.BAKING, ())


@given(st.lists(st.sampled_from(EXAMPLES), max_size=30))
def test_whatever_happens_a_deploy_is_built_and_started_and_approved_at_most_once(
    happened: list[Event],
) -> None:
    deploy, commands = rollout.begin("d1")
    asked = list(commands)
    for event in happened:
        if (deploy.phase, type(event)) not in TRANSITIONS:
            continue
        deploy, commands = step(deploy, event)
        asked += commands
    kinds = [type(command) for command in asked]
    for once in (Build, StartCandidate, Approve):
        assert kinds.count(once) <= 1
    if deploy.phase in (Phase.PERMANENT, Phase.RETURNED):
        assert kinds.count(Approve) == 1


def test_events_and_commands_are_frozen_and_named_in_one_union_each() -> None:
    """`assert_never` over the union catches a case that is missing, if the union is whole."""
    members = {
        value
        for name, value in vars(events).items()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == "handoff.rollout.events"
    }
    unions = (*typing.get_args(events.Event), *typing.get_args(events.Command))
    assert members == set(unions)
    assert len(unions) == len(set(unions))
    for example in EXAMPLES:
        for field in type(example).__annotations__:
            with pytest.raises(AttributeError):
                setattr(example, field, None)
