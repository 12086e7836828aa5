"""What is known of a user's function without calling it: its name, its types, its arguments.

Owns by what a read is known, and into what its recorded answer is decoded.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import typing
from typing import TYPE_CHECKING, Any, Final

import msgspec
import msgspec.inspect

from handoff.loops.errors import LoopFaulty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DIGEST_LENGTH: Final = 16
_PLAIN: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A function to be read, its arguments, and what tells it from the cycle's other reads.

    Attributes:
        function: As the loop gave it.
        arguments: In order.
        known_by: Qualified name, digest of the arguments or their place, how many alike before.
    """

    function: Any
    arguments: tuple[Any, ...]
    known_by: tuple[str, str, int]

    @property
    def name(self) -> str:
        """The function's qualified name."""
        return self.known_by[0]


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's qualified name, that of what a `partial` wraps included."""
    whole = function
    while isinstance(whole, functools.partial):
        whole = whole.func
    return str(getattr(whole, "__qualname__", type(whole).__qualname__))


def digest_of_arguments(function: Callable[..., Any], arguments: Sequence[Any]) -> str:
    """Return 16 characters for arguments that are JSON, or an empty string."""
    bound: list[Any] = []
    whole = function
    while isinstance(whole, functools.partial):
        bound += [list(whole.args), whole.keywords]
        whole = whole.func
    try:
        data = msgspec.json.encode([bound, list(arguments)], order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ""
    return hashlib.sha256(data).hexdigest()[:_DIGEST_LENGTH]


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling a function gives something to await, as far as can be seen."""
    whole = function
    while isinstance(whole, functools.partial):
        whole = whole.func
    called = getattr(type(whole), "__call__", None)  # noqa: B004 - an instance that is called
    return inspect.iscoroutinefunction(whole) or inspect.iscoroutinefunction(called)


def value_of(function: Callable[..., Any], recorded: msgspec.Raw) -> Any:  # noqa: ANN401 - what it returned
    """Return a recorded answer as the loop sees it: of the annotated type, or plain JSON.

    Raises:
        LoopFaulty: It is not what the annotation says.
    """
    decoder = decoder_of(function)
    try:
        return (decoder or _PLAIN).decode(recorded)
    except msgspec.ValidationError as error:
        message = (
            f"{name_of(function)} returned what its annotation does not say: {error}; "
            f"correct the annotation or leave it out"
        )
        raise LoopFaulty(message) from error


def decoder_of(function: Callable[..., Any]) -> msgspec.json.Decoder[Any] | None:
    """Return what decodes into a function's return annotation; None where msgspec cannot."""
    kind = _hints_of(function).get("return", Any)
    return None if kind is Any else _decoder(kind)


def payload_decoder_of(act: Callable[..., Any]) -> msgspec.json.Decoder[Any] | None:
    """Return what decodes into the annotation of an act's argument; None where msgspec cannot."""
    names = [each.name for each in parameters_of(act)]
    kind = _hints_of(act).get(names[0], Any) if names else Any
    return None if kind is Any else _decoder(kind)


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return a function's parameters; none where Python cannot tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _decoder(kind: Any) -> msgspec.json.Decoder[Any] | None:  # noqa: ANN401 - any annotation
    try:
        found = msgspec.json.Decoder(kind)
        return None if _has_class(msgspec.inspect.type_info(kind), set()) else found
    except (TypeError, NameError):
        return None


def _has_class(part: object, seen: set[int]) -> bool:
    """Tell whether a class of somebody's own is in a type, which msgspec takes on trust."""
    if isinstance(part, msgspec.inspect.CustomType):
        return True
    if isinstance(part, tuple):
        return any(_has_class(each, seen) for each in part)
    if not isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field) or id(part) in seen:
        return False
    seen.add(id(part))  # a type may contain itself
    return any(_has_class(getattr(part, name), seen) for name in part.__struct_fields__)


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    whole = function
    while isinstance(whole, functools.partial):
        whole = whole.func
    try:
        return typing.get_type_hints(whole)
    except (TypeError, NameError, AttributeError):
        return {}  # it has none, or they name what is not there when it runs
