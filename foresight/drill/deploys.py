"""Deploys that a drill asks for: releases of its own, of commits that only the drill knows.

Owns a bare clone in a temporary directory that borrows the user's objects and writes none of
them, the commits in it, and the requests. A twin is the tree that runs, under another commit; so
whichever of them owns, the same code trades.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy import history, jobs, requests
from deploy.errors import RequestMissing
from foresight.drill.faults import BAKE
from foresight.evidence.git import run_git
from foresight.evidence.waiting import now_ns, wait_for
from foresight.project import ENTRY
from handoff.account import asker
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from handoff.wish import Wish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foresight.drill.instance import Instance
    from handoff.wire import Message

TWINS: Final = 3  # whichever of them owns, two others can be asked for
BUILD_S_MAX: Final = 300.0
PROJECT: Final = "pyproject.toml"
BROKEN: Final = '[tool.foresight]\nentry = "a_module_that_nobody_wrote:create"\n'
WHO: Final = "Drill"
HINT: Final = "leave out faults that need a deploy: `--only NAME`"


class Deploys:
    """Asks for deploys and waits for their ends.

    Args:
        instance: Where they go.
        repository: The user's repository; it is only read.
    """

    def __init__(self, instance: Instance, repository: Path) -> None:
        """Make the clone and the commits.

        Raises:
            CannotBegin: Git refuses, or the commit that runs is not in the repository.
        """
        self._instance = instance
        self.by = f"{asker()}, drill"
        self._place = tempfile.TemporaryDirectory(prefix="foresight-drill-")
        self._clone = Path(self._place.name) / "twins.git"
        clone = ("clone", "--quiet", "--bare", "--shared", str(repository), str(self._clone))
        self._git(*clone, at=repository)
        self.original = instance.live()
        self._twins = [self._twin(number) for number in range(TWINS)]
        self.broken = self._broken()

    def close(self) -> None:
        """Put the release in charge again that was before, and remove the clone."""
        try:
            for request in requests.open_requests(self._instance.home):
                if request.repository == str(self._clone):
                    with contextlib.suppress(RequestMissing):
                        requests.ask_abort(self._instance.home, request.deploy, request.by)
                    self.ended(request.deploy)
            if self._instance.live().commit != self.original.commit:
                self.ended(self.ask(self.original.commit))
        finally:
            self._place.cleanup()

    def twins(self) -> list[str]:
        """Return the commits that do not own, two at least."""
        live = self._instance.live().commit
        return [commit for commit in self._twins if commit != live]

    def ask(self, commit: str, *, bake: int = BAKE) -> str:
        """Ask for a deploy as the command does; return its id.

        The replay gate is left out: the code is the one that decided those cycles.
        """
        request = requests.Request(
            deploy=f"d{secrets.token_hex(4)}",
            repository=str(self._clone),
            ref=commit,
            commit=commit,
            entry_default=ENTRY,
            by=self.by,
            requested_ns=now_ns(),
            wish=Wish(bake=bake, replay=0),
        )
        jobs.submit(self._instance.home, request, sys.executable)
        return request.deploy

    def ended(self, deploy: str) -> history.Entry:
        """Wait for a deploy's end; return what the history says of it."""

        def found() -> history.Entry | None:
            entries = history.read_history(self._instance.home).entries
            return next((entry for entry in reversed(entries) if entry.deploy == deploy), None)

        limit_s = BUILD_S_MAX + 20 * self._instance.period_s
        return wait_for(f"the end of deploy {deploy}", found, limit_s)

    @contextlib.contextmanager
    def listening(self) -> Iterator[Listener]:
        """Yield what hears of candidates; begin before the deploy is asked for."""
        with LauncherClient(self._instance.home) as client:
            client.ask(Kind.SUBSCRIBE)
            yield Listener(client)

    # --- git -----------------------------------------------------------------------

    def _twin(self, number: int) -> str:
        tree = f"{self.original.commit}^{{tree}}"
        return self._commit(tree, f"Drill: the same code, {number + 1}")

    def _broken(self) -> str:
        """Return a commit whose entry is a module that is not there."""
        index = {"GIT_INDEX_FILE": str(self._clone / "drill.index")}
        file = Path(self._place.name) / PROJECT
        file.write_text(BROKEN, encoding="utf-8")
        blob = self._git("hash-object", "-w", str(file))
        self._git("read-tree", self.original.commit, extra=index)
        entry = f"100644,{blob},{PROJECT}"
        self._git("update-index", "--add", "--cacheinfo", entry, extra=index)
        return self._commit(self._git("write-tree", extra=index), "Drill: cannot be imported")

    def _commit(self, tree: str, subject: str) -> str:
        return self._git("commit-tree", tree, "-p", self.original.commit, "-m", subject)

    def _git(
        self, *arguments: str, at: Path | None = None, extra: dict[str, str] | None = None
    ) -> str:
        return run_git(at or self._clone, *arguments, who=WHO, hint=HINT, variables=extra)


class Listener:
    """Hears what the launcher tells of a deploy's candidate."""

    def __init__(self, client: LauncherClient) -> None:
        """Keep the line."""
        self._client = client

    def wait_candidate(self, deploy: str) -> Message:
        """Return what the candidate of a deploy says first: its gates begin."""

        def hello() -> Message | None:
            message = self._client.event(1.0)
            if message is None or message.get("deploy") != deploy:
                return None
            return message if message["kind"] == Kind.HELLO.value else None

        return wait_for("the candidate", hello, BUILD_S_MAX)
