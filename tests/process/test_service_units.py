"""An init system hears when the launcher is ready, that it lives, and that it stops."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import deploy
from deploy.unit_file import Credential, Service, unit_text
from foresight import config
from foresight.cli.units import credential_of
from handoff.launcher.notify_socket import NotifySocket
from tests.process.bot import Bot

pytestmark = pytest.mark.timeout(120)


class Init:
    """The end of the socket that an init system reads."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(30)

    def heard(self) -> dict[str, str]:
        pairs = (line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
        return {pair[0]: pair[1] for pair in pairs}

    def wait(self, name: str) -> dict[str, str]:
        while True:
            said = self.heard()
            if name in said:
                return said


@pytest.fixture
def init() -> Iterator[Init]:
    # A socket's path has at most 107 bytes, and pytest's directory may be deep.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        found = Init(Path(directory))
        yield found
        found.socket.close()


def test_a_launcher_reports_to_the_init_system(tmp_path: Path, init: Init) -> None:
    """Also after it has replaced itself; and no worker could speak in its name."""
    with Bot(tmp_path) as bot:
        variables = {"NOTIFY_SOCKET": str(init.path), "WATCHDOG_USEC": "3000000"}
        bot.up(environment=variables)
        pid = bot.launcher_pid()
        assert init.wait("READY")["MAINPID"] == str(pid)
        assert init.wait("WATCHDOG") == {"WATCHDOG": "1"}
        owner = bot.record()
        assert owner is not None
        assert owner.ownership.owner is not None
        environment = Path(f"/proc/{owner.ownership.owner.pid}/environ").read_bytes()
        assert b"NOTIFY_SOCKET" not in environment
        os.kill(pid, signal.SIGUSR2)
        assert init.wait("READY")["MAINPID"] == str(pid)
        assert init.wait("WATCHDOG") == {"WATCHDOG": "1"}
        os.kill(pid, signal.SIGTERM)
        assert init.wait("STOPPING")["STOPPING"] == "1"


def test_signs_of_life_come_as_often_as_asked_for(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(init.path))
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notify = NotifySocket()
    for now_s in (10.0, 10.9, 11.0, 11.5, 12.1):
        notify.report(now_s, is_owned=False, is_stopping=False)
    notify.report(12.2, is_owned=True, is_stopping=False)
    notify.report(12.3, is_owned=False, is_stopping=False)
    notify.report(12.4, is_owned=True, is_stopping=False)
    said = [init.heard() for _ in range(4)]
    assert [next(iter(each)) for each in said] == ["WATCHDOG", "WATCHDOG", "WATCHDOG", "READY"]
    notify.report(12.5, is_owned=True, is_stopping=True)
    notify.report(12.6, is_owned=True, is_stopping=True)
    assert next(iter(init.heard())) == "STOPPING"
    init.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        init.heard()


def test_another_process_own_watchdog_is_not_fed(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(init.path))
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    NotifySocket().report(10.0, is_owned=False, is_stopping=False)
    init.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        init.heard()


def test_an_abstract_socket_is_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"foresight-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name}")
        heard.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        NotifySocket().report(1.0, is_owned=True, is_stopping=False)
        assert heard.recv(4096).startswith(b"READY=1\n")


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "relative", "vsock:2:1"])
def test_an_init_system_that_cannot_be_reached_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "many")
    notify = NotifySocket()
    notify.report(1.0, is_owned=True, is_stopping=False)
    assert os.environ["NOTIFY_SOCKET"] == address


def test_the_trader_finds_the_key_that_its_service_is_handed(tmp_path: Path) -> None:
    """The name of the variable is said in one place and read in another."""
    credential = credential_of(tmp_path / "key")
    assert credential.file == str(tmp_path / "key")
    found = config.parse("", {credential.variable: "/run/credentials/key"}, where="nowhere")
    assert found.venue.key_file == "/run/credentials/key"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("user", ["", "root"])
def test_systemd_understands_the_unit(tmp_path: Path, user: str) -> None:
    template = Path(deploy.__file__).parent.joinpath("units", "foresight.service")
    service = Service(
        app="tried",
        command=["/bin/sh", "-c", "exit $0 100%"],
        directory="/",
        home="/srv/a home",
        user=user,
        variables={"XDG_STATE_HOME": "/var/$lib"},
        credential=Credential(name="key", file="/etc/hostname", variable="KEY_FILE"),
    )
    path = tmp_path / service.unit
    path.write_text(unit_text(template.read_text("utf-8"), service), encoding="utf-8")
    analyzer = shutil.which("systemd-analyze")
    assert analyzer is not None
    done = subprocess.run(
        [analyzer, "verify", str(path)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, path.name in done.stdout + done.stderr) == (0, False), done.stderr
