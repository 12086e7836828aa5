"""Thousands of orders, an exchange with every fault, owners killed, deploys throughout.

    python -m bench.orders [--orders 5000] [--directory DIR] [--json FILE]

Owns the course: the trading series' home and deploys, with an exchange that goes through the
whole deck of its faults, until so many orders were sent and each fault has hit often enough. What
it adds up to is `orders_report`'s matter. With `--directory` an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from typing_extensions import override

from bench import orders_report
from bench.calm import CALM_S_MAX
from bench.fault_plan import Course, Fault, Place, Strike, plan
from bench.notes import note, notes_in
from bench.order_faults import DECK, Misbehaving
from bench.orders_project import OrdersProject
from bench.trading_home import TradingHome
from bench.trading_soak import SEED_FILE, STRETCH_FILE, TradingSoak
from deploy.frozen_directory import remove
from foresight.evidence.errors import CourseLeft
from handoff.exit_codes import ExitCode
from handoff.limits import RESTART_WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.trading_report import End
    from foresight.book import Book

ORDERS: Final = 5000
HITS_MIN: Final = 20  # of each fault
DEPLOYS_MAX: Final = 2000
CLOSED_S_MAX: Final = 180.0  # until every position is decided: windows, retries, late results
TRADING_S: Final = 5.0  # after each deploy: orders are what is counted here
HITS_FILE: Final = "hits.jsonl"

COURSE: Final = Course(
    weights=MappingProxyType(
        {
            Fault.NONE: 14,  # the launcher starts so many workers in five minutes, and no more
            Fault.OWNER_KILL: 3,
            Fault.OWNER_STOP: 1,
            Fault.BOTH_KILL: 1,
            Fault.CANDIDATE_KILL: 1,
            Fault.LAUNCHER_KILL: 1,
            Fault.FIRST_CYCLE_FAILS: 1,
        }
    ),
    span_s=5.0,
    places=(Place.TAKE, Place.OBSERVE, Place.PERFORM, Place.PERFORM, Place.IDLE),
    pauses_s=(1.2, 1.6, 2.2),
)


def main(argv: list[str] | None = None) -> int:
    """Run the series; return 0 if everything holds."""
    parser = argparse.ArgumentParser(prog="python -m bench.orders")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--hits", type=int, default=HITS_MIN, help="of each fault at least")
    parser.add_argument("--minutes", type=float, default=0.0, help="end after so many anyway")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--directory", default="", help="kept; an interrupted run goes on")
    parser.add_argument("--json", default="", help="write the whole report here")
    arguments = parser.parse_args(argv)
    directory = Path(arguments.directory or tempfile.mkdtemp(prefix="orders-")).absolute()
    wanted = Wanted(arguments.orders, arguments.hits, arguments.minutes)
    report = run(directory, wanted, seed=arguments.seed, say=_say)
    print(orders_report.as_text(report))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if report["passed"] and not arguments.directory:
        remove(directory)
    return 0 if report["passed"] else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Wanted(NamedTuple):
    """When a series is long enough.

    Attributes:
        orders: So many were sent.
        hits: Each fault of the exchange hit so often.
        minutes: It ends after so long anyway; 0 for no such end.
    """

    orders: int
    hits: int
    minutes: float = 0.0


def run(
    directory: Path, wanted: Wanted, *, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run what is left of a series in a directory; return the report over all of it."""
    home = TradingHome(directory, OrdersProject)
    kept = notes_in(directory / SEED_FILE)
    if kept:
        seed = kept[0]["seed"]  # it goes on as it began
    else:
        note(directory / SEED_FILE, {"seed": seed})
    say(f"seed {seed}, {wanted.orders} orders, each fault {wanted.hits} times")
    with ThreadPoolExecutor(1) as striking:
        series = OrdersSoak(home, striking, wanted)
        begun_s = time.monotonic()
        try:
            series.start()
            series.go_on(seed=seed, say=say)
            end = series.end()
        finally:
            series.stop(seconds=time.monotonic() - begun_s)
    return orders_report.make(
        home, series.done, end, hits=series.hits(), wanted=(wanted.orders, wanted.hits), seed=seed
    )


class OrdersSoak(TradingSoak):
    """A series under way.

    Args:
        home: Where it runs.
        striking: Strikes beside the deploys.
        wanted: How long it goes on.
    """

    # Where deaths came so close together that the launcher waits, its window has to pass.
    calm_s_max: ClassVar[float] = RESTART_WINDOW_S + CALM_S_MAX

    def __init__(self, home: TradingHome, striking: ThreadPoolExecutor, wanted: Wanted) -> None:
        """Find out what an earlier run has done already."""
        super().__init__(home, striking, faults=False)  # the exchange's are its own matter here
        self._wanted = wanted
        self._misbehaving: Misbehaving | None = None

    def go_on(self, *, seed: int, say: Callable[[str], None]) -> None:
        """Deploy, and let the exchange misbehave, until it is enough."""
        strikes = plan(COURSE, seed=seed, deploys=DEPLOYS_MAX)[len(self.done) :]
        self._misbehaving = Misbehaving(self._switch, seed=seed + len(self.done))
        begun_s = time.monotonic()
        for strike in strikes:
            say(self._told(strike))
            late = time.monotonic() - begun_s > 60.0 * self._wanted.minutes > 0.0
            if late or (self.sent() >= self._wanted.orders and not self.rare()):
                return

    def sent(self) -> int:
        """Return how many orders have reached the exchange."""
        return int(self._home.control("ledger")["requests_distinct"])

    def hits(self) -> Counter[str]:
        """Return how often each fault of the exchange has hit, in all stretches."""
        found = Counter(dict.fromkeys(DECK, 0))
        for each in notes_in(self._home.directory / HITS_FILE):
            found.update(each)
        return found

    def rare(self) -> list[str]:
        """Return the faults that have not hit often enough."""
        hits = self.hits()
        if self._misbehaving is not None:
            hits.update(self._misbehaving.hits)
        return [name for name in DECK if hits[name] < self._wanted.hits]

    @override
    def end(self) -> End:
        """Behave, take no new positions, and wait until every position is decided."""
        self._behave()
        self._home.command.expect(ExitCode.DONE, "pause", "--note", "the series ends")
        closed = self._home.watch.wait_until(
            lambda sight: not (sight.pending or _open(sight.book)), CLOSED_S_MAX
        )
        if closed is None:
            what = "positions are still open, or the cash is not settled"
            raise CourseLeft(what)
        return super().end()

    @override
    def stop(self, *, seconds: float) -> dict[str, Any]:
        """Stop everything; return what this stretch leaves."""
        if self._misbehaving is not None:
            self._behave()
        left = super().stop(seconds=seconds)
        note(self._home.directory / STRETCH_FILE, left)
        return left

    def _behave(self) -> None:
        if self._misbehaving is not None:
            self._misbehaving.end()
            note(self._home.directory / HITS_FILE, dict(self._misbehaving.hits))
            self._misbehaving = None

    def _told(self, strike: Strike) -> str:
        done = self.deploy(strike)
        time.sleep(TRADING_S)
        return (
            f"{done.number:4d} {done.fault} {done.place}: {done.outcome} {done.seconds:.1f} s, "
            f"{self.sent()} orders, rare {len(self.rare())} {done.reason[:70]}"
        )

    def _switch(self, wanted: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return self._home.control("faults", wanted)


def _open(book: Book) -> bool:
    """Tell whether anything may still move the book's money, a first reading that differs too."""
    unsettled = book.cash is not None and book.cash.off_micro != 0
    return bool(book.orders or book.positions) or unsettled


if __name__ == "__main__":
    raise SystemExit(main())
