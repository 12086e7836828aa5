"""A proxy on this host that notes what it is asked for, and reaches one package index alone."""

from __future__ import annotations

import base64
import html
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from typing_extensions import override

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

INDEX: Final = "index.invalid"  # a host that nobody could reach but by this proxy
USER: Final = "mia"
PASSWORD: Final = "hush-hush"  # noqa: S105 - of a proxy that ends with its test


class Proxy:
    """The proxy, until the context ends.

    Args:
        wheels: What the package index at `INDEX` has; None for no index.

    Attributes:
        asked: Method and target of each request, in their order.
        logins: Who logged in with them, as `user:password`.
    """

    def __init__(self, wheels: Path | None = None) -> None:
        self.wheels = wheels
        self.asked: list[str] = []
        self.logins: set[str] = set()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """Its address with user and password, as a variable names it."""
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self._server.server_port}"

    def variables(self) -> dict[str, str]:
        """Return the variables that name it, in both spellings; nothing is said to go directly."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        spelled = (*names, *(name.lower() for name in names))
        return {**dict.fromkeys(spelled, self.address), "no_proxy": "", "NO_PROXY": ""}

    @property
    def hosts(self) -> set[str]:
        """The hosts that somebody wanted to reach, without their ports."""
        targets = (each.partition(" ")[2] for each in self.asked)
        return {(urlsplit(each).hostname or each.rpartition(":")[0]) for each in targets}


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def do_CONNECT(self) -> None:
        self._note()
        self.send_error(HTTPStatus.BAD_GATEWAY)

    def do_GET(self) -> None:
        self._note()
        address = urlsplit(self.path)
        content = self._of_index(unquote(address.path)) if address.hostname == INDEX else None
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind = "text/html" if address.path.endswith("/") else "application/zip"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _of_index(self, path: str) -> bytes | None:
        """Return a page that lists all files, or one of them."""
        wheels = self.proxy.wheels
        files = {each.name: each for each in wheels.glob("*.whl")} if wheels is not None else {}
        if path.startswith("/simple/") and path.endswith("/"):
            links = (f'<a href="/files/{html.escape(name)}">{name}</a>' for name in files)
            return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
        found = files.get(path.removeprefix("/files/"))
        return found.read_bytes() if found is not None else None

    def _note(self) -> None:
        self.proxy.asked.append(f"{self.command} {self.path}")
        scheme, _, login = self.headers.get("Proxy-Authorization", "").partition(" ")
        if scheme == "Basic":
            self.proxy.logins.add(base64.b64decode(login).decode())

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing: the list says it."""
