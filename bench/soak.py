"""Two hundred deploys in a row, and the proof that nothing noticed but the version number.

    python -m bench.soak [--deploys 200] [--period-ms 500] [--directory DIR] [--json FILE]
    python -m bench.soak --faults [--deploys 1000] ...      a fault in each: see `fault_soak`
    python -m bench.soak --orders 5000 ...       the trader and its exchange: see `orders`

Owns the course of the soak: when each deploy is approved, and what is measured beside it.
Half of the approvals come at random moments, half between 20 ms before and 5 ms after a
boundary. What the run adds up to is `soak_report`'s matter. With `--directory` a run that
was interrupted goes on where it was: the installation starts again from its record.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import fault_report, fault_soak, orders, soak_report
from bench.chained import Settings
from bench.installation import ROOT, Installation, environment
from bench.launcher_weight import Weight, weigh
from bench.notes import note, notes_in
from bench.soak_report import Done
from handoff.rollout.driver import Watcher
from handoff.rollout.table import Deploy, Phase

MODULE: Final = Path(__file__).with_name("chained.py")
ENTRY: Final = "chained:create"
AIM_NS: Final = (-20_000_000, 5_000_000)  # where a lock-and-standby script skips 3 of 4
AIM_LEAD_NS: Final = 30_000_000  # a boundary nearer than this cannot be aimed at any more
PADDED_EVERY: Final = 10  # one deploy in so many boots for ...
PADDED_PERIODS: Final = 3  # ... so many periods longer
WEIGHED_AFTER: Final = 3  # deploys
TIMER_SKIP: Final = 1  # a candidate, too, lives for a cycle before its first
TIMER_COUNT: Final = 4
DEPLOYS_FILE: Final = "deploys.jsonl"
WEIGHT_FILE: Final = "weight.json"


class Plan(NamedTuple):
    """What the soak is to do."""

    deploys: int
    period_ns: int
    bake: int
    seed: int


def main(argv: list[str] | None = None) -> int:
    """Run the soak; return 0 if every count is what it must be."""
    words = sys.argv[1:] if argv is None else argv
    if any(word.split("=")[0] == "--orders" for word in words):
        return orders.main(words)
    arguments = _parser().parse_args(words)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        directory = Path(arguments.directory or temporary).absolute()
        report = (
            _run_faults(directory, arguments) if arguments.faults else _run(directory, arguments)
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if report["passed"] else 1


def _run(directory: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    plan = Plan(
        arguments.deploys or 200,
        arguments.period_ms * 1_000_000,
        arguments.bake,
        arguments.seed,
    )
    report = run(directory, plan, say=_say)
    print(soak_report.as_text(report))
    return report


def _run_faults(directory: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    report = fault_soak.run(
        directory,
        deploys=arguments.deploys or 1000,
        period_ns=arguments.period_ms * 1_000_000,
        seed=arguments.seed,
        say=_say,
    )
    print(fault_report.as_text(report))
    return report


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("--faults", action="store_true", help="a random fault in each deploy")
    parser.add_argument("--orders", type=int, help="orders of the trader instead: see orders")
    parser.add_argument("--deploys", type=int, default=0, help="default: 200, with faults 1000")
    parser.add_argument("--period-ms", type=int, default=500)
    parser.add_argument("--bake", type=int, default=1, help="clean cycles before permanent")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--directory", default="", help="kept; an interrupted run goes on")
    parser.add_argument("--json", default="", help="write the whole report here")
    return parser


def run(directory: Path, plan: Plan, *, say: Any = lambda _: None) -> dict[str, Any]:  # noqa: ANN401
    """Run what is left of a soak in a directory; return the report over all of it."""
    say(f"seed {plan.seed}, {plan.deploys} deploys at a period of {plan.period_ns / 1e9:g} s")
    with Installation(directory) as installation, ThreadPoolExecutor(1) as beside:
        soak = Soak(installation, plan, beside)
        begun = time.monotonic()
        soak.start()
        for number in range(len(soak.done) + 1, plan.deploys + 1):
            done = soak.deploy(number)
            say(
                f"{number:4d} {done.phase} {'aimed' if done.aimed else 'random'} "
                f"{done.approved_ms:+8.1f} ms {done.seconds:5.2f} s {done.reason}"
            )
        window = soak.stop()
        return soak_report.make(
            installation,
            done=soak.done,
            windows=window,
            weight=soak.weight,
            period_ns=plan.period_ns,
            seconds=time.monotonic() - begun,
        )


class Soak:
    """A soak under way."""

    def __init__(self, installation: Installation, plan: Plan, beside: ThreadPoolExecutor) -> None:
        """Find out what an earlier run has done already."""
        self._installation = installation
        self._plan = plan
        self._beside = beside
        self._random = random.Random(plan.seed)  # noqa: S311 - moments of a test, no secret
        self._deploys = installation.directory / DEPLOYS_FILE
        self._weight = installation.directory / WEIGHT_FILE
        self._windows = installation.directory / "windows.jsonl"
        self.done = [Done(**each) for each in notes_in(self._deploys)]

    @property
    def weight(self) -> Weight | None:
        """What the launcher weighed after three deploys."""
        found = notes_in(self._weight)
        return Weight(**found[-1]) if found else None

    def start(self) -> None:
        """Start the installation; a first one begins with version 0."""
        self._installation.start(self._tree(len(self.done)), ENTRY)
        # Cycles that were due while nothing ran are caught up first; then all is ordinary.
        self._installation.wait(
            lambda: self._installation.progress() >= self._cycle_now() - 1, "the present"
        )
        note(self._windows, {"first": self._installation.wait_cycles(1)})
        self._next = self._beside.submit(self._prepare, len(self.done) + 1)

    def deploy(self, number: int) -> Done:
        """Make one deploy, with a bare timer beside it; prepare the next one meanwhile."""
        release = self._next.result()
        if number < self._plan.deploys:
            self._next = self._beside.submit(self._prepare, number + 1)
        timer, begun = self._timer(), time.monotonic()
        aimed, approved_ms = number % 2 == 0, [0.0]

        def hold(_: Deploy) -> None:
            self._wait_moment(aimed=aimed)
            approved_ms.append(self._to_boundary_ms())

        deploy = self._installation.driver(
            release, bake=self._plan.bake, watcher=Watcher(hold=hold)
        ).run()
        seconds = time.monotonic() - begun
        output, _ = timer.communicate(timeout=60)
        done = Done(
            number=number,
            release=release,
            aimed=aimed,
            padded=_padded(number),
            phase=deploy.phase.value,
            reason=deploy.reason,
            approved_ms=approved_ms[-1],
            seconds=seconds,
            bare_late_ns=tuple(map(int, output.split())),
        )
        self.done.append(done)
        note(self._deploys, done._asdict())
        note(self._windows, {"last": self._installation.progress()})
        if number == WEIGHED_AFTER:
            note(self._weight, weigh(self._installation)._asdict())
        assert deploy.phase in (Phase.PERMANENT, Phase.RETURNED, Phase.REFUSED)
        return done

    def stop(self) -> list[tuple[int, int]]:
        """Wait for every cycle that is due by now, stop, and say what there is to count."""
        last = self._cycle_now()
        self._installation.wait(lambda: self._installation.progress() >= last, "the last cycle")
        note(self._windows, {"last": last})
        assert self._installation.down() == 0, "it stops when it is asked to"
        return _windows(notes_in(self._windows))

    def _prepare(self, number: int) -> str:
        return self._installation.snapshot(self._tree(number), ENTRY).release

    def _tree(self, number: int) -> Path:
        period_s = self._plan.period_ns / 1e9
        settings = Settings(
            version=str(number),
            witness=str(self._installation.witness),
            period_s=period_s,
            boot_s=PADDED_PERIODS * period_s if _padded(number) else 0.0,
        )
        return self._installation.tree(MODULE, settings, name=f"v{number}")

    def _timer(self) -> subprocess.Popen[str]:
        # Half a period away from the boundaries, so that the two do not wait for one core.
        period_ns = self._plan.period_ns
        numbers = map(str, (period_ns, period_ns // 2, TIMER_SKIP, TIMER_COUNT))
        return subprocess.Popen(
            [sys.executable, "-m", "bench.bare_timer", *numbers],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def _wait_moment(self, *, aimed: bool) -> None:
        period_ns, now_ns = self._plan.period_ns, time.time_ns()
        if aimed:
            boundary_ns = ((now_ns + AIM_LEAD_NS) // period_ns + 1) * period_ns
            moment_ns = boundary_ns + self._random.randint(*AIM_NS)
        else:
            moment_ns = now_ns + self._random.randrange(period_ns)
        while (left_ns := moment_ns - time.time_ns()) > 0:
            time.sleep(left_ns / 1e9)

    def _to_boundary_ms(self) -> float:
        period_ns = self._plan.period_ns
        past_ns = time.time_ns() % period_ns
        return (past_ns if past_ns < period_ns // 2 else past_ns - period_ns) / 1e6

    def _cycle_now(self) -> int:
        return time.time_ns() // self._plan.period_ns


def _padded(number: int) -> bool:
    return number % PADDED_EVERY in (3, 8) and number % (2 * PADDED_EVERY) < PADDED_EVERY


def _windows(notes: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return first and last cycle of each stretch; one that was interrupted ends earlier."""
    found: list[tuple[int, int]] = []
    for each in notes:
        if "first" in each:
            found.append((each["first"], each["first"]))
        else:
            found[-1] = (found[-1][0], each["last"])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
