"""Whoever connects to the launcher may say anything, or nothing: it costs nobody else anything."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from handoff.launcher import connections as peers
from handoff.launcher.connections import Connection, Connections
from handoff.limits import CONNECTIONS_FOR_WORKERS, CONNECTIONS_MAX, IDLE_S_MAX
from handoff.processes import identity_of
from handoff.rollout.launcher_client import LauncherClient
from handoff.sockets import connect_unix
from handoff.wire import Kind, encode
from tests.process.hurt import Hurt, verify_nothing_lost

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

WAIT_S = 10.0
PLACES = CONNECTIONS_MAX - CONNECTIONS_FOR_WORKERS

MALFORMED = [
    b'{"kind":"hello"}',
    b'{"kind":"hello","pid":1,"release":"r1"}',
    b'{"kind":"hello","pid":0,"release":"r1"}',
    b'{"kind":"hello","pid":{owner},"release":"r1"}',
    b'{"kind":"hello","pid":{launcher},"release":"r1"}',
    b'{"kind":"hello","pid":1e400,"release":"r1"}',
    b'{"kind":"hello","pid":[],"release":{}}',
    b'{"kind":"hello","pid":99999999999999999999999,"release":"r1"}',
    b'{"kind":"leaving"}',
    b'{"kind":"approve","deploy":[],"bake":"x"}',
    b'{"kind":"run_job","name":"../job","argv":["/bin/true"]}',
    b'{"kind":"run_job","name":"job","argv":[]}',
    b'{"kind":"start_candidate"}',
    b"[" * 5000,
    b"\xff\xfe",
]


def test_no_line_ends_the_launcher_or_stays_in_what_it_knows(tmp_path: Path) -> None:
    """One line `{"kind":"hello"}` ended it, and a pid that was not the sender's was adopted."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        owner, launcher = hurt.the_owner(), hurt.ask(Kind.STATUS)["pid"]
        for line in MALFORMED:
            said = line.replace(b"{owner}", str(owner.pid).encode())
            said = said.replace(b"{launcher}", str(launcher).encode())
            with connect_unix(hurt.home / "run" / "control.sock", WAIT_S) as peer:
                peer.sendall(said + b"\n")
                answer = peer.recv(65536)
                assert b'"ok":true' not in answer, said
        assert hurt.ask(Kind.STATUS)["pid"] == launcher
        assert [int(child["pid"]) for child in hurt.children()] == [owner.pid]
        written = json.loads((hurt.home / "run" / "launcher.json").read_bytes())
        assert [child["pid"] for child in written["children"]] == [owner.pid]
        verify_nothing_lost(hurt)


def test_a_line_that_breaks_off_a_worker_costs_nobody_a_cycle(tmp_path: Path) -> None:
    """What a worker says wrongly costs it its line; it is dialled again and nobody is ended."""
    with Hurt(tmp_path) as hurt:
        hurt.start(babbling(hurt), "faulty_worker:create")
        owner = hurt.the_owner()
        hurt.wait_cycles(3)
        assert hurt.owner() == owner
        assert hurt.ask(Kind.STATUS)["pid"]
        verify_nothing_lost(hurt)


BABBLE = """
from handoff.worker.channel import LauncherChannel

_tell = LauncherChannel.tell


def babble(channel, kind, **members):
    _tell(channel, kind, **members)
    if kind.value == "settled" and channel._writer is not None:
        channel._writer.write(b'{"kind":"settled","cycle":"seven"}\\n')


LauncherChannel.tell = babble
"""


def babbling(hurt: Hurt) -> Path:
    """Return the tree of a release whose worker says nonsense after each cycle."""
    tree = hurt.release("v0")
    module = tree / "faulty_worker.py"
    module.write_text(module.read_text("utf-8") + BABBLE, encoding="utf-8")
    return tree


