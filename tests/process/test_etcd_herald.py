"""Hosts that say what they are and what time it is there, in a real etcd, and who hears it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from foresight.cluster_check import examine_cluster
from foresight.finding import Verdict
from handoff.shared_record import STATE, look_up
from state.etcd import wire
from state.etcd.client import Client
from state.etcd.herald import Herald, system_moment
from state.etcd.keys import Keys
from state.etcd.presence import Present
from state.hosts_file import read_hosts
from state.hosts_seen import Role
from tests.process.etcd_server import ABSENT, PATIENCE_S, PROGRAM, etcd_store, raw
from tests.records import APP, owned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from state.etcd.address import Cluster
    from state.etcd.clock_gap import Moment
    from state.hosts_seen import HostsSeen
    from tests.process.etcd_server import Server

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=ABSENT)
AHEAD_MS = 2_000.0  # more than a busy machine could hide
BYTES_MAX = 200  # of one word


class Host:
    """A worker's herald, alone on its host, with a clock that may be wrong."""

    def __init__(self, cluster: Cluster, name: str, *, ahead_ms: float = 0.0) -> None:
        self.name = name
        self.heard: list[HostsSeen] = []
        self._ahead_ms = ahead_ms
        self.herald = Herald(
            Client(cluster),
            Keys(cluster.prefix),
            mark=name,
            now=self._now,
            line=lambda: 7,
            hand=self.heard.append,
        )

    def _now(self) -> Moment:
        now = system_moment()
        return now._replace(wall_ms=now.wall_ms + self._ahead_ms)

    def say(self, role: Role, why: str = "") -> Self:
        self.herald.say(Present(worker="w", host=self.name, role=role.value, why=why))
        return self

    def wait(self, true: Callable[[HostsSeen], bool]) -> HostsSeen:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.heard and true(self.heard[-1]):
                return self.heard[-1]
            time.sleep(0.02)
        raise AssertionError(self.heard[-1:])


def roles(seen: HostsSeen) -> dict[str, Role]:
    return {each.name: each.role for each in seen.hosts}


def test_each_hears_each_a_clock_that_is_off_is_named_and_a_last_word_stays(etcd: Server) -> None:
    cluster = etcd.cluster("herald")
    one = Host(cluster, "one").say(Role.OWNER)
    other = Host(cluster, "other", ahead_ms=AHEAD_MS).say(Role.STANDBY)
    try:
        for each in (one, other):
            each.wait(lambda seen: roles(seen) == {"one": Role.OWNER, "other": Role.STANDBY})
        found = {each.check: each for each in examine_cluster(cluster)}["hosts' clocks"]
        assert found.verdict is Verdict.ODD
        assert "The clock of other is" in found.found
        assert "of one " not in found.found
    finally:
        other.say(Role.LEFT, "asked to")
        other.herald.close()
    left = one.wait(lambda seen: roles(seen)["other"] is Role.LEFT)
    one.herald.close()
    assert [(each.why, each.line) for each in left.hosts] == [("", 7), ("asked to", 7)]
    (kept, _) = sorted(
        raw(cluster, wire.get(*Keys("herald").hosts)).values(), key=lambda kv: kv.key
    )
    assert (kept.lease, len(kept.value) < 200) == (0, True), "a few bytes, and they stay"


def test_a_host_without_a_worker_says_once_why_it_is_no_standby(
    etcd: Server, tmp_path: Path
) -> None:
    """The job that asks which release is wanted says so; a worker that comes says more."""
    store = etcd_store(etcd.cluster("looked"))
    store.create(owned())
    store.close()
    (tmp_path / "run").mkdir()  # as its launcher does
    where = {STATE: f"etcd://127.0.0.1:{etcd.port}/looked"}
    assert look_up(tmp_path, where, app=APP) == owned().ownership.release
    found = read_hosts(tmp_path)
    assert found is not None
    (host,) = found.hosts
    assert (host.role, host.is_here, host.line) == (Role.NOT_STANDBY, True, 1)
    assert "cannot be started there yet" in host.why


def test_an_etcd_that_stands_still_is_out_of_reach_and_nobody_is_silent_for_it(
    own_etcd: Server,
) -> None:
    own_etcd.start()
    one = Host(own_etcd.cluster(), "one").say(Role.OWNER)
    before = one.wait(lambda seen: bool(seen.hosts))
    own_etcd.stop()
    away = one.wait(lambda seen: seen.away_since_ms > 0)
    assert (before.away_since_ms, roles(away)) == (0, {"one": Role.OWNER})
    assert not away.hosts[0].is_silent
    own_etcd.start()
    one.wait(lambda seen: not seen.away_since_ms)
    one.herald.close()
