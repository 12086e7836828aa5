"""The launcher's frozen values behave as frozen data classes do, as far as it uses them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from handoff.light_value import Value


class Pair(Value):
    first: int
    second: str = "b"


class Twin(Value):
    first: int
    second: str = "b"


@dataclasses.dataclass(frozen=True)
class Model:
    first: int
    second: str = "b"


KINDS: list[Any] = [Pair, Model]


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_made_compared_and_matched_as_a_data_class(kind: Any) -> None:  # noqa: ANN401 - either
    assert kind(1) == kind(first=1) == kind(1, "b") != kind(1, "c")
    assert hash(kind(1)) == hash(kind(1, second="b"))
    assert (kind.__match_args__, kind(2).first, kind(2).second) == (("first", "second"), 2, "b")
    assert repr(kind(1)) == f"{kind.__name__}(first=1, second='b')"
    match kind(3, "z"):
        case kind(first, second):
            assert (first, second) == (3, "z")
        case _:
            pytest.fail("not matched by its own kind")
    assert Twin(1) != kind(1) != (1, "b")


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_frozen(kind: Any) -> None:  # noqa: ANN401 - either
    made = kind(1)
    with pytest.raises(AttributeError):
        made.first = 2
    with pytest.raises(AttributeError):
        del made.first
    assert made == kind(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((1, "b", 3), {}),
        ((1,), {"first": 1}),
        ((1,), {"third": 1}),
        ((), {"second": "b"}),
    ],
    ids=["too few", "too many", "twice", "unknown", "no default"],
)
def test_fields_that_do_not_fit_are_refused(
    kind: Any,  # noqa: ANN401 - either
    values: tuple[object, ...],
    named: dict[str, object],
) -> None:
    with pytest.raises(TypeError):
        kind(*values, **named)


def test_defaults_come_last() -> None:
    text = "class Wrong(Value):\n    first: int = 1\n    second: int\n"
    with pytest.raises(AssertionError, match="defaults come last"):
        exec(text, {"Value": Value, "__name__": __name__})  # noqa: S102 - the text above
