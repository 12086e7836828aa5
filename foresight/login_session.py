"""What becomes of our processes when the user logs out.

Owns the question to systemd-logind and the reading of its answers. A program that was started from
a login belongs to that session, or to the user's manager, whatever terminal it has; both may be
ended with everything in them.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.commands import run as run_command
from deploy.errors import ProgramMissing
from handoff.account import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_GROUP: Final = Path("/proc/self/cgroup")
LINGERING: Final = Path("/var/lib/systemd/linger")  # a file for each account that lingers
ASK_S_MAX: Final = 5.0
_SCOPE: Final = re.compile(r"/session-[^/]+\.scope(/|$)")
_MANAGER: Final = re.compile(r"/user@\d+\.service(/|$)")
_LOGIND: Final = ("org.freedesktop.login1", "/org/freedesktop/login1")
_ASKED: Final = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")


class Session(NamedTuple):
    """What is known of the login that this process belongs to.

    Attributes:
        group: Its control group, as the kernel says it.
        lingers: The account's processes go on while nobody is logged in.
        kills: The host ends what a session leaves behind, also of this account.
    """

    group: str
    lingers: bool
    kills: bool


def this_session(environment: Mapping[str, str]) -> Session:
    """Return the session of this process; where nobody says anything, one that ends nothing.

    Args:
        environment: Where programs are found.
    """
    try:
        group = group_of(OWN_GROUP.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return Session("", lingers=True, kills=False)
    user = name_of(os.getuid())
    lingers = bool(user) and (LINGERING / user).exists()
    # Asked only where the answer matters.
    kills = _SCOPE.search(group) is not None and kills_of(_ask(environment), user)
    return Session(group, lingers=lingers, kills=kills)


def why_ended(session: Session) -> str:
    """Return why a logout ends what was started here, or an empty string."""
    if _MANAGER.search(session.group) is not None:
        words = "the user's manager ends with the last login, and ends what it runs"
        return "" if session.lingers else words
    if _SCOPE.search(session.group) is not None and session.kills:
        return "this host ends what a login leaves behind (KillUserProcesses)"
    return ""


def remedy(session: Session) -> str:
    """Return what to do about it."""
    user = shlex.quote(name_of(os.getuid()) or str(os.getuid()))
    stays = f"loginctl enable-linger {user}"
    if _SCOPE.search(session.group) is None:
        return stays
    # A lingering account alone does not keep what belongs to the session.
    return f"run it as a service: `foresight unit install`, and {stays}"


def group_of(text: str) -> str:
    """Return the control group that systemd has given a process.

    Args:
        text: Content of `/proc/self/cgroup`; its first version has a line for each hierarchy.
    """
    rows = [line.split(":", 2) for line in text.splitlines()]
    named = [row[2] for row in rows if len(row) == 3 and row[1] in ("", "name=systemd")]  # noqa: PLR2004 - number, names, path
    return max(named, key=len, default="")


def kills_of(answer: str, user: str) -> bool:
    """Tell whether logind ends what an account's session leaves behind.

    Args:
        answer: What `busctl get-property` printed of the three properties, or nothing.
        user: The account's name.
    """
    lines = [shlex.split(line) for line in answer.splitlines()]
    if len(lines) != len(_ASKED):
        return False
    kills, only, excluded = lines
    chosen = not only[2:] or user in only[2:]
    return kills == ["b", "true"] and chosen and user not in excluded[2:]


def _ask(environment: Mapping[str, str]) -> str:
    service, path = _LOGIND
    words = ["busctl", "--system", "get-property", service, path, f"{service}.Manager", *_ASKED]
    try:
        done = run_command(words, limit_s=ASK_S_MAX, environment=environment)
    except ProgramMissing:
        return ""
    return "" if done.code else done.output.decode("utf-8", "replace")
