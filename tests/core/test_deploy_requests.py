"""Who may end a deploy before it has ended by itself: whoever asked for that, and a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.requests import Request, ask_abort, close_request, interruption, write_request
from handoff.rollout.events import AbortAsked, Superseded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def request_of(tmp_path: Path) -> Request:
    request = Request(deploy="d1", by="alice", requested_ns=1)
    write_request(tmp_path, request)
    return request


def test_a_deploy_that_nobody_minds_goes_on(tmp_path: Path, request_of: Request) -> None:
    write_request(tmp_path, Request(deploy="d0", by="bob", requested_ns=0))
    assert interruption(tmp_path, request_of, is_replaceable=True) is None
    close_request(tmp_path, "d1")
    assert interruption(tmp_path, request_of, is_replaceable=True) is None


def test_who_interrupts_a_deploy_is_told(tmp_path: Path, request_of: Request) -> None:
    """Undone and replaced are two outcomes in the history; an abort goes before a newer request."""
    write_request(tmp_path, Request(deploy="d2", by="bob", requested_ns=2))
    assert interruption(tmp_path, request_of, is_replaceable=True) == Superseded("d2")
    ask_abort(tmp_path, "d1", "carol")
    assert interruption(tmp_path, request_of, is_replaceable=True) == AbortAsked("carol")


def test_an_approved_deploy_is_not_replaced(tmp_path: Path, request_of: Request) -> None:
    """It may own already; the newer one waits for its end."""
    write_request(tmp_path, Request(deploy="d2", by="bob", requested_ns=2))
    assert interruption(tmp_path, request_of, is_replaceable=False) is None
