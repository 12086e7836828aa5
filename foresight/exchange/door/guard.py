"""What a request must bring before anything is done for it: a host name of ours, and the token.

Owns the check of the Host header, which keeps out web pages whose own name leads here, and of the
token for the control page, which keeps out everybody who cannot read its file. Whether the exchange
is there, and what it is, anybody may ask. Must never enter: the keys of the venues' own routes,
which stay what they are for clients of others.
"""

import hmac
import ipaddress
from collections.abc import Collection
from typing import Final

from aiohttp import web

CONTROL: Final = "/_control/"
HEALTH: Final = "/_control/health"
LOCALHOST: Final = "localhost"
_SCHEME: Final = "Bearer "


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


def refusal_of(request: web.Request, *, hosts: Collection[str], token: str) -> web.Response | None:
    """Return why a request is turned away, or None.

    Args:
        request: With its headers; its body may be to come.
        hosts: Configured names, beside those of the loopback.
        token: What opens the control page.
    """
    if not is_known(request.headers.getall("Host", []), hosts):
        text = "this host name is not of this exchange: [engine] exchange_hosts, or --host, adds it"
        return web.json_response({"error": text}, status=421)
    is_guarded = request.path.startswith(CONTROL) and request.path != HEALTH
    if is_guarded and not _has_token(request, token):
        text = "the control page needs `Authorization: Bearer TOKEN`, as control.token has it"
        headers = {"WWW-Authenticate": "Bearer"}
        return web.json_response({"error": text}, status=401, headers=headers)
    return None


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


def _has_token(request: web.Request, token: str) -> bool:
    said = request.headers.get("Authorization", "")
    return hmac.compare_digest(said.encode(errors="replace"), (_SCHEME + token).encode())
