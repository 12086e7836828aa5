"""A real etcd of one member on loopback, in a folder of its own, for as long as a test wants it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from state.etcd import wire
from state.etcd.address import Cluster, Credentials, Endpoint
from state.etcd.client import Client, EtcdError
from state.etcd_store import EtcdStore
from state.record import Timeline
from tests.records import APP, NOW_NS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROGRAM: Final = shutil.which("etcd") or shutil.which("etcd", path=os.defpath)
CTL: Final = shutil.which("etcdctl") or shutil.which("etcdctl", path=os.defpath)
CTL_ABSENT: Final = "etcdctl is not installed"
ABSENT: Final = "etcd is not installed"
START_S_MAX: Final = 15.0
STOP_S_MAX: Final = 10.0
PATIENCE_S: Final = 10.0  # a busy machine stops a server for seconds
_QUICK: Final = (
    "--heartbeat-interval=10",
    "--election-timeout=100",
    "--unsafe-no-fsync",
    "--bcrypt-cost=4",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One etcd; it can be stopped, put back and started again at the same port."""

    def __init__(self, folder: Path, *options: str, name: str = "default") -> None:
        self.data = folder / "data"
        self.log = folder / "etcd.log"
        self.port = free_port()
        self.peer_port = free_port()
        self.name = name
        self.members = f"{name}=http://127.0.0.1:{self.peer_port}"
        self.options = options
        self.address = "127.0.0.1"
        self.before: tuple[str, ...] = ()  # words of a command that runs it somewhere else
        self.tls: Credentials | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.begin()
        self.wait_answers()

    def begin(self) -> None:
        assert PROGRAM is not None, ABSENT
        scheme = "http" if self.tls is None else "https"
        client = f"{scheme}://{self.address}:{self.port}"
        peer = f"http://{self.address}:{self.peer_port}"
        words = [
            f"--name={self.name}",
            f"--data-dir={self.data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={self.members}",
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, PROGRAM, *words, *_QUICK, *self.options], stdout=log, stderr=log
            )

    def wait_answers(self, limit_s: float = START_S_MAX) -> None:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            client = Client(self.cluster())
            try:
                client.call(wire.TXN, wire.Transaction(success=(wire.get(b"x"),)))
            except EtcdError as error:
                if getattr(error, "code", 0):
                    return  # it answers, though only to whom it knows
                time.sleep(0.05)
            else:
                return
            finally:
                client.close()
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait(STOP_S_MAX)

    def snapshot(self, file: Path) -> Path:
        """Save what etcd holds now, as an operator does, and return the file."""
        self._ctl(f"--endpoints=127.0.0.1:{self.port}", "snapshot", "save", str(file))
        return file

    def restore(self, file: Path) -> None:
        """Put a saved state in the place of this one; the server is down before and after."""
        shutil.rmtree(self.data)
        peer = f"http://127.0.0.1:{self.peer_port}"
        words = [f"--data-dir={self.data}", f"--initial-advertise-peer-urls={peer}"]
        self._ctl("snapshot", "restore", str(file), *words, f"--initial-cluster=default={peer}")

    def _ctl(self, *words: str) -> None:
        assert CTL is not None, CTL_ABSENT
        environment = {"ETCDCTL_API": "3"}
        done = subprocess.run([CTL, *words], env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def cluster(self, prefix: str = "x", *, ports: Sequence[int] = ()) -> Cluster:
        """Return the address of an application in it, perhaps through other ports."""
        endpoints = tuple(Endpoint(self.address, port) for port in ports or [self.port])
        return Cluster(endpoints, prefix, self.tls or Credentials())


def etcd_store(cluster: Cluster, **changes: object) -> EtcdStore:
    """Return a store whose clock stands still."""
    words: dict[str, object] = {"app": APP, "timeline": Timeline(), "now_ns": lambda: NOW_NS}
    return EtcdStore(cluster, **(words | changes))  # type: ignore[arg-type]


def tell(cluster: Cluster, path: str, request: object) -> bytes:
    """Ask etcd itself, past every rule of a store, with patience for a busy machine."""
    client = Client(cluster)
    try:
        return client.call(path, request, timeout_s=PATIENCE_S)
    finally:
        client.close()


def raw(cluster: Cluster, *steps: wire.Operation) -> dict[bytes, wire.KeyValue]:
    """Return what some reads find, or do some writes."""
    data = tell(cluster, wire.TXN, wire.Transaction(success=steps))
    return wire.decode(data, wire.TransactionAnswer).found()
