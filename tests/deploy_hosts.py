"""Hosts that deploy over a modelled etcd: the real desk, and a line that loses at will."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from state.etcd import wire
from state.etcd.address import Cluster, Endpoint
from state.etcd.client import Unclear
from state.etcd.deploy_desk import DeployDesk
from state.etcd.lease import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.etcd_model import ModelEtcd


class Host:
    """One host's way to the etcd that all share."""

    def __init__(self, etcd: ModelEtcd, prefix: str = "app") -> None:
        self.etcd = etcd
        self.lease = etcd.grant()
        self.filed: list[int] = []  # leases of requests that wait for their deployer
        self.loses = 0  # answers of writes
        self.before: Callable[[], object] = lambda: None  # what another host does in between
        self.cluster = Cluster((Endpoint("127.0.0.1"),), prefix)
        self.desk = DeployDesk(self.cluster, patience_s=5.0)
        self.desk._session._client = self  # type: ignore[assignment] # noqa: SLF001
        standing = lambda: Standing(lease=self.lease, ttl_ns=1)  # noqa: E731
        self.desk._keeper = SimpleNamespace(standing=standing)  # type: ignore[assignment] # noqa: SLF001

    def call(self, path: str, request: wire.Transaction, **_: float) -> bytes:
        if path == wire.GRANT:
            self.filed.append(self.etcd.grant())
            return wire.encode({"ID": self.filed[-1], "TTL": 60})
        if request.compare:
            between, self.before = self.before, lambda: None
            between()
        answer = self.etcd.apply(request)
        if request.compare and self.loses:
            self.loses -= 1
            raise Unclear
        return wire.encode(answer)

    def dies(self) -> None:
        """Be gone for as long as its leases last."""
        for lease in (self.lease, *self.filed):
            self.etcd.revoke(lease)
        self.filed = []
        self.lease = self.etcd.grant()

    def close(self) -> None:
        """Nothing is held."""

    def ended(self) -> list[bytes]:
        return [line for _, line in self.desk.lines_after(0)]
