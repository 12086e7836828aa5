"""Declaring a loop: the one decorator, and what it refuses.

Owns the checks of what a loop says of itself; they all come where the loop is declared, so that a
mistake is seen before anything runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from handoff.cadence import Cadence, Schedule
from handoff.limits import NS
from handoff.loops.errors import LoopFaulty, LoopMisused
from handoff.loops.facts import Envelope
from handoff.loops.functions import parameters_of
from handoff.loops.turn import Act, delivery_of
from handoff.loops.workload import Declared, LoopWorkload
from handoff.workload import Context
from state.record import Delivery, Timeline
from state.schema import Schema, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handoff.workload import Workload

BODY: Final = "loop.state"  # not the function's name: that may change
# A change in place of one of these is none: the loop would forget all it learns.
_UNCHANGING: Final = (bool, bytes, complex, float, frozenset, int, str, tuple, type(None))
NOWHERE: Final = Context(app="", release="", tree="", home="", timeline=Timeline())


class Loop:
    """A declared loop: called with a context it makes the workload of a worker.

    Attributes:
        declared: What it said of itself.
    """

    def __init__(self, declared: Declared) -> None:
        """Keep the declaration."""
        self.declared = declared
        self.__name__ = declared.name
        self.__doc__ = declared.function.__doc__

    def __call__(self, context: Context = NOWHERE) -> Workload[Any, Any]:
        """Return a workload; without a context, one for a simulation."""
        said = self.declared

        class Made(LoopWorkload):
            outside: ClassVar[tuple[type[Exception], ...]] = said.outside
            observe_twice: ClassVar[bool] = said.observe_twice

        return Made(said, context)


def loop(  # noqa: PLR0913 - each is an option of its own, by name
    *,
    every: float,
    state: Any = dict,  # noqa: ANN401 - a type of the user's
    acts: Iterable[Callable[..., Any]] = (),
    outside: Iterable[type[Exception]] | type[Exception] = (),
    version: int = 1,
    up: Step | Mapping[int, Step] | None = None,
    down: Step | Mapping[int, Step] | None = None,
    offset: float = 0,
    budget: float | None = None,
    catch_up: float | None = None,
    delivery: Delivery | str = Delivery.AT_LEAST_ONCE,
    observe_twice: bool = True,
) -> Callable[[Callable[[Any, Any], Any]], Loop]:
    """Make a loop of a function of a cycle and a state.

    Args:
        every: Seconds from one cycle to the next, aligned to UTC; half a second at least.
        state: What the loop remembers: a struct whose fields have defaults, a dict or a list.
        acts: The functions that `cycle.do` may be given, each with a name of its own.
        outside: Exceptions that mean that the world did not answer, beside OSError and
            TimeoutError.
        version: Of the state's shape, from 1; rises with every change of shape.
        up: The step to this version from the one before, on plain JSON; for older ones too, a
            dict from version to the step that leads on from it.
        down: The step from this version to the one before; as a dict, from version to the step
            that leads down from it.
        offset: Seconds by which the cycles begin later than the multiples of `every`.
        budget: Seconds that a healthy cycle may take to read, or to decide; by default half of
            `every`, 10 at most.
        catch_up: A cycle that is this many seconds late is missed; by default none is.
        delivery: What an unknown outcome of an act allows: "at_least_once" or "at_most_once".
        observe_twice: False where reading uses up what is read, as with a queue.

    Raises:
        LoopMisused: One of these cannot work, or the function is not one of a cycle and a state.
    """
    cadence = _cadence(every, offset=offset, budget=budget, catch_up=catch_up)
    body = _schema(state, version, up=up, down=down)
    named = _acts(acts)
    weather = _outside(outside)

    def declare(function: Callable[[Any, Any], Any]) -> Loop:
        _require_loop(function)
        return Loop(
            Declared(
                function=function,
                name=function.__name__,
                cadence=cadence,
                body=body,
                acts=named,
                delivery=_delivery(delivery),
                outside=weather,
                observe_twice=observe_twice,
            )
        )

    return declare


def _cadence(
    every: float, *, offset: float, budget: float | None, catch_up: float | None
) -> Cadence:
    if callable(every):
        message = "@loop has no brackets"
        raise LoopMisused(message, "write @loop(every=60, state=…, acts=[…])")
    try:
        cadence = Cadence(
            period_ns=_nanoseconds(every),
            offset_ns=_nanoseconds(offset),
            budget_ns=None if budget is None else _nanoseconds(budget),
            catch_up_ns=None if catch_up is None else _nanoseconds(catch_up),
        )
        Schedule(cadence, Timeline())
    except (TypeError, ValueError, OverflowError) as error:
        message = f"a loop every {every} s cannot be: {error}"
        hint = "every, offset, budget and catch_up are seconds; every is half a second at least"
        raise LoopMisused(message, hint) from error
    return cadence


def _nanoseconds(seconds: float) -> int:
    if not isinstance(seconds, int | float):
        message = f"{seconds!r} is no number"
        raise TypeError(message)
    return round(seconds * NS)


def _schema(
    state: Any,  # noqa: ANN401 - a type
    version: int,
    *,
    up: Step | Mapping[int, Step] | None,
    down: Step | Mapping[int, Step] | None,
) -> Schema[Envelope[Any]]:
    kind = dict[str, Any] if state is dict else state
    _require_state(state)
    if not isinstance(version, int) or version < 1:
        message = f"version={version!r} is none"
        raise LoopMisused(message, "versions of a state count from 1")
    if (up or down) and version == 1:
        message = "version 1 has none before it to step from"
        raise LoopMisused(message, "raise version when the shape of the state changes")
    try:
        return Schema(
            BODY,
            version,
            Envelope[kind],  # type: ignore[valid-type] # made here
            initial=lambda: Envelope(state=state()),
            up=_steps(up, version - 1),
            down=_steps(down, version),
        )
    except (TypeError, NameError) as error:
        message = f"state={_named(state)} cannot be stored ({error})"
        raise LoopMisused(message, "its fields are of what JSON has words for") from error


def _require_state(state: Any) -> None:  # noqa: ANN401 - whatever was given
    if not isinstance(state, type):
        message = f"state={state!r} is no type"
        hint = "give a msgspec.Struct whose fields have defaults, dict or list"
        raise LoopMisused(message, hint)
    if issubclass(state, _UNCHANGING):
        message = f"state={_named(state)} cannot be changed in place"
        raise LoopMisused(message, 'keep it in a dict: state["last"] = …')
    config = getattr(state, "__struct_config__", None)
    if config is not None and config.frozen:
        message = f"state={_named(state)} is frozen"
        raise LoopMisused(message, "a loop changes its state in place")
    try:
        state()
    except TypeError as error:
        message = f"state={_named(state)} cannot be made ({error})"
        raise LoopMisused(message, "give each of its fields a default") from error


def _steps(steps: Step | Mapping[int, Step] | None, version: int) -> dict[int, Step]:
    """Return the steps of the state as steps of its envelope."""
    if steps is None:
        return {}
    each = steps if isinstance(steps, Mapping) else {version: steps}
    return {number: _within(step) for number, step in each.items()}


def _within(step: Step) -> Step:
    def of_envelope(plain: Any) -> Any:  # noqa: ANN401 - plain JSON
        return {**plain, "state": step(plain["state"])}

    return of_envelope


def _acts(acts: Iterable[Callable[..., Any]]) -> dict[str, Act]:
    if callable(acts) or isinstance(acts, str):
        message = f"acts={_named(acts)} is no list"
        raise LoopMisused(message, "write acts=[notify]")
    found: dict[str, Act] = {}
    for function in acts:
        name = getattr(function, "__name__", "")
        if not callable(function) or not name or name == "<lambda>":
            message = f"the act {function!r} has no name"
            hint = "an act is a function with a name: a later version finds it by that"
            raise LoopMisused(message, hint)
        if name in found:
            message = f"two acts are named {name}"
            raise LoopMisused(message, "an act is known by its name in the record")
        found[name] = Act(name, function, takes_payload=_takes_payload(name, function))
    return found


def _takes_payload(name: str, function: Callable[..., Any]) -> bool:
    taken = [each for each in parameters_of(function) if each.kind is not each.VAR_KEYWORD]
    needed = [each for each in taken if each.default is each.empty]
    single = [each for each in needed if each.kind is not each.VAR_POSITIONAL]
    if len(single) > 1 or any(each.kind is each.KEYWORD_ONLY for each in single):
        message = f"the act {name} takes {len(single)} arguments"
        hint = "an act takes one payload: a dict, a list or a struct holds more"
        raise LoopMisused(message, hint)
    return bool(taken)


def _outside(outside: Iterable[type[Exception]] | type[Exception]) -> tuple[type[Exception], ...]:
    given: tuple[Any, ...] = (outside,) if isinstance(outside, type) else tuple(outside)
    for kind in given:
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            message = f"outside has {kind!r}"
            raise LoopMisused(message, "it names exceptions, as in outside=(httpx.HTTPError,)")
        if kind is Exception:
            message = "outside has Exception"
            raise LoopMisused(message, "then no mistake of the loop would be one")
    return given


def _delivery(word: Delivery | str) -> Delivery:
    try:
        return delivery_of(word)
    except LoopFaulty as error:
        raise LoopMisused(str(error), "leave it out for at least once") from error


def _require_loop(function: Callable[[Any, Any], Any]) -> None:
    name = getattr(function, "__name__", repr(function))
    if not inspect.isfunction(function):
        message = f"{name} is no function"
        raise LoopMisused(message, "@loop(...) stands above def or async def")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        message = f"{name} yields"
        raise LoopMisused(message, "a loop's function runs once per cycle, to its end")
    try:
        inspect.signature(function).bind("cycle", "state")
    except TypeError as error:
        message = f"{name} does not take a cycle and a state ({error})"
        raise LoopMisused(message, f"write def {name}(cycle, state)") from error


def _named(kind: object) -> str:
    return str(getattr(kind, "__name__", kind))
