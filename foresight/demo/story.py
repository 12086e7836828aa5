"""The course of the demonstration: what happens, in which order, and what is waited for.

Owns the acts. Faults come from outside (a signal) or from a release's own code (a commit);
every wait has a limit. What it all adds up to is `proof`'s matter.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from deploy import frozen_directory
from foresight.demo import proof
from foresight.demo.demo_trader import PIPE
from foresight.demo.project import Project
from foresight.evidence import exchange_books
from foresight.evidence.command import Command
from foresight.evidence.count import Ended
from foresight.evidence.errors import CourseLeft
from foresight.evidence.processes import send
from foresight.evidence.record_watch import RecordWatch, Sight
from foresight.evidence.report import reports_in
from foresight.evidence.witness import Witness
from foresight.page_link import address_for_people
from handoff.cadence import Schedule, every
from handoff.exit_codes import ExitCode
from handoff.processes import KILL, Identity
from state.errors import HomeUnsuitable
from state.medium import refuse_unsuitable

if TYPE_CHECKING:
    from collections.abc import Callable

    from foresight.evidence.narration import Narrator

SPEED = 60  # market seconds per second: a cycle of a minute takes one
PERIOD_S = 60.0
MARKET_S_MAX = 150.0  # of the wall clock, from the first owner to the last order
OPEN_S = 300  # market time that a window must still have when something is done to it
OPEN_WAIT_S = 30.0  # windows of 15 minutes come every 15 s
DEPLOY_WAIT_S = 60.0
CALM_WAIT_S = 15.0
SUCCESSOR_WAIT_S = 20.0
OUTCOME_WAIT_S = 20.0  # what is in flight after that is counted as that
WITNESS_WAIT_S = 10.0
MEANT = ("--allow-differences",)  # a changed strategy shall decide recorded cycles otherwise
OTHER_DISKS = ("/var/tmp", "~")  # noqa: S108 - parents of a private directory of our own


class Course(NamedTuple):
    """How long the story is.

    Attributes:
        opening: Orders filled before anything is done.
        bake: Clean cycles before a release is permanent.
        cycles: Least number of cycles, first to last.
        epilogue: Whether a last good release follows the killed owner.
    """

    opening: int
    bake: int
    cycles: int
    epilogue: bool


FULL = Course(opening=8, bake=5, cycles=90, epilogue=True)
QUICK = Course(opening=3, bake=2, cycles=30, epilogue=False)


class Story:
    """One demonstration.

    Args:
        narrator: Tells it.
        course: How long it is.
        replay: Folder of recorded candles; a synthetic market without one.
    """

    def __init__(self, narrator: Narrator, course: Course, replay: Path | None) -> None:
        """Make the directory; nothing runs yet."""
        self._narrator = narrator
        self._course = course
        self._replay = replay
        disk, self._force = _disk()
        # A space in the name: nothing on the way may stumble over it.
        self.directory = Path(tempfile.mkdtemp(prefix="foresight demo ", dir=disk)).resolve()
        self.home = self.directory / "home"
        self._command = Command(self.directory / "project", self.home, bake=course.bake)
        self._deploys: list[proof.Deploy] = []
        self._ended = Ended()
        self._takeover_ms: float | None = None
        self._market_end_s = 0.0
        self._leaving = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Return the story."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stop everything, whoever is impatient: what runs on would run for ever."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._leaving.close()

    def tell(self) -> proof.Proof:
        """Run the whole course; return what it proved.

        Raises:
            CannotBegin: Something that it needs is not there.
            CourseLeft: Something did not happen as it must.
        """
        self._begin()
        self._trade()
        self._deploy_strategy()
        self._deploy_failures()
        self._kill_owner()
        if self._course.epilogue:
            self._deploy_again()
            self._roll_back()
        return self._end()

    def remove(self) -> None:
        """Remove all that the demonstration wrote."""
        frozen_directory.remove(self.directory)

    # --- the acts ------------------------------------------------------------------

    def _begin(self) -> None:
        narrator = self._narrator
        narrator.say(f"everything happens in {self.directory}")
        if self._force:
            narrator.detail("which is no local disk: a restart of the host would empty it")
        self._project = Project(self.directory / "project")
        narrator.detail(f"the project, cloned from {self._project.origin}: {self._project.head}")
        if self._project.changed:
            count = len(self._project.changed)
            narrator.detail(f"{count} files there are not committed; releases are made of commits")
        narrator.detail(f"first commit: {self._project.bring_witness()}")
        self._start_witness()
        market = f"candles of {self._replay}" if self._replay else "a synthetic market"
        narrator.heading(f"foresight up: {market}, {SPEED} times faster than the clock")
        self._watch = RecordWatch(self.home, narrator)
        self._leaving.callback(self._watch.close)
        self._leaving.callback(self._down)
        page = self._command.up(speed=SPEED, replay=self._replay, force=self._force)
        narrator.say(f"it runs; have a look: {address_for_people(self.home, page)}")
        self._market_end_s = time.monotonic() + MARKET_S_MAX
        sight = self._wait("the first record", lambda _: True, SUCCESSOR_WAIT_S)
        caution = exchange_books.caution(exchange_books.exchange_of(self.home))
        if caution:
            narrator.say(caution)
        self._schedule = Schedule(every(PERIOD_S), sight.timeline)
        self._calm_cycle = self._schedule.cycle_at(time.time_ns()) + 1

    def _start_witness(self) -> None:
        self._reports = self.directory / "witness.jsonl"
        witness = Witness(self.directory / PIPE, self._reports)
        self._leaving.callback(witness.end)
        self._narrator.detail(f"the witness listens: pid {witness.pid}, outside the engine")

    def _trade(self) -> None:
        self._narrator.heading("the market opens")
        wanted = self._course.opening
        self._wait(
            f"{wanted} orders filled", lambda _: len(self._watch.held) >= wanted, OPEN_WAIT_S
        )

    def _deploy_strategy(self) -> None:
        commit = self._project.change_strategy("5m", "0.4")
        self._deploy("a changed strategy", commit, ExitCode.DONE, *MEANT, window=True)

    def _deploy_failures(self) -> None:
        commit = self._project.break_import()
        self._deploy("a release that crashes at import", commit, ExitCode.REFUSED)
        commit = self._project.break_first_cycle()
        done = self._deploy(
            "a release that fails its first cycle", commit, ExitCode.RETURNED, window=True
        )
        self._ended = self._ended._replace(failed_release=done.release)

    def _kill_owner(self) -> None:
        narrator = self._narrator
        narrator.heading("the owner is killed: kill -9")
        deadline_s = time.monotonic() + CALM_WAIT_S
        status = self._command.status()
        while status["standby"] < 1 and time.monotonic() < deadline_s:
            status = self._command.status()
        self._wait_window()
        owner = self._command.status()["owner"]
        identity = Identity(
            owner["pid"], owner["start_ticks"], owner["boot_id"], owner["pid_namespace"]
        )
        if not send(identity, KILL):
            what = f"the owner, pid {identity.pid}, was gone before it could be killed"
            raise CourseLeft(what)
        killed_ns = time.time_ns()
        self._ended = self._ended._replace(killed_pid=identity.pid)
        narrator.detail(f"pid {identity.pid} killed; standbys ready: {status['standby']}")
        seen = self._wait(
            "another owner",
            lambda sight: sight.owner is not None and sight.owner.pid != identity.pid,
            SUCCESSOR_WAIT_S,
        )
        after = seen.cycle + 2
        self._wait(f"cycle {after}", lambda sight: sight.cycle >= after, SUCCESSOR_WAIT_S)
        first_ns = next(
            report.at_ns
            for report in reports_in(self._reports)
            if report.pid != identity.pid and report.at_ns > killed_ns
        )
        self._takeover_ms = round((first_ns - killed_ns) / 1e6, 1)
        narrator.detail(f"the next cycle began {self._takeover_ms:.0f} ms after the kill")

    def _deploy_again(self) -> None:
        commit = self._project.mend("15m", "0.45")
        self._deploy("a sound release again", commit, ExitCode.DONE, *MEANT, window=True)
        commit = self._project.change_strategy("5m", "0.5")
        self._deploy("another changed strategy", commit, ExitCode.DONE, *MEANT, window=True)

    def _roll_back(self) -> None:
        before = self._deploys[-2].release
        self._deploy("the way back", before, ExitCode.DONE, window=True, command="rollback")

    def _end(self) -> proof.Proof:
        narrator = self._narrator
        wanted, begun = self._course.cycles, reports_in(self._reports)[0].cycle
        narrator.heading(f"the market goes on: {wanted} cycles and {proof.FILLED_MIN} orders")
        self._wait(
            f"{wanted} cycles and {proof.FILLED_MIN} orders",
            lambda sight: (
                sight.cycle - begun >= wanted and len(self._watch.held) >= proof.FILLED_MIN
            ),
            MARKET_S_MAX,
        )
        narrator.heading("no new positions, then the count")
        self._command.expect(ExitCode.DONE, "pause", "--note", "the demonstration ends")
        calm = self._now().cycle + 2  # one may have decided before; the next takes outcomes in
        self._watch.wait_until(
            lambda sight: sight.cycle >= calm and not sight.pending and not sight.book.orders,
            OUTCOME_WAIT_S,
        )
        in_flight = [order.entry.slug for order in self._now().book.orders.values()]
        ledger = exchange_books.ledger(exchange_books.exchange_of(self.home))
        check = self._command.run("cycles", "--check", "--json")
        last = self._schedule.cycle_at(time.time_ns())
        self._wait_witnessed(last)
        self._down()
        self._watch.close()
        return proof.make(
            proof.Evidence(
                reports=reports_in(self._reports),
                calm_cycle=self._calm_cycle,
                last_cycle=last,
                boundary_ns=self._schedule.boundary_ns,
                ended=self._ended,
                deploys=self._deploys,
                watch=self._watch,
                ledger=ledger,
                in_flight=in_flight,
                check=check.objects()[-1],
                takeover_ms=self._takeover_ms,
                seconds=round(narrator.elapsed_s(), 1),
                market="recorded" if self._replay else "synthetic",
            )
        )

    # --- what the acts are made of -------------------------------------------------

    def _deploy(
        self,
        what: str,
        commit: str,
        code: ExitCode,
        *options: str,
        window: bool = False,
        command: str = "deploy",
    ) -> proof.Deploy:
        narrator = self._narrator
        narrator.heading(" ".join([command, *options]) + f", {what}: {commit}")
        if window:
            self._wait_window()
        epoch = self._now().epoch
        answer = self._command.run(
            *(command, "--json", "--wait", f"{DEPLOY_WAIT_S:g}", *options),
            limit_s=2 * DEPLOY_WAIT_S,
            hear=narrator.detail,
        )
        if answer.code == ExitCode.TIMED_OUT:
            what = f"the deploy of {what} had not ended after {DEPLOY_WAIT_S:g} s"
            raise CourseLeft(what)
        ended: dict[str, Any] = answer.objects()[-1] if answer.out else {}
        outcome, reason = ended.get("outcome", "none"), ended.get("reason", answer.error)
        narrator.say(f"{outcome}, exit code {answer.code}{f': {reason}' if reason else ''}")
        done = proof.Deploy(
            what=what,
            release=ended.get("release", ""),
            outcome=outcome,
            reason=reason,
            code=answer.code,
            expected_code=int(code),
            takes=code is not ExitCode.REFUSED,
            after_epoch=epoch,
            until_epoch=self._now().epoch,
        )
        self._deploys.append(done)
        return done

    def _wait_window(self) -> Sight:
        def is_open(sight: Sight) -> bool:
            positions = sight.book.positions.values()
            return any(each.entry.end_s - sight.book.now_s >= OPEN_S for each in positions)

        sight = self._wait("an open window", is_open, OPEN_WAIT_S)
        count = len(sight.book.positions)
        self._narrator.detail(f"cycle {sight.cycle}: {count} positions are open")
        return sight

    def _wait_witnessed(self, cycle: int) -> None:
        deadline_s = time.monotonic() + WITNESS_WAIT_S
        while reports_in(self._reports)[-1].cycle < cycle and time.monotonic() < deadline_s:
            self._watch.wait_until(lambda _: False, 0.1)

    def _wait(self, what: str, condition: Callable[[Sight], bool], limit_s: float) -> Sight:
        left_s = self._market_end_s - time.monotonic()
        sight = self._watch.wait_until(condition, max(0.0, min(limit_s, left_s)))
        if sight is None:
            text = f"waited in vain for {what}"
            raise CourseLeft(text, "is the machine busy? `foresight status` and the logs tell")
        return sight

    def _now(self) -> Sight:
        return self._wait("the record", lambda _: True, 1.0)

    def _down(self) -> None:
        if self._command.is_up:
            self._command.down()
            self._narrator.say("foresight down: stopped")


def _disk() -> tuple[Path, bool]:
    """Return where to work, and whether that is no disk for state."""
    first = Path(tempfile.gettempdir())
    for place in (first, *(Path(name).expanduser() for name in OTHER_DISKS)):
        with contextlib.suppress(HomeUnsuitable, OSError):
            refuse_unsuitable(place)
            return place, False
    return first, True
