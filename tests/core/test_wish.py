"""A wish is spelt for a worker and in a file as every release since 0.2.0 spells it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import convergence, requests
from deploy.branch import Policy
from foresight.config import Engine
from handoff.wish import Trial, Wish, declare_options, options_of, wish_of_options

if TYPE_CHECKING:
    from pathlib import Path

WISHES = st.builds(
    Wish,
    bake=st.integers(0, 10_000),
    replay=st.integers(0, 10_000),
    replay_differ_max=st.floats(0, 1),
    allow_differences=st.booleans(),
    shadow=st.integers(0, 1000),
    irreversible=st.booleans(),
)
ASKED = Wish(
    bake=7,
    replay=9,
    replay_differ_max=0.5,
    allow_differences=True,
    shadow=3,
    irreversible=True,
)
REQUEST = requests.Request(
    deploy="d1",
    repository="/r",
    ref="HEAD",
    commit="c",
    by="mia",
    requested_ns=5,
    entry_default="own:create",
    wish=ASKED,
)
REQUEST_FILE = (
    b'{"deploy":"d1","repository":"/r","ref":"HEAD","commit":"c","by":"mia","bake":7,'
    b'"requested_ns":5,"entry_default":"own:create","release":"","replay":9,'
    b'"replay_differ_max":0.5,"allow_differences":true,"shadow":3,"irreversible":true,'
    b'"aborted_by":""}'
)
POLICY_FILE = (
    b'{"repository":"/r","shared":"/r/.git","branch":"main","bake":7,"replay":9,'
    b'"replay_differ_max":0.5,"signed":"","documentation":["docs/**","*.md"],'
    b'"entry_default":"own:create"}'
)


def heard(options: list[str]) -> Wish:
    """Return what a worker makes of its options."""
    parser = argparse.ArgumentParser()
    declare_options(parser)
    return wish_of_options(parser.parse_args(options))


@given(WISHES)
def test_a_worker_hears_what_was_wished_of_it(wish: Wish) -> None:
    """What a shadow may differ would otherwise be judged by another number than was asked for."""
    worker = heard(options_of(wish))
    assert (worker.shadow, worker.irreversible) == (wish.shadow, wish.irreversible)
    assert worker.differ_max == (wish.differ_max if wish.shadow else 1.0)


@pytest.mark.parametrize(
    ("wish", "options"),
    [
        (Wish(), []),
        (Wish(bake=0, replay=0, allow_differences=True), []),
        (Wish(shadow=4), ["--shadow", "4", "--differ-max", "0.25"]),
        (Wish(shadow=4, allow_differences=True), ["--shadow", "4", "--differ-max", "1.0"]),
        (Wish(irreversible=True), ["--irreversible"]),
    ],
)
def test_a_worker_is_told_in_words_of_release_0_2(wish: Wish, options: list[str]) -> None:
    """An engine that knows none of them is given none, and starts."""
    assert options_of(wish) == options


def test_nothing_bakes_where_there_is_no_way_back() -> None:
    assert Wish(bake=5, irreversible=True).cycles_to_bake == 0
    assert Wish(bake=5).cycles_to_bake == 5


def test_a_request_is_the_file_of_release_0_2_member_by_member(tmp_path: Path) -> None:
    """A deployer of either release may be started again for a request that the other wrote."""
    requests.write_request(tmp_path, REQUEST)
    path = tmp_path / "run" / "deploys" / "d1.json"
    assert msgspec.json.decode(path.read_bytes()) == msgspec.json.decode(REQUEST_FILE)
    path.write_bytes(REQUEST_FILE)
    assert requests.read_request(tmp_path, "d1") == REQUEST
    assert requests.open_requests(tmp_path) == [REQUEST]


def test_an_older_request_is_read_and_a_newer_one_too(tmp_path: Path) -> None:
    """Members that one of the two releases does not know are no reason to forget a deploy."""
    path = tmp_path / "run" / "deploys" / "d1.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"deploy":"d1","by":"mia","bake":2,"requested_ns":5,"wish":7,"speed":[1]}')
    assert requests.read_request(tmp_path, "d1").wish == Wish(bake=2)


def test_a_policy_is_the_file_of_release_0_2_member_by_member(tmp_path: Path) -> None:
    """What only one deploy can wish is not written down for all of them."""
    standing = Wish(bake=7, replay=9, replay_differ_max=0.5)
    policy = Policy(
        repository="/r",
        shared="/r/.git",
        branch="main",
        wish=standing,
        entry_default="own:create",
    )
    convergence.write_policy(tmp_path, policy)
    path = tmp_path / "run" / convergence.POLICY
    assert msgspec.json.decode(path.read_bytes()) == msgspec.json.decode(POLICY_FILE)
    path.write_bytes(POLICY_FILE)
    assert convergence.read_policy(tmp_path) == policy


def test_an_installation_wishes_what_its_configuration_says() -> None:
    assert Engine().wish == Wish()
    assert Engine(bake=7, replay=9, replay_differ_max=0.5).wish == Wish(
        bake=7, replay=9, replay_differ_max=0.5
    )


def test_what_tries_both_releases_reaches_the_deployer_and_merges(tmp_path: Path) -> None:
    """A hook that forgot it would let merges go live that a deploy by hand refuses."""
    trial = Trial(program="own.gate", arguments=("--days", "2"), refuses=True, words="both")
    wish = Wish(trial=trial)
    request = msgspec.structs.replace(REQUEST, wish=wish)
    requests.write_request(tmp_path, request)
    assert requests.read_request(tmp_path, "d1").wish.trial == trial
    policy = Policy(repository="/r", shared="/r/.git", branch="main", wish=wish)
    convergence.write_policy(tmp_path, policy)
    assert convergence.read_policy(tmp_path).wish.trial == trial
