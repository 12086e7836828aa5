"""Who gets into the exchange: Host header, control token, and connections that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.http import HttpProcessingError

from foresight.door.admission import Admission
from foresight.door.host_names import host_named, is_known
from foresight.door.limits import DEFAULT, Limits, fitted
from foresight.door.sparse_log import LINES_MAX, WINDOW_S, sparse_handler
from foresight.door.token_file import token_of
from foresight.evidence import exchange_books
from foresight.exchange.__main__ import EXIT_USAGE, main
from foresight.exchange.guard import TOKEN_FILE
from foresight.exchange.server import loopback_socket
from foresight.overrides import EXCHANGE_URL
from handoff.launcher.engine_config import Companion, EngineConfig, write_engine_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.exchange.served import Running

HALF_OPEN = 1131
SMALL = 1024  # descriptors of a usual process
ENDED_S = 10.0
LARGE_BYTES = 64 << 20  # more than the kernel takes for somebody who does not read
SOMEBODY = 61235  # an account that needs no entry
CONTROL = [("GET", "ledger"), ("GET", "faults"), ("POST", "faults"), ("POST", "tick")]


# --- host names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST.:8080", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("exchange.lan:80", "exchange.lan"),
        ("", ""),
        (":80", ""),
        ("[::1]evil.example", ""),
        ("[::1", ""),
        ("localhost:evil", ""),
        ("[localhost]", ""),
    ],
)
def test_a_host_header_is_read_by_its_name(header: str, name: str) -> None:
    """The port says nothing about who sent it; what is no name is nobody's."""
    assert host_named(header) == name


def test_only_names_of_the_loopback_and_configured_ones_are_known() -> None:
    """A page whose own name leads here sends that name, and cannot send another."""
    assert is_known(["127.8.8.8:1"], [])
    assert is_known(["[::1]:1"], [])
    assert is_known(["Exchange.LAN:9"], ["exchange.lan:80"])
    assert is_known(["[fd00:0::1]:9"], ["fd00::1"])
    assert not is_known(["exchange.lan"], [])
    assert not is_known(["0.0.0.0:1"], [])
    assert not is_known([], [])
    assert not is_known([""], [""])
    assert not is_known(["localhost", "evil.example"], [])


async def answer(
    running: Running, method: str, page: str, **headers: str
) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{running.url}/{page}", data="{}", headers=headers) as got,
    ):
        return got.status, await got.json()


@pytest.mark.asyncio
async def test_a_foreign_host_is_refused_on_every_route(running: Running) -> None:
    """So a web page that had its name changed to this host reads and does nothing."""
    for page in ("api/v3/time", "clob/time", "_control/health", "_control/ledger", "nothing"):
        status, said = await answer(
            running, "GET", page, Host="evil.example", Authorization=f"Bearer {running.token}"
        )
        assert status == 421, page
        assert "exchange_hosts" in said["error"]
    assert (await answer(running, "GET", "api/v3/time", Host="localhost:1"))[0] == 200


