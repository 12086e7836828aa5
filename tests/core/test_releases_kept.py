"""What may be pruned after many deploys, and what has to stay: whatever may still be run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from deploy import history, releases_dir
from deploy.deployer import RELEASES_SPARE, Deployer
from deploy.requests import Request
from handoff.launcher.edition_file import write_editions
from handoff.launcher.edition_rules import Known
from handoff.release_files import Manifest, write_manifest
from tests.homes import open_store
from tests.records import NOW_NS, note, run_cycles, seize, started, take, worker

if TYPE_CHECKING:
    from pathlib import Path

    from state.local_store import LocalStore


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def built(home: Path, *releases: str) -> None:
    """Put releases on the disk; each of an environment of its own unless it names another's."""
    for name in releases:
        release, _, environment = name.partition("/")
        environment = environment or f"of-{release}"
        (home / "releases" / release).mkdir(parents=True)
        (home / "environments" / environment).mkdir(parents=True, exist_ok=True)
        manifest = Manifest(release, "bot:create", "/usr/bin/python3", "/srv/tree", environment)
        write_manifest(home, manifest)


def ended(home: Path, release: str, outcome: history.Outcome) -> history.Entry:
    """Write into the history how the deploy of a release ended."""
    begun = history.requested(
        f"d-{release}-{len(history.read_history(home).entries)}",
        now_ns=NOW_NS,
        by="mia",
        ref="main",
        from_release="",
    )
    entry = replace(begun, release=release, outcome=str(outcome))
    history.finish(home, entry)
    return entry


def all_permanent(home: Path, *releases: str) -> history.Entry:
    """Return the last of many deploys that all became permanent."""
    return [ended(home, release, history.Outcome.PERMANENT) for release in releases][-1]


def pruned(home: Path, last: history.Entry) -> set[str]:
    """Let the deployer of the newest release tidy up; return what is left."""
    request = Request(deploy=last.deploy, by="mia", requested_ns=NOW_NS, release=last.release)
    deployer = Deployer(home, request, now_ns=lambda: NOW_NS, say=lambda _: None)
    deployer._prune()  # noqa: SLF001 - the last step of a deploy, without the deploy
    return {path.name for path in (home / "releases").iterdir()} - {releases_dir.BUILD_LOCK}


def owned_by(home: Path, *releases: str) -> LocalStore:
    """Return a store of a record that releases owned one after the other."""
    first, *others = releases
    store = open_store(home)
    started(store)
    store.transact(lambda record: seize(record, worker("w0", first)), note("seize"))
    for number, release in enumerate(others, start=1):
        taking = worker(f"w{number}", release)
        store.transact(partial(take, by=taking, of=0), note("take"))
        run_cycles(store, 1)
    return store


def test_after_many_deploys_the_newest_permanent_ones_are_kept_for_a_rollback(home: Path) -> None:
    names = [f"r{number}" for number in range(20)]
    built(home, *names)
    last = all_permanent(home, *names)
    owned_by(home, "r18", "r19")
    assert pruned(home, last) == set(names[-RELEASES_SPARE:])


def test_a_release_that_never_stayed_takes_no_place_of_one_to_go_back_to(home: Path) -> None:
    """Ten bad merges in a night must not take away every release that somebody could return to."""
    good = [f"good{number}" for number in range(RELEASES_SPARE)]
    bad = [f"bad{number}" for number in range(10)]
    built(home, *good, *bad)
    all_permanent(home, *good)
    outcomes = (history.Outcome.REFUSED, history.Outcome.RETURNED, history.Outcome.ABORTED)
    last = [ended(home, name, outcomes[number % 3]) for number, name in enumerate(bad)][-1]
    owned_by(home, good[-1])
    assert pruned(home, last) == {*good, bad[-1]}, "itself, to be looked at"


def test_what_was_deployed_again_and_again_is_one_release_to_go_back_to(home: Path) -> None:
    names = [f"r{number}" for number in range(RELEASES_SPARE)]
    built(home, *names)
    last = all_permanent(home, *names, *["r6", "r7"] * 5)
    owned_by(home, "r7")
    assert pruned(home, last) == set(names)


def test_what_the_record_names_stays_however_long_ago_it_was_deployed(home: Path) -> None:
    """The owner, and the way back of a bake: a crash restart looks for both of them.

    The record goes on naming the way back when another worker of the release that bakes owns.
    """
    names = [f"r{number}" for number in range(20)]
    built(home, *names)
    last = all_permanent(home, *names)
    store = owned_by(home, "r1", "r2")
    baking = worker("baking", "r3")
    store.transact(partial(take, by=baking, of=3), note("take"))
    store.transact(partial(seize, by=worker("after", "r3")), note("seize"))
    assert pruned(home, last) == {"r2", "r3", *names[-RELEASES_SPARE:]}


def test_the_release_that_the_page_is_of_stays_however_long_ago_it_was_deployed(home: Path) -> None:
    """Of none after it the page got ready: it goes on from there, and is started again there."""
    names = [f"r{number}" for number in range(20)]
    built(home, *names)
    last = all_permanent(home, *names)
    owned_by(home, "r18", "r19")
    (home / "run").mkdir(exist_ok=True)
    write_editions(home, {"dashboard": Known(wanted="r19", ready="r3", why="it hangs")})
    assert pruned(home, last) == {"r3", *names[-RELEASES_SPARE:]}


def test_an_environment_stays_as_long_as_a_release_that_uses_it(home: Path) -> None:
    built(home, "old/shared", "new/shared", "gone/alone")
    assert set(releases_dir.prune(home, {"new"})) == {"old", "gone"}
    assert [path.name for path in (home / "environments").iterdir()] == ["shared"]
