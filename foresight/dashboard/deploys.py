"""The deploys: the one under way as far as it got, and those that ended.

Owns the stages that the page shows and what a release is called. Before its take a deploy is what
its deployer wrote down; from then on the record's own bake says more and comes first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from deploy.history import Entry
from foresight.scoring import Earned, evidence_of, said_of_none
from handoff.commands.standing import is_promoted
from handoff.gate_verdict import GateName, GateResult, GateVerdict
from handoff.plurals import counted
from handoff.rollout.table import ENDED
from handoff.rollout.table import Phase as Stage
from state.record import Record, Rollout

STAGES: Final = (Stage.BUILDING, Stage.STARTING, Stage.GATING, Stage.READY, Stage.BAKING)
TRIED: Final = frozenset({GateName.REPLAY, GateName.BACKTEST, GateName.SHADOW})  # by cycles
NEVER_OWNED: Final = frozenset({"refused", "superseded", "skipped"})  # outcomes
SHORT_CHARS: Final = 7  # of a commit, as git itself abbreviates it
NAME_CHARS: Final = 12  # of a release that has no commit


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseName:
    """What a release is called, from its manifest, else from a deploy of it.

    Attributes:
        commit: Its full commit, or an empty string.
        subject: First line of its message.
        is_kept: Whether it is still there.
    """

    commit: str = ""
    subject: str = ""
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploying:
    """The deploy under way.

    Attributes:
        deploy: Its id.
        name: Short name of the release, once there is one.
        subject: First line of its commit message.
        stage: One of `STAGES` by value.
        stage_number: Its place among them.
        clean: Clean cycles of the bake so far.
        of: Clean cycles that it needs.
        part: How much of the whole way is done, 0 to 1.
        since_ms: When it was asked for, or None.
        gates: Gates passed so far; one that was not asked is none of them.
        found: What those that tried the release said, in words.
        bakes: It owns already, and can still go back.
        promoted: What its promotion leads to, in words; empty where nobody promoted it.
    """

    deploy: str
    name: str
    subject: str
    stage: str
    stage_number: int
    clean: int
    of: int
    part: float
    since_ms: float | None
    gates: tuple[str, ...]
    found: tuple[str, ...] = ()
    bakes: bool = False
    promoted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDeploy:
    """A finished deploy.

    Attributes:
        deploy: Its id.
        name: Short name of the release.
        subject: First line of its commit message.
        outcome: How it ended.
        reason: Why.
        at_ms: When it took over, or was asked for.
        earned: What its release earned, in words; empty where it never owned.
    """

    deploy: str
    name: str
    subject: str
    outcome: str
    reason: str
    at_ms: float
    earned: str = ""


def deploying_of(
    entry: Entry | None,
    record: Record | None,
    names: Mapping[str, ReleaseName],
    *,
    lacks: bool = False,
) -> Deploying | None:
    """Return the deploy under way, or None.

    Args:
        entry: What its deployer wrote down, or None.
        record: The record, or None if it could not be read.
        names: Releases by id.
        lacks: The release that bakes gets too little of the world for a clean cycle.
    """
    bake = record.rollout if record else None
    if bake is not None and record is not None:
        release = record.ownership.release
        known = names.get(release, ReleaseName())
        is_mine = entry is not None and entry.deploy == bake.deploy_id
        baking = _stage(
            Stage.BAKING,
            deploy=bake.deploy_id,
            name=short_name(release, known.commit),
            subject=known.subject,
            entry=entry if is_mine else None,
            bake=(bake.clean_cycles, bake.of),
        )
        return replace(baking, bakes=True, promoted=_promoted(bake, lacks=lacks))
    if entry is None or entry.outcome or entry.phase in {stage.value for stage in ENDED}:
        return None
    # A phase of a newer deployer, or one that only waits for its turn, stands at the beginning.
    stage = next((stage for stage in STAGES if stage.value == entry.phase), Stage.BUILDING)
    name = short_name(entry.release, entry.commit) or entry.ref
    return _stage(stage, deploy=entry.deploy, name=name, subject=entry.subject, entry=entry)


def took_over(entry: Entry) -> bool:
    """Tell whether a deploy's release came to own, whatever became of it then."""
    return bool(entry.boundary_ms) and entry.outcome not in NEVER_OWNED


def _promoted(bake: Rollout, *, lacks: bool) -> str:
    if not is_promoted(bake.clean_cycles, bake.of):
        return ""
    if lacks:
        return "promoted, but its inputs fail: no cycle is clean, and it is not made permanent"
    return "promoted: the next clean cycle makes it permanent"


def past_deploy(entry: Entry, earned: Iterable[Earned] = ()) -> PastDeploy:
    """Return a finished deploy as the page shows it.

    Args:
        entry: As the deployer wrote it down.
        earned: What each release earned.
    """
    return PastDeploy(
        deploy=entry.deploy,
        name=short_name(entry.release, entry.commit) or entry.ref,
        subject=entry.subject,
        outcome=entry.outcome,
        reason=entry.reason,
        at_ms=float(entry.boundary_ms or entry.requested_ms),
        earned=_earned_words(entry, earned) if entry.boundary_ms else "",
    )


def _earned_words(entry: Entry, earned: Iterable[Earned]) -> str:
    known = list(earned)
    mine = [each for each in known if each.release == entry.release]
    if not mine:
        return said_of_none(known)
    # Simulated money is never added to real.
    return "; ".join(_words(each, at=each.venue if len(mine) > 1 else "") for each in mine)


def _words(earned: Earned, *, at: str) -> str:
    score = earned.score
    where = f" at {at}" if at else ""
    said = evidence_of(score)
    return f"{score.profit:+,.2f} USDC in {counted(score.trades, 'trade')}{where}, {said}"


def short_name(release: str, commit: str) -> str:
    """Return what a release is called on the page."""
    return commit[:SHORT_CHARS] if commit else release[:NAME_CHARS]


def _stage(
    stage: Stage,
    *,
    deploy: str,
    name: str,
    subject: str,
    entry: Entry | None,
    bake: tuple[int, int] = (0, 0),
) -> Deploying:
    clean, of = bake
    gates = entry.gates if entry else ()
    number = STAGES.index(stage)
    inside = clean / of if of else 0.0
    return Deploying(
        deploy=deploy,
        name=name,
        subject=subject,
        stage=stage.value,
        stage_number=number,
        clean=clean,
        of=of,
        part=(number + inside) / len(STAGES),
        since_ms=float(entry.requested_ms) if entry else None,
        gates=tuple(each.name for each in gates if each.result == GateResult.PASSED),
        found=tuple(_found(each) for each in gates if each.name in TRIED),
    )


def _found(gate: GateVerdict) -> str:
    if gate.result == GateResult.PASSED:
        return f"{gate.name}: {gate.evidence or 'passed'}"
    return f"{gate.name} {gate.result}: {gate.reason}"
