"""Who may end a deploy before it has ended by itself: whoever asked for that, and a newer one."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import pytest

from deploy.errors import RequestMissing
from deploy.requests import (
    Request,
    ask_abort,
    close_request,
    count_try,
    interruption,
    open_requests,
    read_request,
    write_request,
)
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


def test_an_abort_and_a_count_at_the_same_moment_lose_nothing(tmp_path: Path) -> None:
    """Both read a request and write it: an abort was written away, or one found no file."""
    write_request(tmp_path, Request(deploy="d1", by="alice", requested_ns=1))
    rounds = 25
    for _ in range(rounds):
        with ThreadPoolExecutor(2) as both:
            counted = both.submit(count_try, tmp_path, "d1")
            aborted = both.submit(ask_abort, tmp_path, "d1", "carol")
            counted.result()
            aborted.result()
        found = read_request(tmp_path, "d1")
        assert found.aborted_by == "carol"
        write_request(tmp_path, msgspec.structs.replace(found, aborted_by=""))
    assert read_request(tmp_path, "d1").tries == rounds


def test_an_abort_never_brings_back_what_has_ended(tmp_path: Path) -> None:
    for _ in range(25):
        write_request(tmp_path, Request(deploy="d1", by="alice", requested_ns=1))
        with ThreadPoolExecutor(2) as both:
            closed = both.submit(close_request, tmp_path, "d1")
            aborted = both.submit(ask_abort, tmp_path, "d1", "carol")
            closed.result()
            with contextlib.suppress(RequestMissing):
                aborted.result()
        assert open_requests(tmp_path) == []
