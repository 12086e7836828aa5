"""A store in etcd whose answers are lost, late or doubled.

The proxy does to one commit what a network does once in a while; what must come of it is always the
same: it happened once or not at all, and whoever wrote it knows which.
"""

from __future__ import annotations

import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw
from msgspec.structs import replace
from typing_extensions import override

from foresight.cluster_check import examine_cluster
from state import transitions
from state.errors import (
    DiskFull,
    OutcomeUnknown,
    OutOfReach,
    RecordMissing,
    Refusal,
    Refused,
    WriteFailed,
)
from state.etcd import commits, wire
from state.etcd import keys as plans
from state.etcd import session as session_module
from state.etcd.lines import Lines
from state.record import Phase
from tests.process.etcd_proxy import Fault, Proxy
from tests.process.etcd_server import (
    Server,
    etcd_store,
    free_port,
    raw,
    tell,
)
from tests.records import (
    B,
    decide,
    deciding,
    effect,
    halted,
    note,
    run_cycles,
    settle,
    started,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.etcd_store import EtcdStore
    from state.record import Record

pytestmark = pytest.mark.usefixtures("patient")
WAIT_S_MAX = 15.0


class Between:
    """A store whose commits go through a proxy, and another one beside it."""

    def __init__(self, etcd: Server, prefix: str) -> None:
        self.proxy = Proxy(etcd.port)
        self.cluster = etcd.cluster(prefix)
        self.store = etcd_store(etcd.cluster(prefix, ports=[self.proxy.port]))
        self.other = etcd_store(self.cluster)
        started(self.other)

    def kinds(self) -> list[str]:
        count = self.other.newest_line()
        return [self.other.line(number).kind for number in range(1, count + 1)]

    def close(self) -> None:
        self.store.close()
        self.other.close()
        self.proxy.close()


@pytest.fixture
def between(etcd: Server, tmp_path: Path) -> Iterator[Between]:
    found = Between(etcd, tmp_path.name)
    yield found
    found.close()


def halt(store: EtcdStore) -> None:
    store.transact(halted, note("command"))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_commit_whose_delivery_goes_wrong_happens_once_and_is_known(
    between: Between, fault: Fault
) -> None:
    """Whoever took the answer's absence for a no would decide again: it is sent again as it is."""
    between.proxy.faults = [fault]
    record = between.store.transact(deciding(effect()), note("decide"))
    assert (record.progress.cycle, record.progress.phase) == (11, Phase.DECIDED)
    answers = between.proxy.let_arrive()
    assert all(b"succeeded" not in answer for answer in answers)
    assert not between.proxy.faults
    assert between.kinds() == ["genesis", "seize", "decide"]
    assert between.store.read() == between.other.read() == record
    between.store.transact(settle, note("settle"))


def test_every_delivery_of_a_commit_may_go_wrong_several_times_running(between: Between) -> None:
    between.proxy.faults = [
        Fault.REQUEST_LATE,
        Fault.ANSWER_LOST,
        Fault.DOUBLED,
        Fault.REQUEST_LOST,
    ]
    between.store.transact(deciding(effect()), note("decide"))
    assert between.store.transact(settle, note("settle")).progress.phase is Phase.SETTLED
    between.proxy.let_arrive()
    assert between.kinds() == ["genesis", "seize", "decide", "settle"]


def test_a_commit_returns_its_own_record_although_somebody_wrote_on_top(between: Between) -> None:
    """The owner's effects are in its own record; what came after it is read when it looks again."""
    between.proxy.faults = [Fault.ANSWER_LOST]
    between.proxy.meanwhile = lambda: halt(between.other)
    record = between.store.transact(deciding(effect()), note("decide"))
    assert not record.control.halted
    assert record.attempt == "decide-11"
    assert between.store.read().control.halted
    assert between.kinds()[2:] == ["decide", "command"]


def test_a_halt_that_comes_first_is_seen_by_the_decision_that_was_under_way(
    between: Between,
) -> None:
    """Epoch and progress did not change: without the attempt in the head the halt would be lost."""
    between.proxy.faults = [Fault.REQUEST_LOST]
    between.proxy.meanwhile = lambda: halt(between.other)
    with pytest.raises(Refused) as refused:
        between.store.transact(deciding(effect()), note("decide"))
    assert refused.value.refusal is Refusal.HALTED
    assert between.other.read().control.halted
    assert between.kinds()[2:] == ["command"]


def test_a_change_is_applied_again_to_what_somebody_else_wrote(between: Between) -> None:
    between.proxy.faults = [Fault.REQUEST_LOST]
    between.proxy.meanwhile = lambda: halt(between.other)
    record = between.store.transact(deciding(), note("decide"))
    assert record.control.halted
    assert between.kinds()[2:] == ["command", "decide"]


def test_a_take_is_tried_once(between: Between) -> None:
    """Its margin has room for one try; whoever tries again after it may take too late."""
    between.proxy.faults = [Fault.REQUEST_LOST]
    between.proxy.meanwhile = lambda: halt(between.other)
    with pytest.raises(Refused) as refused:
        between.store.transact(lambda record: take(record, B), note("take"))
    assert refused.value.refusal is Refusal.EVIDENCE_STALE
    assert between.kinds()[2:] == ["command"]


def test_an_outcome_is_unknown_only_while_etcd_is_out_of_reach(
    etcd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a commit that is made again after it finds that it has landed."""
    between = Between(etcd, tmp_path.name)
    between.proxy.faults = [Fault.ANSWER_LOST]

    def mute() -> None:
        between.proxy.is_mute = True

    between.proxy.meanwhile = mute
    with monkeypatch.context() as impatient:
        impatient.setattr(session_module, "SETTLE_S_MAX", 0.6)
        between.store.read()
        with pytest.raises(OutcomeUnknown, match="decide-11"):
            between.store.transact(deciding(effect()), note("decide"))
    between.proxy.is_mute = False
    assert between.store.transact(deciding(effect()), note("decide")).attempt == "decide-11"
    assert between.kinds() == ["genesis", "seize", "decide"]
    between.close()


def test_an_etcd_that_nobody_reaches_is_no_refusal_and_no_unknown_outcome(
    etcd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("state.etcd.session.SETTLE_S_MAX", 0.1)
    store = etcd_store(etcd.cluster(tmp_path.name, ports=[free_port(), free_port()]))
    with pytest.raises(OutOfReach, match="etcd at 127"):
        store.transact(settle, note("settle"))
    store.close()


def test_another_member_is_asked_where_one_does_not_answer(etcd: Server, tmp_path: Path) -> None:
    store = etcd_store(etcd.cluster(tmp_path.name, ports=[free_port(), etcd.port]))
    assert run_cycles(started(store), 1).progress.cycle == 11
    store.close()


@pytest.fixture(params=[b"<html>wait</html>", b'{"ok":true}', b"[]", b""])
def stranger(request: pytest.FixtureRequest) -> Iterator[int]:
    """Return the port of something that answers all as if all were well, and is no etcd."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(request.param)))
            self.end_headers()
            self.wfile.write(request.param)

        @override
        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_an_answer_that_is_none_of_an_etcd_counts_as_none(
    etcd: Server, tmp_path: Path, stranger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's page, or another program at the port: no worker ends for it."""
    store = etcd_store(etcd.cluster(tmp_path.name, ports=[stranger, etcd.port]))
    assert run_cycles(started(store), 1).progress.cycle == 11
    store.close()
    monkeypatch.setattr("state.etcd.session.SETTLE_S_MAX", 0.1)
    alone = etcd_store(etcd.cluster(tmp_path.name, ports=[stranger]))
    with pytest.raises(OutOfReach, match="no answer of an etcd"):
        alone.read()
    alone.close()


def test_what_is_read_is_the_newest_although_the_store_knows_an_older_one(between: Between) -> None:
    between.store.read()
    halt(between.other)
    assert between.store.read().control.halted
    unchanged: list[Record] = []

    def look(record: Record) -> Record:
        unchanged.append(record)
        return record

    between.other.transact(deciding(), note("decide"))
    between.store.transact(look, note("look"))
    assert unchanged[-1] == between.other.read()


def test_what_a_known_record_refuses_is_asked_of_the_newest(between: Between) -> None:
    """A halt that was lifted elsewhere must not cost the cycle that comes next."""
    halt(between.store)
    resumed = replace(between.other.read().control, halted=False)
    between.other.transact(
        lambda record: transitions.command(record, control=resumed, attempt="resume"),
        note("command"),
    )
    record = between.store.transact(deciding(effect()), note("decide"))
    assert record.progress.cycle == 11


def test_a_token_tells_of_what_others_wrote(between: Between) -> None:
    wait_until(lambda: between.store.token() is not None)
    before = between.store.token()
    assert between.store.token() == before
    halt(between.other)
    wait_until(lambda: between.store.token() != before)


def test_a_watch_that_says_nothing_is_opened_anew(etcd: Server, tmp_path: Path) -> None:
    """A connection that died without a word says as little as a record that does not change."""
    proxy = Proxy(etcd.port)
    cluster = etcd.cluster(tmp_path.name, ports=[proxy.port])
    store, other = etcd_store(cluster, silence_s=0.3), etcd_store(etcd.cluster(tmp_path.name))
    started(other)
    wait_until(lambda: store.token() is not None)
    before = store.token()
    proxy.is_mute = True
    halt(other)
    time.sleep(0.1)
    assert store.token() == before
    proxy.is_mute = False
    wait_until(lambda: store.token() != before)
    for each in (store, other, proxy):
        each.close()


def test_a_watch_goes_on_where_what_it_missed_was_compacted(between: Between) -> None:
    """The cluster may be shared, and somebody else compacts it."""
    wait_until(lambda: between.store.token() is not None)
    (watch,) = between.store._watches  # noqa: SLF001 - what it has missed is set by hand
    revision = raw(between.cluster, wire.get(plans.Keys(between.cluster.prefix).record))
    newest = max(kv.mod_revision for kv in revision.values())
    tell(between.cluster, "/v3/kv/compaction", {"revision": newest})
    watch._next, watch.revision = 1, None  # noqa: SLF001
    watch._client.interrupt()  # noqa: SLF001
    wait_until(lambda: between.store.token() == (newest,))
    assert watch.revision == newest


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a tenth of the real sizes for what a request holds: the machine may be busy."""
    monkeypatch.setattr(commits, "TOGETHER_BYTES_MAX", commits.TOGETHER_BYTES_MAX // 10)
    monkeypatch.setattr(commits, "CHUNK_BYTES", commits.CHUNK_BYTES // 10)


def large(record: Record, size: int = 250_000) -> Record:
    body = Raw(b'{"cycle":%d,"pad":"%s"}' % (record.progress.cycle + 1, b"x" * size))
    return decide(record, effect(f"order-{record.progress.cycle}"), body=bytes(body))


def chunks(between: Between) -> dict[bytes, wire.KeyValue]:
    begin = between.cluster.prefix.encode() + b"/chunks/"
    names = plans.Keys(between.cluster.prefix)
    seen = raw(between.cluster, wire.get(names.record))[names.record].value
    held = plans.chunks_of(names, seen)
    found: dict[bytes, wire.KeyValue] = {}
    for key in held:
        found |= raw(between.cluster, wire.get(key))
    assert all(key.startswith(begin) for key in found)
    return found


@pytest.mark.usefixtures("small_chunks")
def test_a_record_too_large_for_one_request_goes_ahead_in_chunks(between: Between) -> None:
    """What no record points to any more has a lease, so it goes without anybody looking for it."""
    record = between.store.transact(large, note("decide"))
    first = chunks(between)
    assert len(first) == 3
    assert {kv.lease for kv in first.values()} == {0}
    assert between.other.read() == record
    between.other.transact(settle, note("settle"))
    second = chunks(between)
    assert not {*first} & {*second}
    left = {key: raw(between.cluster, wire.get(key))[key].lease for key in first}
    assert 0 not in left.values()
    assert bytes(between.other.line(3).header)


def test_a_large_record_fits_into_what_etcd_takes(between: Between) -> None:
    """With the real sizes, which are in the request as base64 and in etcd as they are."""
    whole, parts = 1_040_000, 1_100_000
    for size in (whole, parts):
        record = between.other.transact(partial(large, size=size), note("decide"))
        assert between.store.read() == record
        assert bool(chunks(between)) == (size == parts)
        between.other.transact(settle, note("settle"))


@pytest.mark.usefixtures("small_chunks")
def test_chunks_whose_commit_never_came_have_a_lease(between: Between) -> None:
    between.proxy.faults = [Fault.REQUEST_LOST]
    between.proxy.meanwhile = lambda: halt(between.other)
    with pytest.raises(Refused):
        between.store.transact(large, note("decide"))
    begin = between.cluster.prefix.encode() + b"/chunks/"
    keys = raw(between.cluster, wire.get(begin, begin[:-1] + b"0"))
    assert keys
    assert 0 not in {kv.lease for kv in keys.values()}


@pytest.mark.usefixtures("small_chunks")
def test_a_reader_that_misses_a_chunk_reads_again(
    between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read while another commit took its place, and for longer than the chunks stay."""
    between.other.transact(large, note("decide"))
    whole = Lines.whole
    calls: list[int] = []

    def missing(self: Lines, value: bytes) -> bytes | None:
        calls.append(len(value))
        return None if len(calls) == 1 else whole(self, value)

    monkeypatch.setattr(Lines, "whole", missing)
    assert between.store.read() == between.other.read()
    assert len(calls) > 1


@pytest.mark.usefixtures("small_chunks")
def test_what_etcd_cannot_hold_is_refused_before_it_is_sent(
    between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "CHUNKS_MAX", 2)
    with pytest.raises(WriteFailed, match="4 MiB, 2 at most"):
        between.store.transact(large, note("decide"))
    assert between.store.read().progress.cycle == 10


def fill(store: EtcdStore) -> None:
    for _ in range(40):
        store.transact(partial(large, size=20_000), note("decide"))
        store.transact(settle, note("settle"))


def test_an_etcd_that_is_full_refuses_and_changes_nothing(own_etcd: Server) -> None:
    """Whoever took it for an unknown outcome would wait for what never comes."""
    own_etcd.options = ("--quota-backend-bytes=150000",)
    own_etcd.start()
    store = etcd_store(own_etcd.cluster())
    started(store)
    with pytest.raises(DiskFull):
        fill(store)
    found = {each.check: each for each in examine_cluster(own_etcd.cluster())}
    assert found["etcd's alarms"].found == "NOSPACE"
    assert store.read().progress.cycle >= 10
    store.close()


def test_old_lines_go_with_their_commits(between: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "LINES_KEPT", 4)
    run_cycles(between.store, 3)
    newest = between.store.newest_line()
    assert [between.store.line(newest - back).kind for back in range(4)] == ["settle", "decide"] * 2
    with pytest.raises(RecordMissing):
        between.store.line(newest - 4)
    assert between.other.read().progress.cycle == 13
