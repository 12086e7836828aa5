"""Faults of a deploy: its candidate, its deployer, a second deploy, the owner in its bake.

Owns how they are made. Each function does one fault and returns what was seen; that the owner's
cycles went on meanwhile is read from the journal afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy import jobs, requests
from deploy.history import Outcome
from foresight.drill.scene import Scene, require
from foresight.evidence.errors import CourseLeft
from foresight.evidence.waiting import wait_for, wait_instant
from handoff.launcher.supervision import Role
from handoff.limits import DRAIN_TIMEOUT_S, MS
from handoff.processes import Identity, boot_id, pid_namespace
from handoff.worker.hosts import process_of

if TYPE_CHECKING:
    from deploy.history import Entry
    from state.record import WorkerId

STOPPED_CYCLES: Final = 3  # that the owner runs beside a candidate that hangs
BAKE_LONG: Final = 50  # the new owner is killed in its first cycle, long before the end
AFTER_NS: Final = 10 * MS  # from a boundary to a kill in the cycle that began there
REASON_MAX: Final = 110


def killed(scene: Scene) -> str:
    """Kill a candidate when its gates begin."""
    deploy, candidate = _gating(scene)
    scene.instance.kill(candidate)
    return _ended(scene, deploy, Outcome.REFUSED)


def stopped(scene: Scene) -> str:
    """Stop a candidate, let the owner go on beside it, abort, let the candidate go on."""
    deploy, candidate = _gating(scene)
    scene.stop(candidate)
    scene.instance.wait_cycles(STOPPED_CYCLES, scene.limit_s)
    requests.ask_abort(scene.instance.home, deploy, scene.deploys.by)
    said = _ended(scene, deploy, Outcome.ABORTED)
    scene.go_on(candidate)
    scene.instance.wait_gone(candidate, DRAIN_TIMEOUT_S + scene.limit_s)
    return f"{said}; continued, it left"


def cannot_import(scene: Scene) -> str:
    """Deploy a release whose entry is a module that is not there."""
    return _ended(scene, scene.deploys.ask(scene.deploys.broken), Outcome.REFUSED)


def deployer_killed(scene: Scene) -> str:
    """Kill the deployer when its candidate's gates begin."""
    deploy, _ = _gating(scene)
    name = jobs.job_name(deploy)
    job = scene.instance.children(Role.JOB).get(name)
    if job is None:
        what = "the deployer was not among the launcher's children"
        raise CourseLeft(what)
    scene.instance.kill(job)
    # Only a deployer writes the end of a deploy: it was started again.
    return f"started again; {_ended(scene, deploy, Outcome.PERMANENT)}"


def superseded(scene: Scene) -> str:
    """Ask for a deploy while another one's candidate is in its gates."""
    deploy, candidate = _gating(scene)
    # It must not take before the second request is there.
    scene.stop(candidate)
    second = scene.deploys.ask(scene.deploys.twins()[1])
    first_said = _ended(scene, deploy, Outcome.SUPERSEDED)
    scene.go_on(candidate)
    return f"first {first_said}; second {_ended(scene, second, Outcome.PERMANENT)}"


def new_owner_killed(scene: Scene) -> str:
    """Kill a release that took, in its first cycle."""
    instance, deploys = scene.instance, scene.deploys
    before = instance.owner()
    deploy = deploys.ask(deploys.twins()[0], bake=BAKE_LONG)

    def taken() -> WorkerId | None:
        record = instance.record()
        mine = record.rollout is not None and record.rollout.deploy_id == deploy
        return record.ownership.owner if mine else None

    owner = wait_for("the take", taken, scene.limit_s)
    first = instance.record().ownership.since_cycle
    wait_instant(instance.schedule.boundary_ns(first) + AFTER_NS)
    instance.kill(process_of(owner))
    said = _ended(scene, deploy, Outcome.RETURNED)
    require(
        f"the owner is of {instance.owner().release}, not of {before.release} again",
        holds=instance.owner().release == before.release,
    )
    return f"{said}; {before.release} owns again"


def _gating(scene: Scene) -> tuple[str, Identity]:
    """Ask for a deploy; return its id, and its candidate when its gates begin."""
    deploys = scene.deploys
    with deploys.listening() as listener:
        deploy = deploys.ask(deploys.twins()[0])
        hello = listener.wait_candidate(deploy)
    identity = Identity(hello["pid"], hello["start_ticks"], boot_id(), pid_namespace())
    return deploy, identity


def _ended(scene: Scene, deploy: str, wanted: Outcome) -> str:
    """Wait for a deploy's end, which must be the wanted one; return it in words."""
    entry = scene.deploys.ended(deploy)
    require(f"deploy {_words(entry)}, not {wanted.value}", holds=entry.outcome == wanted)
    return f"deploy {_words(entry)}"


def _words(entry: Entry) -> str:
    reason = entry.reason.partition("\n")[0][:REASON_MAX]
    return f"{entry.outcome}: {reason}" if reason else entry.outcome
