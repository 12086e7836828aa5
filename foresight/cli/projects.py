"""`init`, `doctor` and `uninstall`: beginning, being well, and leaving no trace.

Owns these three commands. What a project holds is `foresight.project`'s matter, what is
looked at on this machine `foresight.checkup`'s.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path

import click

from deploy import frozen_directory, git_hook
from deploy.commands import run as run_command
from deploy.errors import NotARepository
from deploy.git_tree import GitTree, child_environment
from foresight.checkup import examine
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
from foresight.errors import ForesightError
from foresight.project import write_project
from handoff.exit_codes import ExitCode
from handoff.launcher.locks import take_home

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
    written = write_project(place, chosen or "mine")
    for each in written:
        emit_text(str(directory / each))
    if git:
        _make_repository(place)
    progress(f"next: cd {directory} && make test && make run")
    progress("then, in another terminal: change strategy.py, commit, make deploy")
    progress("`foresight hook install` there makes every merge a deploy")
    return ExitCode.DONE


def _make_repository(place: Path) -> None:
    identity = ["-c", "user.name=Foresight", "-c", "user.email=foresight@localhost"]
    # A commit may have to be signed, which asks whoever sits there.
    signing = {name: os.environ[name] for name in SIGNS_WITH if name in os.environ}
    steps = [["init", "--quiet"], ["add", "--all"]]
    steps += [[*identity, "commit", "--quiet", "-m", "Begin"]]
    for words in steps:
        detail(f"git {shlex.join(words)}")
        done = run_command(
            ["git", "-C", str(place), *words],
            limit_s=GIT_S_MAX,
            environment=child_environment(os.environ) | signing,
        )
        if done.code != 0:
            what = f"git {words[-1]} failed: {done.errors.decode('utf-8', 'replace').strip()}"
            raise ForesightError(what)


@click.command()
@json_option
@pass_installation
def doctor(installation: Installation, *, as_json: bool) -> int:
    """Check host, disk, permissions, memory, repository and journal, each with its remedy."""
    findings = list(examine(installation.config, installation.home, installation.repository))
    if as_json:
        for finding in findings:
            emit_json(finding)
    else:
        rows = ((each.verdict.value, each.check, each.found, each.remedy) for each in findings)
        emit_table(("", "check", "found", "remedy"), rows)
    return ExitCode.FAILED if any(each.is_bad for each in findings) else ExitCode.DONE


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
        lock = take_home(home)  # refused while it runs
        try:
            removed = _remove(home, everything=state, yes=yes)
        finally:
            os.close(lock)
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
        return git_hook.remove(GitTree(installation.repository), installation.home)
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
