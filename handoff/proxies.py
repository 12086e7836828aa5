"""Proxies of the network as variables name them, and what must never be sent to one.

Owns the names of these variables, and the list of what is reached directly whatever they say.
Standard library only: the launcher hands them on. They may hold a password, so they are kept
nowhere: they come with each start.
"""

from __future__ import annotations

from handoff.light_typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_DIRECT: Final = ("no_proxy", "NO_PROXY")  # a program that knows both takes the first
PROXY_VARIABLES: Final = (*_NAMES, *(name.lower() for name in _NAMES), *_DIRECT)
# Programs differ in how they write an address of six, and only some understand a network.
LOOPBACK: Final = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1", "[::1]")


def proxies_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies that an environment names, those for nothing left out.

    Args:
        environment: Variables.
    """
    return {
        name: value
        for name, value in environment.items()
        if name in PROXY_VARIABLES and name not in _DIRECT and value
    }


def loopback_direct(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which this host itself is never reached by way of a proxy.

    Args:
        environment: Variables; one that names no proxy comes back as it is.
    """
    if not proxies_of(environment):
        return dict(environment)
    told = next((environment[name] for name in _DIRECT if environment.get(name)), "")
    listed = [part.strip() for part in told.split(",") if part.strip()]
    direct = ",".join([*listed, *(each for each in LOOPBACK if each not in listed)])
    return {**environment, **dict.fromkeys(_DIRECT, direct)}
