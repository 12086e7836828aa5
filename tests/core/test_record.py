"""The record reads back as it was written, or says why not."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from state import journal_frames
from state import record as record_module
from state.errors import RecordDamaged, RecordForeign
from state.open_struct import OpenStruct
from state.record import (
    FORMAT,
    Cadence,
    Phase,
    Progress,
    Record,
    Timeline,
    body_digest,
    check_identity,
    decode_record,
    encode_record,
    evidence_of,
    header_of,
)
from state.seal import digest_of, seal
from tests.records import APP, A, B, decide, effect, empty, owned, settle, take

FULL = decide(take(settle(decide(owned(), effect("old")))), effect("new"))


def test_a_record_reads_back_as_it_was_written() -> None:
    data, digest = encode_record(FULL)
    assert decode_record(data, where="here") == (FULL, digest)


def test_a_record_starts_with_its_digest_and_its_format() -> None:
    """The format is read before anything else, by whatever release comes."""
    data, digest = encode_record(empty())
    assert data.startswith(b'{"digest":"%s","format":1,"app":' % digest.encode())


def test_fields_of_a_newer_release_survive_every_rewrite() -> None:
    document = msgspec.json.decode(msgspec.json.encode({"format": 1, "app": APP, "progress": {}}))
    document["progress"] = {"cycle": 10, "phase": "settled", "since_v2": [1]}
    document["ownership"] = {"epoch": 3, "region": "eu"}
    document["quota"] = {"orders": 5}
    sealed = seal(msgspec.json.encode(document), field="digest")[0]
    record, _ = decode_record(sealed, where="here")
    record = settle(decide(take(record, B)))
    written = msgspec.json.decode(encode_record(record)[0])
    assert written["quota"] == {"orders": 5}
    assert written["progress"]["since_v2"] == [1]
    assert written["ownership"]["region"] == "eu"


PERSISTED = [
    kind
    for module in (record_module, journal_frames)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, OpenStruct) and kind is not OpenStruct
]


@pytest.mark.parametrize("kind", PERSISTED, ids=lambda kind: kind.__name__)
def test_later_members_stand_last_and_have_a_default(kind: type[OpenStruct]) -> None:
    """Anywhere else an older release, which writes them last, would write other bytes."""
    fields = msgspec.structs.fields(kind)
    assert tuple(field.name for field in fields[len(fields) - len(kind.LATER) :]) == kind.LATER
    assert not any(field.required for field in fields if field.name in kind.LATER)


def test_what_says_nothing_new_reads_as_the_first_release_wrote_it() -> None:
    """The members of 0.2.0, in its order, and no other."""
    written = msgspec.json.decode(encode_record(decide(owned(), effect()))[0])
    assert " ".join(written) == (
        "digest format app timeline attempt ownership progress outbox receipts control rollout"
        " schema fallback body"
    )
    assert list(written["progress"]) == ["cycle", "phase", "release", "missed"]
    assert list(written["outbox"][0])[-2:] == ["cycle", "fate"]
    owner = "worker host boot_id pid_namespace pid start_ticks release"
    assert " ".join(written["ownership"]["owner"]) == owner


def test_what_says_something_new_comes_back() -> None:
    full = replace(
        decide(owned(), effect()),
        ownership=replace(owned().ownership, owner=replace(A, machine="m", lock=7)),
        progress=Progress(cycle=11, phase=Phase.DECIDED, attempts=2),
        outbox=(effect(unproven=True),),
        cadence=Cadence(period_ns=5, offset_ns=1),
    )
    data, digest = encode_record(full)
    assert decode_record(data, where="here") == (full, digest)
    assert data.endswith(b',"cadence":{"period_ns":5,"offset_ns":1}}')


@pytest.mark.parametrize("at", [0, 20, 70, 90, 200, -1])
def test_a_changed_byte_is_damage(at: int) -> None:
    data = bytearray(encode_record(FULL)[0])
    data[at] ^= 1
    with pytest.raises(RecordDamaged, match="here is damaged"):
        decode_record(bytes(data), where="here")


@pytest.mark.parametrize(
    "document",
    [
        b'{"format":1}',
        b'{"format":"one"}',
        b'{"format":1,"app":7,"progress":{"cycle":1}}',
        b'{"format":1,"app":"a","progress":{"cycle":1,"phase":"dreamt"}}',
    ],
)
def test_a_sealed_document_of_another_shape_is_damage(document: bytes) -> None:
    with pytest.raises(RecordDamaged):
        decode_record(seal(document, field="digest")[0], where="here")


def test_a_newer_format_is_refused_whatever_else_changed() -> None:
    document = b'{"format":%d,"app":[],"progress":"elsewhere"}' % (FORMAT + 1)
    with pytest.raises(RecordForeign) as caught:
        decode_record(seal(document, field="digest")[0], where="here")
    assert caught.value.field == "format"


@pytest.mark.parametrize(
    ("field", "record"),
    [
        ("app", replace(empty(), app="other")),
        ("timeline speed", replace(empty(), timeline=Timeline(speed=60))),
        ("timeline origin", replace(empty(), timeline=Timeline(origin_ns=1))),
    ],
)
def test_a_record_of_another_app_or_timeline_is_refused(field: str, record: Record) -> None:
    with pytest.raises(RecordForeign) as caught:
        check_identity(record, app=APP, timeline=Timeline())
    assert caught.value.field == field


def test_ones_own_record_is_accepted() -> None:
    check_identity(empty(), app=APP, timeline=Timeline())


def test_a_header_is_the_record_without_its_bodies() -> None:
    assert FULL.fallback is not None
    header = header_of(FULL)
    assert bytes(header.body) == b"null"
    assert header.fallback is not None
    assert bytes(header.fallback.body) == b"null"
    assert replace(header, body=FULL.body, fallback=FULL.fallback) == FULL
    assert header_of(empty()).fallback is None


def test_the_digest_of_a_body_is_that_of_its_bytes() -> None:
    assert body_digest(FULL) == digest_of(bytes(FULL.body))


def test_evidence_is_owner_epoch_and_progress() -> None:
    seen = evidence_of(FULL)
    assert (seen.epoch, seen.owner, seen.cycle) == (2, B, 12)
    assert seen.phase is FULL.progress.phase
