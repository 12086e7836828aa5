"""One simulated world: built from a seed, disturbed for a while, then left to heal.

Owns the seed, the order of events and the verdict. The core and the worker are the real ones;
everything around them is simulated, so that one number is enough to see it all again.
"""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING, Final
from unittest import mock

from handoff.cadence import Cadence, Schedule
from handoff.deciding import replay_with
from handoff.launcher.supervision import Child
from handoff.limits import IN_FLIGHT_NS, MS, NS, RESTART_BACKOFF_S
from state.cycle_audit import audit_cycles
from state.heard import heard_in
from state.record import Progress, Record, Timeline
from tests.sim.application import SCHEMAS, Application, Fault, Release, Traits, draw_poison
from tests.sim.checkers import Checkers, Facts
from tests.sim.clockwork import Clockwork, Process
from tests.sim.copies import Copies, Means
from tests.sim.deployer import SimulatedDeployer
from tests.sim.disk import Disk, ProcessStore
from tests.sim.faults import Faults
from tests.sim.homes import fork
from tests.sim.launcher import SimulatedLauncher
from tests.sim.operator import Operator
from tests.sim.outcome import Outcome
from tests.sim.venue import Venue
from tests.sim.worker_process import Surroundings, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.store import Note
    from tests.sim.disk import Written

APP: Final = "sim"
TROUBLE_CYCLES_MAX: Final = 14
HEALED_CYCLES: Final = 2  # settled in their own time after the trouble: the world is well
HEAL_GRACE_NS: Final = 900 * NS  # every limit of the launcher, one after another


def run_seed(seed: int, trace: Callable[[str], None] | None = None) -> Outcome:
    """Run the simulation of a seed to its end."""
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    with mock.patch.object(secrets, "token_hex", lambda size: f"{rng.getrandbits(8 * size):x}"):
        return World(seed, rng, trace).run()


def try_seed(seed: int) -> Outcome:
    """Run a seed; what the simulation itself raises is its violation, not the end of the search.

    Not every exception can be sent from a process to another: the search would wait for ever.
    """
    try:
        return run_seed(seed)
    except Exception as error:  # noqa: BLE001 - reported with its seed
        words = f"the simulation raised {type(error).__name__}: {error}"
        return Outcome(seed, words, cycles=0, owners=0, effects=0, seconds=0.0, chain="")


