"""The exchange as its own program: half-open connections, nonsense, and whose connection it is."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from foresight.door.peers import users_of
from foresight.door.sparse_log import LINES_MAX
from foresight.evidence import exchange_books
from foresight.exchange.guard import TOKEN_FILE
from tests.process.overriding import RunningProject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HALF_OPEN = 1131
SMALL = 1024  # descriptors of a usual process
ENDED_S = 10.0
pytestmark = pytest.mark.timeout(120)

SOMEBODY = 61235  # an account that needs no entry


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HALF_OPEN + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may open {hard} files at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the real program with the descriptors of a usual process."""

    def usual() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (SMALL, SMALL))

    program = subprocess.Popen(
        [sys.executable, "-I", "-m", "foresight.exchange", "--dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=usual,  # noqa: PLW1509 - no thread runs here
    )
    with program:
        try:
            assert program.stdout is not None
            yield program, json.loads(program.stdout.readline())
        finally:
            program.terminate()


def asked(address: str, page: str = "api/v3/time", name: str = "127.0.0.1") -> int:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=ENDED_S) as connection:
        connection.sendall(f"GET /{page} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


@pytest.mark.usefixtures("many_descriptors")
def test_half_open_sockets_do_not_close_the_exchange_to_its_own_bot(tmp_path: Path) -> None:
    """They took every descriptor that it had: no order of its own bot came through."""
    with started(tmp_path / "exchange") as (_, line), contextlib.ExitStack() as held:
        port = int(line["address"].rpartition(":")[2])
        for number in range(HALF_OPEN):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            with contextlib.suppress(ConnectionError):  # it may have made room already
                connection.sendall(b"GET / HTTP/1.1\r\nHost: " if number % 2 else b"")
        assert asked(line["address"]) == 200
        assert asked(line["address"], "_control/health") == 200


def test_a_token_is_not_written_where_a_file_or_a_pipe_reads(tmp_path: Path) -> None:
    """What is printed ends up in a log; the command that prints it does not matter there."""
    with started(tmp_path / "exchange") as (_, line):
        token = (tmp_path / "exchange" / TOKEN_FILE).read_text(encoding="ascii").strip()
        assert token not in json.dumps(line)
        shown = subprocess.run(
            ["/bin/sh", "-c", line["keys"]["control_shown_by"]], capture_output=True, check=True
        )
        assert shown.stdout.decode().strip() == token


def test_a_terminal_shows_the_token_itself(tmp_path: Path) -> None:
    """Whoever starts it there wants to use it, and nothing keeps what a terminal showed."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-I", "-m", "foresight.exchange", "--dir", str(tmp_path / "x")]
    with (
        subprocess.Popen(command, stdout=theirs) as program,
        os.fdopen(ours, "r", encoding="ascii") as terminal,
    ):
        os.close(theirs)
        try:
            line = json.loads(terminal.readline())
            words = [terminal.readline() for _ in range(4 + len(line["addresses"]))]
        finally:
            program.terminate()
    keys = line["keys"]
    for shown in (*line["addresses"].values(), *keys["spot"].values()):
        assert any(shown in each for each in words), shown
    assert keys["control"] == (tmp_path / "x" / TOKEN_FILE).read_text(encoding="ascii").strip()


def test_a_configured_host_is_answered_by_the_exchange_of_up(tmp_path: Path) -> None:
    """A tunnel in front of it sends its own name, whatever the port."""
    with RunningProject(tmp_path) as running:
        path = running.project.tree / "foresight.toml"
        text = path.read_text("utf-8")
        named = 'exchange_hosts = ["tunnel.example"]'
        path.write_text(text.replace("[engine]", f"[engine]\n{named}", 1), encoding="utf-8")
        running.project.git("commit", "-qam", "Name the tunnel")
        running.up()
        exchange = exchange_books.exchange_of(running.project.home)
        assert exchange.token
        assert asked(exchange.url, name="tunnel.example:9") == 200
        assert asked(exchange.url, name="evil.example") == 421
        assert exchange_books.ledger(exchange)["requests_received"] >= 0


def test_a_peer_that_sends_nonsense_fills_no_log(tmp_path: Path) -> None:
    """The real program: 300 broken requests, each of which had its traceback."""
    with started(tmp_path / "exchange") as (program, line):
        host, port = line["address"].removeprefix("http://").split(":")
        for _ in range(300):
            with socket.create_connection((host, int(port)), timeout=ENDED_S) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nbroken\x00header\r\n\r\n")
                assert b"400" in connection.recv(64)
        program.terminate()
        _, said = program.communicate(timeout=ENDED_S)
    assert 0 < said.count("\n") <= LINES_MAX


# --- whose connection -----------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_says_whose_connection_it_is(host: str) -> None:
    """Ours, and for root also somebody else's, by both tables."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    port = listener.getsockname()[1]
    with listener, socket.create_connection((host, port)), listener.accept()[0] as accepted:
        assert users_of([accepted]) == [os.geteuid()]
        if os.geteuid() != 0:
            return
        script = f"import socket; c = socket.create_connection(({host!r}, {port})); input()"
        with subprocess.Popen(
            ["/usr/bin/env", "python3", "-c", script],
            user=SOMEBODY,
            group=SOMEBODY,
            extra_groups=[],
            cwd="/",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            stdin=subprocess.PIPE,
        ) as other:
            listener.settimeout(ENDED_S)
            with listener.accept()[0] as theirs:
                assert users_of([theirs, accepted]) == [SOMEBODY, os.geteuid()]
            other.communicate(b"\n")


def test_who_has_gone_is_nobody() -> None:
    """A connection that was ended is shown without its owner, or as root's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        with listener.accept()[0] as accepted:
            client.close()
            assert users_of([accepted]) == [None]
