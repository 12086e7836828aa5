"""A pid that `/proc` does not show: everybody's own process, behind a mask that the test lays."""

from __future__ import annotations

import os

import pytest

from handoff.light_path import LightPath
from handoff.processes import HAS_PIDFD, identity_of, proven_dead

pytestmark = pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here")


@pytest.mark.parametrize("refusal", [FileNotFoundError, PermissionError])
def test_a_pid_of_which_nothing_is_shown_lives_until_its_descriptor_says(
    monkeypatch: pytest.MonkeyPatch, refusal: type[OSError]
) -> None:
    """`hidepid` 1 forbids, 2 and 4 hide; a killed launcher's successor took such an owner's place.

    With real mounts and accounts it is tried in `tests/process`, by root alone.
    """
    child = os.fork()
    if child == 0:
        os.execv("/bin/sleep", ["sleep", "60"])  # noqa: S606 - a plain child, reaped below
    identity = identity_of(child)
    assert identity is not None
    real = LightPath.read_text

    def masked(path: LightPath, encoding: str = "utf-8", errors: str = "strict") -> str:
        if os.fspath(path) == f"/proc/{child}/stat":
            raise refusal(os.fspath(path))
        return real(path, encoding=encoding, errors=errors)

    monkeypatch.setattr(LightPath, "read_text", masked)
    try:
        assert not proven_dead(identity)
    finally:
        os.kill(child, 9)  # noqa: TID251 - our own child, not reaped yet
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert proven_dead(identity), "a zombie: its entry is hidden, its descriptor is not"
    os.waitpid(child, 0)
