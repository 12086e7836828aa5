"""The hosts of a series: each has network, processes, boot, name and home of its own.

Owns their lives: a host that is killed comes up again as another boot over the same disk.
"""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from bench.installation import Installation
from foresight.evidence.report import newest_performed
from handoff.shared_record import CREDENTIALS, STATE
from tests.cluster import network
from tests.process import shifted_clock
from tests.process.other_hosts import PATH, WAITING, Host

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import WorkerId
    from tests.cluster.members import Members
    from tests.cluster.network import Network

FIRST: Final = 21  # number of the first one's place
NAMES: Final = ("north", "south", "east")
ENTRY: Final = "ordering:create"
WARM_S_MAX: Final = 120.0


class Home(Installation):
    """The installation on one host. Nobody here sees its processes by their numbers there.

    Args:
        place: A new directory for what is its own.
        index: Of its name in `NAMES`.
        net: Where it is.
        members: The etcd.
        app: Name of the application in it.
        clock_ms: How far ahead its wall clock is, milliseconds.
    """

    def __init__(
        self,
        place: Path,
        index: int,
        net: Network,
        members: Members,
        app: str,
        *,
        clock_ms: int = 0,
    ) -> None:
        """Name its places; it does not run yet."""
        super().__init__(place / NAMES[index], app=app)
        self.name = NAMES[index]
        self.number = FIRST + index
        self.witness = place / "witness.jsonl"
        self.clock_ms = clock_ms
        self._network = net
        self._machine = uuid.uuid4().hex
        self._boots = 0
        self._host: Host | None = None
        self.variables = {STATE: members.state(app), CREDENTIALS: str(members.file)}
        self.variables |= shifted_clock.VARIABLES

    @property
    def host(self) -> Host:
        """The host as it runs."""
        assert self._host is not None, "it runs"
        return self._host

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._host is not None

    def boot(self, tree: Path) -> None:
        """Start the host, and a launcher on it."""
        self.begin()
        os.environ.update(self.variables)
        words = ("run", ENTRY, "--tree", str(tree), "--app", self.app, "--standby")
        self.background(*words, before=self.host.command())

    def begin(self) -> None:
        """Start the host, with nothing on it."""
        self._boots += 1
        self._host = Host(
            self.directory / f"boot{self._boots}",
            self.name,
            boot=str(uuid.uuid4()),
            machine=self._machine,
            has_network=True,
            clock_ms=self.clock_ms,
        )
        self._host.start(WAITING, {"PATH": PATH})
        self._network.join(self._host.first_pid(), self.number)

    def cut_power(self) -> None:
        """End the host and whatever runs there, without a word."""
        self.host.end()
        self._host = None
        for process in self._begun:
            process.kill()
            process.wait()
        self._begun.clear()

    def send(self, pid: int, number: signal.Signals) -> None:
        """Send a process there a signal, by the number that it has there; -1 is all of them."""
        words = ("sh", "-c", 'kill -s "$1" -- "$2"', "sh", number.name[3:], str(pid))
        done = self.host.run(*words, variables={"PATH": PATH})
        assert done.returncode == 0 or "No such process" in done.stderr, done.stderr

    def strike(self, worker: WorkerId, number: signal.Signals) -> None:
        """Send a worker of this host a signal."""
        assert self.has(worker), "it is of this host"
        self.send(worker.pid, number)

    def has(self, worker: WorkerId) -> bool:
        """Tell whether a worker is of this host as it runs."""
        return self.is_up and worker.host == self.name

    def wake_all(self) -> None:
        """Let everything there go on that stands still."""
        self.send(-1, signal.SIGCONT)

    def pull(self) -> None:
        """Pull its cable."""
        self._network.pull(self.number)

    def plug(self) -> None:
        """Plug it in again."""
        self._network.plug(self.number)

    def lose(self, number: int) -> None:
        """Lose what it says to the place of a number."""
        network.lose(self.host.first_pid(), number)

    def find(self, number: int) -> None:
        """Lose it no more."""
        network.find(self.host.first_pid(), number)

    def warm(self, release: str = "") -> int:
        """Return how many of its workers, perhaps of one release, are warm and stay."""
        return sum(
            bool(each["warm"]) and each["stopping_s"] is None and release in each["release"]
            for each in self.children()
        )

    def names(self) -> list[str]:
        """Return the names of its workers."""
        return sorted(str(each["name"]) for each in self.children())

    def away_since_ms(self) -> float:
        """Return since when a worker says that the record is out of its reach; 0 if none does."""
        return max((float(each.get("away_since_ms", 0)) for each in self.children()), default=0.0)

    @override
    def progress(self) -> int:
        return newest_performed(self.witness)

    @override
    def end(self) -> None:
        if self.is_up:
            self.cut_power()
