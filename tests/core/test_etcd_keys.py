"""Which commit an etcd takes and which it refuses, tried on a model of it.

Each comparison of a transaction has a test in which it alone stands between two owners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from state.commit import Generation, plan_commit, plan_genesis
from state.errors import RecordDamaged, RecordMissing
from state.etcd import account as accounts
from state.etcd import commits, wire
from state.etcd import keys as plans
from tests.etcd_model import KeyMissing, LeaseMissing, ModelEtcd
from tests.records import A, B, decide, effect, empty, halted, note, owned, seize, settle

if TYPE_CHECKING:
    from state.record import Record

KEYS = plans.Keys("app")
OWNED = plans.Owner(epoch=2, worker="b")


def look(etcd: ModelEtcd) -> plans.Seen:
    found = etcd.apply(wire.Transaction(success=KEYS.reading())).found()
    stored = found.get(KEYS.record)
    if stored is None:
        return plans.seen_of(KEYS, found, None)
    keys = plans.chunks_of(KEYS, stored.value)
    data = b"".join(etcd.kept[key].value for key in keys) if keys else stored.value
    return plans.seen_of(KEYS, found, data)


def begun(record: Record | None = None) -> ModelEtcd:
    etcd = ModelEtcd()
    commit = plan_genesis(record or owned(), now_ns=1)
    assert etcd.apply(
        commits.genesis_transaction(KEYS, commits.written(KEYS, commit, number=1))
    ).succeeded
    return etcd


def new_of(seen: plans.Seen, record: Record, kind: str = "command") -> commits.Written:
    before = Generation(seen.record, seen.digest)
    commit = plan_commit(before, record, note(kind), now_ns=1)
    return commits.written(KEYS, commit, number=seen.number + 1)


def commit_of(seen: plans.Seen, record: Record, kind: str = "command") -> wire.Transaction:
    return commits.commit_transaction(KEYS, seen, new_of(seen, record, kind))


def test_a_commit_writes_record_head_counter_and_line_together() -> None:
    etcd = begun()
    seen = look(etcd)
    record = decide(seen.record, effect())
    new = new_of(seen, record, "decide")
    answer = etcd.apply(commits.commit_transaction(KEYS, seen, new))
    after = look(etcd)
    assert after == commits.landed(seen, new, None, revision=answer.header.revision)
    assert (after.record, after.number) == (record, 2)
    line = plans.line_of(etcd.kept[KEYS.line(2)].value)
    assert (line.seq, line.kind, line.chain, line.parent) == (2, "decide", "", seen.digest)
    assert (line.result, line.attempt) == (after.digest, "decide-11")


def test_of_two_first_records_one_stays() -> None:
    etcd = begun()
    new = commits.written(KEYS, plan_genesis(empty(99), now_ns=2), number=1)
    answer = etcd.apply(commits.genesis_transaction(KEYS, new))
    assert not answer.succeeded
    assert not commits.is_commit(answer.found()[KEYS.line(1)], new)
    assert look(etcd).record == owned()


def test_of_two_commits_from_one_record_the_second_is_refused_and_reads_the_first() -> None:
    etcd = begun()
    seen = look(etcd)
    new = new_of(seen, decide(seen.record), "decide")
    assert etcd.apply(commit_of(seen, halted(seen.record))).succeeded
    answer = etcd.apply(commits.commit_transaction(KEYS, seen, new))
    assert not answer.succeeded
    found = answer.found()
    assert not commits.is_commit(found[KEYS.line(2)], new)
    assert plans.seen_of(KEYS, found, found[KEYS.record].value) == look(etcd)


def test_a_commit_that_is_delivered_twice_happens_once_and_finds_itself() -> None:
    etcd = begun()
    seen = look(etcd)
    new = new_of(seen, decide(seen.record), "decide")
    transaction = commits.commit_transaction(KEYS, seen, new)
    assert etcd.apply(transaction).succeeded
    answer = etcd.apply(transaction)
    assert not answer.succeeded
    assert commits.is_commit(answer.found()[KEYS.line(2)], new)
    assert not commits.is_commit(None, new)


def test_a_commit_from_before_a_snapshot_was_put_back_is_refused_at_an_equal_revision() -> None:
    """The revision says nothing then, and epoch and progress are those of before."""
    etcd = begun()
    snapshot, seen = etcd.snapshot(), look(etcd)
    etcd.apply(commit_of(seen, decide(seen.record), "decide"))
    before = look(etcd)
    under_way = commit_of(before, settle(before.record), "settle")
    snapshot.apply(commit_of(look(snapshot), halted(look(snapshot).record)))
    assert look(snapshot).revision == before.revision
    assert not snapshot.apply(under_way).succeeded
    assert look(snapshot).record.control.halted


def test_a_commit_is_refused_once_its_record_was_written_although_the_head_is_the_same() -> None:
    """An attempt that comes again, of somebody who names his own, must not hide what he did."""
    etcd = begun()
    seen = look(etcd)
    under_way = commit_of(seen, decide(seen.record), "decide")
    again = replace(halted(seen.record), attempt=seen.record.attempt)
    assert etcd.apply(commit_of(seen, again)).succeeded
    assert look(etcd).head == seen.head
    assert not etcd.apply(under_way).succeeded


def test_the_owner_is_bound_in_the_write_that_makes_it_owner() -> None:
    etcd = begun()
    lease, seen = etcd.grant(), look(etcd)
    new = new_of(seen, seize(seen.record, B), "seize")
    binding = commits.Binding(lease=lease, owner=OWNED)
    assert etcd.apply(commits.commit_transaction(KEYS, seen, new, binding=binding)).succeeded
    assert etcd.kept[KEYS.owner].lease == lease
    assert look(etcd).is_owner_bound
    assert commits.landed(seen, new, binding, revision=9).is_owner_bound
    seen = look(etcd)
    nobody = commits.Binding()
    new = new_of(seen, seize(seen.record, A), "seize")
    assert etcd.apply(commits.commit_transaction(KEYS, seen, new, binding=nobody)).succeeded
    assert not look(etcd).is_owner_bound


def test_who_saw_no_key_of_the_owner_is_refused_once_there_is_one() -> None:
    etcd = begun()
    lease, seen = etcd.grant(), look(etcd)
    new = new_of(seen, seize(seen.record, B), "seize")
    seizing = commits.commit_transaction(
        KEYS, seen, new, binding=commits.Binding(lease=lease, owner=OWNED)
    )
    etcd.apply(wire.Transaction(success=(wire.put(KEYS.owner, b"a", lease=etcd.grant()),)))
    assert not etcd.apply(seizing).succeeded


def bound_anew(etcd: ModelEtcd, seen: plans.Seen) -> wire.TransactionAnswer:
    return etcd.apply(commits.binding_transaction(KEYS, seen, OWNED, lease=etcd.grant()))


def test_an_owner_binds_its_key_anew_only_where_nobody_wrote_or_bound() -> None:
    etcd = begun()
    seen = look(etcd)
    rival = etcd.snapshot()
    assert bound_anew(etcd, seen).succeeded
    assert not bound_anew(etcd, seen).succeeded
    assert look(etcd).record == seen.record
    assert rival.apply(commit_of(seen, halted(seen.record))).succeeded
    assert not bound_anew(rival, seen).succeeded


def test_a_key_goes_with_no_lease_that_is_gone() -> None:
    etcd = begun()
    seen, lease = look(etcd), etcd.grant()
    etcd.revoke(lease)
    with pytest.raises(LeaseMissing):
        etcd.apply(commits.binding_transaction(KEYS, seen, OWNED, lease=lease))


def large(record: Record) -> Record:
    body = b'"%s"' % (b"x" * (commits.TOGETHER_BYTES_MAX + 9))
    return replace(halted(record), body=Raw(body))


def sent_ahead(etcd: ModelEtcd, new: commits.Written) -> int:
    lease = etcd.grant()
    for key, part in new.chunks.items():
        etcd.apply(wire.Transaction(success=(wire.put(key, part, lease=lease),)))
    return lease


def test_chunks_stay_once_a_commit_took_them_and_go_once_another_one_did() -> None:
    etcd = begun()
    seen = look(etcd)
    new = new_of(seen, large(seen.record))
    assert len(new.record.chunks) == 2
    assert len(new.line.chunks) == 2
    ahead = sent_ahead(etcd, new)
    assert etcd.apply(commits.commit_transaction(KEYS, seen, new)).succeeded
    etcd.revoke(ahead)
    assert look(etcd).record == new.commit.generation.record
    stored = etcd.kept[KEYS.line(2)].value
    mark = plans.mark_of(stored)
    assert (mark.attempt, mark.result) == ("halt", new.commit.generation.digest)
    line = b"".join(etcd.kept[key].value for key in plans.chunks_of(KEYS, stored))
    assert plans.line_of(line).kind == "command"
    seen, lease = look(etcd), etcd.grant()
    small = new_of(seen, owned())
    assert small.chunks == {}
    assert etcd.apply(commits.commit_transaction(KEYS, seen, small, lease=lease)).succeeded
    assert all(etcd.kept[key].lease == lease for key in seen.chunks)


def test_a_commit_whose_chunks_went_meanwhile_changes_nothing() -> None:
    etcd = begun()
    seen = look(etcd)
    new = new_of(seen, large(seen.record))
    etcd.revoke(sent_ahead(etcd, new))
    with pytest.raises(KeyMissing):
        etcd.apply(commits.commit_transaction(KEYS, seen, new))
    assert look(etcd) == seen


def test_a_first_record_may_be_a_large_one() -> None:
    etcd = ModelEtcd()
    new = commits.written(KEYS, plan_genesis(large(owned()), now_ns=1), number=1)
    ahead = sent_ahead(etcd, new)
    assert etcd.apply(commits.genesis_transaction(KEYS, new)).succeeded
    etcd.revoke(ahead)
    assert look(etcd).record == large(owned())


def test_lines_and_their_chunks_go_after_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "LINES_KEPT", 2)
    monkeypatch.setattr(commits, "CHUNK_LINES_KEPT", 3)
    etcd = begun()
    for _ in range(6):
        seen = look(etcd)
        new = new_of(
            seen, large(seen.record) if seen.number == 1 else replace(owned(), attempt="x")
        )
        sent_ahead(etcd, new)
        spare = etcd.grant()
        assert etcd.apply(commits.commit_transaction(KEYS, seen, new, lease=spare)).succeeded
        lines = [number for number in range(1, 9) if KEYS.line(number) in etcd.kept]
        assert lines == [number for number in (new.number - 1, new.number) if number]
        has_chunks = any(b"/chunks/" in key for key in etcd.kept)
        assert has_chunks == (2 <= new.number <= 5)


def test_what_is_no_record_of_its_commit_is_damaged_or_missing() -> None:
    with pytest.raises(RecordMissing):
        look(ModelEtcd())
    for key, value in (
        (KEYS.head, msgspec.json.encode(plans.Head(epoch=1, attempt="else"))),
        (KEYS.head, msgspec.json.encode(plans.Head(epoch=9, attempt="seize-a"))),
        (KEYS.record, b'{"digest":"0"}'),
    ):
        etcd = begun()
        etcd.apply(wire.Transaction(success=(wire.put(key, value),)))
        with pytest.raises(RecordDamaged):
            look(etcd)
    for key in (KEYS.head, KEYS.counter):
        etcd = begun()
        etcd.apply(wire.Transaction(success=(wire.delete(key),)))
        with pytest.raises(RecordDamaged, match="is gone"):
            look(etcd)


def test_a_head_that_a_newer_release_wrote_is_compared_as_it_stands() -> None:
    """It may say more than this one knows; what is not understood is not written anew."""
    etcd = begun()
    wider = b'{"epoch":1,"attempt":"seize-a","shard":3}'
    etcd.apply(wire.Transaction(success=(wire.put(KEYS.head, wider),)))
    seen = look(etcd)
    assert etcd.apply(commit_of(seen, halted(seen.record))).succeeded


def test_requests_and_answers_are_those_of_the_gateway() -> None:
    transaction = wire.Transaction(
        compare=(wire.at_revision(b"k", 0), wire.of_value(b"k", b"v")),
        success=(wire.put(b"k", b"v", lease=7), wire.releasing(b"k"), wire.delete(b"a", b"b")),
    )
    assert msgspec.json.decode(wire.encode(transaction)) == {
        "compare": [
            {"key": "aw==", "target": "MOD", "mod_revision": 0},
            {"key": "aw==", "target": "VALUE", "value": "dg=="},
        ],
        "success": [
            {"request_put": {"key": "aw==", "value": "dg==", "lease": 7}},
            {"request_put": {"key": "aw==", "ignore_value": True}},
            {"request_delete_range": {"key": "YQ==", "range_end": "Yg=="}},
        ],
        "failure": [],
    }
    data = b'{"result":{"header":{},"events":[{"kv":{"key":"aw==","mod_revision":"5"}}]}}'
    (event,) = wire.decode(data, wire.WatchAnswer).result.events
    assert (event.kv.key, event.kv.mod_revision) == (b"k", 5)
    assert wire.decode(b'{"result":{"ID":"77"}}', wire.KeepAliveAnswer).result.TTL == 0


def test_of_two_accounts_over_one_record_the_second_never_comes_to_own() -> None:
    """Also where it read before the first one's account stood there."""
    etcd = begun(empty())
    late = look(etcd)
    seized = new_of(late, seize(late.record, A), "seize")
    mine = commits.Binding()

    def claiming(account: bytes) -> wire.Transaction:
        claim = accounts.claim(KEYS.account, late.account, account)
        return commits.commit_transaction(KEYS, late, seized, binding=mine, claim=claim)

    etcd.apply(wire.Transaction(success=(wire.put(KEYS.account, b"one"),)))
    assert not etcd.apply(claiming(b"other")).succeeded
    late = look(etcd)
    assert (late.account, accounts.is_another(late.account, b"other")) == (b"one", True)
    assert not etcd.apply(claiming(b"other")).succeeded
    assert not accounts.is_another(b"one", b"one")
    assert etcd.apply(claiming(b"one")).succeeded


