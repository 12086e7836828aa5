"""How an application's types become stored JSON, and how stored JSON changes shape.

Owns the schema of a body, of inputs, and of effect and receipt payloads: type, version,
fingerprint, and the named steps between versions. What the fields mean is the
application's matter; where the bytes live is a store's.

A step works on plain JSON values (dicts, lists), never on a type: the type of an old
version is gone from the code by then. Steps run in fixed order, one version at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from state.errors import SchemaMismatch, ValueUnstorable
from state.record import SchemaId
from state.seal import digest_of

T = TypeVar("T")
Step = Callable[[Any], Any]

NEWER = "it is newer than this code"  # what is stored: nothing leads back from it
_ABSENT = object()  # no JSON value, so that a missing member differs from null
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Schema(Generic[T]):
    """A type that is stored, its version, and the way to and from its neighbours.

    Args:
        name: Stable name of the schema, e.g. `"news.body"`.
        version: Version of the shape, from 1; rises with every change of shape.
        kind: The type; anything msgspec can encode and decode.
        initial: Makes the first value; defaults to `kind` without arguments.
        up: For a version v, the step from v to v + 1.
        down: For a version v, the step from v to v - 1.
    """

    def __init__(
        self,
        name: str,
        version: int,
        kind: type[T],
        *,
        initial: Callable[[], T] | None = None,
        up: Mapping[int, Step] | None = None,
        down: Mapping[int, Step] | None = None,
    ) -> None:
        """Keep the parts; compute the fingerprint once."""
        assert version >= 1, "schema versions count from 1"
        self.kind = kind
        self.initial: Callable[[], T] = initial or kind
        self.up = dict(up or {})
        self.down = dict(down or {})
        self.schema_id = SchemaId(name=name, version=version, fingerprint=fingerprint(kind))

    def encode(self, value: T) -> msgspec.Raw:
        """Return the value as JSON with a fixed order of keys.

        Raises:
            ValueUnstorable: A number in it is not finite.
        """
        return self._encoded(value)

    def decode(self, data: bytes | msgspec.Raw, stored: SchemaId | None) -> T:
        """Return the stored value, brought up to this version.

        Args:
            data: The stored JSON.
            stored: The schema it was stored with; None means nothing is stored yet.

        Raises:
            SchemaMismatch: It is newer than this code, or a step up is missing or fails.
        """
        if stored is None:
            return self.initial()
        known = self.schema_id
        if stored.name != known.name:
            raise self._mismatch(stored.version, f"it is of schema {stored.name}")
        if stored.version > known.version:
            raise self._mismatch(stored.version, NEWER)
        try:
            if stored.version == known.version:
                return msgspec.json.decode(data, type=self.kind)
            value = msgspec.json.decode(data)
            for version in range(stored.version, known.version):
                value = self._step(self.up, version, "up", stored.version)(value)
            return msgspec.convert(value, type=self.kind)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._mismatch(stored.version, f"{type(error).__name__}: {error}") from error

    def encode_down(self, value: T, target: SchemaId) -> msgspec.Raw:
        """Return the value as JSON in the shape of an older version.

        Raises:
            SchemaMismatch: A step down is missing or fails.
            ValueUnstorable: A number in it is not finite.
        """
        data = self.encode(value)
        if target.version == self.schema_id.version:
            return data
        if target.version > self.schema_id.version or target.name != self.schema_id.name:
            raise self._mismatch(target.version, "no step leads there from here")
        plain = msgspec.json.decode(data)
        try:
            for version in range(self.schema_id.version, target.version, -1):
                plain = self._step(self.down, version, "down", target.version)(plain)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._mismatch(target.version, f"{type(error).__name__}: {error}") from error
        return self._encoded(plain)

    def require_way_back(self, data: bytes | msgspec.Raw, stored: SchemaId) -> None:
        """Check that a stored value goes up to this version and comes down again unchanged.

        Raises:
            SchemaMismatch: A step is missing or fails, or the two together change something.
            ValueUnstorable: A number in it is not finite.
        """
        down = self.encode_down(self.decode(data, stored), stored)
        changed = changed_path(msgspec.json.decode(data), msgspec.json.decode(down))
        if changed:
            raise self._mismatch(stored.version, f"up and down again changes {changed}")

    def _encoded(self, value: object) -> msgspec.Raw:
        data = _ordered(value)
        # msgspec writes NaN and infinity as null; a body must not change meaning silently.
        if b"null" in data:
            require_finite(value, self.schema_id.name)
        return msgspec.Raw(data)

    def _step(self, steps: Mapping[int, Step], version: int, way: str, other: int) -> Step:
        if version not in steps:
            raise self._mismatch(other, f"there is no step {way} from version {version}")
        return steps[version]

    def _mismatch(self, found: int, reason: str) -> SchemaMismatch:
        known = self.schema_id
        return SchemaMismatch(known.name, found=found, known=known.version, reason=reason)


def changed_path(before: object, after: object, path: str = "") -> str:
    """Return the path of the first member in which two JSON values differ, or an empty string."""
    if isinstance(before, dict) and isinstance(after, dict):
        members = [(key, before.get(key, _ABSENT), after.get(key, _ABSENT)) for key in before]
        members += [(key, _ABSENT, after[key]) for key in after if key not in before]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        members = [
            (str(index), old, new)
            for index, (old, new) in enumerate(zip(before, after, strict=True))
        ]
    else:
        return "" if before == after else path or "all of it"
    names = (changed_path(old, new, f"{path}.{key}".lstrip(".")) for key, old, new in members)
    return next((name for name in names if name), "")


def fingerprint(kind: object) -> str:
    """Return a digest of a type's shape: its JSON schema with sorted keys, 16 characters."""
    shape = msgspec.json.schema(kind)
    return digest_of(json.dumps(shape, sort_keys=True, default=str).encode())[:16]


def _ordered(value: object) -> bytes:
    try:
        return _ENCODER.encode(value)
    except TypeError:
        # The encoder orders text keys only; numbers and dates become text first.
        return _ENCODER.encode(msgspec.to_builtins(value, str_keys=True))


def require_finite(value: object, name: str) -> None:
    """Refuse a value with a number that JSON has no word for.

    Args:
        value: What is to be stored; anything that msgspec writes.
        name: What it is, for the error.

    Raises:
        ValueUnstorable: One is NaN or infinite.
    """
    try:
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_without_raw)
        json.dumps(plain, allow_nan=False)
    except ValueError as error:
        message = f"{name}: {error}"
        raise ValueUnstorable(message) from error


def _without_raw(value: object) -> None:
    """Leave raw JSON out: it has no word for such a number."""
    if not isinstance(value, msgspec.Raw):
        raise NotImplementedError
