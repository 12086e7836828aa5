"""The text of a systemd unit: our template, filled in for one installation.

Owns the words that differ between installations and between a user's manager and the system's.
The template itself is `units/foresight.service`; where it is put is the command's matter.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

import msgspec

CREDENTIAL: Final = "venue-key"
CREDENTIAL_VARIABLE: Final = "FORESIGHT_VENUE_KEY_FILE"

# What needs a manager of the system. A user's one would have to put each start into a user
# namespace of its own for these.
_SYSTEM: Final = """\
CapabilityBoundingSet=
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=full
"""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One installation as a service.

    Attributes:
        app: Its name.
        command: What starts it; the program absolute.
        directory: Where it runs, absolute.
        user: Whom it runs as under the system's manager; empty for a user's own.
        variables: What it needs to know, by name.
        key_file: File with the venue's key, or an empty string.
    """

    app: str
    command: Sequence[str]
    directory: str
    user: str = ""
    variables: dict[str, str] = {}
    key_file: str = ""

    @property
    def unit(self) -> str:
        """The unit's name."""
        return f"{self.app}.service" if self.app == "foresight" else f"foresight-{self.app}.service"


def unit_text(template: str, service: Service) -> str:
    """Return the unit of an installation."""
    account = [f"User={service.user}"] if service.user else []
    account += [
        f"Environment={quoted(f'{name}={value}')}" for name, value in service.variables.items()
    ]
    if service.key_file:
        # Read by the manager, handed over in memory: the file itself may belong to root alone.
        account.append(f"LoadCredential={CREDENTIAL}:{_plain(service.key_file)}")
        account.append(f"Environment={CREDENTIAL_VARIABLE}=%d/{CREDENTIAL}")
    return string.Template(template).substitute(
        app=service.app,
        command=" ".join(quoted(word) for word in service.command),
        directory=_plain(service.directory),
        account="\n".join(account),
        hardening=_SYSTEM if service.user else "",
        target="multi-user.target" if service.user else "default.target",
    )


def quoted(word: str) -> str:
    """Return a word of a command as systemd reads it back: quotes, variables and specifiers."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def _plain(path: str) -> str:
    return path.replace("%", "%%")
