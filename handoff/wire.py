"""Messages between launcher, workers and clients: one JSON object per line.

Owns framing and the message names; what they lead to is decided elsewhere. Standard
library only. Peers may run different engine versions, so every hello carries `WIRE`, and
members that a peer does not know are ignored.
"""

from __future__ import annotations

import enum
import json

from handoff.errors import WireBroken
from handoff.light_typing import Any, Final
from handoff.limits import WIRE_LINE_BYTES_MAX

WIRE: Final = 1  # version of this protocol; a peer refuses a larger one

Message = dict[str, Any]


class Kind(enum.StrEnum):
    """Names of messages; the sender is in the comment."""

    # worker -> launcher, and from there to every subscriber
    HELLO = "hello"  # the worker's identity; its code runs
    GATE = "gate"  # one gate's verdict
    READY = "ready"  # warm, every gate passed
    TOOK = "took"  # it owns, and from which cycle
    SEIZED = "seized"  # it owns after the death or silence of another
    DUE = "due"  # the clock was set, or is waited for: when the next cycle is overdue now
    SETTLED = "settled"  # a cycle is final; when the next is overdue
    MISSED = "missed"  # a cycle was given up
    YIELDING = "yielding"  # a busy owner steps aside for a moment
    LOST = "lost"  # it owns no more
    LEAVING = "leaving"  # it exits, and why
    # launcher -> worker
    GO = "go"  # the candidate is approved, with its bake
    RETURN = "return"  # the previous owner shall take back
    DRAIN = "drain"  # finish what is in hand, leave
    WAITING = "waiting"  # a candidate waits for a gap
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
            WireBroken: A line is too long, or is not an object with a kind.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > WIRE_LINE_BYTES_MAX:
            text = f"a line exceeds {WIRE_LINE_BYTES_MAX} bytes"
            raise WireBroken(text)
        return [decode(line) for line in lines if line]


def decode(line: bytes) -> Message:
    """Return the message in a line.

    Raises:
        WireBroken: It is not a JSON object with a kind.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        text = f"not JSON: {line[:80]!r}"
        raise WireBroken(text) from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        text = f"no kind in {line[:80]!r}"
        raise WireBroken(text)
    return message
