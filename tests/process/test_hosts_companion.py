"""The companion that looks at deploys of other hosts, and the launcher that it asks."""

from __future__ import annotations

import argparse
import signal
import threading
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from typing_extensions import override

from deploy import __main__ as program
from deploy import across, others
from handoff import wire
from handoff.launcher.engine_config import EngineConfig, write_engine_config
from handoff.sockets import listen_unix
from handoff.wire import Kind
from state.etcd import deploys
from state.record import Rollout
from tests.deploy_hosts import Host
from tests.etcd_model import ModelEtcd
from tests.records import B, owned, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED_S_MAX: Final = 60.0
ASKED = deploys.Asked(request="d1", wants="c" * 40, host="one", asked_ns=1)


class Launcher(threading.Thread):
    """A launcher's socket: it notes the first request, answers, and lets the companion go."""

    def __init__(self, home: Path, *, refuses: bool) -> None:
        super().__init__(daemon=True)
        self.asked: list[wire.Message] = []
        self._answer = wire.encode(Kind.REPLY, ok=not refuses, error="not now" if refuses else "")
        self._socket = listen_unix(home / "run" / "control.sock")  # a long path, too
        self._socket.settimeout(ASKED_S_MAX)

    @override
    def run(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self.asked += wire.LineBuffer().feed(connection.recv(4096))
            connection.sendall(self._answer)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def _handlers() -> Iterator[None]:
    kept = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("refuses", [False, True])
def test_who_aborts_a_bake_whose_host_is_gone_is_heard_by_the_launchers_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refuses: bool
) -> None:
    """The workers of each host end it; a launcher that says no ends no companion."""
    one = Host(ModelEtcd())
    two = Host(one.etcd)
    two.desk._keeper = None  # noqa: SLF001 - a companion drives no deploy
    one.desk.file(ASKED)
    value = deploys.UnderWay(request="d1", attempt="d1", host="one")
    assert one.desk.begin(value)
    noted = msgspec.structs.replace(ASKED, attempt="d1.2", candidate=B.release, epoch=1)
    assert one.desk.change("d1", lambda held: held, noted=lambda _: noted) is not None
    two.desk.ask_abort("d1", "ben")
    one.dies()
    (tmp_path / "run").mkdir()
    write_engine_config(tmp_path, EngineConfig(app="app", first_release="r1"))
    baking = take(owned(), rollout=Rollout(deploy_id="d1.2", of=3))
    followed: list[Path] = []
    monkeypatch.setattr(others, "read_only_snapshot", lambda _: baking)
    monkeypatch.setattr(others, "POLL_S", 0.01)
    monkeypatch.setattr(others, "GRACE_S", 0.0)
    monkeypatch.setattr(across, "desk_of", lambda _: two.desk)
    monkeypatch.setattr(program, "look_up", lambda home, *_, **__: followed.append(home))
    launcher = Launcher(tmp_path, refuses=refuses)
    launcher.start()
    assert program._hosts(argparse.Namespace(home=tmp_path, app="app")) == 0  # noqa: SLF001 - the command
    launcher.join(5.0)
    launcher.close()
    (asked,) = launcher.asked
    assert (asked["kind"], asked["deploy"]) == (Kind.GIVE_BACK.value, "d1.2")
    assert followed[0] == tmp_path