def test_an_account_is_written_with_the_first_record_and_by_who_owns_where_it_was_forgotten() -> (
    None
):
    etcd = ModelEtcd()
    new = commits.written(KEYS, plan_genesis(owned(), now_ns=1), number=1)
    claim = accounts.claim(KEYS.account, None, b"one")
    assert etcd.apply(commits.genesis_transaction(KEYS, new, claim)).succeeded
    assert look(etcd).account == b"one"
    etcd.apply(wire.Transaction(success=(wire.put(KEYS.owner, b"a"),)))
    forgetting = accounts.forgetting(KEYS.account, KEYS.owner)
    assert not etcd.apply(forgetting).succeeded, "somebody owns"
    etcd.apply(wire.Transaction(success=(wire.delete(KEYS.owner),)))
    assert etcd.apply(forgetting).succeeded
    seen = look(etcd)
    assert (seen.account, accounts.is_another(None, b"other")) == (None, False)
    new = new_of(seen, seize(seen.record, B), "seize")
    claim = accounts.claim(KEYS.account, None, b"other")
    answer = etcd.apply(commits.commit_transaction(KEYS, seen, new, binding=None, claim=claim))
    after = look(etcd)
    revision = answer.header.revision
    assert after == commits.landed(seen, new, None, revision=revision, account=b"other")
