"""Driving one deploy: the `table`, fed with what the launcher tells.

Owns the loop between the launcher's events and the deploy's commands, and its time limits.
It may be killed at any moment: before the take the candidate is stopped by whoever drives
next, after it the record and the workers suffice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from handoff.gate_verdict import GateName, failed, from_message, passed
from handoff.limits import OBSERVE_PERIODS, OBSERVE_S_MAX, READY_TIMEOUT_S, SHADOW_S_MAX
from handoff.logs import last_words
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
    GatePassed,
    OwnershipReturned,
    ReturnOwnership,
    StartCandidate,
    StopCandidate,
    TimeLimitPassed,
    Took,
)
from handoff.rollout.launcher_client import LauncherClient, RequestRefused
from handoff.rollout.seen_elsewhere import seen_in
from handoff.rollout.table import ENDED, Deploy, Phase
from handoff.wire import Kind, Message
from handoff.wish import options_of
from state.errors import StateError
from state.heard import counting, newest_heard
from state.local_store import read_only_snapshot
from state.mirror import is_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handoff.wish import Wish

COMPANION = "companion"  # `Role.COMPANION` of the launcher
_POLL_S = 0.25
LAST_WORDS_S = 3.0  # a worker that leaves needs as long to close its connections
ASK_BACK_S = 2.0  # who is to take back may have to be started first, and hears it once it is up
LOOK_S = 1.0  # at the record, where another host's worker may own
_LINES_MAX = 256  # of the journal, back to the newest change of owner


def why_returned(home: Path) -> str:
    """Return what the journal says of the newest change of owner; empty where it gives no reason.

    A way back that takes says why in its take, a release that gives up in its release.
    """
    for line in counting(islice(newest_heard(home / "journal"), _LINES_MAX)):
        if line.kind in ("take", "release", "seize") and line.evidence.get("reason"):
            return str(line.evidence["reason"])
        if line.kind == "take":
            break
    return ""


def _is_worker_of(release: str, message: Message) -> bool:
    """Tell whether a worker of a release ended; a page of it says nothing about a deploy."""
    is_worker = message.get("role") != COMPANION
    return message["kind"] == Kind.EXITED.value and message["release"] == release and is_worker


def _blames(message: Message) -> bool:
    """Tell whether a release's last words say why it lost; that it has no part left does not."""
    return bool(message.get("reason")) and message.get("leaving") != "DRAINED"


def _observe_s(home: Path) -> float:
    """Return how long observing beside the owner may take, as far as the journal tells."""
    lines = counting(islice(newest_heard(home / "journal"), _LINES_MAX))
    began = {line.cycle: line.scheduled_ms for line in lines if line.kind == "decide"}
    known = sorted((cycle, ms) for cycle, ms in began.items() if ms is not None)
    if len(known) < 2:  # noqa: PLR2004 - a period lies between two
        return OBSERVE_S_MAX
    (first, first_ms), (last, last_ms) = known[0], known[-1]
    period_s = (last_ms - first_ms) / (last - first) / 1000
    return min(OBSERVE_S_MAX, OBSERVE_PERIODS * period_s + _POLL_S)


class Limits(NamedTuple):
    """How long each phase of a deploy may take, in seconds."""

    starting_s: float = READY_TIMEOUT_S
    gating_s: float = READY_TIMEOUT_S
    ready_s: float = 600.0
    baking_s: float = 7200.0
    stopping_s: float = 60.0

    @classmethod
    def for_home(cls, home: Path, wish: Wish) -> Limits:
        """Return the limits of a deploy: its gates wait for live cycles of the owner."""
        shadow_s = SHADOW_S_MAX if wish.shadow else 0.0
        return cls(gating_s=READY_TIMEOUT_S + shadow_s + _observe_s(home))

    def of(self, phase: Phase) -> float | None:
        """Return the limit of a phase, if it has one here."""
        return {
            Phase.STARTING: self.starting_s,
            Phase.GATING: self.gating_s,
            Phase.READY: self.ready_s,
            Phase.BAKING: self.baking_s,
            Phase.STOPPING: self.stopping_s,
        }.get(phase)


