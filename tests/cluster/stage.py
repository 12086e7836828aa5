"""Three members of an etcd, two hosts, a venue and releases of the ordering worker, all running.

Owns what a series and a story do with them: bring them up, deploy, wait for calm, take them down.
Nothing of it outlives the process that made it.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from foresight.evidence.errors import NeverCame
from foresight.evidence.waiting import wait_for
from handoff.limits import NS
from handoff.rollout.driver import Limits
from tests.cluster.exchange import Exchange
from tests.cluster.hosts import ENTRY, WARM_S_MAX, Home
from tests.cluster.members import Members
from tests.cluster.network import HERE, Network
from tests.cluster.ordering import OrderingSettings

if TYPE_CHECKING:
    from handoff.rollout.driver import Watcher
    from handoff.rollout.table import Deploy
    from state.record import Record

MODULE: Final = Path(__file__).with_name("ordering.py")
PERIOD_S: Final = 5.0
CATCH_UP_S: Final = 30.0
APP: Final = "bench"
CALM_S_MAX: Final = 330.0  # longer than the window in which a launcher's starts are counted
BESIDE_S_MAX: Final = 10.0  # for a standby beside the owner; it may have none for as long
LAST_S_MAX: Final = 90.0  # until every order has its end
LIMITS: Final = Limits(starting_s=90.0, gating_s=120.0, ready_s=120.0, baking_s=300.0)


class Newest(NamedTuple):
    """The newest record that any host has, and the host."""

    record: Record
    home: Home


class Stage:
    """All of it.

    Args:
        place: A directory for what they write.
        clocks_ms: How far ahead the wall clock of each host is, milliseconds.
    """

    def __init__(self, place: Path, clocks_ms: tuple[int, int] = (0, 0)) -> None:
        """Set up the network; nothing runs on it yet."""
        self.place = place
        self.network = Network()
        self.members = Members(place / "etcd", self.network)
        self.exchange = Exchange(HERE)
        self.homes = [
            Home(place, index, self.network, self.members, APP, clock_ms=clock_ms)
            for index, clock_ms in enumerate(clocks_ms)
        ]
        self._leaving = ExitStack()
        self._version = 0

    def __enter__(self) -> Self:
        """Start the etcd."""
        self._leaving.enter_context(self.exchange)
        self._leaving.enter_context(self.members)
        for home in self.homes:
            self._leaving.enter_context(home)
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever runs."""
        self._leaving.close()

    def up(self) -> None:
        """Boot the hosts one after the other; return when nothing is missing."""
        for home in self.homes:
            self.boot(home)
            home.wait(lambda home=home: home.warm() > 0, "a worker", limit_s=WARM_S_MAX)  # type: ignore[misc]
        self.wait_calm()

    def boot(self, home: Home) -> None:
        """Boot a host."""
        home.boot(self._tree(home, self._version))

    def prepare(self) -> str:
        """Make a new release, on both hosts; return it."""
        self._version += 1
        made = {
            home.snapshot(self._tree(home, self._version), ENTRY).release for home in self.homes
        }
        (release,) = made
        return release

    def deploy(
        self, home: Home, release: str, *, bake: int = 1, watcher: Watcher | None = None
    ) -> Deploy:
        """Deploy a release on a host; return how that ended."""
        return home.driver(release, bake=bake, limits=LIMITS, watcher=watcher).run()

    # --- looking -------------------------------------------------------------------

    def newest(self) -> Newest | None:
        """Return the newest record that any host has."""
        found = [(home.record(), home) for home in self.homes]
        there = [Newest(record, home) for record, home in found if record is not None]
        return max(there, key=lambda each: _age(each.record), default=None)

    def owners(self) -> tuple[Home, Home]:
        """Return the host that owns, and the other one."""
        found = wait_for("an owner", self._owning, CALM_S_MAX)
        return found, self.homes[1 - self.homes.index(found)]

    def _owning(self) -> Home | None:
        newest = self.newest()
        owner = newest.record.ownership.owner if newest is not None else None
        return next((each for each in self.homes if owner and each.has(owner)), None)

    def cycle_now(self) -> int:
        """Return the cycle that is due by the clock."""
        return time.time_ns() // round(PERIOD_S * NS)

    def is_calm(self) -> bool:
        """Tell whether nothing is missing: members, workers, cycles, and nothing bakes."""
        newest, owning = self.newest(), self._owning()
        if newest is None or owning is None or newest.record.rollout is not None:
            return False
        if newest.record.progress.cycle < self.cycle_now() - 1:
            return False
        if any(each.away_since_ms() for each in self.homes):
            return False
        release = newest.record.ownership.release
        if not all(home.warm(release) for home in self.homes):
            return False
        return self._same_mirrors(newest.record) and self.members.are_well()

    def wait_calm(self) -> None:
        """Wait until nothing is missing, and a moment for a standby beside the owner."""
        self.homes[0].wait(self.is_calm, "calm", limit_s=CALM_S_MAX)
        owning, _ = self.owners()
        with suppress(NeverCame):
            owning.wait(lambda: owning.warm() > 1, "a second one", limit_s=BESIDE_S_MAX)

    def wait_ends(self) -> None:
        """Wait until every order has its end in the record."""
        newest = self.newest()
        assert newest is not None, "there is a record"
        last = newest.record.progress.cycle + 2

        def is_over() -> bool:
            found = self.newest()
            assert found is not None, "there was one"
            carried = [each for each in found.record.outbox if each.cycle < last - 1]
            return found.record.progress.cycle >= last and not carried

        newest.home.wait(is_over, "the end of every order", limit_s=LAST_S_MAX)

    def _same_mirrors(self, record: Record) -> bool:
        others = [home.record() for home in self.homes]
        return all(
            each is not None and each.ownership.epoch == record.ownership.epoch for each in others
        )

    def _tree(self, home: Home, version: int) -> Path:
        settings = OrderingSettings(
            version=str(version),
            witness=str(home.witness),
            period_s=PERIOD_S,
            body_bytes=4096,
            venue=self.exchange.address,
            port=self.exchange.port,
            catch_up_s=CATCH_UP_S,
        )
        return home.tree(MODULE, settings, name=f"v{version}")


def _age(record: Record) -> tuple[int, int, bool]:
    return record.ownership.epoch, record.progress.cycle, not record.outbox
