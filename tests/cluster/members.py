"""Three members of an etcd, each at a place of its own on the network, behind certificates.

Owns their lives: killed, stopped and cut off one by one. What they hold is on the disk.
"""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Final, Self

import msgspec

from state.etcd import wire
from state.etcd.address import Cluster, Credentials, Endpoint
from state.etcd.client import Client, EtcdError
from tests.cluster import network
from tests.process.etcd_door import certificates, with_certificates
from tests.process.etcd_server import Server

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from tests.cluster.network import Network

COUNT: Final = 3
MAJORITY: Final = 2
FIRST: Final = 11  # number of the first one's place
CALM: Final = ("--heartbeat-interval=100", "--election-timeout=500")
ASK_S: Final = 2.0
BEGIN_S_MAX: Final = 60.0
_END_S_MAX: Final = 10.0


class Header(msgspec.Struct):
    """Whose answer it is."""

    member_id: int


class Status(msgspec.Struct):
    """Who leads, as one member has it."""

    header: Header
    leader: int = 0


class Members:
    """A cluster of three.

    Args:
        place: A new directory for what is theirs.
        net: Where they are.
    """

    def __init__(self, place: Path, net: Network) -> None:
        """Make places, certificates and servers; nothing runs yet."""
        self._network = net
        place.mkdir()
        self._addresses = [network.address(FIRST + index) for index in range(COUNT)]
        self.credentials = self._certified(place)
        self._rooms = [_room() for _ in range(COUNT)]
        self.servers = [self._server(place, index) for index in range(COUNT)]
        members = ",".join(each.members for each in self.servers)
        for each in self.servers:
            each.members = members

    def __enter__(self) -> Self:
        """Start them all."""
        for each in self.servers:
            each.begin()
        for each in self.servers:
            each.wait_answers(BEGIN_S_MAX)
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever runs."""
        for each in self.servers:
            each.stop()
        for room in self._rooms:
            room.kill()
            room.wait(_END_S_MAX)

    def cluster(self, prefix: str) -> Cluster:
        """Return the address of an application in them."""
        endpoints = tuple(Endpoint(each.address, each.port) for each in self.servers)
        return Cluster(endpoints, prefix, self.credentials)

    def state(self, prefix: str) -> str:
        """Return the same as people write it."""
        places = ",".join(f"{each.address}:{each.port}" for each in self.servers)
        return f"etcd://{places}/{prefix}"

    def leader(self) -> int:
        """Return the index of who leads, as soon as somebody does."""
        deadline = time.monotonic() + BEGIN_S_MAX
        while time.monotonic() < deadline:
            for index in range(COUNT):
                if self.leads(index):
                    return index
            time.sleep(0.05)
        message = "nobody leads"
        raise AssertionError(message)

    def leads(self, index: int) -> bool:
        """Tell whether a member leads, by its own word."""
        status = self._status(index)
        return status is not None and status.leader == status.header.member_id

    def are_well(self) -> bool:
        """Tell whether all of them know the same leader."""
        found = [self._status(index) for index in range(COUNT)]
        leaders = {each.leader if each else 0 for each in found}
        return len(leaders) == 1 and 0 not in leaders

    def kill(self, index: int) -> None:
        """Kill one."""
        self.servers[index].stop()

    def start(self, index: int) -> None:
        """Start one that was killed, with what it had on the disk."""
        self.servers[index].begin()

    def send(self, index: int, number: signal.Signals) -> None:
        """Send one a signal."""
        process = self.servers[index].process
        assert process is not None, "it runs"
        process.send_signal(number)

    def pull(self, index: int) -> None:
        """Cut one off."""
        self._network.pull(FIRST + index)

    def plug(self, index: int) -> None:
        """Cut it off no more."""
        self._network.plug(FIRST + index)

    def lose(self, index: int, number: int) -> None:
        """Lose what one says to the place of a number."""
        network.lose(self._rooms[index].pid, number)

    def find(self, index: int, number: int) -> None:
        """Lose it no more."""
        network.find(self._rooms[index].pid, number)

    def _status(self, index: int) -> Status | None:
        server = self.servers[index]
        if server.process is None:
            return None
        client = Client(server.cluster())
        try:
            return wire.decode(client.call(wire.STATUS, {}, timeout_s=ASK_S), Status)
        except EtcdError:
            return None
        finally:
            client.close()

    def _certified(self, place: Path) -> Credentials:
        """Make certificates and the file that names them, for whoever is let in."""
        found = certificates(place, self._addresses)
        for name in ("ca", "certificate", "key"):
            (place / name).chmod(0o600)
        self.file = place / "credentials.toml"
        lines = [f'{name} = "{getattr(found, name)}"\n' for name in ("ca", "certificate", "key")]
        self.file.write_text("".join(lines), encoding="utf-8")
        self.file.chmod(0o600)
        return found

    def _server(self, place: Path, index: int) -> Server:
        folder = place / f"m{index}"
        folder.mkdir()
        server = Server(folder, name=f"m{index}")
        server.address = self._addresses[index]
        server.members = f"m{index}=http://{server.address}:{server.peer_port}"
        with_certificates(server, self.credentials)
        server.options += CALM
        room = self._rooms[index]
        self._network.join(room.pid, FIRST + index)
        server.before = network.within(room.pid)
        return server


def _room() -> subprocess.Popen[bytes]:
    """Start a process that keeps a network namespace, and return once it has it."""
    words = ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None, "asked for"
    assert process.stdout.readline() == b"\n"
    return process
