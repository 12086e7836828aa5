"""Deploys of the real trader, one after another, and what neither ledger nor book noticed.

    python -m bench.trading_soak [--deploys 30] [--faults] [--directory DIR] [--json FILE]

Owns the course of the series: 16 slots on the local exchange at sixty times the speed of the
clock, `foresight deploy` with a new commit each time, and with `--faults` a blow in each deploy
and an exchange that loses answers. What it adds up to is `trading_report`'s matter. With
`--directory` an interrupted run goes on; without, everything is removed after a success.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bench import trading_report
from bench.calm import CALM_S_MAX, wait_calm
from bench.deployed import Deployed
from bench.fault_plan import BROKEN, TRADING, Fault, Strike, plan
from bench.notes import note, notes_in
from bench.striking import TRADING_AIMS, Striker
from bench.trading_home import TradingHome
from deploy import requests
from deploy.frozen_directory import remove
from handoff.exit_codes import ExitCode
from handoff.processes import Identity, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.struck import Struck

DEPLOY_S_MAX: Final = 200.0  # a candidate that stands still is given up after 120 s
STRIKE_S_MAX: Final = 120.0
OPENING_S: Final = 15.0  # of trading before the first deploy, so that positions are open
OUTCOME_S_MAX: Final = 60.0
DONE_FILE: Final = "deploys.jsonl"
SEED_FILE: Final = "seed.jsonl"
STRETCH_FILE: Final = "stretches.jsonl"

# All of these orders are executed; the client cannot know. Lookups are answered.
LOST_ANSWERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "lost_answer": 0.06,
        "execution_unknown": 0.03,
        "late_answer": {"probability": 0.03, "seconds": 0.4},
        "malformed": {"probability": 0.03, "scope": "orders"},
    }
)
NO_LOST_ANSWERS: Final[Mapping[str, Any]] = MappingProxyType(dict.fromkeys(LOST_ANSWERS, 0))


def main(argv: list[str] | None = None) -> int:
    """Run the series; return 0 if every count is what it must be."""
    arguments = _parser().parse_args(argv)
    kept = arguments.directory
    directory = Path(kept or tempfile.mkdtemp(prefix="trading-soak-")).absolute()
    report = run(
        directory,
        deploys=arguments.deploys,
        seed=arguments.seed,
        faults=arguments.faults,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(trading_report.as_text(report))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if report["passed"] and not kept:
        remove(directory)
    return 0 if report["passed"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.trading_soak")
    parser.add_argument("--deploys", type=int, default=30)
    parser.add_argument("--faults", action="store_true", help="a random fault in each deploy")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--directory", default="", help="kept; an interrupted run goes on")
    parser.add_argument("--json", default="", help="write the whole report here")
    return parser


def run(
    directory: Path, *, deploys: int, seed: int, faults: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run what is left of a series in a directory; return the report over all of it."""
    home = TradingHome(directory)
    kept = notes_in(directory / SEED_FILE)
    if not kept:
        note(directory / SEED_FILE, {"seed": seed, "faults": faults})
    else:
        seed, faults = kept[0]["seed"], kept[0]["faults"]  # it goes on as it began
    say(f"seed {seed}, {deploys} deploys of the trader{' with faults' if faults else ''}")
    strikes = plan(TRADING, seed=seed, deploys=deploys)
    if not faults:
        strikes = tuple(each._replace(fault=Fault.NONE, place=None) for each in strikes)
    with ThreadPoolExecutor(1) as striking:
        soak = TradingSoak(home, striking, faults=faults)
        begun_s = time.monotonic()
        try:
            soak.start()
            for strike in strikes[len(soak.done) :]:
                done = soak.deploy(strike)
                say(
                    f"{done.number:4d} {done.fault} {done.place}: {done.outcome} "
                    f"{done.seconds:.1f} s, {done.open_before} open {done.reason[:90]}"
                )
            end = soak.end()
        finally:
            note(directory / STRETCH_FILE, soak.stop(seconds=time.monotonic() - begun_s))
    return trading_report.make(home, soak.done, end, seed=seed, faults=faults)


