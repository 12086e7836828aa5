"""When a launcher in the background needs nobody any more who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from handoff.commands.background import LauncherEnded, Part, Start, log_of, part_in
from handoff.processes import spawn

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_launcher_that_somebody_stops_meanwhile_is_not_quoted(tmp_path: Path) -> None:
    """The end of its log, in JSON and cut in a line, tells nobody that it was `down`."""
    log_of(tmp_path).parent.mkdir()
    log_of(tmp_path).touch()
    start = Start(tmp_path, lambda _: None)
    with log_of(tmp_path).open("ab") as log:
        ended = spawn(["/bin/sh", "-c", "echo '{}' >&2"], environment={}, output=log.fileno())
    with pytest.raises(LauncherEnded, match="it was stopped before a worker owned"):
        start.await_part(ended.identity.pid)
    ended.close()
