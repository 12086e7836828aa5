"""Git, as a proof needs it: clones and commits of its own, whatever the user configured.

Owns the running of git commands with a committer of the proof's own, without hooks, signatures
or changed line ends. Whose repository is read, and what is committed, is the caller's matter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from deploy import commands, git_tree
from deploy.errors import DeployError
from foresight.evidence.errors import CannotBegin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIMIT_S: Final = 60.0
WORDS_MAX: Final = 400
SETTINGS: Final = ("commit.gpgsign=false", "core.hooksPath=/dev/null", "core.autocrlf=false")


def run_git(
    place: Path,
    *arguments: str,
    who: str,
    hint: str,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run a git command to its end; return what it said, without the last line's end.

    Args:
        place: Directory of the repository.
        arguments: The command and its options.
        who: Who commits, for example `Drill`.
        hint: What to do where git refuses.
        variables: Further environment variables.

    Raises:
        CannotBegin: There is no git, or it refuses.
    """
    committer = (f"user.name={who}", f"user.email={who.lower()}@localhost")
    settings = [word for each in (*committer, *SETTINGS) for word in ("-c", each)]
    # A git command that called us has left variables that name its own repository.
    environment = git_tree.child_environment(os.environ) | dict(variables or {})
    command = ["git", *settings, "-C", str(place), *arguments]
    try:
        done = commands.run(command, limit_s=LIMIT_S, environment=environment)
    except DeployError as error:
        raise CannotBegin(str(error), error.hint) from error
    if done.code != 0:
        words = done.errors.decode(errors="replace").strip()[-WORDS_MAX:] or "it took too long"
        what = f"git {arguments[0]} in {place}: {words}"
        raise CannotBegin(what, hint)
    return done.output.decode(errors="replace").rstrip()
