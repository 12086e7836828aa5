"""Who may end a deploy before it has ended by itself: whoever asked for that, and a newer one."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
from filelock import FileLock

from deploy import history, requests, turn
from deploy.errors import RequestMissing, RequestsBusy
from deploy.requests import (
    LOCK,
    Request,
    as_newest,
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


MS_NS = 1_000_000
ASKED_NS = 1_000 * MS_NS


def end(home: Path, deploy: str, *, asked_ns: int, outcome: history.Outcome) -> None:
    """Write down that a deploy ended, as its own deployer does."""
    entry = history.requested(deploy, now_ns=asked_ns, by="bob", ref="main", from_release="")
    history.finish(home, msgspec.structs.replace(entry, outcome=outcome.value))


def turn_of(home: Path, request: Request, *, held: bool = False) -> AbortAsked | Superseded | None:
    asks = partial(requests.interruption, home, request, is_replaceable=True)
    with turn.taken(home, request, held=held, waits=lambda: None, asks=asks) as ended:
        return ended


@pytest.mark.parametrize(
    ("deploy", "asked_ns", "outcome", "is_over"),
    [
        pytest.param("d2", ASKED_NS + MS_NS, history.Outcome.PERMANENT, True, id="it is live"),
        pytest.param("d2", ASKED_NS + MS_NS, history.Outcome.ABORTED, True, id="unmade"),
        pytest.param("d2", ASKED_NS + MS_NS, history.Outcome.SKIPPED, False, id="never asked for"),
        pytest.param("d0", ASKED_NS, history.Outcome.PERMANENT, False, id="no later"),
        pytest.param("d0", ASKED_NS - MS_NS, history.Outcome.PERMANENT, False, id="earlier"),
        pytest.param("d1", ASKED_NS + MS_NS, history.Outcome.RETURNED, False, id="its own try"),
    ],
)
def test_a_newer_deploy_that_ended_meanwhile_ends_an_older_one(
    tmp_path: Path, deploy: str, asked_ns: int, outcome: history.Outcome, *, is_over: bool
) -> None:
    """Begun again after a death, the older one put its release in the newer one's place."""
    request = Request(deploy="d1", by="alice", requested_ns=ASKED_NS, tries=1)
    write_request(tmp_path, request)
    end(tmp_path, deploy, asked_ns=asked_ns, outcome=outcome)
    assert turn_of(tmp_path, request) == (Superseded("d2") if is_over else None)
    assert turn_of(tmp_path, request, held=True) is None, "approved, it may own"
    if is_over:
        asks = partial(requests.interruption, tmp_path, request, is_replaceable=True)
        assert turn.await_inputs(tmp_path, request, "", asks) == Superseded("d2")


def test_a_new_request_is_later_than_what_is_open_and_what_has_ended(tmp_path: Path) -> None:
    """After a clock was set back it was taken for an older one, and the newest merge ended."""
    write_request(tmp_path, Request(deploy="d0", by="bob", requested_ns=ASKED_NS + 7))
    wanted = Request(deploy="d9", by="alice", requested_ns=5)
    after_open = as_newest(tmp_path, wanted)
    assert history.asked_ms(after_open.requested_ns) > history.asked_ms(ASKED_NS + 7)
    end(tmp_path, "d8", asked_ns=ASKED_NS + 5 * MS_NS, outcome=history.Outcome.PERMANENT)
    last = history.newest_asked(tmp_path)
    assert last is not None
    newest = as_newest(tmp_path, wanted, ended_ms=last.requested_ms)
    assert history.asked_ms(newest.requested_ns) > last.requested_ms
    later = Request(deploy="d9", by="alice", requested_ns=9 * ASKED_NS)
    assert as_newest(tmp_path, later, ended_ms=last.requested_ms) == later


def test_a_request_is_forgotten_only_when_nobody_changes_it(
    tmp_path: Path, request_of: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has read it would write it once more, and its deploy would be run again."""
    monkeypatch.setattr(requests, "LOCK_LIMIT_S", 0.05)
    with FileLock(tmp_path / "run" / LOCK, fallback_to_soft=False):
        for change in (close_request, count_try):
            with pytest.raises(RequestsBusy):
                change(tmp_path, "d1")
        with pytest.raises(RequestsBusy):
            ask_abort(tmp_path, "d1", "carol")
        assert open_requests(tmp_path) == [request_of]
    close_request(tmp_path, "d1")
    assert open_requests(tmp_path) == []


def test_each_try_and_the_one_before_it_have_ids_of_their_own() -> None:
    """The try before is looked up in the history: found under its own id it would be the end."""
    first = Request(deploy="d1", by="alice", requested_ns=1)
    tries = [msgspec.structs.replace(first, tries=number) for number in range(3)]
    assert [each.attempt for each in tries] == ["d1", "d1.2", "d1.3"]
    assert [each.attempt_before for each in tries] == ["", "d1", "d1.2"]
    assert {requests.deploy_of(each.attempt) for each in tries} == {"d1"}


def test_a_new_request_is_the_newest_whatever_the_clock_says(
    tmp_path: Path, request_of: Request
) -> None:
    back = Request(deploy="d2", by="bob", requested_ns=0)
    newest = as_newest(tmp_path, back)
    assert newest.requested_ns == request_of.requested_ns + MS_NS
    ahead = msgspec.structs.replace(back, requested_ns=10**18)
    assert as_newest(tmp_path, ahead) == ahead


def test_a_request_that_cannot_be_read_now_has_not_ended(
    tmp_path: Path, request_of: Request
) -> None:
    """Its job would end well, nobody would go on with it, and its history would never end."""
    path = tmp_path / "run" / "deploys" / "d1.json"
    path.unlink()
    path.symlink_to(path)  # any error of the system but that there is none
    with pytest.raises(OSError, match="symbolic links"):
        read_request(tmp_path, "d1")
    assert interruption(tmp_path, request_of, is_replaceable=True) is None
    path.unlink()
    with pytest.raises(RequestMissing):
        read_request(tmp_path, "d1")