class Watcher(NamedTuple):
    """What a driver's caller hears.

    Attributes:
        moved: Called after every step with the deploy, the event and the phase before it.
        hold: Called before the approval; it may wait. By default it returns at once.
        interrupt: Returns `AbortAsked` or `Superseded` once somebody wants that, else None.
        approve: Called before each approval; returns what has to live still when the candidate
            takes, see `Note.approval`. Raises `RequestRefused` where it must not.
        give_back: Called where the previous owner shall take back.
    """

    moved: Callable[[Deploy, Event, Phase], None] = lambda *_: None
    hold: Callable[[Deploy], None] = lambda _: None
    interrupt: Callable[[], Event | None] = lambda: None
    approve: Callable[[Deploy], int] = lambda _: 0
    give_back: Callable[[Deploy], None] = lambda _: None


class Driver:
    """Drives one deploy of a release that is on disk already.

    Args:
        home: The state directory.
        deploy_id: Id of the deploy.
        release: The release to put in charge.
        wish: What is wished of the deploy.
        limits: Time limits of the phases.
        watcher: What the caller hears.

    Attributes:
        output: Last words of a candidate that died.
    """

    def __init__(
        self,
        home: Path,
        *,
        deploy_id: str,
        release: str,
        wish: Wish,
        limits: Limits | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        """Connect and subscribe.

        Raises:
            NotRunning: There is no launcher.
        """
        self._home = home
        self._client = LauncherClient(home)
        self._client.ask(Kind.SUBSCRIBE)
        self._release = release
        self._wish = wish
        self._limits = limits or Limits.for_home(home, wish)
        self._watcher = watcher or Watcher()
        self._deploy, _ = rollout.begin(deploy_id)
        self._phase_since_s = time.monotonic()
        self.output = ""
        self._interrupted = False
        self._asked_back_s = 0.0
        self._took = False
        self._pid = 0  # of the candidate
        self._approval = self._epoch = 0  # as it was approved; in which it took
        self._approved_s = self._looked_s = 0.0

    def run(self) -> Deploy:
        """Drive the deploy to its end.

        Raises:
            WireBroken: The launcher is gone; the record tells what became of the deploy.
        """
        with self._client:
            self._apply(Built(self._release))
            while self._deploy.phase not in ENDED:
                self._check_interrupt()
                self._keep_approved()
                message = self._client.event(_POLL_S)
                # Also between the messages of others: a busy launcher must not stretch a limit.
                event = self._event_of(message) if message else None
                if event is None:
                    event = self._seen_elsewhere() or self._limit_event()
                if event is not None and self._deploy.phase not in ENDED:
                    self._apply(event)
            self._learn_reason()
        return self._deploy

    def _learn_reason(self) -> None:
        """Learn who wanted it back, or wait a moment for the last words of a release that left."""
        if self._deploy.phase is Phase.RETURNED and not self._deploy.reason:
            # Its way back on another host may have heard of an abort before this one did.
            wanted = self._watcher.interrupt()
            if isinstance(wanted, AbortAsked):
                reason = rollout.reason_of(self._deploy, wanted)
                self._deploy = dataclasses.replace(self._deploy, reason=reason)
        deadline_s = time.monotonic() + LAST_WORDS_S
        while self._deploy.phase is Phase.RETURNED and not self._deploy.reason:
            message = self._client.event(max(0.0, deadline_s - time.monotonic()))
            if message is None:
                reason = why_returned(self._home) or "the previous release owns again"
            elif message.get("deploy") == self._deploy.deploy_id and _blames(message):
                reason = str(message["reason"])
            elif _is_worker_of(self._release, message):
                reason = str(message.get("reason") or message["how"])
                self.output = str(message.get("tail", ""))
            else:
                continue
            self._deploy = dataclasses.replace(self._deploy, reason=reason)

    def _apply(self, event: Event) -> None:
        before = self._deploy.phase
        if (before, type(event)) not in rollout.TRANSITIONS:
            return  # an echo of another phase, e.g. a gate of a candidate that is refused
        self._deploy, commands = rollout.step(self._deploy, event)
        if self._deploy.phase is not before:
            self._phase_since_s = time.monotonic()
        self._watcher.moved(self._deploy, event, before)
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        deploy_id = self._deploy.deploy_id
        try:
            match command:
                case Build():
                    return  # the release is on disk before a driver is made
                case StartCandidate() if self._is_baking():
                    # Its worker may be one that the launcher started as the owner's.
                    self._found({"pid": 0, "connected": True, "warm": True, "owner": True})
                case StartCandidate(release):
                    reply = self._client.ask(
                        Kind.START_CANDIDATE,
                        release=release,
                        deploy=deploy_id,
                        options=options_of(self._wish),
                    )
                    self._found(reply)
                case Approve() if self._took:
                    return  # the driver before this one approved it
                case Approve():
                    self._watcher.hold(self._deploy)
                    self._approve(self._watcher.approve(self._deploy))
                case StopCandidate():
                    self._client.ask(Kind.STOP_CANDIDATE, deploy=deploy_id)
                case ReturnOwnership():
                    self._asked_back_s = time.monotonic()
                    self._watcher.give_back(self._deploy)
                    self._client.ask(Kind.GIVE_BACK, deploy=deploy_id)
        except RequestRefused as refused:
            self._apply(CandidateExited(str(refused)))

    def _approve(self, approval: int) -> None:
        self._approval, self._approved_s = approval, time.monotonic()
        members = {"approval": approval} if approval else {}
        bake = self._wish.cycles_to_bake
        self._client.ask(Kind.APPROVE, deploy=self._deploy.deploy_id, bake=bake, **members)

    def _keep_approved(self) -> None:
        """Approve again where the approval does not hold any more: an outage ended it."""
        is_due = time.monotonic() - self._approved_s > ASK_BACK_S
        if not self._approval or not is_due or self._deploy.phase is not Phase.READY:
            return
        self._approved_s = time.monotonic()
        approval = self._watcher.approve(self._deploy)
        if approval != self._approval:
            self._approve(approval)

    def _is_baking(self) -> bool:
        """Tell whether this deploy took before this driver began: the record knows."""
        with contextlib.suppress(StateError):
            rollout = read_only_snapshot(self._home / "state").rollout
            return rollout is not None and rollout.deploy_id == self._deploy.deploy_id
        return False

    def _found(self, reply: Message) -> None:
        """Catch up with a candidate that may be further than just started."""
        self._took = bool(reply["owner"])
        self._pid = int(reply["pid"])
        self._apply(CandidateStarted(self._pid))
        if reply["connected"]:
            self._apply(CandidateWarming())
        if reply["warm"]:
            self._apply(CandidateReady())
        if self._took:
            self._apply(Took(0, 0, bakes=True))

    def _event_of(self, message: Message) -> Event | None:  # noqa: PLR0911 - one case per message
        """Return what a launcher's message means for this deploy, if anything."""
        mine = message.get("deploy") == self._deploy.deploy_id
        match message["kind"]:
            case Kind.HELLO.value if mine:
                words = f"pid {message['pid']} says hello"
                boot = passed(GateName.BOOT, words, seconds=self._phase_s())
                self._apply(CandidateWarming())
                return GatePassed(boot)
            case Kind.GATE.value if mine:
                verdict = from_message(message)
                return GatePassed(verdict) if verdict.allows else GateFailed(verdict)
            case Kind.READY.value if mine:
                if self._wish.shadow and GateName.SHADOW not in {
                    gate.name for gate in self._deploy.gates
                }:
                    # The launcher is of an engine that passes no options on.
                    return GateFailed(failed(GateName.SHADOW, "the candidate was not asked for it"))
                return CandidateReady()
            case Kind.TOOK.value if mine:
                self._took, self._epoch = True, int(message.get("epoch", 0))
                return Took(message["cycle"], message["boundary_ms"], bakes=message["of"] > 0)
            case Kind.SETTLED.value:
                return self._settled(message)
            case Kind.TOOK.value | Kind.SEIZED.value:
                return self._owned_by_another(message)
            case Kind.EXITED.value if mine:
                return self._exited(message)
            case _:
                return None

    def _settled(self, message: Message) -> Event | None:
        if self._deploy.phase is not Phase.BAKING or message["release"] != self._release:
            return None
        if message["deploy"] != self._deploy.deploy_id:
            return BakeEnded()  # the record counts no bake of this deploy any more
        return CycleSettled(message["cycle"], message["clean_cycles"], message["of"])

    def _owned_by_another(self, message: Message) -> Event | None:
        owned = self._deploy.phase in (Phase.BAKING, Phase.STOPPING)
        if owned and message["release"] != self._release:
            # The way back says why it took; an abort has said so already.
            return OwnershipReturned(str(message.get("reason") or self._deploy.reason))
        if self._deploy.phase is Phase.READY and message["release"] == self._release:
            bakes = message.get("of", 0) > 0  # it seized from a dead owner
            return Took(message["cycle"], 0, bakes=bakes)
        return None

    def _exited(self, message: Message) -> Event | None:
        if self._deploy.phase is Phase.STOPPING and self._took:
            return None  # it owned for a moment: whoever seizes ends this deploy
        reason = message.get("reason") or message["how"]
        self.output = str(message.get("tail", ""))
        if self._deploy.phase is not Phase.BAKING and not message.get("reason"):
            # What a traceback ends with says what happened; the history keeps the rest.
            last = last_words(self.output.encode("utf-8", "replace"))
            # A line of its log does not: it is of a time when all was well.
            if last and not last.startswith("{"):
                reason = f"{reason}: {last}"
        if self._deploy.phase is Phase.STARTING:
            return GateFailed(failed(GateName.BOOT, reason, seconds=self._phase_s()))
        if self._deploy.phase in (Phase.READY, Phase.STOPPING):
            return self._left_ready(reason)
        if self._deploy.phase is Phase.BAKING and message.get("leaving") == "DRAINED":
            reason = ""  # it owns no more, and nobody here has heard of that yet: who took says why
        return CandidateExited(reason)

    def _left_ready(self, reason: str) -> Event | None:
        """Look whether a candidate that is gone took before anybody heard of it."""
        held = read_only_snapshot(self._home / "state").ownership
        taken = [
            worker
            for worker in (held.owner, held.last_owner)
            if worker is not None and (worker.pid, worker.release) == (self._pid, self._release)
        ]
        if not taken:
            return CandidateExited(reason)
        self._took = True
        self._apply(Took(0, 0, bakes=self._wish.cycles_to_bake > 0))
        if held.release != self._release:
            return OwnershipReturned(reason)  # whoever seized has said so already
        return CandidateExited(reason) if self._deploy.phase is Phase.BAKING else None

    def _seen_elsewhere(self) -> Event | None:
        """Look, once in a while, whether something happened on another host.

        Only a record that hosts share is mirrored; of any other one the launcher tells all.
        """
        now_s, directory = time.monotonic(), self._home / "state"
        if now_s - self._looked_s < LOOK_S or not is_mirrored(directory):
            return None
        self._looked_s = now_s
        try:
            record = read_only_snapshot(directory)
        except StateError:
            return None
        found = seen_in(
            record, self._deploy, epoch=self._epoch, why=lambda: why_returned(self._home)
        )
        self._took = self._took or isinstance(found, Took)
        return found

    def _phase_s(self) -> float:
        return round(time.monotonic() - self._phase_since_s, 3)

    def _limit_event(self) -> Event | None:
        limit_s = self._limits.of(self._deploy.phase)
        if limit_s is None or time.monotonic() - self._phase_since_s < limit_s:
            return None
        self._phase_since_s = time.monotonic()
        return TimeLimitPassed(limit_s)

    def _check_interrupt(self) -> None:
        event = None if self._interrupted else self._watcher.interrupt()
        if event is not None:
            # Said again until it counts: of a newer request only a bake is told once.
            baking = self._deploy.phase is Phase.BAKING
            self._interrupted = baking or isinstance(event, AbortAsked)
            self._apply(event)
        elif self._is_asked_back() and time.monotonic() - self._asked_back_s > ASK_BACK_S:
            self._do(ReturnOwnership())

    def _is_asked_back(self) -> bool:
        return self._interrupted and self._deploy.phase is Phase.BAKING
