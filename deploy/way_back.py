"""A rollback while a release bakes is the return of that bake: at the next boundary, not after it.

Owns how a deploy of the release that a bake may return to ends that bake. The return itself is an
ordinary take by the previous release; nothing is decided here.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from deploy import requests
from deploy.errors import RequestMissing
from handoff.rollout.driver import ASK_BACK_S
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.errors import StateError
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from pathlib import Path

GIVE_BACK_S_MAX: Final = 600.0  # the way back may have to be started first


def bake_to_return_from(home: Path, release: str) -> str:
    """Return the deploy whose bake may return to a release; empty where none bakes.

    Raises:
        StateError: The record cannot be read.
    """
    record = read_only_snapshot(home / "state")
    previous, rollout = record.ownership.previous, record.rollout
    if rollout is None or previous is None or previous.release != release:
        return ""
    return rollout.deploy_id


def ask(home: Path, request: requests.Request) -> None:
    """Ask whoever drives such a bake to end it: the request's turn comes after that."""
    with contextlib.suppress(StateError, RequestMissing, OSError):
        deploy_id = bake_to_return_from(home, request.release)
        if deploy_id and not requests.read_request(home, deploy_id).aborted_by:
            requests.ask_abort(home, deploy_id, request.by)


def give(home: Path, request: requests.Request) -> bool:
    """End such a bake that nobody drives; return whether there was one, and it ended.

    Raises:
        StateError: The record cannot be read.
        NotRunning: There is no launcher.
    """
    deadline_s = time.monotonic() + GIVE_BACK_S_MAX
    deploy_id = asked = bake_to_return_from(home, request.release)
    while asked == deploy_id != "" and time.monotonic() < deadline_s:
        with LauncherClient(home) as client:
            client.ask(Kind.GIVE_BACK, deploy=deploy_id)
        time.sleep(ASK_BACK_S)  # noqa: TID251 - nothing tells when a release owns again
        asked = bake_to_return_from(home, request.release)
    owner = read_only_snapshot(home / "state").ownership.owner
    return deploy_id != "" and owner is not None and owner.release == request.release
