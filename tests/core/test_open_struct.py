"""What a newer release wrote survives a rewrite by an older one."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest

from state import transitions
from state.errors import ValueUnstorable
from state.open_struct import OpenStruct, as_read, decode_open, encode_open
from state.record import Control, Progress, Record


class Leaf(OpenStruct, frozen=True, kw_only=True):
    name: str = ""


class Tree(OpenStruct, frozen=True, kw_only=True):
    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    words: tuple[str, ...] = ()
    maybe: Leaf | None = None
    table: dict[str, int] = {}  # noqa: RUF012 - msgspec copies it
    body: msgspec.Raw = msgspec.Raw(b"null")


class Grown(OpenStruct, frozen=True, kw_only=True):
    """`Leaf` two releases later."""

    LATER: ClassVar = ("colour", "leaf")
    name: str = ""
    colour: str = ""
    leaf: Leaf | None = None


NEWER = b"""{"leaf":{"name":"a","colour":"red"},"leaves":[{"name":"b"},{"name":"c","size":[1, 2]}],
"words":["x"],"maybe":{"name":"d","more":{"deep":null}},"table":{"k":1},"body":{"any": 1.50},
"added":{"since":"v2"}}"""


def test_unknown_members_survive_at_every_depth() -> None:
    tree = decode_open(NEWER, Tree)
    assert tree.leaf.name == "a"
    assert tree.leaves[1].unknown_fields == {"size": msgspec.Raw(b"[1, 2]")}
    assert msgspec.json.decode(encode_open(tree)) == msgspec.json.decode(NEWER)


def test_a_changed_struct_still_carries_what_it_does_not_know() -> None:
    """The rollback that msgspec alone would spoil: the field would be gone for good."""
    tree = decode_open(NEWER, Tree)
    changed = msgspec.structs.replace(
        tree, leaf=msgspec.structs.replace(tree.leaf, name="new"), words=("y", "z")
    )
    written = msgspec.json.decode(encode_open(changed))
    assert written["leaf"] == {"name": "new", "colour": "red"}
    assert written["added"] == {"since": "v2"}


def test_a_command_keeps_what_a_newer_release_lets_an_operator_ask_for() -> None:
    """`resume` typed beside an older release must not withdraw a wish that it cannot know."""
    newer = {"no_new_assets": msgspec.Raw(b"true")}
    before = Control(halted=True, unknown_fields=newer)
    record = Record(app="a", progress=Progress(cycle=1), control=before)
    after = transitions.command(record, control=Control(by="operator"), attempt="c")
    assert after.control == Control(by="operator", unknown_fields=newer)


def test_a_later_member_is_written_only_where_it_says_something() -> None:
    """An older release, which does not know it, would write the document without it."""
    assert encode_open(Grown(name="a")) == encode_open(Leaf(name="a")) == b'{"name":"a"}'
    full = encode_open(Grown(name="a", colour="red", leaf=Leaf()))
    assert full == b'{"name":"a","colour":"red","leaf":{"name":""}}'


def test_releases_that_know_different_members_write_the_same_bytes() -> None:
    """What one does not know it writes last, so that is where the other has to declare it."""
    full = encode_open(Grown(name="a", colour="red", leaf=Leaf(name="b")))
    assert encode_open(decode_open(full, Leaf)) == full
    renamed = msgspec.structs.replace(decode_open(full, Leaf), name="c")
    again = msgspec.structs.replace(decode_open(full, Grown), name="c")
    assert encode_open(renamed) == encode_open(again)


def test_raw_json_is_carried_byte_for_byte() -> None:
    assert b'"body":{"any": 1.50}' in encode_open(decode_open(NEWER, Tree))


def test_missing_members_get_their_defaults() -> None:
    assert decode_open(b'{"leaf":{}}', Tree) == Tree()


@pytest.mark.parametrize("data", [b"", b"[]", b'{"leaf":1}', b'{"leaf":{}', b"\xff"])
def test_what_has_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_open(data, Tree)


def test_a_struct_is_read_as_it_was_written() -> None:
    tree = Tree(leaf=Leaf(name="a"), words=("x",), body=msgspec.Raw(b' {"a": 1}\n'))
    found = as_read(tree)
    assert found == msgspec.structs.replace(tree, body=msgspec.Raw(b'{"a": 1}'))


@pytest.mark.parametrize(
    "wrong",
    [{"leaf": None}, {"words": ["x", 7]}, {"maybe": float("nan")}, {"body": b"{}"}, {"table": {1}}],
    ids=str,
)
def test_a_struct_that_nobody_could_read_is_refused_before_it_is_written(
    wrong: dict[str, object],
) -> None:
    """Python lets every member be anything; a document with such a member is lost for good."""
    with pytest.raises(ValueUnstorable):
        as_read(msgspec.structs.replace(Tree(), **wrong))
