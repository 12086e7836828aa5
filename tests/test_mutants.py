"""The list of mutants stays true to the code that it mutates."""

from __future__ import annotations

import pytest

from tests.mutants import ROOT, Mutant, all_mutants, applied, is_killed

MUTANTS = all_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_still_finds_the_rule_that_it_breaks(mutant: Mutant) -> None:
    text = (ROOT / mutant.target).read_text(encoding="utf-8")
    mutated = applied(mutant, text)
    assert mutated != text
    compile(mutated, str(mutant.target), "exec")
    assert f"def {mutant.test.partition('[')[0]}(" in (ROOT / mutant.tests).read_text()


def test_the_names_of_the_mutants_are_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_mutant_is_killed_and_a_change_without_meaning_is_not() -> None:
    """The runner itself can say both: a runner that always says killed proves nothing."""
    killed = next(mutant for mutant in MUTANTS if mutant.name == "epoch stands still")
    assert is_killed(killed)
    assert not is_killed(killed._replace(replacement="epoch=1 + held.epoch,"))
