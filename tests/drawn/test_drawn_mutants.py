"""What is drawn can be drawn again, is spread evenly, and changes what a module does."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.drawn.__main__ import Kept
from tests.drawn.drawing import ROOT, drawn, modules, source_of, survivors
from tests.drawn.mutations import applied, mutations_of
from tests.drawn.trial import were_run

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = 5  # of the modules of a group: to parse all of them takes seconds
SOURCE = '''"""Text 1."""

def late(now: int = 3, limit: dict[str, 4] | None = None) -> list[5]:
    """Tell 6."""
    if now > limit:
        raise ValueError(f"late by {now - limit}")
    count: tuple[7, 8] = f"{now + 1}"
    assert now < 9
    return count

@made(once=10)
class Late(frozen=True):
    """How 11."""
'''


def test_texts_annotations_and_what_is_raised_or_asserted_are_left_alone() -> None:
    """Such a mutant says nothing about the tests, whether it is noticed or not."""
    assert [mutation.key for mutation in mutations_of(SOURCE)] == [
        "late: 3 -> 2",
        "late: 3 -> 4",
        "late: None -> ' '",
        "late: now > limit -> now <= limit",
        "late: now > limit -> now >= limit",
        "late: return count -> return None",
    ]


def test_a_change_is_where_its_name_says() -> None:
    mutation = next(each for each in mutations_of(SOURCE) if ">=" in each.text)
    changed = applied(mutation, SOURCE)
    assert changed == SOURCE.replace("now > limit", "now >= limit")


@pytest.mark.parametrize("group", ["rules", "shells"])
def test_a_draw_is_even_and_begins_the_longer_one(group: str) -> None:
    """Whoever goes on later tries nothing twice; no module is drawn at the cost of another."""
    chosen = modules(group)[:: len(modules(group)) // SAMPLE]
    some = drawn(chosen, 7, 2 * len(chosen))
    assert {*Counter(mutant.module.path for mutant in some).values()} == {2}
    assert drawn(chosen, 7, 5) == some[:5]
    assert drawn(chosen, 8, 5) != some[:5]
    for mutant in some:
        changed = applied(mutant.mutation, source_of(mutant.module))
        assert changed is not None
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source_of(mutant.module)))


def test_what_was_tried_is_not_tried_again_until_something_changes(tmp_path: Path) -> None:
    first, second = drawn(modules("rules"), 1, 2)
    kept = Kept(tmp_path / "kept.jsonl")
    tried = kept.add(first, "a test")
    with (tmp_path / "kept.jsonl").open("ab") as file:
        file.write(b'{"name": "cut o')
    again = Kept(tmp_path / "kept.jsonl")
    assert again.find(first) == tried
    assert again.find(second) is None
    other = first._replace(module=first.module.__class__(first.module.path, second.module.tests))
    assert again.find(other) is None


@pytest.mark.parametrize(
    ("code", "said", "were"),
    [
        (0, "3 passed", True),
        (1, "FAILED tests/a.py::test_b - assert 1 == 2\n1 failed", True),
        (2, "ERROR tests/a.py\nInterrupted: 1 error during collection", True),
        (-9, "they do not end", True),
        (4, "ImportError while loading conftest 'tests/core/conftest.py'", True),
        (4, "ERROR: 'minversion' requires pytest-9.2", False),
        (5, "no tests ran", False),
        (1, "python: No module named pytest", False),
    ],
)
def test_tests_that_were_not_run_have_noticed_nothing(code: int, said: str, *, were: bool) -> None:
    """An environment that changes in the middle of a draw would be the best of all tests."""
    assert were_run(code, said) is were


def test_every_module_has_tests_and_every_listed_survivor_is_there() -> None:
    listed = {(each.module, each.key) for each in survivors()}
    chosen = [*modules("rules"), *modules("shells")]
    there = {
        (module.path, mutation.key)
        for module in chosen
        if module.path in {path for path, _ in listed}
        for mutation in mutations_of(source_of(module))
    }
    assert listed <= there
    assert all((ROOT / file).is_file() for module in chosen for file in module.tests)
