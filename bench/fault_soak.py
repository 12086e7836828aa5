"""Deploys with a fault in each: the example worker, half a second a cycle.

    python -m bench.soak --faults [--deploys 1000] [--directory DIR] [--seed N]

Owns the course of this series: a deploy, the blow, the wait for calm. Whatever strikes, every
cycle is to be carried out once, late if need be: the worker's cadence gives none up. What it
adds up to is `fault_report`'s matter. With `--directory` an interrupted run goes on.
"""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from bench import fault_report
from bench.broken_release import text_of
from bench.calm import wait_calm
from bench.chained import Settings
from bench.deployed import Deployed
from bench.fault_plan import BROKEN, EXAMPLE, SLOW_BAKE, Fault, Strike, plan
from bench.installation import Installation
from bench.notes import note, notes_in
from bench.striking import EXAMPLE_AIMS, Striker
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.processes import Identity, identity_of
from handoff.rollout.driver import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from bench.struck import Struck

MODULE: Final = Path(__file__).with_name("chained.py")
ENTRY: Final = "chained:create"
STEP_S: Final = 0.02  # an owner is met in each step of a cycle
BOOT_S_MAX: Final = 0.6  # a candidate is met while it boots, too
BODY_BYTES: Final = 256 * 1024
LIMITS: Final = Limits(starting_s=5.0, gating_s=8.0, ready_s=5.0, stopping_s=5.0)
END_S_MAX: Final = 120.0  # of a deploy, whatever strikes
DONE_FILE: Final = "deploys.jsonl"
BEGUN_FILE: Final = "releases.jsonl"
SEED_FILE: Final = "seed.jsonl"
STRETCH_FILE: Final = "stretches.jsonl"
_OUTCOMES: Final[Mapping[int, str]] = MappingProxyType(
    {ExitCode.DONE: "permanent", ExitCode.REFUSED: "refused", ExitCode.RETURNED: "returned"}
)


