"""A deploy as a job of the launcher: its name, its command, how it is begun and gone on with.

Owns what ties a request to the process that runs its deploy; what that process does is in
`deployer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import history, requests
from handoff.launcher.engine_config import Job
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind

if TYPE_CHECKING:
    from pathlib import Path


def submit(home: Path, request: requests.Request, python: str) -> None:
    """Write a request and let the launcher run its deployer.

    Raises:
        NotRunning: There is no launcher; the request is not kept.
    """
    with LauncherClient(home) as client:
        keep(home, request)
        argv = command(home, request.deploy, python)
        client.ask(Kind.RUN_JOB, name=job_name(request.deploy), argv=argv)


def keep(home: Path, request: requests.Request) -> None:
    """Write a request that the next launcher goes on with; it is the newest."""
    last = history.newest_asked(home)
    newest = requests.as_newest(home, request, ended_ms=last.requested_ms if last else 0)
    requests.write_request(home, newest)


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


def job_name(deploy: str) -> str:
    """Return the name of a deploy's job, also of its log."""
    return f"deploy-{deploy}"
