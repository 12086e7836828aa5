"""A port that somebody else has is tried again, and given up only where nobody relies on it."""

from __future__ import annotations

import io
import json
import os
import selectors
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handoff.launcher.children import Children
from handoff.launcher.companions import Companions
from handoff.launcher.engine_config import Companion, EngineConfig, with_address
from handoff.launcher.listeners import Listeners, address_of, bind
from handoff.launcher.open_sockets import has_open, listeners_of
from handoff.logs import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = "EXCHANGE_URL"


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


def events(said: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def close(listeners: Listeners) -> None:
    for held in listeners.held.values():
        held.close()


def test_a_taken_port_is_tried_until_it_is_free_and_both_are_said_once(
    stranger: socket.socket, said: io.StringIO
) -> None:
    """A page that is silently missing, or said missing every second, helps nobody."""
    listeners = Listeners(Log(stream=said), {})
    page = Companion("page", ("page",), listen=address_of(stranger))
    for _ in range(3):
        assert listeners.hold(page, lambda: False) == "", "its address is fixed"
    assert listeners.held == {}
    stranger.close()
    assert listeners.hold(page, lambda: False) == ""
    assert [each["event"] for each in events(said)] == ["port_taken", "port_bound"]
    assert address_of(listeners.held["page"]) == page.listen
    close(listeners)


def test_another_port_is_taken_only_while_no_worker_lives(
    stranger: socket.socket, said: io.StringIO
) -> None:
    """A worker that lives was told the address, and looks there for as long as it lives."""
    listeners = Listeners(Log(stream=said), {})
    exchange = Companion("exchange", ("x",), listen=address_of(stranger), told=TOLD)
    assert listeners.hold(exchange, lambda: True) == ""
    assert listeners.held == {}
    moved = listeners.hold(exchange, lambda: False)
    assert moved == address_of(listeners.held["exchange"]) != exchange.listen
    assert [each["event"] for each in events(said)] == ["port_taken", "port_moved"]
    close(listeners)


def test_workers_of_a_moved_companion_are_told_the_new_address() -> None:
    """Told the old one, they would wait for as long as a stranger has that port."""
    before = EngineConfig(
        "app",
        "r1",
        companions=(Companion("exchange", ("x",), "127.0.0.1:1", told=TOLD), Companion("page", ())),
        environment=((TOLD, "http://127.0.0.1:1"), ("OTHER", "1")),
    )
    after = with_address(before, "exchange", "127.0.0.1:2")
    assert after.environment == ((TOLD, "http://127.0.0.1:2"), ("OTHER", "1"))
    assert [each.listen for each in after.companions] == ["127.0.0.1:2", ""]


def test_what_was_handed_over_is_not_bound_again(said: io.StringIO) -> None:
    """It is taken: by the socket that was handed over."""
    with bind("127.0.0.1:0") as handed:
        listeners = Listeners(Log(stream=said), {"page": handed})
        page = Companion("page", ("page",), listen=address_of(handed))
        assert listeners.hold(page, lambda: False) == ""
    assert events(said) == []


def test_a_socket_that_a_companion_gives_is_kept_where_it_is_the_one_that_is_missing(
    said: io.StringIO,
) -> None:
    """Whoever connects may send along whatever it likes."""
    listeners = Listeners(Log(stream=said), {})
    with bind("127.0.0.1:0") as own, bind("127.0.0.1:0") as other:
        page = Companion("page", ("page",), listen=address_of(own))
        with socket.create_connection(own.getsockname()) as connection:
            for wrong in (other.fileno(), connection.fileno()):
                passed = socket.socket(socket.AF_INET, fileno=os.dup(wrong))
                listeners.take(page, passed)
                assert listeners.held == {}
                assert passed.fileno() == -1, "closed"
        given = own.dup()
        listeners.take(page, given)
        assert listeners.held == {"page": given}
        again = own.dup()
        listeners.take(page, again)
        assert listeners.held == {"page": given}
        assert again.fileno() == -1
    close(listeners)


def test_a_companion_without_its_port_is_not_started_and_has_not_failed(
    tmp_path: Path, stranger: socket.socket, said: io.StringIO
) -> None:
    """Each failed start makes the next pause longer: a port that is free again would wait."""
    (tmp_path / "run").mkdir()
    (tmp_path / "logs").mkdir()
    with selectors.DefaultSelector() as selector:
        children = Children(tmp_path, selector)
        companions = Companions(tmp_path, children, Log(stream=said), {})
        argv = (sys.executable, "-c", "import time; time.sleep(60)")
        wanted = (Companion("page", argv, listen=address_of(stranger)),)
        config = EngineConfig("app", "r1", companions=wanted)
        assert companions.hold_ports(config, lambda: True) is config
        companions.keep(wanted)
        assert list(children) == []
        assert companions.next_start_s() is None
        stranger.close()
        assert companions.hold_ports(config, lambda: True) is config
        companions.keep(wanted)
        (started,) = children
        inodes = listeners_of(wanted[0].listen)
        if inodes is not None:  # seen from outside: this is its socket
            assert has_open(started.watched.identity.pid, inodes)
        children.kill(started)
        started.watched.wait(10)
        children.gone()
    for held in companions.listening.values():
        held.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's tables")
def test_who_listens_on_a_port_is_seen_by_the_socket_not_by_the_number() -> None:
    """A connection from such a port, or somebody else's listener, makes no port ours."""
    with bind("127.0.0.1:0") as listener:
        address = address_of(listener)
        inodes = listeners_of(address)
        assert inodes == frozenset({str(os.fstat(listener.fileno()).st_ino)})
        assert has_open(os.getpid(), inodes)
        assert not has_open(os.getpid(), frozenset({"1"}))
        with socket.create_connection(listener.getsockname()) as connection:
            assert listeners_of(address) == inodes
            assert listeners_of(f"x:{connection.getsockname()[1]}") == frozenset()
    assert listeners_of(address) == frozenset()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's tables")
def test_two_hundred_connections_wait_beside_each_other() -> None:
    """In a queue of 64, that many half-open ones of anybody keep out those of our own bot."""
    limit = int(Path("/proc/sys/net/core/somaxconn").read_text())
    wanted = min(limit, 200)
    with bind("127.0.0.1:0") as listener:
        waiting = []
        for _ in range(wanted):
            each = socket.socket()
            each.settimeout(0)
            each.connect_ex(listener.getsockname())
            waiting.append(each)
        here = f":{listener.getsockname()[1]:04X}"
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
        established = sum(row[1].endswith(here) and row[3] == "01" for row in rows)
        for each in waiting:
            each.close()
    assert established >= wanted
