"""An etcd, an exchange and the trader on each host, all running; the words that are said there.

Owns what the trader's story does with them: who owns, waiting for it and for positions, and an
operator's words. Nothing of it outlives the process that made it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from foresight.book import SCHEMA
from foresight.evidence.narration import Silent
from foresight.evidence.record_watch import RecordWatch
from foresight.evidence.waiting import wait_for
from tests.cluster.hosts import NAMES
from tests.cluster.market import Market
from tests.cluster.members import Members
from tests.cluster.network import HERE, Network
from tests.cluster.trading_doubt import unanswered
from tests.cluster.trading_guards import Guard, Orders, counted
from tests.cluster.trading_hosts import APP, ASSETS, SPEED, SharedProject, TradingHome

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.evidence.narration import Narrator

UP_S_MAX: Final = 240.0  # the first start on a host builds an environment
FOLLOW_S_MAX: Final = 60.0
OPEN_MIN: Final = 2
SLOWEST_S: Final = 15 * 60.0 / SPEED  # a window
GRACE_S: Final = 60.0  # for its result and the cycle that hears of it, on a busy machine
BOUGHT_S_MAX: Final = SLOWEST_S + GRACE_S  # no window need be one that is bought
CLOSED_S_MAX: Final = 2 * SLOWEST_S + GRACE_S  # what is bought as it begins, and a lease before
BOOKED_S_MAX: Final = 60.0  # a few cycles, and a lookup in each
LONG_S: Final = 300  # of the market, 25 s here: a word, two cycles and a host's end
QUIET_CYCLES: Final = 3
SETTLING_CYCLES: Final = 2  # what the first of them does may have been decided before a word
LOCKED: Final = "BTC"


class TradingStage:
    """All of it.

    Args:
        narrator: Told what comes.
        place: A directory for what is written.

    Attributes:
        homes: The trader on each host.
        watches: What its record shows, of each.
        guards: What was forbidden, and what was ordered then.
    """

    def __init__(self, narrator: Narrator, place: Path) -> None:
        """Nothing runs yet."""
        self._narrator = narrator
        self._place = place
        self._leaving = ExitStack()
        self.guards: list[Guard] = []

    def __enter__(self) -> Self:
        """Start members and exchange; hosts are there, and nothing runs on them."""
        with self._leaving:
            enter = self._leaving.enter_context
            network, place = Network(), self._place
            members = enter(Members(place / "etcd", network))
            self.market = enter(Market(place / "market", HERE, speed=SPEED, assets=ASSETS))
            self.origin = SharedProject(place / "origin")
            self.origin.configure(members.state(APP), members.file, self.market.url)
            homes = (
                TradingHome(place, index, network, members, self.origin)
                for index in range(len(NAMES))
            )
            self.homes = [enter(each) for each in homes]
            self.watches = [RecordWatch(each.home, Silent()) for each in self.homes]
            for each in self.watches:
                self._leaving.callback(each.close)
            self._leaving = self._leaving.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it."""
        self._leaving.close()

    # --- who owns ------------------------------------------------------------------

    def in_turn(self) -> list[TradingHome]:
        """Return the hosts, the one that owns first."""
        owning = wait_for("an owner", self._owner, FOLLOW_S_MAX)
        index = self.homes.index(owning)
        return self.homes[index:] + self.homes[:index]

    def wait_follower(self, before: TradingHome) -> TradingHome:
        """Wait until another host owns than the one that did; return it."""

        def another() -> TradingHome | None:
            found = self._owner()
            return found if found is not before else None

        found = wait_for("another host", another, FOLLOW_S_MAX)
        self._narrator.say(f"{found.name} owns")
        return found

    def wait_standby(self, home: TradingHome, release: str = "") -> None:
        """Wait until a host follows, perhaps with one release."""
        home.wait(lambda: home.warm(release) > 0, f"a standby on {home.name}", limit_s=UP_S_MAX)

    def _owner(self) -> TradingHome | None:
        """Return the host that owns, by the mirror that goes furthest."""
        known = [record for each in self.homes if (record := each.record()) is not None]
        newest = max(known, key=lambda each: (each.ownership.epoch, each.progress.cycle))
        owner = newest.ownership.owner
        return next((each for each in self.homes if owner and each.has(owner)), None)

    # --- what is open --------------------------------------------------------------

    def wait_open(self, left_s: int = 0) -> None:
        """Wait until positions are open that stay so for some seconds of the market."""
        owning, *_ = self.in_turn()

        def are_open() -> bool:
            book = owning.book()
            ends = [each.entry.end_s - book.now_s for each in book.positions.values()]
            return sum(each > left_s for each in ends) >= OPEN_MIN

        wait_for("open positions", are_open, BOUGHT_S_MAX)
        count = len(owning.book().positions)
        self._narrator.detail(f"cycle {owning.progress()}: {count} positions are open")

    def wait_open_long(self) -> None:
        """Wait until positions are open that are so still when a host has ended."""
        self.wait_open(LONG_S)

    def wait_unanswered(self, home: TradingHome) -> set[str]:
        """Wait until orders have bought something of which a host's record does not know yet."""

        def bought() -> set[str]:
            ledger, record = self.market.ledger(), home.record()
            assert record is not None, "it runs"
            return unanswered(ledger, record, SCHEMA.decode(record.body, record.schema))

        return wait_for("an order without an answer", bought, BOUGHT_S_MAX)

    def wait_redeemed(self) -> None:
        """Wait until the exchange has paid for every share."""

        def is_paid() -> bool:
            accounts = self.market.ledger()["accounts"].values()
            return not any(each["positions"] for each in accounts)

        wait_for("what the shares pay", is_paid, CLOSED_S_MAX)

    # --- what is said --------------------------------------------------------------

    def lock(self, on: TradingHome) -> None:
        """Lock an asset, said on one host; return once the owner's host has heard it."""
        owning, *_ = self.in_turn()
        on.typed("lock", LOCKED)
        owning.wait(lambda: LOCKED in owning.typed("locks"), "the lock there")

    def forbid(self, on: TradingHome, word: str) -> None:
        """Pause or halt, said on one host; return once nothing is decided any more without it."""
        owning, *_ = self.in_turn()
        on.typed(word)
        owning.wait(lambda: _stands(owning, word), f"{word}, heard by {owning.name}")
        owning.wait_cycles(SETTLING_CYCLES)

    def allow(self, on: TradingHome) -> None:
        """Resume, said on one host; return once the owner's host has heard it."""
        owning, *_ = self.in_turn()
        on.typed("resume")
        what = f"resume, heard by {owning.name}"
        owning.wait(lambda: not (_stands(owning, "halt") or _stands(owning, "pause")), what)

    def keep(self, word: str, home: TradingHome, *, took_over: bool) -> None:
        """See what a host orders in some cycles in which a word forbids it."""
        before = self.orders()
        home.wait_cycles(QUIET_CYCLES)
        guard = Guard(word, home.name, took_over, _stands(home, word), before, self.orders())
        self.guards.append(guard)
        self._narrator.detail(f"{word}: {QUIET_CYCLES} cycles of {home.name} were seen with it")

    def orders(self, asset: str = "") -> Orders:
        """Return how many orders have reached the exchange."""
        return counted(self.market.ledger(), asset)


def _stands(home: TradingHome, word: str) -> bool:
    record = home.record()
    assert record is not None, "it runs"
    return record.control.halted if word == "halt" else record.control.paused
