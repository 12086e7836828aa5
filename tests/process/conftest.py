"""What the tests of a store in etcd share: one server for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.etcd_server import ABSENT, PATIENCE_S, PROGRAM, Server


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store wait as long as a busy machine takes; how long is tried where it is meant."""
    monkeypatch.setattr("state.etcd.session.SETTLE_S_MAX", PATIENCE_S)
    monkeypatch.setattr("state.etcd_store.TAKE_S_MAX", PATIENCE_S)


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a running etcd; each test takes a prefix of its own in it."""
    if PROGRAM is None:
        pytest.skip(ABSENT)
    server = Server(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_etcd(tmp_path: Path) -> Iterator[Server]:
    """Return an etcd that is not started yet, and that nobody else uses."""
    if PROGRAM is None:
        pytest.skip(ABSENT)
    server = Server(tmp_path)
    yield server
    server.stop()
