"""How far a limit of open files is raised: to what is wanted, and never past what is permitted."""

from __future__ import annotations

import resource

import pytest

from handoff.limits import OPEN_FILES_WANTED
from handoff.open_files import soft_limit

WANTED = OPEN_FILES_WANTED
NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (20, WANTED * 2, WANTED),
        (20, WANTED - 1, WANTED - 1),
        (20, 20, 20),
        (20, NONE, WANTED),
        (WANTED - 1, NONE, WANTED),
        (WANTED + 1, NONE, WANTED + 1),
        (NONE, NONE, NONE),
    ],
)
def test_a_soft_limit_is_raised_and_never_lowered(soft: int, hard: int, expected: int) -> None:
    """Somebody who permits more has a reason; whoever permits less has the last word."""
    assert soft_limit(soft, hard) == expected
