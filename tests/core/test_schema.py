"""Stored JSON changes shape one named step at a time, up and down, or not at all."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import msgspec
import pytest

from state.errors import SchemaMismatch, ValueUnstorable
from state.record import SchemaId
from state.schema import Schema, changed_path, fingerprint, require_finite


class V3(msgspec.Struct):
    name: str = "none"
    count: int = 0
    ratio: float | None = None


def up_1(value: dict[str, Any]) -> dict[str, Any]:
    return {"name": value["title"]}


def up_2(value: dict[str, Any]) -> dict[str, Any]:
    return value | {"count": 1}


def down_3(value: dict[str, Any]) -> dict[str, Any]:
    return {"name": value["name"]}


def down_2(value: dict[str, Any]) -> dict[str, Any]:
    return {"title": value["name"]}


SCHEMA = Schema("body", 3, V3, up={1: up_1, 2: up_2}, down={3: down_3, 2: down_2})


def stored(version: int, name: str = "body") -> SchemaId:
    return SchemaId(name=name, version=version, fingerprint="")


def test_nothing_stored_is_the_first_value() -> None:
    assert SCHEMA.decode(b"", None) == V3()
    assert Schema("body", 1, V3, initial=lambda: V3(name="made")).decode(b"", None).name == "made"


def test_a_value_of_this_version_is_read_as_it_is() -> None:
    assert SCHEMA.decode(SCHEMA.encode(V3(name="x")), SCHEMA.schema_id) == V3(name="x")


@pytest.mark.parametrize(
    ("version", "data"), [(1, b'{"title":"x"}'), (2, b'{"name":"x","extra":1}')]
)
def test_an_older_value_is_brought_up_step_by_step(version: int, data: bytes) -> None:
    assert SCHEMA.decode(data, stored(version)) == V3(name="x", count=1)


@pytest.mark.parametrize(
    ("version", "expected"),
    [(3, {"name": "x", "count": 2, "ratio": 0.5}), (2, {"name": "x"}), (1, {"title": "x"})],
)
def test_a_value_is_brought_down_for_an_older_release(
    version: int, expected: dict[str, Any]
) -> None:
    data = SCHEMA.encode_down(V3(name="x", count=2, ratio=0.5), stored(version))
    assert msgspec.json.decode(data) == expected


@pytest.mark.parametrize(
    ("data", "schema_id", "reason"),
    [
        (b"{}", stored(4), "newer than this code"),
        (b"{}", stored(3, "other"), "of schema other"),
        (b"{}", stored(0), "no step up from version 0"),
        (b"{}", stored(1), "KeyError"),
        (b"[]", stored(2), "TypeError"),
        (b'{"name":7}', stored(3), "ValidationError"),
        (b"nothing", stored(3), "DecodeError"),
        (b"nothing", stored(2), "DecodeError"),
    ],
)
def test_what_cannot_be_brought_up_is_refused_and_not_guessed_by_its_shape(
    data: bytes, schema_id: SchemaId, reason: str
) -> None:
    with pytest.raises(SchemaMismatch, match=reason):
        SCHEMA.decode(data, schema_id)


def failing(_: object) -> object:
    word = "missing"
    raise KeyError(word)


@pytest.mark.parametrize(
    ("schema", "target", "reason"),
    [
        (SCHEMA, stored(4), "no step leads there"),
        (SCHEMA, stored(1, "other"), "no step leads there"),
        (SCHEMA, stored(0), "no step down from version 1"),
        (Schema("body", 3, V3, down={3: failing}), stored(2), "KeyError"),
    ],
)
def test_what_cannot_be_brought_down_is_refused(
    schema: Schema[V3], target: SchemaId, reason: str
) -> None:
    with pytest.raises(SchemaMismatch, match=reason):
        schema.encode_down(V3(), target)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_refused(number: float) -> None:
    """msgspec would write null: the body would change its meaning without a word."""
    with pytest.raises(ValueUnstorable):
        SCHEMA.encode(V3(ratio=number))


def test_a_step_down_may_not_bring_in_such_a_number_either() -> None:
    schema = Schema("body", 2, V3, down={2: lambda _: {"ratio": math.nan}})
    with pytest.raises(ValueUnstorable):
        schema.encode_down(V3(), stored(1))


def test_a_real_null_is_stored() -> None:
    assert bytes(SCHEMA.encode(V3(ratio=None))) == b'{"name":"none","count":0,"ratio":null}'


def test_the_same_value_is_always_the_same_bytes() -> None:
    schema = Schema("table", 1, dict[str, int])
    assert schema.encode({"b": 1, "a": 2}) == schema.encode({"a": 2, "b": 1})


def test_types_that_are_no_json_are_stored_as_msgspec_stores_them() -> None:
    schema = Schema("when", 1, dict[dt.date, None])
    value = {dt.date(2026, 11, 22): None}
    assert schema.decode(schema.encode(value), schema.schema_id) == value


def test_a_fingerprint_changes_with_the_shape_and_not_with_the_run() -> None:
    class Other(msgspec.Struct):
        name: str = "none"
        count: int = 1

    assert fingerprint(V3) == SCHEMA.schema_id.fingerprint
    assert fingerprint(V3) != fingerprint(Other)
    assert len(fingerprint(V3)) == 16


def test_keys_that_are_numbers_are_stored_in_one_order() -> None:
    """Two owners that decided alike would otherwise write two digests."""
    schema = Schema("table", 1, dict[int, str])
    assert bytes(schema.encode({2: "b", 1: "a"})) == b'{"1":"a","2":"b"}'
    assert schema.decode(schema.encode({2: "b"}), schema.schema_id) == {2: "b"}


def test_json_inside_of_a_value_has_no_word_for_such_a_number_and_is_let_be() -> None:
    require_finite({"raw": msgspec.Raw(b'{"ratio":null}')}, "payload")
    with pytest.raises(ValueUnstorable, match="payload: "):
        require_finite({"raw": msgspec.Raw(b"null"), "ratio": math.nan}, "payload")


def test_what_nobody_can_write_is_not_taken_for_json() -> None:
    with pytest.raises(NotImplementedError):
        require_finite({"what": object()}, "payload")


def test_a_fingerprint_is_the_one_that_is_stored_already() -> None:
    """Another digest of the same shape would refuse every body that there is."""

    class Kept(msgspec.Struct):
        zone: str
        amount: int = 0

    assert fingerprint(Kept) == "64bb7b21559311aa"


def test_versions_count_from_one() -> None:
    with pytest.raises(AssertionError):
        Schema("body", 0, V3)


def test_a_value_that_comes_down_again_as_it_was_has_a_way_back() -> None:
    data = b'{"title":"x"}'
    SCHEMA.require_way_back(data, stored(1))
    assert bytes(SCHEMA.encode_down(SCHEMA.decode(data, stored(1)), stored(1))) == data


def test_a_member_that_is_lost_on_the_way_is_named() -> None:
    with pytest.raises(SchemaMismatch, match="up and down again changes extra"):
        SCHEMA.require_way_back(b'{"name":"x","extra":1}', stored(2))


def test_a_way_back_without_its_steps_is_no_way() -> None:
    one_way = Schema("body", 3, V3, up={1: up_1, 2: up_2})
    with pytest.raises(SchemaMismatch, match="there is no step down from version 3"):
        one_way.require_way_back(b'{"title":"x"}', stored(1))


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, ""),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "a.1.b"),
        ({"a": 1}, {"a": 1, "b": None}, "b"),
        ({"a": 1, "b": None}, {"a": 1}, "b"),
        ([1], [1, 2], "all of it"),
        ({"a": []}, {"a": {}}, "a"),
    ],
)
def test_the_first_difference_of_two_documents_has_a_path(
    before: object, after: object, path: str
) -> None:
    assert changed_path(before, after) == path
