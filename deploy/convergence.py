"""Making what runs follow the branch: one look, and at most one request.

Owns what hook and watcher have in common: the policy in `run/branch.json`, the head that was
dealt with last in `run/branch-head.json`, and the lock that keeps two lookers apart. The rules
are `branch`'s, the deploy is the deployer's.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from filelock import FileLock, Timeout

from deploy import branch, history, jobs, requests
from deploy.errors import GitFailed, PolicyMissing, TurnTimeout
from deploy.git_tree import GitTree
from handoff.errors import HandoffError
from handoff.release_files import read_manifest
from handoff.wish import STANDING, flat_json, from_flat_json
from state.atomic_file import FILE_MODE, SystemFiles, make_directory, replace_file
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.git_tree import Commit

POLICY: Final = "branch.json"
HEAD: Final = "branch-head.json"
LOCK: Final = "branch.lock"
LOCK_LIMIT_S: Final = 30.0  # a holder runs a few git commands


class _Handled(msgspec.Struct, frozen=True):
    commit: str = ""


def write_policy(home: Path, policy: branch.Policy) -> None:
    """Say what this installation wants of its branch."""
    _write(home / "run" / POLICY, flat_json(policy, members=STANDING))


def read_policy(home: Path) -> branch.Policy:
    """Return what this installation wants of its branch.

    Raises:
        PolicyMissing: It says nothing, or nothing that can be read.
    """
    path = home / "run" / POLICY
    try:
        return from_flat_json(path.read_bytes(), branch.Policy)
    except (OSError, msgspec.MsgspecError) as error:
        raise PolicyMissing(str(path), str(error)) from error


def of_branch(policy: branch.Policy, repository: str, name: str) -> branch.Policy:
    """Return the policy for a repository and branch that somebody names."""
    return msgspec.structs.replace(policy, repository=repository, branch=name)


class Follower:
    """Looks at one branch for one home.

    Args:
        home: The state directory.
        policy: What this installation wants of the branch.
        by: Who looks: `hook` or `watcher`.
        python: The interpreter that runs the deployer.
        now_ns: Wall-clock time, nanoseconds UTC.
    """

    def __init__(
        self,
        home: Path,
        policy: branch.Policy,
        *,
        by: str,
        python: str,
        now_ns: Callable[[], int],
    ) -> None:
        """Keep the parts; the repository is opened at each look, for it may have moved."""
        self._home = home
        self._policy = policy
        self._by = by
        self._python = python
        self._now_ns = now_ns

    def head(self) -> str:
        """Return the branch's newest commit.

        Raises:
            DeployError: There is no such repository or branch.
        """
        return self.repository().head(self._policy.branch).commit

    def is_handled(self, commit: str) -> bool:
        """Tell whether this head was dealt with: the cheap question of every interval."""
        return self._handled() == commit

    def converge(self) -> str:
        """Deal with the branch's head; return in words what was done about it.

        Raises:
            DeployError: The branch cannot be read.
            NotRunning: There is no launcher; the head is not dealt with.
            StateError: The record cannot be read.
        """
        with self._alone():
            repository = self.repository()
            head = repository.head(self._policy.branch)
            known = self._known()
            reason = branch.why_left_alone(head.commit, known)
            if not reason:
                reason = self._deal_with(repository, head, known)
            self._remember(head.commit)
            return reason

    def _deal_with(self, repository: GitTree, head: Commit, known: branch.Known) -> str:
        skipped = branch.why_skipped(
            self._policy,
            message=repository.message(head.commit),
            files=_files_since(repository, known.target, head.commit),
            is_signed=self._is_signed(repository, head.commit),
        )
        if skipped:
            self._record_skipped(head, skipped)
            return f"{head.commit[: branch.SHOWN_DIGITS]} skipped: {skipped}"
        request = self._request(head)
        deploy = jobs.submit(self._home, request, self._python)
        return f"{head.commit[: branch.SHOWN_DIGITS]} asked for as {deploy}"

    def _request(self, head: Commit) -> requests.Request:
        return requests.Request(
            deploy=f"d{secrets.token_hex(4)}",
            repository=self._policy.repository,
            ref=self._policy.branch,
            commit=head.commit,
            by=self._by,
            wish=self._policy.wish,
            requested_ns=self._now_ns(),
            entry_default=self._policy.entry_default,
        )

    def _record_skipped(self, head: Commit, reason: str) -> None:
        entry = history.requested(
            f"d{secrets.token_hex(4)}",
            now_ns=self._now_ns(),
            by=self._by,
            ref=self._policy.branch,
            from_release=self._owning_release(),
        )
        ended = msgspec.structs.replace(
            entry,
            commit=head.commit,
            subject=head.subject,
            outcome=history.Outcome.SKIPPED.value,
            reason=reason,
        )
        history.finish(self._home, ended)

    def _known(self) -> branch.Known:
        entries = history.read_history(self._home).entries
        superseded = history.Outcome.SUPERSEDED.value
        return branch.Known(
            live=self._live_commit(),
            requested=[
                each.commit or self._commit_of(each.release)
                for each in requests.open_requests(self._home)
                if not each.aborted_by
            ],
            outcomes={
                each.commit: each.outcome
                for each in entries
                if each.commit and each.outcome != superseded
            },
            handled=self._handled(),
        )

    def _live_commit(self) -> str:
        return self._commit_of(self._owning_release())

    def _commit_of(self, release: str) -> str:
        with contextlib.suppress(HandoffError):
            return read_manifest(self._home, release).commit if release else ""
        return ""

    def _owning_release(self) -> str:
        return read_only_snapshot(self._home / "state").ownership.release

    def _is_signed(self, repository: GitTree, commit: str) -> bool:
        signed = self._policy.signed
        return bool(signed) and repository.is_signed(commit, by_tag=signed == "tags")

    def repository(self) -> GitTree:
        """Return the repository of the branch."""
        return GitTree(Path(self._policy.repository))

    def _handled(self) -> str:
        try:
            data = (self._home / "run" / HEAD).read_bytes()
            return msgspec.json.decode(data, type=_Handled).commit
        except (OSError, msgspec.MsgspecError):
            return ""  # never written yet; the history still knows what was tried

    def _remember(self, commit: str) -> None:
        if self._handled() != commit:
            _write(self._home / "run" / HEAD, msgspec.json.encode(_Handled(commit)))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        make_directory(SystemFiles(), self._home / "run")
        path = self._home / "run" / LOCK
        lock = FileLock(path, LOCK_LIMIT_S, FILE_MODE, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise TurnTimeout(LOCK_LIMIT_S) from error
        try:
            yield
        finally:
            lock.release()


def _files_since(repository: GitTree, old: str, new: str) -> list[str] | None:
    if not old:
        return None
    try:
        return repository.files_between(old, new)
    except GitFailed:
        return None  # what runs is not in this clone: nothing can be said about the difference


def _write(path: Path, data: bytes) -> None:
    make_directory(SystemFiles(), path.parent)
    replace_file(SystemFiles(), path, data)