@pytest.mark.parametrize(
    "poison",
    [
        "[]",
        "7",
        '{"children": {}}',
        '{"children": [7, null, "x", [], {}]}',
        '{"children": [{"name": "a", "role": "heir", "pid": 1, "start_ticks": {init}}]}',
        '{"children": [{"name": "a", "role": "heir", "pid": {pid}, "start_ticks": "x"}]}',
        '{"children": [{"name": "../a", "role": "heir", "pid": {pid}, "start_ticks": {ticks}}]}',
        '{"children": [{"name": "a", "role": 7, "pid": {pid}, "start_ticks": {ticks}}]}',
        '{"children": [{"name": "", "role": "heir", "pid": {pid}, "start_ticks": {ticks}}]}',
        '{"boot_id": [], "children": [{"name": "a"}]}',
        "[" * 5000,
    ],
)
def test_poison_in_what_a_launcher_wrote_down_is_refused(tmp_path: Path, poison: str) -> None:
    """It adopted process 1 because the file said so, and again after each restart."""
    with Hurt(tmp_path) as hurt, stranger() as pid:
        init, other = identity_of(1), identity_of(pid)
        assert init is not None
        assert other is not None
        words = {"{init}": init.start_ticks, "{pid}": pid, "{ticks}": other.start_ticks}
        for word, number in words.items():
            poison = poison.replace(word, str(number))
        (hurt.home / "run").mkdir(parents=True)
        (hurt.home / "run" / "launcher.json").write_text(poison, encoding="utf-8")
        hurt.up()
        assert [int(child["pid"]) for child in hurt.children()] == [hurt.the_owner().pid]


@contextlib.contextmanager
def stranger() -> Iterator[int]:
    """Yield the pid of a process that is no worker; whoever takes it for one may end it."""
    process = subprocess.Popen(["/bin/sleep", "600"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Connections, Path]]:
    selector = selectors.DefaultSelector()
    path = tmp_path / "control.sock"
    open_to_all = Connections(path, selector)
    yield open_to_all, path
    open_to_all.close()
    selector.close()


def _is_nobody(_pid: int) -> bool:
    return False


def _is_mine(pid: int) -> bool:
    return pid == os.getpid()


def test_a_crowd_that_says_nothing_makes_room_once_it_is_idle(
    line: tuple[Connections, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 of them locked everybody out, workers included, for as long as they liked."""
    lines, path = line
    crowd = [connected(lines, path) for _ in range(PLACES)]
    late = connect_unix(path, WAIT_S)
    assert not lines.accept(_is_nobody), "no place, and nobody is idle yet"
    worker = connect_unix(path, WAIT_S)
    assert lines.accept(_is_mine), "a place is kept for a worker"
    monkeypatch.setattr(peers, "IDLE_S_MAX", 0.0)
    (asking,) = [each for each in lines if each.heard_s == max(one.heard_s for one in lines)]
    asking.subscribed = True
    client = connect_unix(path, WAIT_S)
    assert lines.accept(_is_nobody)
    assert asking in list(lines), "who subscribed stays"
    assert len(list(lines)) == 2
    for sock in (*crowd, late, worker, client):
        sock.close()


def test_who_asks_now_and_then_is_not_idle(line: tuple[Connections, Path]) -> None:
    lines, path = line
    with connected(lines, path) as sock:
        (peer,) = lines
        assert isinstance(peer, Connection)
        assert not peer.is_idle(peer.heard_s + IDLE_S_MAX)
        assert peer.is_idle(peer.heard_s + IDLE_S_MAX + 0.1)
        since_s = peer.heard_s
        sock.sendall(encode(Kind.STATUS))
        assert peer.receive() == [{"kind": "status"}]
        assert peer.heard_s > since_s
        for part in ("child", "drives"):
            setattr(peer, part, "somebody")
            assert not peer.is_idle(peer.heard_s + 9 * IDLE_S_MAX)
            setattr(peer, part, "")


def connected(lines: Connections, path: Path) -> socket.socket:
    sock = connect_unix(path, WAIT_S)
    assert lines.accept(_is_nobody)
    return sock


HOLDERS = """
import sys, time
from pathlib import Path
from handoff.sockets import connect_unix

held = [connect_unix(Path(sys.argv[1]), 10.0) for _ in range(64)]
print("held", flush=True)
time.sleep(600)
"""


def test_idle_peers_keep_no_worker_out(tmp_path: Path) -> None:
    """The owner dies while a crowd sits on the socket: the next one greets all the same."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        words = [sys.executable, "-c", HOLDERS, str(hurt.home / "run" / "control.sock")]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as crowd:
            assert crowd.stdout is not None
            assert crowd.stdout.readline()
            hurt.wait_other_owner(hurt.kill_owner())
            hurt.wait(lambda: connects(hurt), "a place for a client")
            hurt.wait(
                lambda: [bool(child["owner"]) for child in hurt.children()] == [True], "a greeting"
            )
            crowd.kill()
        verify_nothing_lost(hurt)


def connects(hurt: Hurt) -> bool:
    try:
        with LauncherClient(hurt.home) as client:
            return bool(client.ask(Kind.STATUS))
    except Exception:  # noqa: BLE001 - whatever is wrong, it is not in
        return False
