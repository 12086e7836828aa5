"""The text of a systemd unit: our template, filled in for one installation.

Owns the words that differ between installations and between a user's manager and the system's.
The template itself is `units/foresight.service`; where it is put is the command's matter.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

import msgspec

# What needs a manager of the system. A user's one would have to put each start into a user
# namespace of its own for these.
_SYSTEM: Final = """\
CapabilityBoundingSet=
DevicePolicy=closed
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=full
"""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that the manager reads and hands over in memory.

    Attributes:
        name: What the manager calls it.
        file: Where it is, absolute; it may belong to root alone.
        variable: What tells the service the place of what it was handed.
    """

    name: str
    file: str
    variable: str


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One installation as a service.

    Attributes:
        app: Its name.
        command: What starts it; the program absolute.
        directory: Where it runs, absolute.
        home: The state directory, absolute; empty where nobody says it.
        user: Whom it runs as under the system's manager; empty for a user's own.
        variables: What it needs to know, by name.
        credential: The secret that it needs, or None.
    """

    app: str
    command: Sequence[str]
    directory: str
    home: str = ""
    user: str = ""
    variables: dict[str, str] = {}
    credential: Credential | None = None

    @property
    def unit(self) -> str:
        """The unit's name."""
        return f"{self.app}.service" if self.app == "foresight" else f"foresight-{self.app}.service"


def unit_text(template: str, service: Service) -> str:
    """Return the unit of an installation."""
    account = [f"User={service.user}"] if service.user else []
    account += [
        f"Environment={_assigned(name, value)}" for name, value in service.variables.items()
    ]
    if service.credential is not None:
        secret = service.credential
        account.append(f"LoadCredential={secret.name}:{_plain(secret.file)}")
        account.append(f"Environment={secret.variable}=%d/{secret.name}")
    return string.Template(template).substitute(
        app=service.app,
        command=" ".join(quoted(word) for word in service.command),
        directory=_plain(service.directory),
        mounts=_mounts(service),
        account="\n".join(account),
        hardening=_SYSTEM if service.user else "",
        target="multi-user.target" if service.user else "default.target",
    )


def quoted(word: str) -> str:
    """Return a word of a command as systemd reads it back: quotes, variables and specifiers."""
    return _in_quotes(word).replace("$", "$$")


def _assigned(name: str, value: str) -> str:
    """Return a variable as systemd reads it back, which expands no variable in one."""
    return _in_quotes(f"{name}={value}")


def _mounts(service: Service) -> str:
    """Return what the system's manager waits for: a home that is not there yet looks like none."""
    if not (service.user and service.home):
        return ""
    return f"RequiresMountsFor={_in_quotes(service.home)}\n"


def _in_quotes(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%") + '"'


def _plain(path: str) -> str:
    return path.replace("%", "%%")