def test_a_host_that_is_no_name_is_an_error_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that can match nothing would look like protection that fails."""
    assert main(["--dir", str(tmp_path / "x"), "--host", "a:b"]) == EXIT_USAGE
    assert "--host" in capsys.readouterr().err


# --- the token --------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "page"), CONTROL)
@pytest.mark.asyncio
async def test_control_without_the_token_is_refused(
    running: Running, method: str, page: str
) -> None:
    """Whoever reaches the port would command the market, and read who trades what."""
    for said in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {running.token}"}):
        assert (await answer(running, method, f"_control/{page}", **said))[0] == 401
    assert not running.venue.faults.describe()
    told = {"Authorization": f"Bearer {running.token}"}
    assert (await answer(running, method, f"_control/{page}", **told))[0] in {200, 400}


@pytest.mark.asyncio
async def test_the_page_in_other_letters_needs_the_token_too(running: Running) -> None:
    """A path is compared as it is routed."""
    for page in ("%5Fcontrol/ledger", "_control%2Fledger", "_control/%6cedger"):
        reader, writer = await asyncio.open_connection(*running.url[7:].split(":"))
        writer.write(f"GET /{page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] in {b"401", b"404"}, page
        writer.close()
        await writer.wait_closed()


@pytest.mark.asyncio
async def test_health_and_the_market_need_no_token(running: Running) -> None:
    """A probe that waits for the exchange has none; clients of others know of none."""
    assert (await answer(running, "GET", "_control/health"))[0] == 200
    assert (await answer(running, "GET", "api/v3/time"))[0] == 200


@pytest.mark.parametrize("umask", [0, 0o777])
def test_the_token_is_a_file_that_only_its_owner_reads(tmp_path: Path, umask: int) -> None:
    """Whatever the umask; it stays, so that who read it can go on asking."""
    before = os.umask(umask)
    try:
        token = token_of(tmp_path / TOKEN_FILE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / TOKEN_FILE).stat().st_mode) == 0o600
    assert len(token) > 40
    assert token_of(tmp_path / TOKEN_FILE) == token


def test_a_token_that_others_know_or_chose_is_replaced(tmp_path: Path) -> None:
    """A leftover with wide modes, a link, or half of one that a full disk left."""
    token = token_of(tmp_path / TOKEN_FILE)
    (tmp_path / TOKEN_FILE).chmod(0o640)
    second = token_of(tmp_path / TOKEN_FILE)
    assert second != token
    theirs = tmp_path / "theirs"
    theirs.write_text(token, encoding="ascii")
    theirs.chmod(0o600)
    (tmp_path / TOKEN_FILE).unlink()
    (tmp_path / TOKEN_FILE).symlink_to(theirs)
    assert token_of(tmp_path / TOKEN_FILE) not in {token, second}
    assert theirs.read_text(encoding="ascii") == token
    (tmp_path / TOKEN_FILE).write_text("short", encoding="ascii")
    assert len(token_of(tmp_path / TOKEN_FILE)) > 40
    assert stat.S_IMODE((tmp_path / TOKEN_FILE).stat().st_mode) == 0o600


# --- our clients of the control page ------------------------------------------------------


def home_with(tmp_path: Path, url: str, *, is_ours: bool) -> Path:
    companion = Companion("exchange", ("/bin/true",), listen="127.0.0.1:1", told=EXCHANGE_URL)
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "exchange").mkdir()
    engine = EngineConfig(
        app="bot",
        first_release="none",
        companions=(companion,) if is_ours else (),
        environment=((EXCHANGE_URL, url),),
    )
    write_engine_config(home, engine)
    return home


@pytest.mark.asyncio
async def test_our_clients_send_the_token_of_their_own_exchange(
    running: Running, tmp_path: Path
) -> None:
    """An exchange of somebody else is not told it; one of a release before asks for none."""
    home = home_with(tmp_path, running.url, is_ours=True)
    asked = exchange_books.exchange_of(home)
    assert asked.token == ""
    with pytest.raises(OSError, match="401"):
        await asyncio.to_thread(exchange_books.ledger, asked)
    (home / "exchange" / TOKEN_FILE).write_text(running.token + "\n", encoding="ascii")
    books = await asyncio.to_thread(exchange_books.ledger, exchange_books.exchange_of(home))
    assert books["requests_received"] == 0
    theirs = home_with(tmp_path / "other", running.url, is_ours=False)
    (theirs / "exchange" / TOKEN_FILE).write_text("ours", encoding="ascii")
    assert exchange_books.exchange_of(theirs).token == ""


# --- connections that say nothing ---------------------------------------------------------


class Hall:
    """A door with something behind it, and others who come from 127.0.0.2."""

    def __init__(self, address: tuple[str, int], admission: Admission) -> None:
        self.address = address
        self.admission = admission
        self.release = asyncio.Event()
        self._entered: list[asyncio.StreamWriter] = []

    async def enter(self, *, own: bool = True) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = ("127.0.0.1" if own else "127.0.0.2", 0)
        entered = await asyncio.open_connection(*self.address, local_addr=source)
        self._entered.append(entered[1])
        return entered

    async def leave(self) -> None:
        for each in self._entered:
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()


async def ask(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], page: str) -> bytes:
    """Ask for a page; an empty answer is a connection that was ended."""
    reader, writer = connection
    try:
        writer.write(f"GET /{page} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return await asyncio.wait_for(reader.readuntil(b"done"), ENDED_S)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def is_ended(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
    try:
        return await asyncio.wait_for(connection[0].read(), ENDED_S) == b""
    except ConnectionError:
        return True


def by_address(batch: Sequence[socket.socket]) -> list[int]:
    own = os.geteuid()
    return [own if each.getpeername()[0] == "127.0.0.1" else own + 1 for each in batch]


@contextlib.asynccontextmanager
async def hall(limits: Limits) -> AsyncIterator[Hall]:
    listener = loopback_socket(0)

    async def page(request: web.BaseRequest) -> web.Response:
        admission.heard(request.protocol)
        with admission.answering(request.protocol):
            if request.path == "/slow":
                await asyncio.wait_for(opened.release.wait(), ENDED_S)
        if request.path == "/large":
            assert request.transport is not None
            # So the server has it off its hands at once, and closes what is not read.
            request.transport.set_write_buffer_limits(high=2 * LARGE_BYTES)
            answer = web.Response(body=bytes(LARGE_BYTES))
            answer.force_close()
            return answer
        return web.Response(text="done")

    server = web.Server(page)
    admission = Admission(server, listener, limits, users=by_address)
    opened = Hall(listener.getsockname(), admission)
    running = asyncio.create_task(admission.run())
    try:
        yield opened
    finally:
        await opened.leave()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        listener.close()
        await server.shutdown(1.0)
        admission.close()


@pytest.mark.asyncio
async def test_others_never_take_the_room_of_our_own() -> None:
    """However many there are, and also while each of them is being answered."""
    async with hall(Limits(own_max=2, others_max=3)) as opened:
        others = [await opened.enter(own=False) for _ in range(3)]
        waiting = [asyncio.create_task(ask(each, "slow")) for each in others]
        while sum(guest.answers for guest in opened.admission._guests.values()) < 3:  # noqa: SLF001
            await asyncio.wait(waiting, timeout=0.01)
        assert await is_ended(await opened.enter(own=False))  # it is full for them
        for _ in range(5):
            assert (await ask(await opened.enter(), "")).endswith(b"done")
        opened.release.set()
        assert all(each.endswith(b"done") for each in await asyncio.gather(*waiting))


@pytest.mark.asyncio
async def test_one_that_never_asked_leaves_first_and_then_the_idlest() -> None:
    """A connection that a client keeps for its next request is the last that makes room."""
    async with hall(Limits(own_max=2)) as opened:
        first = await opened.enter()
        assert await ask(first, "")
        second = await opened.enter()
        third = await opened.enter()
        assert await ask(third, "")
        assert await is_ended(second)  # it had said nothing, although `first` came before
        fourth = await opened.enter()
        assert await ask(fourth, "")
        assert await is_ended(first)
        assert await ask(third, "")


@pytest.mark.asyncio
async def test_who_reads_no_answer_counts_until_it_has_gone() -> None:
    """The server is done with it, and its descriptor is not: many of them took all there were."""
    async with hall(Limits(others_max=1)) as opened:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.2", 0))
            deaf.connect(opened.address)
            deaf.settimeout(ENDED_S)
            deaf.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.to_thread(deaf.recv, 1)
            assert await ask(await opened.enter(own=False), "")
            left = await asyncio.to_thread(rest_of, deaf)
    assert left < LARGE_BYTES


def rest_of(connection: socket.socket) -> int:
    """Return how many bytes still come, until the end in whatever way."""
    found = 0
    with contextlib.suppress(ConnectionError):
        while more := len(connection.recv(1 << 20)):
            found += more
    return found


@pytest.mark.asyncio
async def test_a_connection_without_headers_is_ended_in_time() -> None:
    """Half a request counts as none; whoever has asked once is not ended for it."""
    async with hall(Limits(headers_s=0.2)) as opened:
        silent, half, asking = [await opened.enter() for _ in range(3)]
        half[1].write(b"GET / HTTP/1.1\r\n")
        assert await ask(asking, "")
        assert await is_ended(silent)
        assert await is_ended(half)
        assert await ask(asking, "")


def test_limits_shrink_where_descriptors_are_few() -> None:
    """What others may hold never reaches the last descriptor of our own."""
    assert fitted(DEFAULT, SMALL - 20) == DEFAULT
    for few in range(12, 400):
        limits = fitted(DEFAULT, few)
        assert limits.own_max + limits.others_max + limits.batch_max <= few
        assert limits.own_max >= limits.others_max >= 1
    assert fitted(DEFAULT, 0)[:3] == (1, 1, 1)


# --- the log ----------------------------------------------------------------------------------


def record(words: str, *more: str, exc_info: Any = None) -> logging.LogRecord:  # noqa: ANN401
    return logging.LogRecord("door", logging.ERROR, __file__, 1, words, more, exc_info)


def test_nonsense_makes_a_bounded_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody can send it as often as he likes; what was left out is said."""
    now_s = 0.0
    handler = sparse_handler(lambda: now_s)
    error = HttpProcessingError(message="nonsense " * 1000)
    broken = (type(error), error, None)
    for _ in range(1000):
        handler.handle(record("Error handling request from %s", "127.0.0.1", exc_info=broken))
    said = capsys.readouterr().err
    assert said.count("\n") == LINES_MAX
    assert len(said) < 100 * LINES_MAX
    now_s += WINDOW_S + 1
    handler.handle(record("a new minute"))
    assert capsys.readouterr().err == f"a new minute ({1000 - LINES_MAX} more left out)\n"
