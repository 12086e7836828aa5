"""Host names: whether a request was meant for this server.

Owns the reading of Host headers, which keeps out web pages whose own name leads here. Must never
enter: requests, answers, tokens.
"""

import ipaddress
from collections.abc import Collection
from typing import Final

LOCALHOST: Final = "localhost"


def host_named(text: str) -> str:
    """Return the name in a Host header, without its port; empty where it is none.

    Args:
        text: As in ``localhost:8080``, ``[::1]:8080`` or ``::1``.

    Returns:
        Lower case, addresses in their one short form and without brackets.
    """
    text = text.strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if port.startswith(":") or not port else "none"
        return _address(name) if bracket and _is_port(port) else ""
    if text.count(":") > 1:
        return _address(text)
    name, _, port = text.partition(":")
    return (_address(name) or name.removesuffix(".")) if _is_port(port) else ""


def is_known(headers: Collection[str], hosts: Collection[str]) -> bool:
    """Tell whether the Host headers of a request name this exchange and nothing else.

    Args:
        headers: All that were sent; one is needed, and each must be known.
        hosts: Configured names, beside those of the loopback.
    """
    names = {host_named(each) for each in headers}
    configured = {host_named(each) for each in hosts}
    return bool(names) and all(
        name != "" and (name in configured or _is_loopback(name)) for name in names
    )


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit())


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == LOCALHOST
