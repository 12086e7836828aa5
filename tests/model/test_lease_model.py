"""The lease rules' model: no state breaks them, and each broken rule is found out."""

from __future__ import annotations

import pytest

from tests.model.__main__ import found, name_of, what_breaks
from tests.model.leases import MUTANTS, Rules

FEW = (0, 0, 0, 1)  # a late binding alone; `python -m tests.model` looks at more at once


def test_no_order_of_what_may_happen_breaks_the_lease_rules() -> None:
    came = found(Rules(), FEW)
    assert (came.broken, came.stuck, came.is_complete) == ({}, 0, True)


@pytest.mark.parametrize("rules", MUTANTS, ids=name_of)
def test_a_broken_lease_rule_is_found_out(rules: Rules) -> None:
    assert what_breaks(rules) is not None
