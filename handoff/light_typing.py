"""Names for types without `typing`, for the one process that carries what it loads for years.

Owns the names that the launcher's modules need; a checker of types sees the real ones. At run
time annotations are text that nobody reads, and `typing` would be a tenth of an interpreter's
memory. Standard library only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Final, NamedTuple, NoReturn, TextIO, cast, dataclass_transform

    from typing_extensions import override
else:
    from collections import namedtuple

    Any = Final = IO = NoReturn = TextIO = object

    def cast(_kind: object, value: object) -> object:
        """Return the value as it is."""
        return value

    def dataclass_transform(**_options: object) -> object:
        """Return what returns a class as it is; it tells a checker of types to read its fields."""
        return lambda kind: kind

    def override(method: object) -> object:
        """Return the method as it is; the real one is a stranger's package."""
        return method

    class _Fields(type):
        """Makes a named tuple of what a class annotates, and keeps its methods."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, object]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = list(namespace.get("__annotations__", ()))
            given = [field for field in fields if field in namespace]
            assert given == fields[len(fields) - len(given) :], "defaults come last"
            defaults = [namespace.pop(field) for field in given]
            made = namedtuple(name, fields, defaults=defaults)  # noqa: PYI024 - it is that one
            for key, value in namespace.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Fields):
        """A class whose annotations are the fields of a tuple, as with `typing.NamedTuple`."""


__all__ = [
    "IO",
    "TYPE_CHECKING",
    "Any",
    "Final",
    "NamedTuple",
    "NoReturn",
    "TextIO",
    "cast",
    "dataclass_transform",
    "override",
]
