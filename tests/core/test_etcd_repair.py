"""An etcd put back from a copy: refused by whoever saw more, and brought forward by all."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from state.archive import StateNewer, export_state, restore_state
from state.errors import EtcdOlder, HomeUnsuitable, RecordMissing, Refused
from state.etcd import keys as plans
from state.etcd import wire
from state.etcd.put_back import RepairRefused
from state.etcd_repair import KIND, Back, Repaired
from state.journal_reader import read_lines, unproven_cycles
from state.local_store import read_only_generation
from state.record import Fate
from state.sighting import NAME, Sighting, read_seen, write_seen
from state.transitions import Proof
from tests.elsewhere import Elsewhere
from tests.etcd_model import ModelEtcd
from tests.faulty_files import FaultyFiles
from tests.records import (
    APP,
    NOW_NS,
    A,
    B,
    decide,
    deciding,
    effect,
    note,
    run_cycles,
    seize,
    settle,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.etcd_store import EtcdStore
    from state.record import Record

KEYS = plans.Keys("app")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    found = Elsewhere(tmp_path)
    monkeypatch.setattr("state.etcd.session.Client", lambda _: found)
    yield found
    for each in found.opened:
        each.close()


@pytest.fixture
def owner(elsewhere: Elsewhere) -> EtcdStore:
    """The store of A on `host`; two cycles ran."""
    store = elsewhere.store("host")
    started(store)
    run_cycles(store, 2)
    store.keep_up()
    return store


def put_back_after(elsewhere: Elsewhere, owner: EtcdStore, cycles: int = 3) -> Record:
    """Let the owner go on and forget it; return the newest record that there was."""
    kept = elsewhere.keep()
    run_cycles(owner, cycles)
    owner.keep_up()
    record = owner.read()
    elsewhere.etcd = kept
    return record


# --- refused ---------------------------------------------------------------------------


def test_what_a_home_has_seen_outlasts_its_workers(elsewhere: Elsewhere, owner: EtcdStore) -> None:
    """Whoever is started after it was put back has seen nothing of it but in the home."""
    put_back_after(elsewhere, owner)
    with pytest.raises(EtcdOlder, match=r"at revision .* was seen"):
        elsewhere.store("host").read()


def test_a_line_that_others_have_written_over_is_missed_at_any_revision(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    put_back_after(elsewhere, owner)
    elsewhere.etcd.revision += 100
    with pytest.raises(EtcdOlder, match="newest line of this host"):
        elsewhere.store("host").read()
    assert "decide" in elsewhere.prove("host")


def test_an_etcd_without_the_record_is_an_older_one_for_who_followed_it(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    del owner
    elsewhere.etcd = ModelEtcd()
    elsewhere.etcd.revision = 1000
    with pytest.raises(EtcdOlder, match="has no record, and this host followed one to cycle 12"):
        elsewhere.store("host").read()
    with pytest.raises(RecordMissing):
        elsewhere.store("new").read()


def test_a_running_owner_decides_nothing_once_it_was_put_back(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    before = put_back_after(elsewhere, owner)
    with pytest.raises(EtcdOlder):
        owner.transact(deciding(), note("decide"))
    assert read_only_generation(elsewhere.home("host") / "state").record == before


def test_what_was_seen_is_never_less_than_before_and_is_read_only_whole(tmp_path: Path) -> None:
    files = FaultyFiles()
    home = write_seen(files, tmp_path, Sighting(1, 7)).home
    for sighting in (Sighting(0, 99), Sighting(1, 3)):
        assert write_seen(files, tmp_path, sighting).sighting == Sighting(1, 7)
    assert write_seen(files, tmp_path, Sighting(2, 1)).home == home
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole.replace(b'"revision":1', b'"revision":0'))
    with pytest.raises(HomeUnsuitable, match="not what was written"):
        read_seen(tmp_path)


# --- brought forward -------------------------------------------------------------------


def test_one_host_brings_it_forward_to_its_newest_line_under_a_new_epoch(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    before = put_back_after(elsewhere, owner)
    done = elsewhere.repair("host")
    assert (done.cycle, done.epoch, done.carried) == (15, before.ownership.epoch + 1, 6)
    store = elsewhere.store("host")
    record = store.read()
    assert record.ownership.owner is None
    assert (record.progress, record.body) == (before.progress, before.body)
    store.transact(lambda found: seize(found, A, proof=Proof.NONE), note("seize"))
    run_cycles(store, 2)
    store.keep_up()
    assert elsewhere.prove("host") == [
        "genesis",
        "seize",
        *["decide", "settle"] * 5,
        KIND,
        "seize",
        *["decide", "settle"] * 2,
    ]


def test_effects_that_were_forgotten_are_asked_about_and_sent_by_nobody(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    kept = elsewhere.keep()
    owner.transact(deciding(effect("order-13")), note("decide"))
    elsewhere.etcd = kept
    elsewhere.repair("host")
    (pending,) = elsewhere.store("host").read().outbox
    assert (pending.effect_id, pending.fate, pending.unproven) == ("order-13", Fate.DOUBTFUL, True)


def test_an_owner_of_the_time_before_is_fenced_although_it_was_repaired(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    """It was paused through all of it: its store knows neither of the copy nor of the repair."""
    put_back_after(elsewhere, owner)
    elsewhere.repair("host")
    elsewhere.etcd.revision += 100
    with pytest.raises(Refused):
        owner.transact(lambda record: decide(record, worker=A, epoch=1), note("decide"))


def test_a_repair_waits_for_every_host_and_is_done_where_the_journal_goes_furthest(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    elsewhere.follow("second")
    put_back_after(elsewhere, owner)
    with pytest.raises(RepairRefused, match="not heard: second") as refused:
        elsewhere.repair("host")
    assert [row.words().partition(":")[0][:4] for row in refused.value.rows] == ["host", "seco"]
    assert "--without" in refused.value.hint
    with pytest.raises(RepairRefused, match=r"journal of host .* goes furthest: cycle 15 settled"):
        elsewhere.repair("second")
    assert elsewhere.repair("host").was_older
    elsewhere.follow("second")
    assert elsewhere.prove("second")[-1] == KIND
    assert unproven_cycles(elsewhere.home("second") / "journal") == ()
    assert not elsewhere.repair("second").was_older, "there is nothing left to do"


def test_an_owner_that_holds_a_lease_is_repaired_under_by_nobody(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    """A launcher was forgotten: what it decides meanwhile would be decided from the copy."""
    put_back_after(elsewhere, owner)
    bound = wire.put(KEYS.owner, b"{}", lease=elsewhere.etcd.grant())
    elsewhere.etcd.apply(wire.Transaction(success=(bound,)))
    with pytest.raises(RepairRefused, match="worker a on host holds a lease") as refused:
        elsewhere.repair("host")
    assert "ends within seconds" in refused.value.hint
    elsewhere.etcd.apply(wire.Transaction(success=(wire.delete(KEYS.owner),)))
    assert elsewhere.repair("host").was_older


def test_a_host_that_owned_after_the_copy_was_made_is_known_by_the_journals_of_others(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    kept = elsewhere.keep()
    second = elsewhere.store("second")
    there = replace(B, host="second")
    second.transact(lambda record: seize(record, there), note("seize"))
    run_cycles(second, 1)
    second.keep_up()
    owner.keep_up()
    elsewhere.etcd = kept
    with pytest.raises(RepairRefused, match="not heard: second"):
        elsewhere.repair("host")


def test_a_lost_host_is_named_and_may_come_back_as_one_that_comes_late(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    elsewhere.follow("second")
    kept = elsewhere.keep()
    run_cycles(owner, 1)
    elsewhere.follow("second")
    run_cycles(owner, 1)
    owner.keep_up()
    elsewhere.etcd = kept
    with pytest.raises(RepairRefused, match="names no host"):
        elsewhere.repair("second", "third")
    with pytest.raises(RepairRefused, match="not heard: host"):
        elsewhere.repair("second")
    assert elsewhere.repair("second", "host").cycle == 13
    line = list(read_lines(elsewhere.home("second") / "journal"))[-1]
    assert line.evidence["without"] == "host"
    with pytest.raises(EtcdOlder, match="newest line of this host"):
        elsewhere.store("host").read()
    with pytest.raises(RepairRefused, match="not heard: second"):
        elsewhere.repair("host")
    done = elsewhere.repair("host", "host")
    assert done.kept
    assert not done.was_older
    elsewhere.follow("host")
    assert elsewhere.prove("host")[0] in {"genesis", "segment"}


def test_two_histories_are_one_too_many(elsewhere: Elsewhere, owner: EtcdStore) -> None:
    """Somebody who had seen less went on from the copy: what it did is nobody's to forget."""
    elsewhere.follow("second")
    put_back_after(elsewhere, owner)
    second = elsewhere.store("second")
    there = replace(B, host="second")
    second.transact(lambda record: seize(record, there), note("seize"))
    run_cycles(second, 1)
    second.keep_up()
    assert not elsewhere.repair("second").was_older, "it knows of nothing else, and was heard"
    with pytest.raises(RepairRefused, match="another history") as refused:
        elsewhere.repair("host")
    assert "--without" in refused.value.hint
    with pytest.raises(RepairRefused, match="goes furthest"):
        elsewhere.repair("second")
    done = elsewhere.repair("host", "second")
    assert (done.cycle, done.epoch) == (15, 3)
    assert elsewhere.prove("host")[-1] == KIND


