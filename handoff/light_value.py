"""Frozen values without `dataclasses`, which would weigh a fifth of the launcher's interpreter.

Owns what the launcher's actions have in common. Unlike a named tuple such a value is equal to its
own kind alone and always true: `Drain("a")` is no `Kill("a")`. Standard library only.
"""

from __future__ import annotations

from handoff.light_typing import TYPE_CHECKING, NoReturn, dataclass_transform, override

if TYPE_CHECKING:
    from typing import ClassVar


@dataclass_transform(frozen_default=True)
class Value:
    """What a subclass annotates are its fields, in that order; what it assigns are defaults."""

    __match_args__: ClassVar[tuple[str, ...]] = ()

    @override
    def __init_subclass__(cls) -> None:
        """Take the fields from the annotations; a field without a default follows none with one."""
        fields = tuple(cls.__annotations__)
        given = tuple(name for name in fields if hasattr(cls, name))
        assert given == fields[len(fields) - len(given) :], "defaults come last"
        cls.__match_args__ = fields  # type: ignore[misc]  # a checker of types has made its own

    def __init__(self, *values: object, **named: object) -> None:
        """Take the fields in their order or by name.

        Raises:
            TypeError: A field is missing, given twice or unknown.
        """
        kind, fields = type(self), self.__match_args__
        found = {name: getattr(kind, name) for name in fields if hasattr(kind, name)}
        found |= zip(fields, values, strict=False)
        found |= named
        given_twice = not named.keys().isdisjoint(fields[: len(values)])
        if given_twice or len(values) > len(fields) or found.keys() != set(fields):
            message = f"{kind.__name__} has the fields {fields}, not {values} and {named}"
            raise TypeError(message)
        self.__dict__.update(found)

    @override
    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: it is frozen."""
        raise AttributeError(name)

    @override
    def __delattr__(self, name: str) -> NoReturn:
        """Refuse: it is frozen."""
        raise AttributeError(name)

    @override
    def __eq__(self, other: object) -> bool:
        """Tell whether the other is of this very type and has equal fields."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    @override
    def __hash__(self) -> int:
        """Return what equal values have in common."""
        return hash((type(self), *(getattr(self, name) for name in self.__match_args__)))

    @override
    def __repr__(self) -> str:
        """Return the call that makes this value."""
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({', '.join(fields)})"
