"""Logs that somebody else renames or deletes are there again by their name.

People, `foresight logs` and collectors read by name: what goes on into a renamed file is read by
nobody, and what goes on into a deleted one fills the disk unseen.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from handoff.launcher.engine_config import Companion
from handoff.limits import LOG_AGAIN_S
from tests.process.bot import Bot

pytestmark = pytest.mark.timeout(240)

WITHIN_S = 60.0  # what is promised


def page(bot: Bot) -> Companion:
    words = [sys.executable, "-I", "-m", "foresight.dashboard", "--home", str(bot.home)]
    return Companion("dashboard", (*words, "--fd", "{fd}"), listen="127.0.0.1:0")


def exchange(bot: Bot) -> Companion:
    words = [sys.executable, "-I", "-m", "foresight.exchange", "--dir", str(bot.home / "exchange")]
    return Companion("exchange", (*words, "--fd", "{fd}"), listen="127.0.0.1:0")


def writers(bot: Bot) -> dict[Path, list[int]]:
    """Return who writes to which log: the launcher and each of its children."""
    found: dict[Path, list[int]] = {}
    names = [("launcher", bot.launcher_pid())]
    names += [(child["name"], int(child["pid"])) for child in bot.children()]
    for name, pid in names:
        found.setdefault(bot.home / "logs" / f"{name}.log", []).append(pid)
    return found


def write_to(pid: int, path: Path) -> bool:
    """Tell whether both streams of a process go to the file of this name."""
    try:
        wanted = path.lstat()
        streams = [Path(f"/proc/{pid}/fd/{stream}").stat() for stream in (1, 2)]
        return all(os.path.samestat(stream, wanted) for stream in streams)
    except FileNotFoundError:
        return False


def test_every_log_that_is_renamed_or_deleted_is_opened_again(tmp_path: Path) -> None:
    """They went on into `worker.log.1` until it was deleted, and then into nothing."""
    with Bot(tmp_path) as bot:
        bot.up(bot.watcher(), page(bot), exchange(bot))
        bot.wait(lambda: len(bot.children()) == 4, "an owner and three companions")
        before = writers(bot)
        assert len(before) == 5
        pids = [pid for each in before.values() for pid in each]
        for number, path in enumerate(before):
            if number % 2:
                path.unlink()
            else:
                path.rename(path.with_name(f"{path.name}.1"))
        cycle = bot.cycle()
        bot.wait(
            lambda: all(write_to(pid, path) for path, all_ in before.items() for pid in all_),
            "every log by its name",
            limit_s=WITHIN_S,
        )
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in before)
        assert [pid for each in writers(bot).values() for pid in each] == pids, (
            "nobody was restarted"
        )
        bot.wait(lambda: bot.cycle() > cycle + 1, "cycles that go on")


def test_a_worker_told_to_hang_up_opens_its_log_at_once_and_lives_on(tmp_path: Path) -> None:
    """HUP is what rotation sends; it ended a worker."""
    with Bot(tmp_path) as bot:
        bot.up()
        bot.wait(lambda: any(each["owner"] for each in bot.children()), "an owner")
        (owner,) = (each for each in bot.children() if each["owner"])
        path, pid = bot.home / "logs" / f"{owner['name']}.log", int(owner["pid"])
        path.unlink()
        os.kill(pid, signal.SIGHUP)
        bot.wait(lambda: write_to(pid, path), "its log", limit_s=LOG_AGAIN_S / 2)
        assert [int(each["pid"]) for each in bot.children() if each["owner"]] == [pid]


def test_nothing_is_opened_through_a_link_in_the_place_of_a_log(tmp_path: Path) -> None:
    """Whoever may write beside the log could let a bot append to any file of its account."""
    with Bot(tmp_path) as bot:
        bot.up()
        (tmp_path / "elsewhere").touch()
        path = bot.home / "logs" / "launcher.log"
        path.rename(path.with_name("launcher.log.1"))
        path.symlink_to(tmp_path / "elsewhere")
        os.kill(bot.launcher_pid(), signal.SIGHUP)
        cycle = bot.cycle()
        bot.wait(lambda: bot.cycle() > cycle + 2, "cycles that go on")
        assert not write_to(bot.launcher_pid(), path)
        path.unlink()
        bot.wait(lambda: write_to(bot.launcher_pid(), path), "its log")
        assert (tmp_path / "elsewhere").read_bytes() == b""
