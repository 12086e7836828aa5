"""A deploy as a job of the launcher: its name, its command, how it is begun and gone on with.

Owns what ties a request to the process that runs its deploy; what that process does is in
`deployer`.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from deploy import across, history, requests
from handoff.errors import HandoffError
from handoff.launcher.engine_config import Job
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.errors import OutOfReach

if TYPE_CHECKING:
    from pathlib import Path

LAUNCHER_BACK_S_MAX: Final = 600.0  # a person starts it again; an init system takes a second
LAUNCHER_POLL_S: Final = 0.2


def submit(home: Path, request: requests.Request, python: str) -> str:
    """Write a request and let the launcher run its deployer.

    Returns:
        Id of the deploy: of another host's, where one is open that wants the same.

    Raises:
        NotRunning: There is no launcher; the request is not kept.
        OutOfReach: The etcd that other hosts share does not answer; as above.
    """
    with LauncherClient(home) as client:
        filed = across.file(home, _newest(home, request))
        if isinstance(filed, str):
            return filed
        requests.write_request(home, filed)
        argv = command(home, request.deploy, python)
        client.ask(Kind.RUN_JOB, name=job_name(request.deploy), argv=argv)
    return request.deploy


def keep(home: Path, request: requests.Request) -> None:
    """Write a request that the next launcher goes on with; it is the newest.

    An etcd that is away keeps nothing from coming up: it is asked for at the next start.
    """
    try:
        filed = across.file(home, _newest(home, request))
    except OutOfReach:
        return
    if isinstance(filed, requests.Request):
        requests.write_request(home, filed)


def _newest(home: Path, request: requests.Request) -> requests.Request:
    last = history.newest_asked(home)
    return requests.as_newest(home, request, ended_ms=last.requested_ms if last else 0)


def command(home: Path, deploy: str, python: str) -> list[str]:
    """Return the command of a deploy's job."""
    return [python, "-I", "-m", "deploy", "run", "--home", str(home), "--deploy", deploy]


def jobs_to_resume(home: Path, python: str) -> tuple[Job, ...]:
    """Return the deployers of all open requests: those that nobody runs any more go on with them.

    A deploy goes on also where nobody watches the branch.
    """
    found = requests.open_requests(home)
    return tuple(
        Job(job_name(each.deploy), tuple(command(home, each.deploy, python))) for each in found
    )


def launcher_came_back(home: Path) -> bool:
    """Wait for the next launcher of a home; tell whether it came."""
    deadline_s = time.monotonic() + LAUNCHER_BACK_S_MAX
    while time.monotonic() < deadline_s:
        with contextlib.suppress(HandoffError), LauncherClient(home) as client:
            client.ask(Kind.STATUS)
            return True
        time.sleep(LAUNCHER_POLL_S)  # noqa: TID251 - nothing tells when a socket is there
    return False


def job_name(deploy: str) -> str:
    """Return the name of a deploy's job, also of its log."""
    return f"deploy-{deploy}"
