"""What is reached by way of a proxy, with a real one: markets and packages, and never this host.

Whoever works behind a proxy had a bot that saw no market and could not deploy. And the address of
a proxy holds a password, which everything that fails likes to repeat.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.process.bot import Bot
from tests.process.cli_project import Project
from tests.process.distributions import pin, wheel
from tests.process.proxying import INDEX, PASSWORD, USER, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)

PATIENCE_S = 90.0
ATTEMPTS = 3
SHOWING = (["status"], ["status", "--json"], ["logs"], ["logs", "launcher"], ["cycles"])


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    folder = tmp_path / "an index"
    folder.mkdir()
    with Proxy(folder) as found:
        yield found


def holding(place: Path, secret: str) -> list[str]:
    """Return the files below a directory that hold a text, in what they are called as well."""
    paths = list(place.rglob("*"))
    files = (path for path in paths if path.is_file() and not path.is_symlink())
    found = {path for path in files if secret.encode() in path.read_bytes()}
    return [str(path) for path in paths if path in found or secret in path.name]


def shown_in_arguments(secret: str) -> list[str]:
    """Return the command lines on this host that hold a text: everybody can read them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        found += [words.decode(errors="replace")] if secret.encode() in words else []
    return found


def test_the_deployer_installs_through_the_proxy(tmp_path: Path, proxy: Proxy) -> None:
    """The variables reached nobody: an index that only the proxy reaches was not found."""
    assert proxy.wheels is not None
    lock = pin(wheel(proxy.wheels, "alpha", "1.0")).decode()
    index = f"http://{INDEX}/simple/"
    variables = {
        **proxy.variables(),
        "UV_INDEX_URL": index,
        "PIP_INDEX_URL": index,
        "PIP_TRUSTED_HOST": INDEX,
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "PIP_NO_CACHE_DIR": "1",
    }
    with Bot(tmp_path) as bot:
        bot.up(environment=variables)
        bot.project.write("requirements.lock", lock)
        commit = bot.project.version("2")
        bot.request(commit)
        leaked: list[str] = []

        def is_live() -> bool:
            leaked.extend(shown_in_arguments(PASSWORD))
            return bot.live() == commit

        bot.wait(is_live, "version 2")
        assert leaked == []
        bot.wait_live(commit)
        assert f"GET http://{INDEX}/files/alpha-1.0-py3-none-any.whl" in proxy.asked
        assert proxy.logins == {f"{USER}:{PASSWORD}"}
        assert proxy.hosts == {INDEX}
        assert holding(bot.home, PASSWORD) == []


@pytest.fixture
def real(tmp_path: Path) -> Project:
    """A project on paper: real markets, which nothing reaches but the proxy."""
    project = Project(tmp_path)
    path = project.tree / "foresight.toml"
    path.write_text(path.read_text().replace("speed = 60\n", "") + '[venue]\nkind = "paper"\n')
    project.git("commit", "-qam", "Trade on paper")
    return project


def test_a_bot_asks_real_markets_through_the_proxy_and_nothing_says_the_password(
    real: Project, proxy: Proxy
) -> None:
    """The proxy reaches nobody: an error at each attempt, with the address in it."""
    starting = real.begin("up", "-d", **proxy.variables())
    try:
        until_s = time.monotonic() + PATIENCE_S
        while proxy.asked.count("CONNECT api.binance.com:443") < ATTEMPTS:
            assert time.monotonic() < until_s, proxy.asked
            assert shown_in_arguments(PASSWORD) == []
            time.sleep(0.1)
        shown = [real.run(*words, **proxy.variables()) for words in SHOWING]
    finally:
        real.run("down")
        out, error = starting.communicate(timeout=PATIENCE_S)
    assert proxy.hosts == {"api.binance.com"}
    assert proxy.logins == {f"{USER}:{PASSWORD}"}
    assert not [text for text in (out, error) if PASSWORD in text]
    assert not [done for done in shown if PASSWORD in done.stdout + done.stderr]
    assert holding(real.place, PASSWORD) == []
