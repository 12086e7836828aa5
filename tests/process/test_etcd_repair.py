"""A bot whose etcd is put back from a snapshot while it runs, and the way back of the runbook."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.installation import environment
from foresight.cluster import refuse_put_back
from handoff.exit_codes import ExitCode
from handoff.shared_record import STATE
from state.errors import EtcdOlder
from state.local_store import read_only_generation
from tests.process.etcd_server import ABSENT, CTL, CTL_ABSENT, PROGRAM, Server
from tests.process.hurt import ENTRY, Hurt, verify_counts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(PROGRAM is None, reason=ABSENT),
    pytest.mark.skipif(CTL is None, reason=CTL_ABSENT),
]


class Bot(Hurt):
    """An installation beside an etcd, whose home is the one of a project's configuration."""

    period_s = 2.5
    budget_s = 0.3

    def __init__(self, place: Path, etcd: str) -> None:
        super().__init__(place / "beside", app="demo", home=place / "foresight" / "demo")
        self.place = place
        self.project = place / "project"
        self.project.mkdir()
        text = f'[engine]\napp = "demo"\nstate = "{etcd}"\n'
        (self.project / "foresight.toml").write_text(text, encoding="utf-8")

    def begin(self) -> None:
        """Start it, or start it again; what it could not decide meanwhile it decides late."""
        self.launcher = self.run(self.release("v0", catch_up_s=600.0), ENTRY)

    def state(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `foresight state`."""
        return subprocess.run(
            [sys.executable, "-m", "foresight", "state", *words],
            cwd=self.project,
            env=environment() | {"XDG_STATE_HOME": str(self.place)},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def says(self) -> str:
        """Return how it stands, in its own words."""
        found = json.loads(self.call("status", "--json").stdout)
        return str(found["says"])


def repaired(bot: Bot) -> str:
    """Repair, and return what it said; the copy holds its owner's lease for seconds."""
    tries = [bot.state("repair", "--json")]

    def is_done() -> bool:
        if tries[-1].returncode:
            assert "holds a lease" in tries[-1].stderr, tries[-1].stderr
            tries.append(bot.state("repair", "--json"))
        return tries[-1].returncode == 0

    bot.wait(is_done, "the end of the lease that the copy holds")
    return tries[-1].stdout


@pytest.fixture
def bot(own_etcd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    own_etcd.start()
    etcd = f"etcd://127.0.0.1:{own_etcd.port}/bench"
    monkeypatch.setenv(STATE, etcd)
    with Bot(tmp_path, etcd) as found:
        yield found


def test_an_etcd_put_back_under_a_bot_stops_it_until_it_is_repaired_and_nothing_is_done_twice(
    bot: Bot, own_etcd: Server, tmp_path: Path
) -> None:
    bot.begin()
    bot.wait_cycles(1)
    copy = own_etcd.snapshot(tmp_path / "copy")
    bot.wait_cycles(2)
    own_etcd.stop()
    own_etcd.restore(copy)
    before = bot.progress()
    own_etcd.start()
    bot.wait(lambda: "was put back" in bot.says(), "the word that it was put back")
    bot.wait(lambda: not bot.workers(), "the end of every worker")
    assert "run `state repair`" in bot.says()
    assert bot.state("repair").returncode == ExitCode.ANOTHER, "its launcher runs"
    assert bot.down() == 0, bot.last_words()
    bot.begin()  # whoever starts it all the same decides nothing
    bot.wait(lambda: "was put back" in bot.says(), "the same word from the next launcher")
    assert bot.progress() == before
    assert bot.down() == 0, bot.last_words()
    told = ((STATE, f"etcd://127.0.0.1:{own_etcd.port}/bench"),)
    with pytest.raises(EtcdOlder):
        refuse_put_back(bot.home, told, "demo")  # as `up` asks before it starts anything
    assert json.loads(repaired(bot))["was_older"]
    refuse_put_back(bot.home, told, "demo")
    kept = str(tmp_path / "kept.tar")
    assert bot.state("export", kept).returncode == 0
    bot.begin()
    bot.wait_cycles(2)
    assert bot.down() == 0, bot.last_words()
    verify_counts(bot)
    assert [line.kind for line in bot.lines()].count("repair") == 1
    newest = read_only_generation(bot.home / "state").record
    assert newest.ownership.epoch >= 3
    assert bot.state("restore", kept).returncode == ExitCode.REFUSED, "it has gone further"
    restored = bot.state("restore", kept, "--force")
    assert restored.returncode == 0, restored.stderr
    found = read_only_generation(bot.home / "state").record
    assert found.progress.cycle < newest.progress.cycle
    assert found.ownership.epoch > newest.ownership.epoch
