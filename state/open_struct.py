"""A struct that keeps the fields it does not know.

Owns the round trip of unknown fields: a release that reads a record written by a newer
one writes back what it did not understand (etcd and msgspec both lose such fields by
default: https://github.com/msgspec/msgspec/issues/490). No meaning of any field enters.

Two releases that know different members must write the very same bytes of the same value,
because a record is rebuilt from a journal line only if its digest comes out. What a release does
not know it writes last. So a member that was added later is declared last, named in `LATER`, and
not written while it holds its default: to the older release it is then unknown or not there.
"""

from __future__ import annotations

import enum
import functools
from typing import ClassVar, Final, TypeVar

import msgspec

from state.errors import ValueUnstorable

UNKNOWN = "unknown_fields"
_ALWAYS: Final = object()  # equal to no value: a member of the first release is always written


class OpenStruct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every persisted struct.

    Attributes:
        LATER: Members added after the first release: declared last, in the order in which they
            were added, and not written while they hold their default.
        unknown_fields: Raw JSON of the members that this code has no field for.
    """

    LATER: ClassVar[tuple[str, ...]] = ()
    unknown_fields: dict[str, msgspec.Raw] = {}


StructT = TypeVar("StructT", bound=OpenStruct)


def encode_open(value: OpenStruct) -> bytes:
    """Encode a struct and everything unknown that came with it as JSON."""
    return msgspec.json.encode(_plain(value))


def decode_open(data: bytes | msgspec.Raw, kind: type[StructT]) -> StructT:
    """Decode a struct and keep its unknown members, at every depth.

    Raises:
        msgspec.DecodeError: The data is not JSON of this shape.
    """
    return _with_members(msgspec.json.decode(data, type=kind), data)


def as_read(value: StructT) -> StructT:
    """Return a struct as whoever reads it later has it: made of its own types.

    A struct that is made in Python is checked by nobody. A number with a fraction in the place of a
    whole one, or words that no enumeration has, would be written, and never read again.

    Raises:
        ValueUnstorable: It cannot be written, or not be read, or would be read as something else.
    """
    try:
        found = decode_open(encode_open(value), type(value))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueUnstorable(str(error)) from error
    for name in value.__struct_fields__:
        # What is no number is written as null, and raw JSON that is none as the text of it.
        if _has_changed(getattr(value, name), getattr(found, name)):
            message = f"{name} would be read as {getattr(found, name)!r}"
            raise ValueUnstorable(message)
    return found


def _has_changed(held: object, found: object) -> bool:
    if isinstance(found, enum.Enum):
        return held not in (found, found.value)
    if isinstance(held, msgspec.Raw) and isinstance(found, msgspec.Raw):
        return bytes(held).strip() != bytes(found)
    return held != found


def _plain(value: object) -> object:
    if isinstance(value, OpenStruct):
        known = {
            name: _plain(held)
            for name, default in _known_fields(type(value))
            if (held := getattr(value, name)) != default
        }
        return known | value.unknown_fields if value.unknown_fields else known
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@functools.cache
def _known_fields(kind: type[OpenStruct]) -> tuple[tuple[str, object], ...]:
    """Return each member with the value at which it is not written."""
    defaults = {field.name: _default_of(field) for field in msgspec.structs.fields(kind)}
    return tuple(
        (name, defaults[name] if name in kind.LATER else _ALWAYS)
        for name in kind.__struct_fields__
        if name != UNKNOWN
    )


def _default_of(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _with_members(value: StructT, raw: bytes | msgspec.Raw) -> StructT:
    members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    known = [name for name in value.__struct_fields__ if name in members]
    changes = {name: _with_unknown(getattr(value, name), members.pop(name)) for name in known}
    return msgspec.structs.replace(value, **changes, unknown_fields=members)


def _with_unknown(value: object, raw: msgspec.Raw) -> object:
    if isinstance(value, OpenStruct):
        return _with_members(value, raw)
    if isinstance(value, tuple) and value and isinstance(value[0], OpenStruct):
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
        return tuple(_with_unknown(item, part) for item, part in zip(value, items, strict=True))
    return value
