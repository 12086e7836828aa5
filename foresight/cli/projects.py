"""`init`, `doctor` and `uninstall`: beginning, being well, and leaving no trace.

Owns these three commands. What a project holds is `foresight.project`'s matter, what is
looked at on this machine `foresight.checkup`'s.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy import frozen_directory, hook_files
from deploy.commands import run as run_command
from deploy.errors import NotARepository
from deploy.git_tree import GitTree, child_environment
from foresight.checkup import examine, is_misconfigured
from foresight.cli import units
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import (
    detail,
    emit_json,
    emit_table,
    emit_text,
    json_option,
    plain,
    progress,
)
from foresight.cluster import forget_account
from foresight.errors import RepositoryUnmade
from foresight.overrides import gathered
from foresight.project import ProjectRefused, write_project
from handoff.exit_codes import ExitCode
from handoff.launcher.locks import take_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foresight.finding import Finding

GIT_S_MAX = 60.0
SIGNS_WITH = ("GPG_TTY", "SSH_AUTH_SOCK")
REBUILDABLE = ("releases", "environments", "logs")  # the next start makes them again


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name of the application; by default the directory's.")
@click.option("--git/--no-git", default=True, show_default=True, help="Make a git repository.")
def init(directory: Path, *, name: str, git: bool) -> int:
    """Make a project of your own: configuration, strategy, tests, Makefile."""
    place = directory.absolute()
    chosen = name or "".join(
        letter if letter.isalnum() else "-" for letter in place.name.lower()
    ).strip("-")
    with _whole(place):
        written = write_project(place, chosen or "mine")
        if git:
            _make_repository(place)
    for each in written:
        emit_text(str(directory / each))
    if git and _identity(place):
        # Whoever follows the next lines would be stopped at the first commit of his own.
        progress("git does not know you yet: `git config --global user.name NAME`, and user.email")
    progress(f"next: cd {directory} && make test && make run")
    progress("then, in another terminal: change strategy.py, commit, make deploy")
    progress("`foresight hook install` there makes every merge a deploy")
    return ExitCode.DONE


@contextlib.contextmanager
def _whole(place: Path) -> Iterator[None]:
    """Leave nothing of a project that could not be finished; what was there before stays."""
    made = [path for path in (place, *place.parents) if not path.exists()]
    before = {path.name for path in place.iterdir()} if place.is_dir() else set()
    index = place / ".git" / "index"
    staged = index.read_bytes() if index.exists() else None
    try:
        yield
    except ProjectRefused:
        raise  # nothing was written
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is said
            _clear(place, before)
            for path in made:
                path.rmdir()
            if ".git" in before:
                index.unlink(missing_ok=True) if staged is None else index.write_bytes(staged)
        raise


def _clear(place: Path, kept: set[str]) -> None:
    for path in [path for path in place.iterdir() if path.name not in kept]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _make_repository(place: Path) -> None:
    """Make a repository with a first commit, by the user's own git as far as it can be asked.

    It is signed where git is to sign. Hooks of others are not called: they check what somebody
    wrote, and nobody wrote this.
    """
    # A commit may have to be signed, which asks whoever sits there.
    signing = {name: os.environ[name] for name in SIGNS_WITH if name in os.environ}
    environment = child_environment(os.environ) | signing
    _git(place, ["init", "--quiet"], environment)
    _git(place, ["add", "--all"], environment)
    commit = ["commit", "--quiet", "-m", "Begin"]
    _git(place, ["-c", f"core.hooksPath={os.devnull}", *_identity(place), *commit], environment)


def _identity(place: Path) -> list[str]:
    """Return options that name who commits, where the user's git does not: its key is his."""
    command = ["git", "-C", str(place), "config", "user.email"]
    asked = run_command(command, limit_s=GIT_S_MAX, environment=child_environment(os.environ))
    if asked.code == 0:
        return []
    return ["-c", "user.name=Foresight", "-c", "user.email=foresight@localhost"]


def _git(place: Path, words: list[str], environment: dict[str, str]) -> None:
    detail(f"git {shlex.join(words)}")
    command = ["git", "-C", str(place), *words]
    done = run_command(command, limit_s=GIT_S_MAX, environment=environment)
    if done.code != 0:
        said = done.errors.decode("utf-8", "replace").strip()
        raise RepositoryUnmade("it took too long" if done.timed_out else said)


@click.command()
@json_option
@pass_installation
def doctor(installation: Installation, *, as_json: bool) -> int:
    """Check host, disk, permissions, memory, repository and journal, each with its remedy."""
    findings = list(
        examine(
            installation.config,
            installation.home,
            installation.repository,
            str(installation.config_path),
        )
    )
    if as_json:
        for finding in findings:
            emit_json(finding._asdict())
    else:
        rows = ((each.verdict.value, each.check, _words(each)) for each in findings)
        emit_table(("", "check", "found, and what to do"), rows, is_prose=True)
    if is_misconfigured(findings):
        return ExitCode.USAGE
    return ExitCode.FAILED if any(each.is_bad for each in findings) else ExitCode.DONE


def _words(finding: Finding) -> str:
    return f"{finding.found}\ndo: {finding.remedy}" if finding.remedy else finding.found


@click.command()
@click.option("--state", is_flag=True, help="Remove the state directory as well, for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_installation
def uninstall(installation: Installation, *, state: bool, yes: bool, as_json: bool) -> int:
    """Remove what was installed here, hooks and unit included; the project's own files stay."""
    home = installation.home
    removed: list[str] = []
    if home.exists():
        # A home that only a page's token was written into was never started.
        (home / "run").mkdir(mode=0o700, exist_ok=True)
        lock = take_home(home)  # refused while it runs
        try:
            removed = _remove(home, everything=state, yes=yes)
        finally:
            os.close(lock)
    left = forget_account(installation.config, gathered(os.environ), installation.repository)
    if left:
        progress(f"the etcd names this account still: {left}")
    removed += [str(each) for each in (*_remove_hooks(installation), *_remove_units(installation))]
    if as_json:
        emit_json({"removed": plain(removed)})
    else:
        for each in removed:
            emit_text(each)
        if not removed:
            progress("nothing is installed here")
    return ExitCode.DONE


def _remove_hooks(installation: Installation) -> list[Path]:
    with contextlib.suppress(NotARepository):
        return hook_files.remove(GitTree(installation.repository), installation.home)
    return []


def _remove_units(installation: Installation) -> list[Path]:
    removed = []
    for path in units.installed(installation):
        try:
            path.unlink()
        except PermissionError:
            progress(f"{path} is root's: sudo rm {shlex.quote(str(path))}")
            continue
        removed.append(path)
        progress(f"next: systemctl disable --now {path.name} (with --user if it was yours)")
    return removed


def _remove(home: Path, *, everything: bool, yes: bool) -> list[str]:
    if everything and not yes:
        click.confirm(f"Remove {home} with its record, journal and history?", abort=True, err=True)
    places = [home] if everything else [home / name for name in REBUILDABLE]
    found = [place for place in places if place.exists()]
    for place in found:
        frozen_directory.remove(place)
    return [str(place) for place in found]
