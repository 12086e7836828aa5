"""The stand-ins for `typing` behave as the real ones do, as far as the launcher uses them."""

import subprocess
import sys
import typing

import pytest

from handoff import light_typing

# With `typing` itself, and with the module that stands in for it.
DEFINED = """
class Pair({0}):
    first: int
    second: str = "b"

    @property
    def both(self) -> str:
        return f"{{self.first}}{{self.second}}"

    @classmethod
    def of(cls, text):
        return cls(int(text))
"""


def defined(base: object) -> typing.Any:  # noqa: ANN401 - a class made from text
    names: dict[str, typing.Any] = {"Base": base, "__name__": __name__}
    exec(DEFINED.format("Base"), names)  # noqa: S102 - the text above
    return names["Pair"]


@pytest.mark.parametrize(
    "base", [typing.NamedTuple, light_typing.NamedTuple], ids=["typing", "light"]
)
def test_a_named_tuple_is_what_it_is_with_typing(base: object) -> None:
    pair = defined(base)
    made = pair.of("3")
    assert (made, made.both, made._asdict()) == ((3, "b"), "3b", {"first": 3, "second": "b"})
    assert (made._replace(first=4), pair._fields) == ((4, "b"), ("first", "second"))
    assert repr(pair(1)) == "Pair(first=1, second='b')"
    assert (pair.__qualname__, pair.__module__) == ("Pair", __name__)
    with pytest.raises(TypeError):
        pair(1, "b", 3)


def test_a_cast_and_a_mark_change_nothing() -> None:
    value = object()
    assert light_typing.cast("int", value) is value
    assert light_typing.override(test_defaults_come_last) is test_defaults_come_last


def test_defaults_come_last() -> None:
    text = "class Wrong(Base):\n    first: int = 1\n    second: int\n"
    with pytest.raises(AssertionError, match="defaults come last"):
        exec(text, {"Base": light_typing.NamedTuple, "__name__": __name__})  # noqa: S102 - as above


def test_the_launcher_loads_nothing_heavy() -> None:
    """`typing` alone would be a tenth of an interpreter's memory, for years."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import handoff.launcher.process; print(*sorted({*sys.argv[2:]} & {*sys.modules}))"
    )
    root = light_typing.__file__.rpartition("/handoff/")[0]
    heavy = ("dataclasses", "datetime", "msgspec", "pathlib", "typing")
    command = [sys.executable, "-I", "-S", "-c", code, root, *heavy]
    done = subprocess.run(  # noqa: S603 - this interpreter
        command, check=True, capture_output=True, text=True
    )
    assert done.stdout == "\n"
