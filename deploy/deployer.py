"""One deploy, from a request to a line of history.

Owns the order: wait for the turn, build, measure the host, drive the handoff, write down
how it ended. It runs as a job of the launcher, so it outlives the terminal that asked; it
may be killed at any step and is started again: what the record and the launcher say tells
it how far it had come. Ownership is never decided here.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy import (
    across,
    history,
    inputs,
    jobs,
    releases_dir,
    replay,
    requests,
    steps,
    survey,
    trial,
    turn,
    way_back,
)
from deploy.errors import DeployError, GateRefused
from deploy.git_tree import GitTree
from deploy.release import releases_to_keep
from handoff.errors import HandoffError, NotRunning, WireBroken
from handoff.gate_verdict import GateName, skipped
from handoff.launcher.edition_file import releases_in_editions
from handoff.release_files import Manifest, read_manifest
from handoff.rollout.driver import Driver, Limits, Watcher, why_returned
from handoff.rollout.events import AbortAsked, Superseded
from handoff.rollout.table import ENDED, Deploy, Phase
from state.errors import DeployClosed, StateError, WriteFailed
from state.local_store import read_only_snapshot
from state.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.gate_verdict import GateVerdict
    from handoff.rollout.events import Event
    from handoff.wish import Wish
    from state.record import Record

LAUNCHERS_MAX: Final = 10  # that may die during one bake before this deployer gives up
DISK_BACK_S_MAX: Final = 600.0  # to write down how it ended; somebody has to make room first
DISK_POLL_S: Final = 1.0
RELEASES_SPARE: Final = 8  # permanent ones kept for a rollback
NICENESS: Final = 10  # compiling an environment uses every core beside the owner
MS_NS: Final = 1_000_000

# From its approval on a candidate may own, whoever drives it; then nothing can refuse it any more.
_APPROVED: Final = frozenset(each.value for each in (Phase.READY, Phase.STOPPING, Phase.BAKING))
_REPLACEABLE: Final = ("replaying", "backtesting", "starting", "gating")  # by a newer request
_BEFORE_APPROVAL: Final = frozenset({"waiting", "building", *_REPLACEABLE})
_OUTCOMES: Final = {
    Phase.PERMANENT: history.Outcome.PERMANENT,
    Phase.REFUSED: history.Outcome.REFUSED,
    Phase.RETURNED: history.Outcome.RETURNED,
}
_INTERRUPTED: Final = {
    AbortAsked: history.Outcome.ABORTED,
    Superseded: history.Outcome.SUPERSEDED,
}


class Deployer:
    """Runs one deploy.

    Args:
        home: The state directory.
        request: What was asked for.
        now_ns: Wall-clock time, nanoseconds UTC.
        say: Told every step, as members of a JSON object.
    """

    def __init__(
        self,
        home: Path,
        request: requests.Request,
        *,
        now_ns: Callable[[], int],
        say: Callable[[dict[str, Any]], None],
    ) -> None:
        """Start from what is known of the deploy already."""
        self._home = home
        self._now_ns = now_ns
        self._say = say
        self._start(request)

    def _start(self, request: requests.Request) -> None:
        """Start a try from what is known of it."""
        self._request = request
        self._across = across.of_request(self._home, request)
        self._interrupt: history.Outcome | None = None
        self._mine = False
        self._since_s = time.monotonic()
        self._entry = self._begin()
        self._approved = self._took or self._entry.phase in _APPROVED

    def run(self) -> history.Entry:
        """Run the deploy to its end, try after try, and write each into the history.

        Raises:
            StateError: The history could not be written; the request stays open.
            HandoffError: It was approved, and no launcher came back to say how it went on; as
                above.
            OSError: It was approved, and the disk refused; as above.
        """
        while True:
            try:
                if not self._entry.outcome:
                    self._deploy_in_turn()
                self._write_down()
                goes_again = self._goes_again()
                self._across.write_down(self._entry, is_last=not goes_again)
            finally:
                self._across.close()
            if not goes_again:
                return self._finish()
            self._start(requests.count_try(self._home, self._request.deploy))

    def _goes_again(self) -> bool:
        """Tell whether the deploy is tried again once there are inputs.

        One that somebody ended is not, also if the newer request has gone by now.
        """
        if self._interrupt is not None:
            return False
        ended = self._asked_to_end()
        return ended is None and inputs.goes_again(self._entry, self._request.tries)

    def _deploy_in_turn(self) -> None:
        waits = partial(self._phase, "waiting")
        try:
            self._asked_to_end()  # from here on other hosts know that somebody drives it
            ended = self._await_inputs()
            if ended is not None:
                self._end(_INTERRUPTED[type(ended)], turn.words(ended))
                return
            held, asks = self._approved, self._asked_to_end
            with turn.taken(self._home, self._request, held=held, waits=waits, asks=asks) as over:
                ended = over or self._across.taken(held=held, waits=waits)
                if ended is None:
                    self._mine = True
                    self._deploy_to_the_end()
                else:
                    self._end(_INTERRUPTED[type(ended)], turn.words(ended))
        except DeployClosed as closed:
            self._end_as_settled(closed)
        except (DeployError, HandoffError, StateError, OSError) as error:
            if self._approved:
                raise  # it may own: that it was refused would be a lie
            self._end(history.Outcome.REFUSED, str(error))

    def _end_as_settled(self, closed: DeployClosed) -> None:
        """Take over how it ended from the host that took this one for gone."""
        self._entry = self._across.settled(self._request.attempt) or self._entry
        if not self._entry.outcome:
            self._end(history.Outcome.REFUSED, str(closed))

    # --- the order of things -------------------------------------------------------

    def _await_inputs(self) -> AbortAsked | Superseded | None:
        """Wait for inputs where the try before had none; return who ended the waiting."""
        if not self._request.tries or self._entry.phase not in ("", "inputs"):
            return None
        before = history.ended(self._home, self._request.attempt_before)
        self._phase("inputs")
        failed = before.release if before is not None else ""
        return turn.await_inputs(self._home, self._request, failed, self._asked_to_end)

    def _deploy_to_the_end(self) -> None:
        """Deploy; once approved also past the death of the launcher, as the workers do."""
        for left in reversed(range(LAUNCHERS_MAX)):
            try:
                self._deploy()
            except (NotRunning, WireBroken):
                if not left or not self._approved or not jobs.launcher_came_back(self._home):
                    raise
            else:
                return

    @property
    def _took(self) -> bool:
        return self._entry.cycle is not None or self._entry.phase == Phase.BAKING.value

    def _deploy(self) -> None:
        if self._approved:
            # What it was examined for is not asked again: nobody could refuse it now.
            if not self._ended_meanwhile():
                self._drive(read_manifest(self._home, self._entry.release))
        elif self._is_live() or way_back.give(self._home, self._request):
            self._note(release=self._request.release or self._entry.release)
            self._end(history.Outcome.PERMANENT, "it is live already")
        else:
            for words in self._across.without_standby():
                self._say({"warning": words})
            survey.require_open_files()
            turn.await_owner(self._home, self._request)
            manifest = self._build()
            self._note(release=manifest.release, commit=manifest.commit, subject=manifest.subject)
            self._require(survey.memory(self._record()))
            self._compare_with_running(manifest)
            self._try_with_running(manifest)
            self._drive(manifest)

    def _is_live(self) -> bool:
        return survey.is_live(self._home, self._record(), self._request)

    def _drive(self, manifest: Manifest) -> None:
        self._phase("starting")
        wish = self._wish
        driver = Driver(
            self._home,
            deploy_id=self._request.attempt,
            release=manifest.release,
            wish=wish,
            limits=Limits.for_home(self._home, wish),
            watcher=Watcher(
                moved=self._moved,
                interrupt=self._wanted,
                approve=self._across.approve,
                give_back=self._across.give_back,
            ),
        )
        deploy = driver.run()
        self._note(output=driver.output)
        outcome = _OUTCOMES[deploy.phase]
        if outcome is history.Outcome.REFUSED and self._interrupt:
            outcome = self._interrupt
        self._end(outcome, deploy.reason if outcome is not history.Outcome.PERMANENT else "")
        try:
            self._prune()
        except (DeployError, HandoffError, StateError, OSError) as error:
            # What cannot be tidied up says nothing about how the deploy ended.
            self._say({"left": str(error)})

    @property
    def _wish(self) -> Wish:
        asked = self._request
        # A release that ran was tried then: in an emergency nobody waits for that again.
        return msgspec.structs.replace(asked.wish, shadow=0) if asked.release else asked.wish

    def _prune(self) -> None:
        """Remove releases that cannot come back any more; what record and pages name stays."""
        held = self._record().ownership
        named = [each.release for each in (held.owner, held.last_owner, held.previous) if each]
        entries = history.read_history(self._home).entries
        permanent = [each.release for each in entries if each.outcome == history.Outcome.PERMANENT]
        named += [self._entry.release, *releases_in_editions(self._home)]
        releases_dir.prune(self._home, releases_to_keep(named, permanent, spare=RELEASES_SPARE))

    def _build(self) -> Manifest:
        if self._request.release:
            kept = read_manifest(self._home, self._request.release)
            self._say({"mended": releases_dir.mend(self._home, kept)})
            return kept
        self._phase("building")
        repository = GitTree(Path(self._request.repository))
        commit = repository.commit(self._request.commit or self._request.ref)
        commits = survey.brought(self._home, repository, self._entry.from_release, commit)
        self._note(commit=commit.commit, subject=commit.subject, commits=commits)
        entry = self._request.entry_default
        intended = releases_dir.intend(self._home, repository, commit, entry_default=entry)
        self._require(survey.disk(self._home, intended))
        return releases_dir.build(
            self._home, repository, commit, entry_default=entry, entered=self._phase
        )

    def _compare_with_running(self, candidate: Manifest) -> None:
        """Let the candidate's code decide what the running one decided: gates without a worker."""
        owning = self._compared_with(candidate, GateName.REPLAY)
        if not owning:
            return
        self._phase("replaying")
        running = read_manifest(self._home, owning)
        wish, stop = self._request.wish, self._interrupted
        replayed = replay.replay(self._home, running, candidate, last=wish.replay, stop=stop)
        for gate in replay.gates_of(replayed, wish):
            self._require(gate)

    def _try_with_running(self, candidate: Manifest) -> None:
        """Let the application try both over what it recorded, where that was wished."""
        wished = self._request.wish.trial
        owning = self._compared_with(candidate, GateName.BACKTEST) if wished is not None else ""
        if wished is None or not owning:
            return
        self._phase("backtesting")
        both, stop = (owning, candidate.release), self._interrupted
        self._require(trial.tried(self._home, wished, *both, stop=stop))

    def _compared_with(self, candidate: Manifest, gate: GateName) -> str:
        """Return the release that a gate compares with; empty where it has said why not, or all."""
        if any(each.name == gate for each in self._entry.gates):
            return ""  # a deployer that was killed is past it
        owner, back = self._record().ownership.owner, self._request.release
        owning = owner.release if owner is not None else ""
        why = survey.why_not_compared(self._home, owning, candidate.release, back=back)
        if why:
            self._require(skipped(gate, why))
        return "" if why else owning

    def _interrupted(self) -> bool:
        return self._wanted() is not None

    def _require(self, gate: GateVerdict) -> None:
        """Note what a gate said; go on only if it allows.

        Raises:
            GateRefused: It does not.
        """
        self._note(gates=(*self._entry.gates, gate))
        self._say({"gate": gate.name, "result": gate.result, "evidence": gate.words})
        if not gate.allows:
            raise GateRefused(gate.name, gate.reason)

    def _ended_meanwhile(self) -> bool:
        """Tell whether it ended while no deployer lived; the record says how."""
        record = self._record()
        if record.rollout is not None and record.rollout.deploy_id == self._request.attempt:
            return False
        if record.ownership.release == self._entry.release:
            self._end(history.Outcome.PERMANENT, "")
        elif self._took:
            reason = why_returned(self._home) or "the previous release owns again"
            self._end(history.Outcome.RETURNED, reason)
        else:
            return False  # it is approved and did not take yet
        return True

    def _record(self) -> Record:
        return read_only_snapshot(self._home / "state")

    def _wanted(self) -> Event | None:
        replaceable = self._entry.phase in _REPLACEABLE or self._waits_in_vain()
        event = self._interruption(is_replaceable=replaceable)
        if event is not None:
            self._interrupt = _INTERRUPTED[type(event)]
        return event

    def _asked_to_end(self) -> AbortAsked | Superseded | None:
        return self._interruption(is_replaceable=True)

    def _interruption(self, *, is_replaceable: bool) -> AbortAsked | Superseded | None:
        here = requests.interruption(self._home, self._request, is_replaceable=is_replaceable)
        return here or self._across.interruption(is_replaceable=is_replaceable)

    def _waits_in_vain(self) -> bool:
        """Tell whether a newer request need not wait for a bake: it has no inputs."""
        if self._entry.phase != Phase.BAKING.value:
            return False
        newer = requests.newer_than(self._home, self._request)
        return newer is not None and inputs.are_missing(self._home, self._entry.release)

    # --- what is written down ------------------------------------------------------

    def _begin(self) -> history.Entry:
        request = self._request
        ended = history.ended(self._home, request.attempt)
        if ended is not None:
            return ended  # a deployer was killed between its last line and the end of the request
        current = history.read_current(self._home)
        if current is not None and current.deploy == request.attempt:
            return current
        owner = self._record().ownership.owner
        return history.requested(
            request.attempt,
            now_ns=request.requested_ns,
            by=request.by,
            ref=request.ref or request.release,
            from_release=owner.release if owner is not None else "",
        )

    def _moved(self, deploy: Deploy, event: Event, before: Phase) -> None:
        if deploy.phase not in {before, *ENDED}:
            self._phase(deploy.phase.value)
        if deploy.boundary_ms and self._entry.boundary_ms != deploy.boundary_ms:
            self._note(
                cycle=deploy.cycle,
                boundary_ms=deploy.boundary_ms,
                boundary=rfc3339(deploy.boundary_ms * MS_NS),
            )
        known = {gate.name for gate in self._entry.gates}
        found = tuple(gate for gate in deploy.gates if gate.name not in known)
        if found:
            self._note(gates=(*self._entry.gates, *found))
        self._say(steps.step_of(deploy, event))
        if deploy.phase in ENDED:  # said last: what ended it comes before how it ended
            self._phase(deploy.phase.value)

    def _phase(self, name: str) -> None:
        """Close the phase before and begin this one."""
        now_s = time.monotonic()
        if self._entry.phase == name or (self._approved and name in _BEFORE_APPROVAL):
            return  # a driver that was started again catches up
        phases = dict(self._entry.phases)
        if self._entry.phase:
            spent_s = phases.get(self._entry.phase, 0.0) + now_s - self._since_s
            phases[self._entry.phase] = round(spent_s, 3)
        self._since_s = now_s
        self._note(phase=name, phases=phases)
        # Written first: a deployer that is started again has to know that it was approved.
        self._approved = self._approved or name in _APPROVED
        if self._mine:
            self._across.moved(name)
        self._say({"phase": name})

    def _note(self, **changes: Any) -> None:  # noqa: ANN401 - fields of an entry
        self._entry = msgspec.structs.replace(self._entry, **changes)
        # While it waits for its turn, another deploy is the one under way.
        if self._mine and not self._entry.outcome:
            try:
                history.write_current(self._home, self._entry)
            except (StateError, OSError):
                if not self._approved:
                    raise
                # It may own: how far it has come is worth less than to see it through.

    def _end(self, outcome: history.Outcome, reason: str) -> None:
        self._phase("ended")
        if outcome is history.Outcome.REFUSED:
            reason = "; ".join((reason, *self._across.without_standby()))
        self._note(outcome=outcome.value, reason=reason)

    def _finish(self) -> history.Entry:
        requests.close_request(self._home, self._request.deploy)
        self._say({"ended": msgspec.to_builtins(self._entry)})
        return self._entry

    def _write_down(self) -> None:
        deadline_s = time.monotonic() + DISK_BACK_S_MAX
        while True:
            try:
                history.finish(self._home, self._entry)
            except WriteFailed:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(DISK_POLL_S)  # noqa: TID251 - nothing tells when a disk has room
            else:
                return
