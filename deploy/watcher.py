"""The companion that finds the merges which no hook told of.

Owns the loop: at each interval it compares the branch with what was dealt with, and lets a
head that stood still for one interval be dealt with. It also starts deployers again that died
together with their launcher, and puts hooks back that were written over. It is a convenience:
without it `foresight deploy` does the same.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final

from deploy import hook_files, jobs, requests
from deploy.errors import DeployError
from handoff.errors import HandoffError
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.convergence import Follower

RESUMED_MAX: Final = 3  # times a deployer is started again by us; the launcher has its own


class BranchWatcher:
    """Watches one branch for one home.

    Args:
        home: The state directory.
        follower: Deals with the branch's head.
        python: The interpreter that runs deployers.
        say: Told what was done, and what went wrong; the same words once.
    """

    def __init__(
        self, home: Path, follower: Follower, *, python: str, say: Callable[[str], None]
    ) -> None:
        """Begin with nothing seen."""
        self._home = home
        self._follower = follower
        self._python = python
        self._say = say
        self._seen = ""
        self._said = ""
        self._resumed: dict[str, int] = {}

    def run(self, interval_s: float) -> None:
        """Look at every interval until TERM or INT comes."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(interval_s):
            self.look()

    def look(self) -> None:
        """Look once; whatever is wrong is said and looked at again at the next interval."""
        try:
            self._resume()
            self._follow()
            self._keep_hooks()
        except (DeployError, HandoffError, StateError, OSError) as error:
            self._tell(f"error: {error}")

    def _follow(self) -> None:
        head = self._follower.head()
        stood_still, self._seen = head == self._seen, head
        if stood_still and not self._follower.is_handled(head):
            self._tell(self._follower.converge())

    def _resume(self) -> None:
        """Start the deployers of open requests again that nobody runs."""
        waiting = requests.open_requests(self._home)
        if not waiting:
            return
        with LauncherClient(self._home) as client:
            status = client.ask(Kind.STATUS)
            alive = {child["name"] for child in status["children"]}
            for request in waiting:
                resumed = self._resumed.get(request.deploy, 0)
                job = jobs.job_name(request.deploy)
                if job in alive or resumed >= RESUMED_MAX or status["stopping"]:
                    continue
                # Not at the first look: the one who asks writes first and starts then.
                self._resumed[request.deploy] = resumed + 1
                if resumed:
                    argv = jobs.command(self._home, request.deploy, self._python)
                    client.ask(Kind.RUN_JOB, name=job, argv=argv)
                    self._tell(f"started the deployer of {request.deploy} again")

    def _keep_hooks(self) -> None:
        """Put the hooks back that somebody's tool has written over meanwhile."""
        lost = hook_files.restore(self._follower.repository(), self._home, self._python)
        if lost:
            self._tell(f"{lost[0]} was not ours any more: ours is back")

    def _tell(self, words: str) -> None:
        if words != self._said:
            self._say(words)
        self._said = words
