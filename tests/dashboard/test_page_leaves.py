"""A page that leaves while the next one answers on its socket: nobody who was let in is cut off."""

from __future__ import annotations

from http.client import HTTPResponse
from typing import TYPE_CHECKING

import pytest

from foresight.page_link import page_token
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)


def test_whoever_was_let_in_before_is_answered_by_the_one_that_leaves(tmp_path: Path) -> None:
    """Its request is under way: to whom the connection belongs, only the kernel knows."""
    home = tmp_path / "home"
    with Served(home, log=tmp_path / "log") as page, page.silent() as connection:
        page.get("/healthz")  # accepted behind the silent one
        token = {"Authorization": f"Bearer {page_token(home)}"}
        with page.stream("/events", token) as events:
            assert events.readline().startswith(b"retry: 500")
            page.leave()
            while events.readline():
                pass  # its end says that the process was asked, and obeys
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b'{"ok": true}')
        assert answer.headers["Connection"] == "close", "the next request is for the next one"
        assert page.get("/healthz")[0] == 200
        assert "Traceback" not in page.said()
