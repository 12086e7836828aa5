"""The messages of etcd's JSON gateway that a store needs: requests and answers as values.

Owns their shapes, as etcd 3.4 has them under `/v3`. The gateway writes keys and values in base64
and 64-bit numbers as text; msgspec does both. What is asked for is the matter of `keys`, how it
travels that of `client`.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

TXN: Final = "/v3/kv/txn"
RANGE: Final = "/v3/kv/range"
COMPACT: Final = "/v3/kv/compaction"
WATCH: Final = "/v3/watch"
GRANT: Final = "/v3/lease/grant"
KEEP_ALIVE: Final = "/v3/lease/keepalive"
REVOKE: Final = "/v3/lease/revoke"
LOG_IN: Final = "/v3/auth/authenticate"
STATUS: Final = "/v3/maintenance/status"
ALARM: Final = "/v3/maintenance/alarm"

STEPS_MAX: Final = 128  # of one transaction, unless the server is told otherwise

# Codes of gRPC that the gateway passes on.
NOT_FOUND: Final = 5
EXHAUSTED: Final = 8
UNAUTHENTICATED: Final = 16
# After these nobody knows whether the request was carried out: a leader that lost its majority
# answers with one of them although the transaction may yet be committed.
UNCLEAR: Final = frozenset({1, 2, 4, 13, 14})

AnswerT = TypeVar("AnswerT")


class Compare(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a transaction requires of one key; revision 0 stands for a key that is absent."""

    key: bytes
    target: str
    result: str = ""  # "EQUAL" where it is left out
    mod_revision: int | None = None
    create_revision: int | None = None
    value: bytes | None = None


class Put(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Write one key.

    Attributes:
        key: The key.
        value: What to write.
        lease: The key goes with this lease; 0 for none.
        ignore_value: Keep the value that is there and change the lease alone; the transaction
            fails where there is none.
    """

    key: bytes
    value: bytes = b""
    lease: int = 0
    ignore_value: bool = False


class Range(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Read or delete one key, or all from `key` up to but without `range_end`.

    Attributes:
        key: The first key.
        range_end: The first one that is not meant.
        limit: So many at most are read, the first ones; 0 for all.
    """

    key: bytes
    range_end: bytes = b""
    limit: int = 0


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a transaction: exactly one of the three."""

    request_put: Put | None = None
    request_range: Range | None = None
    request_delete_range: Range | None = None


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """All of `success` if every comparison holds, otherwise all of `failure`."""

    compare: tuple[Compare, ...] = ()
    success: tuple[Operation, ...] = ()
    failure: tuple[Operation, ...] = ()


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What comes with each answer; the cluster is a number that etcd makes of its first members."""

    cluster_id: int = 0
    revision: int = 0


class KeyValue(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored."""

    key: bytes
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    lease: int = 0


class RangeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that a range found, in order."""

    kvs: tuple[KeyValue, ...] = ()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one step."""

    response_range: RangeAnswer | None = None


class TransactionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Which side of a transaction was carried out, and what its reads found."""

    header: Header = Header()
    succeeded: bool = False
    responses: tuple[Response, ...] = ()

    def found(self) -> dict[bytes, KeyValue]:
        """Return every key that was read."""
        ranges = (each.response_range for each in self.responses)
        return {kv.key: kv for answer in ranges if answer is not None for kv in answer.kvs}


class LeaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A lease; without a time to live it is gone, though the answer's status is 200."""

    ID: int = 0
    TTL: int = 0


class KeepAliveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A lease's renewal."""

    result: LeaseAnswer = LeaseAnswer()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a watched key."""

    kv: KeyValue


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch tells at a time."""

    header: Header = Header()
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    events: tuple[Event, ...] = ()


class WatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a watch's stream."""

    result: Watched = Watched()


class LoggedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A token that stands for name and password, until it expires."""

    token: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why etcd did not do what it was asked."""

    code: int = 0
    message: str = ""


def put(key: bytes, value: bytes, *, lease: int = 0) -> Operation:
    """Return the step that writes a key, with the lease that it goes with."""
    return Operation(request_put=Put(key=key, value=value, lease=lease))


def releasing(key: bytes, *, lease: int = 0) -> Operation:
    """Return the step that gives a key that is there to another lease, or to none."""
    return Operation(request_put=Put(key=key, ignore_value=True, lease=lease))


def get(key: bytes, range_end: bytes = b"", *, limit: int = 0) -> Operation:
    """Return the step that reads a key or a range, or the first keys of one."""
    return Operation(request_range=Range(key=key, range_end=range_end, limit=limit))


def delete(key: bytes, range_end: bytes = b"") -> Operation:
    """Return the step that deletes a key or a range."""
    return Operation(request_delete_range=Range(key=key, range_end=range_end))


def at_revision(key: bytes, revision: int) -> Compare:
    """Require that a key was last written at a revision; 0 requires that it is absent."""
    return Compare(key=key, target="MOD", mod_revision=revision)


def of_value(key: bytes, value: bytes) -> Compare:
    """Require that a key has a value."""
    return Compare(key=key, target="VALUE", value=value)


def created_at(key: bytes, revision: int) -> Compare:
    """Require that a key was made at a revision, whatever was written since; 0 as above."""
    return Compare(key=key, target="CREATE", create_revision=revision)


def is_there(key: bytes) -> Compare:
    """Require that a key is there, whatever it says."""
    return Compare(key=key, target="CREATE", result="GREATER", create_revision=0)


def encode(request: object) -> bytes:
    """Return a request's body."""
    return msgspec.json.encode(request)


def decode(data: bytes, kind: type[AnswerT]) -> AnswerT:
    """Return an answer as a value.

    Raises:
        msgspec.DecodeError: It is none of that kind.
    """
    return msgspec.json.decode(data, type=kind, strict=False)