def run(
    directory: Path, *, deploys: int, period_ns: int, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run what is left of a series in a directory; return the report over all of it."""
    directory.mkdir(parents=True, exist_ok=True)
    seeds = notes_in(directory / SEED_FILE)
    if not seeds:
        note(directory / SEED_FILE, {"seed": seed, "period_ns": period_ns})
    else:
        seed, period_ns = seeds[0]["seed"], seeds[0]["period_ns"]  # it goes on as it began
    say(f"seed {seed}, {deploys} deploys with faults at a period of {period_ns / 1e9:g} s")
    with Installation(directory) as installation, ThreadPoolExecutor(2) as threads:
        soak = FaultSoak(installation, threads, period_ns)
        begun_s = time.monotonic()
        soak.start()
        for strike in plan(EXAMPLE, seed=seed, deploys=deploys)[len(soak.done) :]:
            done = soak.deploy(strike)
            say(f"{done.number:4d} {done.fault} {done.place}: {done.outcome} {done.seconds:.1f} s")
        last = soak.stop(seconds=time.monotonic() - begun_s)
        return fault_report.make(installation, soak.done, last=last, seed=seed, period_ns=period_ns)


class FaultSoak:
    """A series under way."""

    def __init__(
        self, installation: Installation, threads: ThreadPoolExecutor, period_ns: int
    ) -> None:
        """Find out what an earlier run has done already."""
        self._installation = installation
        self._threads = threads
        self._period_ns = period_ns
        self._directory = installation.directory
        self.done = [Deployed(**each) for each in notes_in(self._directory / DONE_FILE)]
        self._replacing: Identity | None = None
        self._striker = Striker(
            installation,
            aims=EXAMPLE_AIMS,
            revive=self._revive,
            deployer=lambda: self._replacing,
        )

    def start(self) -> None:
        """Start the installation; one that an interrupted run left is stopped first."""
        if self._installation.children():
            self._installation.down()
        self._installation.start(self._tree("0"), ENTRY, "--standby")
        self._wait_calm()

    def deploy(self, strike: Strike) -> Deployed:
        """Make one deploy, let its fault strike, and wait for calm."""
        version = f"{strike.number}-{secrets.token_hex(3)}"  # a deploy made again is another one
        tree = self._tree(version, strike.fault, boot_s=BOOT_S_MAX * strike.share)
        release = self._installation.snapshot(tree, ENTRY).release
        note(self._directory / BEGUN_FILE, {"version": version, "release": release})
        begun_s, ended = time.monotonic(), threading.Event()
        blows = self._threads.submit(self._striker.strike, strike, ended)
        try:
            outcome, reason = self._driven(strike, tree, release)
        finally:
            ended.set()
        struck: list[Struck] = blows.result(END_S_MAX)
        abandoned = self._wait_calm()
        done = Deployed(
            number=strike.number,
            fault=strike.fault.value,
            place=strike.place.value if strike.place is not None else "",
            release=release,
            outcome=outcome,
            reason=reason,
            seconds=round(time.monotonic() - begun_s, 2),
            struck=[blow._asdict() for blow in struck],
            abandoned=abandoned,
        )
        self.done.append(done)
        note(self._directory / DONE_FILE, done._asdict())
        return done

    def stop(self, *, seconds: float) -> int:
        """Wait for every cycle that is due by now, stop, and return the newest of them."""
        last = self._cycle_now()
        self._installation.wait(lambda: self._installation.progress() >= last, "the last cycle")
        assert self._installation.down() == 0, "it stops when it is asked to"
        note(self._directory / STRETCH_FILE, {"seconds": round(seconds, 1)})
        return last

    # --- the deploy ----------------------------------------------------------------

    def _driven(self, strike: Strike, tree: Path, release: str) -> tuple[str, str]:
        bake = SLOW_BAKE if strike.fault is Fault.SLOW else 1 + strike.number % 3
        if strike.fault is Fault.DEPLOYER_KILL:
            return self._replaced(tree, bake)
        driving: Future[tuple[str, str]] = self._threads.submit(self._drive, release, bake)
        return driving.result(END_S_MAX)

    def _drive(self, release: str, bake: int) -> tuple[str, str]:
        try:
            deploy = self._installation.driver(release, bake=bake, limits=LIMITS).run()
        except HandoffError as error:
            return BROKEN, str(error)
        return deploy.phase.value, deploy.reason

    def _replaced(self, tree: Path, bake: int) -> tuple[str, str]:
        """Deploy with the command: it can be killed."""
        command = self._installation.background("replace", "--tree", str(tree), "--bake", str(bake))
        self._replacing = identity_of(command.pid)
        code = command.wait(END_S_MAX)
        outcome = _OUTCOMES.get(code, BROKEN)
        return outcome, f"exit code {code}" if code else ""

    def _tree(self, version: str, fault: Fault = Fault.NONE, *, boot_s: float = 0.0) -> Path:
        settings = Settings(
            version=version,
            witness=str(self._installation.witness),
            period_s=self._period_ns / 1e9,
            body_bytes=BODY_BYTES,
            boot_s=boot_s,
            step_s=STEP_S,
        )
        tree = self._installation.tree(MODULE, settings, name=f"v{version}")
        text = text_of(fault, name="Chained", period_s=settings.period_s)
        with (tree / MODULE.name).open("a", encoding="utf-8") as module:
            module.write(text)
        return tree

    def _revive(self, standby: bool, host: str) -> None:  # noqa: FBT001 - what a striker calls it with
        installation = self._installation
        if installation.launcher is not None:
            installation.launcher.wait(END_S_MAX)
        options = ["--standby"] if standby else []
        installation.launcher = installation.run(self._tree("0"), ENTRY, *options, host=host)
        installation.wait(lambda: bool(installation.children()), "the launcher")

    # --- calm ----------------------------------------------------------------------

    def _wait_calm(self) -> list[str]:
        """Wait for calm; return the deploys that left a candidate behind."""
        return wait_calm(self._installation, self._is_present)

    def _is_present(self) -> bool:
        return self._installation.progress() >= self._cycle_now() - 1

    def _cycle_now(self) -> int:
        return time.time_ns() // self._period_ns
