"""What the commands print of a record that a newer release wrote."""

from __future__ import annotations

from foresight.cli.output import plain
from state.open_struct import decode_open
from state.record import WorkerId

NEWER = b"""{"worker": "a1", "host": "h", "boot_id": "b", "pid_namespace": "1", "pid": 1,
"start_ticks": 2, "release": "r1", "later": {"what": [1, "two"]}}"""


def test_members_that_only_a_newer_release_knows_can_be_printed() -> None:
    """`status` of the release before this one ends with an error on such an owner."""
    shown = plain(decode_open(NEWER, WorkerId))
    assert shown["worker"] == "a1"
    assert shown["unknown_fields"] == {"later": {"what": [1, "two"]}}
