"""The simulated deployer: one deploy after another, by the real table of phases.

What an event leads to is `handoff.rollout.table.step`; this file draws releases, tells the launcher
what the table wants, and now and then changes its mind, dies or is started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff.gate_verdict import from_message
from handoff.limits import NS
from handoff.rollout import table as rollout
from handoff.rollout.events import (
    AbortAsked,
    Approve,
    BakeEnded,
    Build,
    Built,
    CandidateExited,
    CandidateReady,
    CandidateStarted,
    CandidateWarming,
    Command,
    CycleSettled,
    Event,
    GateFailed,
    OwnershipReturned,
    ReturnOwnership,
    StartCandidate,
    StopCandidate,
    TimeLimitPassed,
    Took,
)
from handoff.rollout.table import ENDED, Deploy, Phase
from handoff.wire import Kind, Message
from tests.sim.application import Fault, Release
from tests.sim.launcher import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.clockwork import Clockwork
    from tests.sim.faults import Faults
    from tests.sim.launcher import SimulatedLauncher

_LIMITS_S = {Phase.STARTING: 20.0, Phase.GATING: 60.0, Phase.READY: 60.0, Phase.STOPPING: 60.0}


class SimulatedDeployer:
    """Drives deploys while trouble is on, and ends the one under way afterwards.

    Args:
        clockwork: Time.
        faults: What goes wrong.
        launcher: Returns the launcher that listens, or None.
        releases: Every release there is, by name; new ones are added.
        pause_s: Time between two deploys, on average.
        trace: Where it tells what it does.
    """

    def __init__(
        self,
        clockwork: Clockwork,
        *,
        faults: Faults,
        launcher: Callable[[], SimulatedLauncher | None],
        releases: dict[str, Release],
        pause_s: float,
        trace: Callable[..., None],
    ) -> None:
        self._clockwork = clockwork
        self._faults = faults
        self._launcher = launcher
        self._releases = releases
        self._pause_s = pause_s
        self._trace = trace
        self._deploy: Deploy | None = None
        self._release = ""
        self._bake = 0
        self._since_ns = 0
        self._count = 0
        self._plan_next()

    # --- beginning and ending ----------------------------------------------------------

    def _plan_next(self) -> None:
        pause_ns = self._clockwork.rng.expovariate(1 / self._pause_s) * NS
        self._clockwork.after(pause_ns, self._begin)

    def _begin(self) -> None:
        if not self._faults.on or self._deploy is not None:
            return
        if self._launcher() is None:
            self._plan_next()
            return
        rng = self._clockwork.rng
        self._count += 1
        self._bake = rng.choice((0, 1, 1, 2, 3))
        release = self._draw_release()
        self._releases[release.name] = release
        self._release = release.name
        self._trace("deployer", "begins", release=release, bake=self._bake)
        self._deploy, _ = rollout.begin(f"d{self._count}")
        self._since_ns = self._clockwork.now_ns
        self._apply(Built(release.name))
        self._watch_time()

    def _draw_release(self) -> Release:
        rng = self._clockwork.rng
        if rng.random() < 0.15:
            return rng.choice(
                [each for each in self._releases.values() if each.fault is Fault.NONE]
            )
        faults = [fault for fault in Fault if fault is not Fault.NONE]
        # Nobody brings a release back that was made permanent at once and never worked.
        faulty = self._bake > 0 and rng.random() < 0.4
        version = rng.choice((1, 2))
        fault = rng.choice(faults) if faulty else Fault.NONE
        if fault is Fault.NO_WAY_BACK:
            version = 2
        return Release(f"r{len(self._releases) + 1}", version, fault)

    def _watch_time(self) -> None:
        if self._deploy is None:
            return
        if self._deploy.phase in ENDED:
            self._trace("deployer", self._deploy.phase.value, reason=self._deploy.reason)
            self._deploy = None
            self._plan_next()
            return
        if self._faults.strikes("deployer", 0.03):
            self._trace("deployer", "dies")
            self._clockwork.after(3 * NS, self._restart)
            return
        if self._faults.strikes("operator", 0.03):
            self._apply(AbortAsked("chance"))
        limit_s = _LIMITS_S.get(self._deploy.phase)
        if limit_s is not None and self._clockwork.now_ns > self._since_ns + limit_s * NS:
            self._since_ns = self._clockwork.now_ns
            self._apply(TimeLimitPassed(limit_s))
        launcher = self._launcher()
        if launcher is not None and launcher.subscriber != self.hear:
            self._restart()  # the launcher is another one: ask it how far the candidate is
            return
        self._clockwork.after(NS // 2, self._watch_time)

    def _restart(self) -> None:
        """Go on where the deploy is, as a deployer does that was killed."""
        if self._deploy is None:
            return
        if self._launcher() is None:
            self._clockwork.after(NS, self._restart)
            return
        if self._deploy.phase not in ENDED:
            deploy_id = self._deploy.deploy_id
            self._deploy, _ = rollout.begin(deploy_id)
            self._since_ns = self._clockwork.now_ns
            self._apply(Built(self._release))
        self._clockwork.after(NS // 2, self._watch_time)

    # --- the table ---------------------------------------------------------------------

    def _apply(self, event: Event) -> None:
        deploy = self._deploy
        if deploy is None or (deploy.phase, type(event)) not in rollout.TRANSITIONS:
            return
        self._deploy, commands = rollout.step(deploy, event)
        if self._deploy.phase is not deploy.phase:
            self._since_ns = self._clockwork.now_ns
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        launcher, deploy = self._launcher(), self._deploy
        if launcher is None or deploy is None:
            return
        launcher.subscriber = self.hear
        try:
            match command:
                case StartCandidate(release):
                    self._found(launcher.start_candidate(release, deploy.deploy_id))
                case Approve():
                    launcher.approve(deploy.deploy_id, self._bake)
                case StopCandidate():
                    launcher.stop_candidate(deploy.deploy_id)
                case ReturnOwnership():
                    launcher.give_back(deploy.deploy_id)
                case Build():
                    return
        except RequestRefused as refused:
            self._apply(CandidateExited(str(refused)))

    def _found(self, reply: dict[str, bool]) -> None:
        self._apply(CandidateStarted(0))
        if reply["connected"]:
            self._apply(CandidateWarming())
        if reply["warm"]:
            self._apply(CandidateReady())
        if reply["owner"]:
            self._apply(Took(0, 0, bakes=True))

    # --- messages ----------------------------------------------------------------------

    def hear(self, message: Message) -> None:
        """Take a message that the launcher tells everybody."""
        event = self._event_of(message) if self._deploy is not None else None
        if event is not None:
            self._apply(event)

    def _event_of(self, message: Message) -> Event | None:  # noqa: PLR0911 - one case per message
        assert self._deploy is not None, "looked at by the caller"
        mine = message.get("deploy") == self._deploy.deploy_id
        match message["kind"]:
            case Kind.HELLO.value if mine:
                return CandidateWarming()
            case Kind.GATE.value if mine and not message["passed"]:
                return GateFailed(from_message(message))
            case Kind.READY.value if mine:
                self._apply(CandidateWarming())
                return CandidateReady()
            case Kind.TOOK.value if mine:
                return Took(message["cycle"], message["boundary_ms"], bakes=message["of"] > 0)
            case Kind.SETTLED.value:
                return self._settled(message)
            case Kind.TOOK.value | Kind.SEIZED.value:
                return self._owned_by_another(message)
            case Kind.EXITED.value if mine:
                return CandidateExited(message["reason"] or message["how"])
            case _:
                return None

    def _settled(self, message: Message) -> Event | None:
        assert self._deploy is not None, "looked at by the caller"
        if self._deploy.phase is not Phase.BAKING or message["release"] != self._release:
            return None
        if message["deploy"] != self._deploy.deploy_id:
            return BakeEnded()
        return CycleSettled(message["cycle"], message["clean_cycles"], message["of"])

    def _owned_by_another(self, message: Message) -> Event | None:
        assert self._deploy is not None, "looked at by the caller"
        owned = self._deploy.phase in {Phase.BAKING, Phase.STOPPING}
        if owned and message["release"] != self._release:
            return OwnershipReturned(self._deploy.reason)
        if self._deploy.phase is Phase.READY and message["release"] == self._release:
            return Took(message["cycle"], 0, bakes=message.get("of", 0) > 0)
        return None
