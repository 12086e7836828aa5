"""Events, commands and actions are told apart, and mutants exchange those with equal fields."""

from __future__ import annotations

import ast
import itertools
import typing
from typing import Any

import pytest

from handoff.gate_verdict import passed
from tests.mutants import ROOT
from tests.swap_mutants import SITES, SWAP_MUTANTS, UNIONS, alike, field_types, members

# Equal as far as Python goes whatever the type, so that only the kind tells two values apart.
SAMPLES = {
    "str": "1",
    "int": 1,
    "float": 1.0,
    "bool": True,
    "GateVerdict": passed("warm", "1"),
}
MEMBERS = list(members().values())
PAIRS = [
    (one, other)
    for one, other in itertools.combinations(MEMBERS, 2)
    if [SAMPLES[name] for name in field_types(one)]
    == [SAMPLES[name] for name in field_types(other)]
]


def example(kind: type) -> Any:  # noqa: ANN401 - whatever the kind makes
    return kind(*(SAMPLES[name] for name in field_types(kind)))


def produced(text: str) -> set[str]:
    """Return the members that a module makes: calls that are no pattern."""
    tree = ast.parse(text)
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.id for call in calls if isinstance(call, ast.Name) and call.id in members()}


def test_names_are_given_once_over_all_unions() -> None:
    """By its name a member is looked up here."""
    assert len(MEMBERS) == sum(len(typing.get_args(union)) for union in UNIONS)


@pytest.mark.parametrize("kind", MEMBERS)
def test_each_is_equal_to_its_own_kind_alone_and_always_true(kind: type) -> None:
    """A member without fields is no empty thing: `if event` must not drop it."""
    assert example(kind) == example(kind)
    assert hash(example(kind)) == hash(example(kind))
    assert bool(example(kind))
    assert example(kind) != tuple(SAMPLES[name] for name in field_types(kind))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_kinds_are_never_equal_whatever_they_hold(one: type, other: type) -> None:
    """Otherwise no test that compares what is done could fail: a kill passed for a drain."""
    assert example(one) != example(other)
    assert len({example(one), example(other)}) == 2


def test_the_pairs_are_those_that_could_be_mixed_up() -> None:
    """An empty list of pairs would leave the test above without anything to fail on."""
    names = {(one.__name__, other.__name__) for one, other in PAIRS}
    assert {("Approve", "StopCandidate"), ("GatePassed", "GateFailed")} <= names


def test_what_is_made_and_has_a_twin_has_its_mutants() -> None:
    """A new member with the fields of another is noticed here until a test tells them apart."""
    made: set[str] = set()
    for package in ("handoff", "deploy"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "handoff.rollout.events" in text or path.name == "supervision.py":
                made |= produced(text)
    known = members()
    wanted = {
        f"{name} is produced as {other.__name__}" for name in made for other in alike(known[name])
    }
    assert wanted == {mutant.name for mutant in SWAP_MUTANTS}
    assert made == {site.kind for site in SITES}


def test_every_pair_with_equal_fields_is_exchanged() -> None:
    """Also a pair of which only one is made anywhere."""
    swapped = {mutant.name for mutant in SWAP_MUTANTS}
    for kind in MEMBERS:
        for other in alike(kind):
            names = kind.__name__, other.__name__
            either = {f"{a} is produced as {b}" for a, b in (names, names[::-1])}
            assert either & swapped, names


def test_making_is_told_from_matching() -> None:
    matching = "match event:\n    case Took(cycle):\n        pass\n"
    assert produced(matching) == set()
    assert produced("done = (Took(1, 2, bakes=True), other.Kill('a'))") == {"Took"}
