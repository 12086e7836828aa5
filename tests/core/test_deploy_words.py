"""What a deploy of a plain directory says while it runs, and what it advises."""

import re

import pytest

from handoff.command_line import _parser
from handoff.commands.deploy_words import REMEDIES, UNREADABLE, end_of, remedy_of, words_of
from handoff.gate_verdict import GateName, failed, passed
from handoff.rollout.events import (
    BakeEnded,
    CandidateReady,
    CandidateStarted,
    CycleSettled,
    Event,
    GateFailed,
    GatePassed,
    Took,
)
from handoff.rollout.table import Deploy, Phase
from state.errors import SchemaMismatch
from state.schema import Schema

DEPLOY = Deploy("d1", Phase.BAKING, release="r2", cycle=9, boundary_ms=2_500)
DEPLOYERS = GateName.MEMORY, GateName.REPLAY, GateName.EFFECTS, GateName.BACKTEST
WORKERS = {GateName.DISK, *DEPLOYERS}  # never asked here


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (CandidateStarted(7), "starting r2 beside the owner"),
        (
            GatePassed(passed("warm", "it answers", seconds=0.5)),
            "  warm: passed (it answers, 0.5 s)",
        ),
        (GateFailed(failed("warm", "no route")), "  warm: failed (no route)"),
        (CandidateReady(), "every gate is passed: it takes the next boundary that it can"),
        (
            Took(9, 2_500, bakes=True),
            "r2 owns from cycle 9 on, which begins in 1.50 s; the release before it stays warm",
        ),
        (CycleSettled(9, 1, 2), "  1 of 2 clean cycles"),
        (BakeEnded(), ""),
    ],
)
def test_every_step_that_matters_is_said_in_words(event: Event, wanted: str) -> None:
    assert words_of(event, DEPLOY, now_ms=1_000) == wanted


def test_a_remedy_names_only_what_this_program_has() -> None:
    """An option of another program, tried in an emergency, costs the minutes that count."""
    commands = _parser()[0].format_help()
    deploying = _parser()[0].parse_args(["replace", "--tree", ".", "--irreversible"])
    has = {name.replace("_", "-") for name in vars(deploying)}
    for gate, remedy in REMEDIES.items():
        for option in re.findall(r"--([a-z-]+)", remedy):
            assert option in has, (gate, option)
        for command in re.findall(r"`handoff ([a-z]+)`?", remedy):
            assert re.search(rf"^    {command}\b", commands, re.MULTILINE), (gate, command)


def test_each_gate_that_a_plain_directory_meets_has_a_remedy() -> None:
    assert set(REMEDIES) == set(GateName) - WORKERS
    refused = Deploy("d1", Phase.REFUSED, "r2", gates=(passed("boot", "b"), failed("warm", "w")))
    assert remedy_of(refused) == REMEDIES[GateName.WARM]
    assert remedy_of(DEPLOY) == ""


def test_what_a_release_cannot_read_is_helped_by_no_option() -> None:
    """A rollback past a change of the state named an option that it does not have."""
    new, old = Schema("news", 2, dict), Schema("news", 1, dict)
    with pytest.raises(SchemaMismatch) as mismatch:
        old.decode(b"{}", new.schema_id)
    refused = Deploy("d1", Phase.REFUSED, "r1", gates=(failed("schema", str(mismatch.value)),))
    assert remedy_of(refused) == UNREADABLE
    assert "--" not in UNREADABLE
    shape = Deploy("d1", Phase.REFUSED, "r1", gates=(failed("schema", "no step down"),))
    assert remedy_of(shape) == REMEDIES[GateName.SCHEMA]


def test_how_it_ended_is_one_sentence() -> None:
    assert end_of(Deploy("d1", Phase.PERMANENT, "r2")) == "r2 is permanent"
    refused = end_of(Deploy("d1", Phase.REFUSED, "r2", "warm: no route"))
    assert refused == "r2 was refused, the release that runs goes on: warm: no route"
    returned = end_of(Deploy("d1", Phase.RETURNED, "r2", "it failed"))
    assert returned == "r2 owned, and the release before it owns again: it failed"
