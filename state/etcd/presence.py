"""What a worker says of itself and its host to all others: a few bytes, about once a second.

Owns their shape and their limits. What another host says is input of a stranger: a word that is
too long is cut, what would steer a terminal is replaced, and what makes no sense is left out.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from state.hosts_seen import Role

VALUE_BYTES_MAX: Final = 2_048
NAME_CHARS_MAX: Final = 64  # of a host, a release, a worker; host names have 64 on Linux
WHY_CHARS_MAX: Final = 200
MARK_CHARS: Final = 8
_NUMBER_MAX: Final = 2**53  # what JSON holds exactly
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
_CUT: Final = "…"


class Present(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker says of itself and its host.

    Attributes:
        worker: Its name.
        host: Name of its host.
        mark: Tells hosts of one name apart, and two homes of one host: see `mark_of`.
        release: Its release, which is ready there.
        role: A `Role`, or a word of a newer version.
        why: Why it is no standby, or left.
        line: Number of the newest line of the record that its journal has; 0 for none.
        at_ms: Its wall clock as it said so, milliseconds since 1970 UTC.
        before_ms: The same of the last time that it said so and etcd answered; 0 for never.
        took_ms: How long that answer took.
    """

    worker: str
    host: str = ""
    mark: str = ""
    release: str = ""
    role: str = Role.NOT_STANDBY.value
    why: str = ""
    line: int = 0
    at_ms: float = 0.0
    before_ms: float = 0.0
    took_ms: float = 0.0


def mark_of(*facts: str) -> str:
    """Return a host's mark, from what differs between hosts, or between homes of one."""
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()[:MARK_CHARS]


def encode_present(present: Present) -> bytes:
    """Return what is written of a worker: as `cleaned`, so that nobody refuses it."""
    return msgspec.json.encode(cleaned(present))


def decode_present(value: bytes) -> Present | None:
    """Return what a worker said; None where it makes no sense."""
    if len(value) > VALUE_BYTES_MAX:
        return None
    try:
        said = msgspec.json.decode(value, type=Present)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    numbers = (said.line, said.at_ms, said.before_ms, said.took_ms)
    return cleaned(said) if all(0 <= each < _NUMBER_MAX for each in numbers) else None


def cleaned(present: Present) -> Present:
    """Return what was said, as it may be shown: of a limited length, with nothing that steers."""
    role, why = _role(present.role), present.why
    if role is None:
        role, why = Role.NOT_STANDBY, f"it says that it is {present.role!r}; a newer version?"
    return msgspec.structs.replace(
        present,
        worker=shown(present.worker, NAME_CHARS_MAX),
        host=shown(present.host, NAME_CHARS_MAX),
        mark=shown(present.mark, MARK_CHARS),
        release=shown(present.release, NAME_CHARS_MAX),
        role=role.value,
        why=shown(why, WHY_CHARS_MAX),
    )


def shown(text: str, chars_max: int) -> str:
    """Return a text as one line of a limited length, without characters that steer a terminal."""
    printable = "".join(
        each if each.isprintable() else " " if each.isspace() else _REPLACED for each in text
    )
    return printable if len(printable) <= chars_max else printable[: chars_max - 1] + _CUT


def _role(word: str) -> Role | None:
    return next((each for each in Role if each.value == word), None)