@pytest.mark.parametrize("revision", [1, 10_000])
def test_an_etcd_that_lost_everything_is_filled_again(
    elsewhere: Elsewhere, owner: EtcdStore, revision: int
) -> None:
    elsewhere.follow("second")
    run_cycles(owner, 2)
    owner.keep_up()
    elsewhere.etcd = ModelEtcd()
    elsewhere.etcd.revision = revision
    with pytest.raises(RepairRefused):
        elsewhere.repair("second")
    assert elsewhere.repair("host").cycle == 14
    for host in ("second", "third"):
        elsewhere.follow(host)
    assert elsewhere.prove("second")[-1] == KIND
    assert elsewhere.prove("third") == ["segment"], "it comes late, as after any other hole"


def test_wherever_a_repair_dies_nothing_is_begun_and_the_next_one_does_it(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    put_back_after(elsewhere, owner, 1)
    kept, elsewhere.sent = elsewhere.keep(), 0
    aside = {
        path: path.read_bytes() for path in elsewhere.home("host").rglob("*") if path.is_file()
    }
    elsewhere.repair("host")
    sent = elsewhere.sent
    assert sent > 8
    for at in range(1, sent + 1):
        for path, data in aside.items():
            path.write_bytes(data)
        elsewhere.etcd, elsewhere.sent, elsewhere.die_at = copy.deepcopy(kept), 0, at
        with pytest.raises(KeyboardInterrupt):
            elsewhere.repair("host")
        elsewhere.die_at = 0
        assert elsewhere.repair("host").epoch == 2
        assert elsewhere.prove("host")[-1] == KIND
        repairs = msgspec.json.decode(elsewhere.etcd.kept[KEYS.repairs].value, type=plans.Repairs)
        assert repairs.count == 1


def test_a_copy_from_before_a_repair_is_an_older_one_too(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    put_back_after(elsewhere, owner)
    kept = elsewhere.keep()
    elsewhere.repair("host")
    elsewhere.etcd = kept
    elsewhere.etcd.revision += 1000
    with pytest.raises(EtcdOlder, match="knows of 0 repairs, and 1 were seen"):
        elsewhere.store("host").read()
    assert elsewhere.repair("host").was_older


def test_what_a_newer_engine_says_of_repairs_is_kept_by_the_next_one(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    put_back_after(elsewhere, owner, cycles=1)
    elsewhere.repair("host")
    said = msgspec.json.decode(elsewhere.etcd.kept[KEYS.repairs].value)
    newer = wire.put(KEYS.repairs, msgspec.json.encode(said | {"novelty": [1]}))
    elsewhere.etcd.apply(wire.Transaction(success=(newer,)))
    store = elsewhere.store("host")
    store.transact(lambda record: seize(record, A), note("seize"))
    put_back_after(elsewhere, store, cycles=1)
    elsewhere.repair("host")
    found = msgspec.json.decode(elsewhere.etcd.kept[KEYS.repairs].value)
    assert (found["count"], found["novelty"]) == (2, [1])


def test_a_large_line_is_carried_in_chunks(elsewhere: Elsewhere, owner: EtcdStore) -> None:
    kept = elsewhere.keep()
    body = b'"%s"' % (b"x" * 1_300_000)
    owner.transact(deciding(body=body), note("decide"))
    owner.transact(settle, note("settle"))
    elsewhere.etcd = kept
    elsewhere.repair("host")
    elsewhere.follow("new")
    assert bytes(elsewhere.store("new").read().body) == body


# --- brought back ----------------------------------------------------------------------


def bring_back(elsewhere: Elsewhere, host: str, file: Path, *without: str, force: bool) -> Repaired:
    """Restore an archive on a host, as its command does."""
    home = elsewhere.home(host)
    elsewhere.asked(host, *without).require_others_heard()
    above = read_only_generation(home / "state").record.ownership.epoch
    now_ns = NOW_NS + elsewhere.sent * 1_000_000  # it names where what is replaced is kept
    restore_state(home, file, app=APP, force=force, now_ns=now_ns, mirrored=True)
    back = Back(above=above, force=force)
    return elsewhere.asked(host, *without, back=back).run(f"restore-{host}")


def test_a_copy_is_brought_back_into_an_etcd_by_the_same_step(
    elsewhere: Elsewhere, owner: EtcdStore
) -> None:
    copied = elsewhere.place / "copy.tar"
    export_state(elsewhere.home("host"), copied, now_ns=NOW_NS)
    assert not (elsewhere.home("host") / "state" / "record.json").exists()
    run_cycles(owner, 1)
    elsewhere.follow("second")
    run_cycles(owner, 1)
    owner.keep_up()
    with pytest.raises(RepairRefused, match="not heard: second"):
        bring_back(elsewhere, "host", copied, force=True)
    assert elsewhere.prove("host")[-1] == "settle", "nothing was replaced before all were heard"
    elsewhere.repair("second")
    with pytest.raises(StateNewer, match="the archive at cycle 12"):
        bring_back(elsewhere, "host", copied, force=False)
    with pytest.raises(RepairRefused, match=r"second .* tells another history"):
        bring_back(elsewhere, "host", copied, force=True)
    done = bring_back(elsewhere, "host", copied, "second", force=True)
    assert (done.cycle, done.epoch, done.carried) == (12, 2, 0)
    assert elsewhere.prove("host") == ["genesis", "seize", *["decide", "settle"] * 2, KIND]
    assert read_only_generation(elsewhere.home("host") / "state").record.ownership.owner is None
    with pytest.raises(EtcdOlder):
        elsewhere.store("second").read()


def test_a_copy_fills_an_etcd_that_lost_everything(elsewhere: Elsewhere, owner: EtcdStore) -> None:
    del owner
    copied = elsewhere.place / "copy.tar"
    export_state(elsewhere.home("host"), copied, now_ns=NOW_NS)
    elsewhere.etcd = ModelEtcd()
    assert bring_back(elsewhere, "host", copied, force=False).cycle == 12
    elsewhere.follow("new")
    assert elsewhere.store("new").read().ownership.epoch == 2
