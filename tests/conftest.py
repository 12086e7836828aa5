"""What every test may rely on: nobody else's state, and tests that run programs at the end.

Fixtures for one subject live beside its tests, never here.
"""

import asyncio
import gc
import os
import re
import signal
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# The folders whose tests run programs, and the mark each of them gives. These tests run last, file
# by file, as many at a time as there are test workers: they mostly wait, so three of them keep two
# cores half busy, and more would make busy cores lie.
ALONE = {
    "cluster": "process",
    "crash": "crash",
    "dashboard": "browser",
    "demo": "demo",
    "process": "process",
    "upgrade": "process",
    "world": "process",
}

# Under `nice` others go first, for as long as they like: an owner that is not let run for two
# seconds is replaced, as it has to be, and a test of something else sees it. It is tried again, and
# the summary counts that; where nobody goes first, the first try is what counts.
TRIES_AGAIN = 2 if os.nice(0) > 0 else 0

# A plugin asks for the event loop before every test; where none was ever set, Python 3.11 makes one
# that nobody closes, and a later test fails for it. Said once that there is none, it makes none.
asyncio.set_event_loop(None)

# A shell's background job ignores the interrupt, and would hand that on to the programs under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Variables that would let a test reach a running bot, the developer's repository or his keys.
_FOREIGN = re.compile(r"(FORESIGHT_|GIT_|NOTIFY_SOCKET|LISTEN_|CREDENTIALS_DIRECTORY)")

# Examples have no deadline of their own: on a shared machine a slow one says nothing; the test's
# timeout still holds. In CI the examples are always the same, so that a red run can be repeated.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session", autouse=True)
def _own_state_home() -> Iterator[None]:
    """Give the tests a state home of their own: a running bot must never notice them."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
        for name in filter(_FOREIGN.match, tuple(os.environ)):
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", home)
        patch.setenv("XDG_CONFIG_HOME", home)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run alone and put them last."""
    for item in items:
        folder = _folder_alone(item.nodeid)
        if folder is not None:
            item.add_marker(ALONE[folder])
            if TRIES_AGAIN:
                item.add_marker(pytest.mark.flaky(reruns=TRIES_AGAIN))
    items.sort(key=lambda item: _folder_alone(item.nodeid) is not None)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave thousands of tests alone: they stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a mark in the wrong folder: such a test would not run alone."""
    marked = any(item.get_closest_marker(mark) for mark in ALONE.values())
    if marked and _folder_alone(item.nodeid) is None:
        pytest.fail(f"this mark belongs to tests in the folders {sorted(ALONE)}", pytrace=False)


class _FileScheduling(LoadScopeScheduling):
    """Spread the tests over the workers one by one, but those that run programs file by file.

    The tests of such a file follow one another: they may share what is slow to make.

    `--dist loadgroup` would be the ready-made way; xdist 3.8 ignores groups under pytest 9.2
    (pytest-dev/pytest-xdist#1386), and says nothing.
    """

    @override
    def _split_scope(self, nodeid: str) -> str:
        return nodeid if _folder_alone(nodeid) is None else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _FileScheduling(config, log)


def _folder_alone(nodeid: str) -> str | None:
    folders = nodeid.partition("::")[0].split("/")[:-1]
    return next((folder for folder in folders if folder in ALONE), None)
