"""A home beside a real etcd: its own journal and mirror follow whatever is committed there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.installation import environment
from handoff.exit_codes import ExitCode
from state.errors import OutOfReach, WriteFailed
from state.etcd import keys as plans
from state.etcd import wire
from state.host_journal import HostJournal
from state.journal_reader import read_lines, verify_chain, verify_cycles
from state.local_store import read_only_generation
from tests.process.etcd_proxy import Fault, Proxy
from tests.process.etcd_server import Server, etcd_store, raw
from tests.records import APP, NOW_NS, deciding, effect, halted, note, run_cycles, settle, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.etcd.address import Cluster
    from state.etcd_store import EtcdStore

pytestmark = pytest.mark.usefixtures("patient")
BODY = b'"%s"' % (b"x" * 1_100_000)


@pytest.fixture
def opened() -> Iterator[Callable[[Cluster, Path], EtcdStore]]:
    stores: list[EtcdStore] = []

    def with_home(cluster: Cluster, home: Path) -> EtcdStore:
        stores.append(etcd_store(cluster, home=HostJournal(home, now_ns=lambda: NOW_NS)))
        return stores[-1]

    yield with_home
    for each in stores:
        each.close()


def kinds(home: Path) -> list[str]:
    """Prove journal and mirror; return what the lines are."""
    found = read_only_generation(home / "state")
    verify_chain(home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
    assert verify_cycles(home / "journal").is_complete
    return [line.kind for line in read_lines(home / "journal")]


def test_two_hosts_have_the_same_lines_each_in_a_chain_of_its_own(
    etcd: Server, tmp_path: Path, opened: Callable[[Cluster, Path], EtcdStore]
) -> None:
    cluster = etcd.cluster(tmp_path.name)
    one = opened(cluster, tmp_path / "one")
    other = opened(cluster, tmp_path / "other")
    started(one)
    run_cycles(one, 3)
    other.read()
    other.transact(halted, note("command"))
    one.transact(deciding(), note("decide"))
    one.transact(settle, note("settle"))
    other.keep_up()
    expected = ["genesis", "seize", *["decide", "settle"] * 3, "command", "decide", "settle"]
    assert kinds(tmp_path / "one") == kinds(tmp_path / "other") == expected
    one_lines, others = (list(read_lines(tmp_path / each / "journal")) for each in ("one", "other"))
    assert [each.result for each in one_lines] == [each.result for each in others]
    assert one_lines[3].inputs == others[3].inputs != b"null"


def test_a_large_record_is_followed_and_mirrored_whole(
    etcd: Server, tmp_path: Path, opened: Callable[[Cluster, Path], EtcdStore]
) -> None:
    cluster = etcd.cluster(tmp_path.name)
    store = started(opened(cluster, tmp_path / "one"))
    store.transact(deciding(body=BODY), note("decide"))
    other = opened(cluster, tmp_path / "other")
    assert bytes(other.read().body) == BODY
    assert kinds(tmp_path / "other") == ["genesis", "seize", "decide"]


def test_a_commit_whose_answer_was_lost_is_followed_too(
    etcd: Server, tmp_path: Path, opened: Callable[[Cluster, Path], EtcdStore]
) -> None:
    proxy = Proxy(etcd.port)
    store = opened(etcd.cluster(tmp_path.name, ports=[proxy.port]), tmp_path / "one")
    started(store)
    proxy.faults = [Fault.ANSWER_LOST]
    store.transact(deciding(effect()), note("decide"))
    store.transact(settle, note("settle"))
    store.keep_up()
    assert kinds(tmp_path / "one") == ["genesis", "seize", "decide", "settle"]
    proxy.close()


def test_a_home_that_cannot_follow_costs_no_commit_and_says_so(
    etcd: Server, tmp_path: Path
) -> None:
    """A full disk is the host's matter; the record is elsewhere."""
    told: list[str] = []
    home = HostJournal(tmp_path / "one", now_ns=lambda: NOW_NS)
    cluster = etcd.cluster(tmp_path.name)
    store = etcd_store(cluster, home=home, on_trouble=told.append)
    started(store)
    journal = tmp_path / "one" / "journal"
    journal.rename(tmp_path / "aside")
    run_cycles(store)
    assert told
    with pytest.raises(WriteFailed, match="cannot write"):
        store.keep_up()
    (tmp_path / "aside").rename(journal)
    store.keep_up()
    assert kinds(tmp_path / "one") == ["genesis", "seize", "decide", "settle"]
    store.close()


def test_an_etcd_out_of_reach_leaves_the_mirror_as_it_was(own_etcd: Server, tmp_path: Path) -> None:
    own_etcd.start()
    home = HostJournal(tmp_path / "one", now_ns=lambda: NOW_NS)
    store = etcd_store(own_etcd.cluster(), home=home)
    started(store)
    before = read_only_generation(tmp_path / "one" / "state")
    own_etcd.stop()
    with pytest.raises(OutOfReach):
        store.read()
    assert read_only_generation(tmp_path / "one" / "state") == before
    store.close()


def check_cycles(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Check the cycles of the home below a place, as an operator of its project does."""
    return subprocess.run(
        [sys.executable, "-m", "foresight", "cycles", "--check", *words],
        cwd=place,
        env=environment() | {"XDG_STATE_HOME": str(place)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_a_late_host_does_not_prove_another_one_does(
    etcd: Server,
    tmp_path: Path,
    opened: Callable[[Cluster, Path], EtcdStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plans, "LINES_KEPT", 36)
    cluster = etcd.cluster(tmp_path.name)
    one = opened(cluster, tmp_path / "one")
    run_cycles(started(one, 60), 6)
    one.keep_up()
    run_cycles(one, 13)
    late = opened(cluster, tmp_path / "foresight" / APP)
    late.keep_up()
    state = f"etcd://127.0.0.1:{etcd.port}/{tmp_path.name}"
    config = f'[engine]\napp = "{APP}"\nstate = "{state}"\n'
    (tmp_path / "foresight.toml").write_text(config, encoding="utf-8")
    alone = check_cycles(tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert "cycles up to 64 are not proven here" in alone.stdout
    together = check_cycles(tmp_path, "--all-hosts")
    assert together.returncode == 0, together.stderr
    assert "other hosts prove them" in together.stdout
    raw(cluster, wire.delete(*plans.Keys(cluster.prefix).journals))
    late.keep_up()
    nobody = check_cycles(tmp_path, "--all-hosts")
    assert nobody.returncode == ExitCode.FAILED
    assert "cycles 0 to 64 are proven by no host; no other host is known" in nobody.stderr