class TradingSoak:
    """A series under way.

    Attributes:
        calm_s_max: Longest wait after a deploy until all is well again.
    """

    calm_s_max: ClassVar[float] = CALM_S_MAX

    def __init__(self, home: TradingHome, striking: ThreadPoolExecutor, *, faults: bool) -> None:
        """Find out what an earlier run has done already."""
        self._home = home
        self._striking = striking
        self._faults = faults
        self.done = [Deployed(**each) for each in notes_in(home.directory / DONE_FILE)]
        self._striker = Striker(
            home.processes,
            aims=TRADING_AIMS,
            revive=lambda *_: home.up(),
            deployer=self._deployer,
        )

    def start(self) -> None:
        """Start trading, and trade for a while."""
        self._home.start(LOST_ANSWERS if self._faults else NO_LOST_ANSWERS)
        self._wait_calm()
        if not self.done:
            time.sleep(OPENING_S)

    def deploy(self, strike: Strike) -> Deployed:
        """Make one deploy, let its fault strike, and wait for calm."""
        home = self._home
        self._home.project.release(strike.number, strike.fault)
        sight = home.watch.sight
        assert sight is not None, "it was started"
        begun_s, ended = time.monotonic(), threading.Event()
        blows = self._striking.submit(self._striker.strike, strike, ended)
        try:
            answer = home.command.run(
                *("deploy", "--json", "--wait", f"{DEPLOY_S_MAX:g}"), limit_s=2 * DEPLOY_S_MAX
            )
        finally:
            ended.set()
        struck: list[Struck] = blows.result(STRIKE_S_MAX)
        abandoned = self._wait_calm()
        said: dict[str, Any] = answer.objects()[-1] if answer.out.strip() else {}
        done = Deployed(
            number=strike.number,
            fault=strike.fault.value,
            place=strike.place.value if strike.place is not None else "",
            release=said.get("release", ""),
            outcome=said.get("outcome", BROKEN),
            reason=said.get("reason", answer.error.strip()[-300:]),
            seconds=round(time.monotonic() - begun_s, 2),
            open_before=len(sight.book.positions),
            struck=[blow._asdict() for blow in struck],
            abandoned=abandoned,
        )
        self.done.append(done)
        note(home.directory / DONE_FILE, done._asdict())
        home.keep()
        return done

    def end(self) -> trading_report.End:
        """Take no new positions, wait for every outcome, and read both ledgers."""
        home = self._home
        home.command.expect(ExitCode.DONE, "pause", "--note", "the series ends")
        calm = home.cycle_now() + 2  # one may have decided before; the next takes outcomes in
        home.watch.wait_until(
            lambda sight: sight.cycle >= calm and not sight.pending and not sight.book.orders,
            OUTCOME_S_MAX,
        )
        sight = home.watch.sight
        assert sight is not None, "it was started"
        in_flight = [order.entry.slug for order in sight.book.orders.values()]
        ledger = home.control("ledger")
        check = home.command.run("cycles", "--check", "--json", limit_s=STRIKE_S_MAX)
        last = home.cycle_now()
        home.processes.wait(lambda: home.reports()[-1].cycle >= last, f"cycle {last}")
        return trading_report.End(last, ledger, in_flight, check.objects()[-1])

    def stop(self, *, seconds: float) -> dict[str, Any]:
        """Stop everything; return what this stretch leaves."""
        try:
            hits = self._home.control("faults")["hits"]
        except OSError:
            hits = {}
        self._home.stop()
        return {"seconds": round(seconds, 1), "hits": hits}

    def _wait_calm(self) -> list[str]:
        home = self._home
        return wait_calm(
            home.processes,
            lambda: home.is_present() and not requests.open_requests(home.home),
            limit_s=self.calm_s_max,
        )

    def _deployer(self) -> Identity | None:
        for child in self._home.processes.children():
            if child["role"] == "job":
                return identity_of(int(child["pid"]))
        return None


if __name__ == "__main__":
    raise SystemExit(main())
