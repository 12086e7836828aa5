"""When a launcher in the background needs nobody any more who waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from handoff.commands.background import Part, part_in


def child(*, role: str = "heir", owner: bool = False, warm: bool = True) -> dict[str, Any]:
    return {"role": role, "owner": owner, "warm": warm}


@pytest.mark.parametrize(
    ("children", "is_elsewhere", "part"),
    [
        ([], True, None),
        ([child(warm=False)], True, None),
        ([child(role="companion"), child(role="candidate")], True, None),
        ([child()], True, Part.FOLLOWS),
        ([child()], False, None),  # nobody owns yet: it is about to
        ([child(), child(owner=True)], True, Part.OWNS),
        ([child(owner=True, warm=False)], False, Part.OWNS),
    ],
)
def test_a_start_is_over_once_a_worker_owns_or_follows_another_host(
    children: list[dict[str, Any]], *, is_elsewhere: bool, part: Part | None
) -> None:
    """On a second host nobody ever owns while the first one does."""
    assert part_in(children, is_elsewhere=is_elsewhere) is part