class World:
    """One simulation."""

    def __init__(self, seed: int, rng: random.Random, trace: Callable[[str], None] | None) -> None:
        self.seed = seed
        self._rng = rng
        self._trace_to = trace
        self.clockwork = Clockwork(rng)
        self.faults = Faults(rng, seed)
        period_ns = rng.choice((1, 2, 4, 4, 8)) * NS
        self._traits = Traits(
            period_ns=period_ns,
            catch_up_ns=rng.choice((None, None, None, 3 * period_ns)),
            effects_max=rng.choice((0, 1, 1, 2, 4)),
            orders_alone=rng.random() < 0.6,
            bounded=rng.random() < 0.4,
        )
        self._trouble_ns = rng.randrange(5, TROUBLE_CYCLES_MAX + 1) * period_ns + 10 * NS
        self.venue = Venue(self.clockwork, self.faults)
        self._on_time = 0
        self._healthy_from = 0
        first = Release("r1", 1, Fault.NONE)
        self.releases = {first.name: first}
        self.processes: dict[int, WorkerProcess] = {}
        self.launcher: SimulatedLauncher | None = None
        self._standby = rng.random() < 0.5
        self._boots = 1
        self._home = 1
        self._copies = Copies(self.clockwork, Means(self._spawn, self._store_of), self.trace)
        self._build(Timeline())

    def _build(self, timeline: Timeline) -> None:
        clockwork, traits = self.clockwork, self._traits
        cadence = Cadence(period_ns=traits.period_ns, catch_up_ns=traits.catch_up_ns)
        self.schedule = Schedule(cadence, timeline)
        cycle = self.schedule.cycle_at(clockwork.wall_ns())
        if self.faults.kinds["poison"]:
            poison = draw_poison(self._rng, cycle, TROUBLE_CYCLES_MAX)
            self._traits = traits._replace(poison=poison)
        self.disk = Disk(app=APP, timeline=timeline, now_ns=clockwork.wall_ns)
        self._around = Surroundings(
            clockwork=clockwork,
            faults=self.faults,
            venue=self.venue,
            traits=self._traits,
            timeline=timeline,
            lag_s=self._rng.choice((0.08, 0.15, 0.3)),
            processes=self.processes,
            launcher=lambda: self.launcher,
            host=lambda: self._boots,
            home=self._home,
            store_of=lambda process: self._store_of(process, self.disk, self._written),
            heard=lambda: heard_in(reversed(self.disk.lines)),
            trace=self.trace,
        )
        record = Record(
            app=APP,
            timeline=timeline,
            progress=Progress(cycle=cycle),
            schema=SCHEMAS[1].schema_id,
            body=SCHEMAS[1].encode(SCHEMAS[1].initial()),
            cadence=self.schedule.recorded(),
        )
        self.disk.create(record)
        self.checkers = Checkers(
            record,
            self.releases,
            schedule=self.schedule,
            executed=lambda name: self.venue.executed[name],
            lied=lambda: self.faults.lied,
        )
        self._operator = Operator(clockwork, self.disk, self.checkers)
        self._start_launcher()
        deploys = self._rng.random() < 0.8
        self._deployer = SimulatedDeployer(
            clockwork,
            faults=self.faults,
            launcher=lambda: self.launcher,
            releases=self.releases,
            pause_s=self._rng.choice((3.0, 10.0)) if deploys else 1e6,
            trace=self.trace,
        )

    # --- its course ----------------------------------------------------------------------

    def run(self) -> Outcome:
        clockwork = self.clockwork
        bounds = self.schedule.bounds
        longest_ns = IN_FLIGHT_NS + RESTART_BACKOFF_S[-1] * NS + HEAL_GRACE_NS
        longest_ns += 8 * (bounds.overdue_ns + bounds.period_ns)
        end_ns = self._trouble_ns + longest_ns
        clockwork.is_over = lambda: clockwork.now_ns > end_ns or self._is_healed()
        self._plan_trouble()
        clockwork.after(self._trouble_ns, self._heal)
        clockwork.run(end_ns + NS)
        if not self._is_healed():
            clockwork.report(f"it does not get well: {self._illness()}")
        clockwork.report(self._final())
        for process in self.processes.values():
            process.alive = False
            process.loop.forget()
        return Outcome(
            seed=self.seed,
            violation=clockwork.violation,
            cycles=len(self.checkers.decided),
            owners=self.checkers.record.ownership.epoch,
            effects=len(self.checkers.planned),
            seconds=clockwork.now_ns / NS,
            chain=self.disk.journal()[-1].chain,
        )

    def _heal(self) -> None:
        """Stop the trouble; the world has to get well by itself, within its own bounds."""
        self.trace("world", "the trouble is over")
        self.faults.on = False
        if self.launcher is None:
            self._start_launcher()
        self._operator.resume()
        self._healthy_from = self.schedule.cycle_at(self.clockwork.wall_ns()) + 1

    def _is_healed(self) -> bool:
        healed = self._on_time >= HEALED_CYCLES and not self.faults.on
        return healed and not self.checkers.unfinished() and not self._keeps_a_bad_release()

    def _keeps_a_bad_release(self) -> str:
        """Return which release bakes on that its working way back should have replaced.

        One that hangs is no control group; the limit of a bake without inputs is beyond this world.
        """
        record = self.checkers.record
        previous, owning = record.ownership.previous, record.ownership.release
        if record.rollout is None or previous is None:
            return ""
        bad = self.releases[owning].fault in {Fault.BLIND, Fault.OVERLONG}
        lives = any(
            each.alive and not each.hung and each.release == previous.release
            for each in self.processes.values()
        )
        return f"{owning} bakes on, {self.releases[owning].fault.value}" if bad and lives else ""

    def _illness(self) -> str:
        record = self.checkers.record
        due = self.schedule.cycle_at(self.clockwork.wall_ns())
        if record.progress.cycle < due - 1:
            return f"cycle {record.progress.cycle + 1} is not decided, cycle {due} is due"
        return self._keeps_a_bad_release() or self.checkers.unfinished() or "cycles are late"

    def _final(self) -> str:
        lines = self.disk.journal()
        report = audit_cycles(lines)
        if not report.is_complete:
            return f"the journal does not add up: {report}"
        if self.disk.decoded() != self.disk.generation().record:
            return "the record's bytes say something else than what was written"
        crash = next((each for each in self.processes.values() if each.crash), None)
        if crash is not None:
            return f"{crash.name} died of {crash.crash!r}"
        return next(self.checkers.outcomes(), "")

    # --- what is written -------------------------------------------------------------------

    def _store_of(self, process: Process, disk: Disk, written: Written) -> ProcessStore:
        application = Application(
            self.releases[process.release],
            self._traits,
            process=process,
            venue=self.venue,
            faults=self.faults,
        )
        replay = replay_with(application, self.schedule)
        return ProcessStore(disk, process, self.faults, written, replay)

    def _written(self, process: Process, note: Note, allowed_ns: int, after: Record) -> None:
        assert isinstance(process, WorkerProcess), "only workers have a store"
        before, kind = self.checkers.record, note.kind
        owner = before.ownership.owner
        number = before.progress.cycle + 1
        now_ns = self.clockwork.wall_ns()
        asides = [each.stands_aside_until_ns for each in self.processes.values()]
        facts = Facts(
            writer=process.identity,
            kind=kind,
            replaced_pid=note.evidence.get("old_pid"),
            owner_alive=owner is not None and self.processes[owner.pid].alive,
            latest_ns=self.clockwork.latest_wall_ns(),
            in_time=allowed_ns < max(self.schedule.boundary_ns(number), *asides),
        )
        if self._trace_to is not None:
            words = {"cycle": after.progress.cycle, "epoch": after.ownership.epoch}
            self.trace(process.name, kind, **words, outbox=len(after.outbox))
        broken = self.checkers.written(after, facts)
        if broken:
            self.clockwork.report(broken)
        if kind == "settle" and not self.faults.on:
            number = after.progress.cycle
            late = now_ns >= self.schedule.boundary_ns(number + 1)
            self._on_time = 0 if late or number < self._healthy_from else self._on_time + 1

    # --- processes ---------------------------------------------------------------------------

    def _start_launcher(self) -> None:
        before = [
            each for each in self.processes.values() if each.alive and each.home == self._home
        ]
        self.launcher = SimulatedLauncher(
            self.clockwork,
            spawn=self._spawn,
            record=self.disk.as_launched,
            first_release="r1",
            standby=self._standby,
            trace=self.trace,
        )
        owner = self.checkers.record.ownership.owner
        for process in before:
            owns = owner is not None and owner.pid == process.pid
            child = Child(
                process.name,
                process.role,
                release=process.release,
                deploy_id=process.deploy_id,
                started_s=self.clockwork.now_ns / NS,
                owner=owns,
            )
            self.launcher.adopt(child, process)

    def _spawn(
        self, release: str, deploy_id: str, around: Surroundings | None = None
    ) -> WorkerProcess:
        pid = len(self.processes) + 1
        around = around or self._around
        process = WorkerProcess(around, self.releases[release], deploy_id=deploy_id, pid=pid)
        process.on_call = self._on_call
        self.processes[pid] = process
        return process

    def _on_call(self, process: Process, where: str) -> None:
        if self.faults.strikes("kill_in_call", 0.002):
            self.trace("world", "kills in a call", process=process.name, call=where)
            process.die()
        elif self.faults.strikes("stall", 0.02):
            bounds = self.schedule.bounds
            duration_ns = self.faults.duration_ns(
                short_ms=300, long_s=2 * bounds.overdue_ns / NS + 2
            )
            self.trace("world", "stalls", process=process.name, call=where, ns=duration_ns)
            self.clockwork.block(process, duration_ns)
        process.require_alive()

    # --- trouble -----------------------------------------------------------------------------

    def _plan_trouble(self) -> None:
        self._repeat("kill", 12.0, self._kill_one)
        self._repeat("stop", 12.0, self._stop_one)
        self._repeat("clock", 8.0, self._step_clock)
        if self.faults.kinds["fresh_boot"]:
            self.clockwork.synchronised = False
            self.clockwork.after(self._rng.uniform(0, 90) * NS, self._synchronise)
        self._repeat("line", 15.0, self._break_line)
        self._repeat("launcher", 15.0, self._kill_launcher)
        self._repeat("operator", 15.0, self._operator.operate)
        self._repeat("reboot", 20.0, self._reboot)
        self._repeat("copy", 20.0, self._copy)
        self._repeat("fork", 8.0, self._fork)
        self._repeat("venue_down", 15.0, lambda: self.venue.go_down(self._rng.randrange(20 * NS)))

    def _repeat(self, kind: str, every_s: float, act: Callable[[], None]) -> None:
        delay_ns = self.faults.mean_ns(kind, every_s)
        if delay_ns is None:
            return

        def strike() -> None:
            if self.faults.on:
                act()
                self._repeat(kind, every_s, act)

        self.clockwork.after(delay_ns, strike)

    def _draw_process(self) -> WorkerProcess | None:
        alive = [each for each in self.processes.values() if each.alive]
        owner = self.checkers.record.ownership.owner
        owning = [each for each in alive if owner is not None and each.pid == owner.pid]
        if owning and self._rng.random() < 0.5:
            return owning[0]
        return self._rng.choice(alive) if alive else None

    def _kill_one(self) -> None:
        process = self._draw_process()
        if process is None:
            return
        victims = [process]
        if self._rng.random() < 0.15:
            victims = [each for each in self.processes.values() if each.alive]
        for victim in victims:
            self.trace("world", "kills", process=victim.name)
            victim.die()

    def _stop_one(self) -> None:
        process = self._draw_process()
        if process is None:
            return
        if self._rng.random() < 0.15:
            self.trace("world", "freezes", process=process.name)
            process.freeze()
            return
        long_s = 2 * self.schedule.bounds.overdue_ns / NS + 2
        duration_ns = self.faults.duration_ns(short_ms=2000, long_s=long_s)
        self.trace("world", "stops", process=process.name, ns=duration_ns)
        process.stop(duration_ns)

    def _step_clock(self) -> None:
        by_s = self._rng.choice((-10.0, -2.0, -0.3, 0.3, 2.0, 10.0, 40.0, 40.0))
        if self._rng.random() < 0.5:
            # Who has begun a cycle is surprised most: then it is not yet time for it.
            now_ns = self.clockwork.wall_ns()
            begins_ns = self.schedule.boundary_ns(self.schedule.cycle_at(now_ns) + 1)
            delay_ns = begins_ns - now_ns + self._rng.uniform(0, 30) * MS
            self.clockwork.after(delay_ns, lambda: self._step_clock_by(-abs(by_s)))
        else:
            self._step_clock_by(by_s)

    def _step_clock_by(self, by_s: float) -> None:
        if self.faults.on:
            self.trace("world", "steps the clock", seconds=by_s)
            self.clockwork.step_wall(round(by_s * NS))

    def _synchronise(self) -> None:
        self._step_clock_by(self._rng.choice((-100.0, -10.0, 0.0, 10.0, 100.0)))
        self.clockwork.synchronised = True

    def _break_line(self) -> None:
        process = self._draw_process()
        if process is not None:
            process.line.hang_up()

    def _reboot(self) -> None:
        """End everything; what starts then is on a host with another name and boot."""
        self.trace("world", "starts the host anew")
        self._boots += 1
        self._end_all()

    def _end_all(self) -> None:
        for each in self.processes.values():
            each.die_with_helpers()
        self._copies.end()
        self._kill_launcher()

    def _fork(self) -> None:
        process = self._draw_process()
        if process is not None:
            self.trace("world", "lets it fork", process=process.name)
            fork(process, leaves_group=self._rng.random() < 0.5)

    def _copy(self) -> None:
        if self._rng.random() < 0.5:
            self.trace("world", "ends everything, and starts a copy of the home")
            self._home += 1
            self._around = self._around._replace(home=self._home)
            self._end_all()
            return
        owner = self.checkers.record.ownership.owner
        process = self.processes[owner.pid] if owner is not None else None
        if process is not None and process.alive:
            self._copies.start(self.disk, process, self._around)

    def _kill_launcher(self) -> None:
        if self.launcher is None:
            return
        self.trace("world", "kills the launcher")
        self.launcher.alive = False
        self.launcher = None
        for process in self.processes.values():
            if process.alive:
                process.line.hang_up()
        self.clockwork.after(self._rng.uniform(0.2, 8.0) * NS, self._launcher_again)

    def _launcher_again(self) -> None:
        if self.launcher is None:
            self._start_launcher()

    # --- for humans --------------------------------------------------------------------------

    def trace(self, who: str, what: str, **fields: object) -> None:
        if self._trace_to is not None:
            words = " ".join(f"{name}={value}" for name, value in fields.items())
            self._trace_to(f"{self.clockwork.now_ns / NS:9.3f}  {who:12} {what} {words}")
