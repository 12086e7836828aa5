"""The account that this process runs as: its number, a name where there is one, its directory.

Owns what is asked of the account database, and that nothing depends on its answer: in a container,
or below an init system, a uid needs no entry, and variables like LOGNAME say what anybody wrote
into them. The kernel alone knows who asks.
"""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def name_of(uid: int) -> str:
    """Return the name of an account, or an empty string where the database has none."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
    return name if name.isprintable() else ""


def asker() -> str:
    """Return who asks for something: the uid as the kernel says it, with its name if it has one."""
    uid = os.getuid()
    name = name_of(uid)
    return f"{name} (uid {uid})" if name else f"uid {uid}"


def user_directory(environment: Mapping[str, str]) -> str:
    """Return the user's directory, absolute: HOME, else the database's; empty if neither says.

    Args:
        environment: Variables of the process that asks.
    """
    told = environment.get("HOME", "")
    if os.path.isabs(told):  # noqa: PTH117 - a string as the system says it
        return told
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
