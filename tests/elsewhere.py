"""Hosts with homes beside a modelled etcd, and copies of it: what a repair is tried on."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from state.etcd import wire
from state.etcd.address import Cluster, Endpoint
from state.etcd_repair import Back, Repair, Repaired
from state.etcd_store import EtcdStore
from state.host_journal import HostJournal
from state.journal_reader import read_lines, verify_chain, verify_cycles
from state.local_store import read_only_generation
from state.place import Place
from state.record import Timeline
from tests.etcd_model import ModelEtcd
from tests.records import APP, NOW_NS

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER = Cluster((Endpoint("127.0.0.1"),), "app")


class Elsewhere:
    """A modelled etcd, hosts with homes beside it, and copies of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.etcd = ModelEtcd()
        self.sent = 0
        self.die_at = 0
        self.opened: list[EtcdStore] = []

    def call(self, path: str, request: object, **_: float) -> bytes:
        self.sent += 1
        if self.sent == self.die_at:
            raise KeyboardInterrupt
        if path == wire.GRANT:
            return wire.encode({"ID": self.etcd.grant(), "TTL": 600})
        assert isinstance(request, wire.Transaction)
        return wire.encode(self.etcd.apply(request))

    def close(self) -> None:
        """Nothing is held."""

    def keep(self) -> ModelEtcd:
        return copy.deepcopy(self.etcd)

    def store(self, host: str) -> EtcdStore:
        """Return a store of a worker on a host, which keeps a journal there."""
        home = HostJournal(self.home(host), now_ns=lambda: NOW_NS, place=Place(host))
        words = {"app": APP, "timeline": Timeline(), "now_ns": lambda: NOW_NS}
        self.opened.append(EtcdStore(CLUSTER, home=home, **words))  # type: ignore[arg-type]
        return self.opened[-1]

    def home(self, host: str) -> Path:
        return self.place / host

    def repair(self, host: str, *without: str) -> Repaired:
        return self.asked(host, *without).run(f"repair-{host}")

    def asked(self, host: str, *without: str, back: Back | None = None) -> Repair:
        return Repair(
            CLUSTER,
            self.home(host),
            app=APP,
            place=Place(host),
            now_ns=lambda: NOW_NS,
            without=without,
            back=back,
        )

    def follow(self, host: str) -> None:
        self.store(host).keep_up()

    def prove(self, host: str) -> list[str]:
        """Check a host's journal and mirror; return the kinds of its lines."""
        home = self.home(host)
        found = read_only_generation(home / "state")
        verify_chain(home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
        assert verify_cycles(home / "journal").is_complete
        return [line.kind for line in read_lines(home / "journal")]
