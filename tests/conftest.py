"""What every test may rely on: nobody else's state, and timing-sensitive tests alone at the end.

Fixtures for one subject live beside its tests, never here.
"""

import os
import re
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

# A folder under tests/ with one of these names marks all its tests; they run last, one at a time.
ALONE = ("process", "crash", "demo", "browser")

# Variables that would let a test reach a running bot, the developer's repository or his keys.
# FORESIGHT_MARKET names read-only candle files and is the one that tests ask for.
_FOREIGN = re.compile(r"(FORESIGHT_(?!MARKET$)|GIT_|NOTIFY_SOCKET|LISTEN_|CREDENTIALS_DIRECTORY)")

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


@pytest.hookimpl(tryfirst=True)  # the group has to stand before xdist reads it
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder and put those that measure time last, in one group."""
    for item in items:
        folders = item.path.relative_to(item.config.rootpath).parent.parts
        for name in set(ALONE).intersection(folders):
            item.add_marker(name)
        if _runs_alone(item):
            item.add_marker(pytest.mark.xdist_group("alone"))
    items.sort(key=_runs_alone)


def _runs_alone(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) is not None for name in ALONE)
