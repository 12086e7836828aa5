"""Messages between launcher, workers and clients: one JSON object per line.

Owns framing, the message names and the types of the members that somebody relies on; what a
message leads to is decided elsewhere. Standard library only. Peers may run different engine
versions, so every hello carries `WIRE`, and kinds and members that a peer does not know are
ignored. What it knows has the right type, or the line is no message: a peer that speaks nonsense
loses its line and nobody else anything.
"""

from __future__ import annotations

import enum
import json
import math

from handoff.errors import WireBroken
from handoff.light_typing import TYPE_CHECKING, Any, Final, NoReturn
from handoff.limits import WIRE_LINE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

WIRE: Final = 1  # version of this protocol; a peer refuses a larger one

Message = dict[str, Any]


class Kind(enum.StrEnum):
    """Names of messages; the sender is in the comment."""

    # worker -> launcher, and from there to every subscriber
    HELLO = "hello"  # the worker's identity; its code runs
    GATE = "gate"  # one gate's verdict
    READY = "ready"  # warm, every gate passed; of a companion, which greets nobody: it serves
    TOOK = "took"  # it owns, and from which cycle
    SEIZED = "seized"  # it owns after the death or silence of another
    DUE = "due"  # the clock was set, or is waited for: when the next cycle is overdue now
    SETTLED = "settled"  # a cycle is final; when the next is overdue
    MISSED = "missed"  # a cycle was given up
    YIELDING = "yielding"  # a busy owner steps aside for a moment
    LOST = "lost"  # it owns no more
    ELSEWHERE = "elsewhere"  # a worker of another host owns, as the record says
    AWAY = "away"  # the record is out of reach, and since when: nothing counts against anybody
    BACK = "back"  # it can be reached again; when an owner is overdue from now on
    LEAVING = "leaving"  # it exits, and why
    # launcher -> worker
    GO = "go"  # the candidate is approved, with its bake
    RETURN = "return"  # the previous owner shall take back
    DRAIN = "drain"  # finish what is in hand, leave
    WAITING = "waiting"  # a candidate waits for a gap
    VOID = "void"  # of an etcd alone: the deploy that approved the candidate is over
    # client -> launcher
    STATUS = "status"
    SUBSCRIBE = "subscribe"
    START_CANDIDATE = "start_candidate"
    STOP_CANDIDATE = "stop_candidate"
    APPROVE = "approve"
    GIVE_BACK = "give_back"
    RUN_JOB = "run_job"
    STOP = "stop"
    # launcher -> client
    REPLY = "reply"
    EXITED = "exited"  # a child of the launcher is gone, and how


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    """It becomes the name of a file."""
    return isinstance(value, str) and 0 < len(value) <= _NAME_MAX and not _UNSAFE & {*value}


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _NUMBER_MAX


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and abs(value) < _NUMBER_MAX)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_NAME_MAX: Final = 200
_UNSAFE: Final = frozenset("/\0")
_NUMBER_MAX: Final = 1 << 63  # beyond it arithmetic with times and pids fails

# The same member has the same type in every message.
_TYPES: Final[dict[str, Callable[[object], bool]]] = {
    **dict.fromkeys(
        ("release", "deploy", "worker", "leaving", "reason", "gate", "how", "role"), _is_text
    ),
    "name": _is_name,
    "passed": _is_truth,
    **dict.fromkeys(("pid", "wire", "start_ticks", "cycle", "epoch"), _is_whole),
    **dict.fromkeys(
        ("bake", "approval", "of", "clean_cycles", "until_ns", "attempts_left"), _is_whole
    ),
    **dict.fromkeys(("boundary_ms", "overdue_boot_ms", "overdue_at_ms", "seconds"), _is_number),
    **dict.fromkeys(("since_ms", "away_ms"), _is_number),
    **dict.fromkeys(("options", "argv"), _are_texts),
}

# What somebody reads without asking whether it is there.
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    Kind.HELLO.value: ("pid", "release"),
    Kind.GATE.value: ("gate", "passed", "reason", "seconds"),
    Kind.TOOK.value: ("release", "cycle", "boundary_ms", "of"),
    Kind.SEIZED.value: ("release", "cycle"),
    Kind.SETTLED.value: ("release", "deploy", "cycle", "clean_cycles", "of"),
    Kind.YIELDING.value: ("until_ns",),
    Kind.LEAVING.value: ("leaving", "reason"),
    Kind.AWAY.value: ("since_ms", "reason"),
    Kind.START_CANDIDATE.value: ("release", "deploy"),
    Kind.STOP_CANDIDATE.value: ("deploy",),
    Kind.APPROVE.value: ("deploy", "bake"),
    Kind.GIVE_BACK.value: ("deploy",),
    Kind.RUN_JOB.value: ("name", "argv"),
    Kind.EXITED.value: ("release", "how"),
}
# What a reply says is the matter of who asked.
_TYPED: Final = frozenset(kind.value for kind in Kind) - {Kind.REPLY.value}


def encode(kind: Kind, **members: Any) -> bytes:  # noqa: ANN401 - JSON members
    """Return one message as a line."""
    return json.dumps({"kind": kind.value, **members}, separators=(",", ":")).encode() + b"\n"


class LineBuffer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        """Start empty."""
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete now.

        Raises:
            WireBroken: A line is too long, or is no message.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > WIRE_LINE_BYTES_MAX:
            text = f"a line exceeds {WIRE_LINE_BYTES_MAX} bytes"
            raise WireBroken(text)
        return [checked(decode(line)) for line in lines if line]


def decode(line: bytes) -> Message:
    """Return the message in a line.

    Raises:
        WireBroken: It is not a JSON object with a kind.
    """
    try:
        message = json.loads(line, parse_constant=_refuse_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        text = f"not JSON: {line[:80]!r}"
        raise WireBroken(text) from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        text = f"no kind in {line[:80]!r}"
        raise WireBroken(text)
    return message


def checked(message: Message) -> Message:
    """Return a message whose members are what they are taken for.

    Raises:
        WireBroken: A member that its kind needs is not there, or one has another type.
    """
    kind = message["kind"]
    if kind not in _TYPED:
        return message
    absent = [name for name in _NEEDED.get(kind, ()) if name not in message]
    wrong = wrong_members(message)
    if absent or wrong:
        text = f"{kind!r} without {absent}" if absent else f"{kind!r} with a wrong type of {wrong}"
        raise WireBroken(text)
    return message


def wrong_members(members: Message) -> list[str]:
    """Return the names of known members that have another type than theirs."""
    return [name for name in members if name in _TYPES and not _TYPES[name](members[name])]


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse_number(digits)
    return value


def _refuse_number(digits: str) -> NoReturn:
    text = f"no number: {digits[:80]}"
    raise ValueError(text)
