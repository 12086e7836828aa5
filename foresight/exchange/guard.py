"""What a request must bring before anything is done for it: a host name of ours, and the token.

Owns the check of the Host header, which keeps out web pages whose own name leads here, and of the
token for the control page, which keeps out everybody who cannot read its file. Whether the exchange
is there, and what it is, anybody may ask. Must never enter: the keys of the venues' own routes,
which stay what they are for clients of others.
"""

from collections.abc import Collection
from typing import Final

from aiohttp import web

from foresight.door.host_names import is_known
from foresight.door.token_file import bears

CONTROL: Final = "/_control/"
HEALTH: Final = "/_control/health"
TOKEN_FILE: Final = "control.token"  # noqa: S105 - its name, below the exchange's directory


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
    if is_guarded and not bears(request.headers.get("Authorization", ""), token):
        text = "the control page needs `Authorization: Bearer TOKEN`, as control.token has it"
        headers = {"WWW-Authenticate": "Bearer"}
        return web.json_response({"error": text}, status=401, headers=headers)
    return None
