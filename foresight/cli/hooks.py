"""`hook install|remove|status|run`: merges that go live by themselves.

Owns what is said to the user about it, and the joining of configuration, repository and
running launcher. What a hook does is `deploy.git_hook`'s matter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from deploy import convergence, git_hook, hook_files
from deploy.branch import Policy
from deploy.errors import BranchUnnamed, DeployError, NotARepository
from deploy.git_tree import GitTree
from deploy.hook_script import Settings
from foresight.cli.deploy_trial import standing_trial
from foresight.cli.installation import Installation, as_text, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import complain, emit_json, emit_text, json_option, progress
from foresight.project import ENTRY
from handoff.errors import HandoffError, NotRunning
from handoff.exit_codes import ExitCode
from handoff.launcher.engine_config import Companion, read_engine_config, write_engine_config
from handoff.processes import identity_of, watch
from state.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

WATCHER = "watcher"


@click.group()
def hook() -> None:
    """Let merges into one branch go live by themselves."""


@hook.command()
@pass_installation
def install(installation: Installation) -> int:
    """Put the git hooks in place; existing ones are kept and called first."""
    repository = GitTree(installation.repository)
    policy = policy_of(installation, repository)
    settings = Settings(
        home=as_text(installation.home),
        shared=policy.shared,
        branch=policy.branch,
        python=sys.executable,
    )
    paths = hook_files.install(repository, settings)
    convergence.write_policy(installation.home, policy)
    for path in paths:
        emit_text(str(path))
    progress(f"merges into {policy.branch} go live under {installation.home}")
    _say_where(repository, paths)
    _tell_launcher(installation, watcher_of(installation))
    return ExitCode.DONE


@hook.command()
@pass_installation
def remove(installation: Installation) -> int:
    """Take the git hooks away and put back what was there before."""
    removed = hook_files.remove(GitTree(installation.repository), installation.home)
    for path in removed:
        emit_text(str(path))
    if not removed:
        progress("no hook of this installation is there")
    _tell_launcher(installation, watcher_of(installation))
    return ExitCode.DONE


@hook.command()
@json_option
@pass_installation
def status(installation: Installation, *, as_json: bool) -> int:
    """Show which hooks are in place and what they would do."""
    repository = GitTree(installation.repository)
    shown = [_shown(state, installation) for state in hook_files.look(repository)]
    for members in shown:
        if as_json:
            emit_json(members)
        else:
            branch = f" for {members['branch']}" if members["branch"] else ""
            kept = ", calls the one that was there before" if members["kept"] else ""
            emit_text(f"{members['hook']:<13} {members['state']}{branch}{kept}  {members['path']}")
    installed = all(members["state"] == "installed" for members in shown)
    return ExitCode.DONE if installed else ExitCode.FAILED


@hook.command()
@click.option("--home", required=True, type=click.Path(path_type=Path), help="The state directory.")
@click.option("--git-dir", required=True, type=click.Path(path_type=Path), help="As git says it.")
@click.option("--received", is_flag=True, help="The branch was pushed to.")
def run(home: Path, git_dir: Path, *, received: bool) -> int:
    """Deploy what was merged, if it is to go live; the hooks call this."""
    with contextlib.suppress(PermissionError):
        os.setsid()  # a terminal that closes takes its session along
    git_hook.drop_git_variables()
    git_hook.cut_log(home)
    follower = convergence.Follower(
        home, convergence.read_policy(home), by="hook", python=sys.executable, now_ns=now_ns
    )
    progress(f"{rfc3339(now_ns())} called in {git_dir}")
    git_hook.run(home, git_dir, received=received, follower=follower, say=progress)
    return ExitCode.DONE


def policy_of(installation: Installation, repository: GitTree) -> Policy:
    """Return what the configuration wants of the branch.

    Raises:
        BranchUnnamed: It names none, and none is checked out.
    """
    engine = installation.engine
    name = engine.branch or _branch_before(installation) or repository.branch()
    if not name:
        raise BranchUnnamed(str(repository.root))
    return Policy(
        repository=as_text(repository.root),
        shared=as_text(repository.common_directory()),
        branch=as_text(name),
        wish=msgspec.structs.replace(engine.wish, trial=standing_trial(installation)),
        signed=engine.signed,
        documentation=engine.documentation,
        entry_default=ENTRY,
    )


def watcher_of(installation: Installation) -> Companion | None:
    """Return the companion that follows the branch, if this installation wants one.

    As the configuration says; where it says nothing, if merges are to go live by themselves.
    """
    engine = installation.engine
    try:
        repository = GitTree(installation.repository)
        wanted = engine.watch
        if wanted is None:
            wanted = hook_files.wanted(repository, installation.home) is not None
        if not wanted:
            return None
        policy = policy_of(installation, repository)
    except DeployError as error:
        if engine.watch:
            raise
        progress(f"no watcher: {error}")
        return None
    convergence.write_policy(installation.home, policy)
    argv = [sys.executable, "-I", "-m", "deploy", "watch", "--home", str(installation.home)]
    argv += ["--repository", policy.repository, "--branch", policy.branch]
    return Companion(WATCHER, (*argv, "--interval", str(engine.watch_s)))


def put_back(installation: Installation) -> None:
    """Put wanted hooks back that others' tools wrote over; say where a merge will not go live."""
    home = installation.home
    try:
        paths = hook_files.restore(GitTree(installation.repository), home, sys.executable)
    except NotARepository:
        return
    except DeployError as error:
        complain(f"no hook tells of a merge: {error}", error.hint)
        return
    for path in paths:
        progress(f"{path} was not ours any more: merges would not have gone live; ours is back")


def _branch_before(installation: Installation) -> str:
    """Return the branch that was named when the hook was installed."""
    with contextlib.suppress(DeployError):
        return convergence.read_policy(installation.home).branch
    return ""


def _tell_launcher(installation: Installation, watcher: Companion | None) -> None:
    """Let a running launcher begin, or end, to keep the watcher alive."""
    try:
        pid = int(installation.launcher_status()["pid"])
        config = read_engine_config(installation.home)
    except NotRunning:
        return  # `up` decides again
    others = tuple(each for each in config.companions if each.name != WATCHER)
    wanted = (*others, watcher) if watcher is not None else others
    write_engine_config(installation.home, config._replace(companions=wanted))
    identity = identity_of(pid)
    launcher = watch(identity) if identity is not None else None
    if launcher is None:
        what = "the launcher went away"
        raise HandoffError(what)
    launcher.send(signal.SIGHUP)
    launcher.close()


def _say_where(repository: GitTree, paths: Sequence[Path]) -> None:
    outside = [path for path in paths if not path.is_relative_to(repository.common_directory())]
    if outside:
        progress(f"core.hooksPath puts them into {outside[0].parent}")


def _shown(state: hook_files.State, installation: Installation) -> dict[str, Any]:
    settings = state.settings
    if settings is None:
        words = "another's" if state.present else "absent"
    elif settings.home != str(installation.home):
        words = "of another installation"
    elif not Path(settings.python).exists():
        words = "broken: its interpreter is gone"
    else:
        words = "installed" if state.current else "outdated"
    return {
        "hook": state.name,
        "state": words,
        "path": str(state.path),
        "kept": state.kept,
        "branch": settings.branch if settings is not None else "",
        "settings": msgspec.to_builtins(settings),
    }
