"""A page whose bot's record is in an etcd: what the browser shows while that does not answer."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

from foresight.page_link import page_token
from handoff.processes import HAS_PIDFD
from handoff.shared_record import STATE
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.process import etcd_server
from tests.process.paged import Paged

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(300),  # an installation and a browser on a busy machine
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
    pytest.mark.skipif(etcd_server.PROGRAM is None, reason=etcd_server.ABSENT),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
]

SHOWN: Final = "document.querySelector('[data-release]') !== null"
SAYS: Final = "document.querySelector('.banner').textContent.includes('is out of reach since')"
OLD: Final = "document.documentElement.classList.contains('old')"


class Beside(Paged):
    """An installation with a page, beside an etcd; what a take needs fits into its period."""

    period_s = 2.5
    budget_s = 0.3


def test_an_etcd_that_does_not_answer_is_said_and_said_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page itself is as new as ever: it looks old only where nothing comes from its server."""
    folder = tmp_path / "etcd"
    folder.mkdir()
    server = etcd_server.Server(folder)
    server.start()
    try:
        monkeypatch.setenv(STATE, f"etcd://127.0.0.1:{server.port}/bench")
        with Beside(tmp_path / "bot") as bot, Chromium(tmp_path / "profile") as browser:
            bot.begin()
            browser.open(f"http://127.0.0.1:{bot.port}/#token={page_token(bot.home)}")
            browser.expect_that(SHOWN)
            browser.expect_that(f"!({SAYS})")
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            browser.expect_that(SAYS)
            assert not browser.value(OLD)
            server.process.send_signal(signal.SIGCONT)
            browser.expect_that(f"!({SAYS})")
    finally:
        server.stop()
