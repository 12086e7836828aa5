"""What is stored of a loop: the reads of a cycle, outcomes, and the envelope around its state.

Owns these shapes and how a value becomes JSON. A value that JSON has no word for is refused with
the place in it. Nothing is called or read here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from handoff.loops.errors import LoopFaulty
from state.schema import Schema

if TYPE_CHECKING:
    from state.record import Receipt

StateT = TypeVar("StateT")

DONE_MAX: Final = 4096  # outcomes that no cycle saw yet; the oldest go
NULL: Final = msgspec.Raw(b"null")


class Read(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer, or why there was none.

    Attributes:
        name: Qualified name of the function.
        arguments: Digest of its arguments as JSON; `@n` where they are not: the n-th read.
        alike: How many reads of that name and arguments came before it in the cycle.
        value: What it returned, as JSON; null where it did not answer.
        error: Name of the exception of the outside world; empty where it answered.
        words: That exception's words.
    """

    name: str
    arguments: str
    value: msgspec.Raw  # without a default: a schema cannot name one
    alike: int = 0
    error: str = ""
    words: str = ""

    @property
    def known_by(self) -> tuple[str, str, int]:
        """What tells it from the other reads of its cycle."""
        return (self.name, self.arguments, self.alike)


class Reads(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All input of one cycle.

    Attributes:
        release: Who observed.
        paused: Whether the loop saw that it is paused.
        skipped: Why the function did not run; empty where it did.
        reads: In the order in which the loop asked.
    """

    release: str = ""
    paused: bool = False
    skipped: str = ""
    reads: tuple[Read, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How something that a loop did came out.

    Attributes:
        act: Name of the act.
        id: Of this doing: the loop's key, or the cycle and the place in it.
        outcome: "confirmed"; "expired" (proven never done); "unknown" (nobody will find out).
        result: What the act returned, as plain JSON; None where it returned nothing.
        reason: Why, in words; empty where there is nothing to say.
    """

    act: str
    id: str
    outcome: str
    result: Any = None
    reason: str = ""


class Envelope(msgspec.Struct, Generic[StateT], kw_only=True):
    """The body of a loop: its state, and what the engine keeps for it.

    Attributes:
        state: The loop's own.
        done: Outcomes that came since the last cycle that ran to its end, oldest first.
        forgotten: How many more came than are kept.
        due: For each time of day that was asked for, the newest date on which it was due.
    """

    state: StateT
    done: list[Done] = []
    forgotten: int = 0
    due: dict[str, str] = {}


READS: Final = Schema("loop.reads", 1, Reads)


def done_of(receipt: Receipt) -> Done:
    """Return an outcome as a loop sees it."""
    return Done(
        act=receipt.kind,
        id=receipt.effect_id,
        outcome=receipt.outcome.value,
        result=msgspec.json.decode(receipt.payload),
        reason=receipt.reason,
    )


def kept(envelope: Envelope[StateT], came: list[Done]) -> Envelope[StateT]:
    """Return an envelope after a cycle in which the function did not end.

    Nothing is seen or due by that; the oldest outcomes beyond `DONE_MAX` are counted only.
    """
    done = [*envelope.done, *came]
    gone = max(len(done) - DONE_MAX, 0)
    return Envelope(
        state=envelope.state,
        done=done[gone:],
        forgotten=envelope.forgotten + gone,
        due=envelope.due,
    )


def json_of(value: object, what: str) -> msgspec.Raw:
    """Return a value as JSON.

    Args:
        value: What is to be recorded.
        what: What it is, for the error.

    Raises:
        LoopFaulty: JSON has no word for it; the text names the place in it.
    """
    try:
        data = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        kind = type(value).__name__
        message = f"{what} is a {kind} that is no JSON ({error}): keep what you need of it"
        raise LoopFaulty(message) from error
    # msgspec writes NaN and infinity as null.
    if b"null" in data:
        _require_finite(msgspec.to_builtins(value, str_keys=True), what)
    return msgspec.Raw(data)


def require_text_keys(state: object, path: str = "state") -> None:
    """Refuse a dict that would be another one in the next cycle: JSON makes its keys text.

    Raises:
        LoopFaulty: A key in it is no text; the words name the place.
    """
    if isinstance(state, list | tuple):
        for index, each in enumerate(state):
            require_text_keys(each, f"{path}[{index}]")
    if not isinstance(state, dict):
        return
    for key, each in state.items():
        if not isinstance(key, str):
            message = f"{path} has the key {key!r}, which is text from the next cycle on: use str()"
            raise LoopFaulty(message)
        require_text_keys(each, f"{path}.{key}")


def _require_finite(plain: object, what: str) -> None:
    found = _place_not_finite(plain)
    if found is not None:
        path, number = found
        message = f"{what} has {number} at {path or 'its top'}: JSON has no such number; use None"
        raise LoopFaulty(message)


def _place_not_finite(value: object, path: str = "") -> tuple[str, float] | None:
    if isinstance(value, float) and not math.isfinite(value):
        return path, value
    members: list[tuple[str, object]] = []
    if isinstance(value, dict):
        members = [(f"{path}.{name}".lstrip("."), each) for name, each in value.items()]
    elif isinstance(value, list | tuple):
        members = [(f"{path}[{index}]", each) for index, each in enumerate(value)]
    found = (_place_not_finite(each, where) for where, each in members)
    return next((each for each in found if each is not None), None)
