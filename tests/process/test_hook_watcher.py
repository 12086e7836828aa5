"""What the branch says is what runs in the end, whether a hook told of it or not."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from deploy import jobs
from deploy.branch import Policy
from deploy.convergence import Follower
from deploy.watcher import BranchWatcher
from tests.process.bot import WORKER, Bot, end

pytestmark = pytest.mark.timeout(120)

# Long enough that a deployer can be killed while its candidate starts.
SLOW_START = "import time\n\ntime.sleep(3)\n"


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        yield running


class Recorded(Follower):
    """A branch whose heads are given, and what was dealt with."""

    def __init__(self, home: Path, heads: list[str]) -> None:
        policy = Policy(repository="/r", shared="/r/.git", branch="main")
        super().__init__(home, policy, by="watcher", python="", now_ns=time.time_ns)
        self.heads = heads
        self.dealt_with: list[str] = []
        self.now = ""

    @override
    def head(self) -> str:
        self.now = self.heads.pop(0)
        return self.now

    @override
    def is_handled(self, commit: str) -> bool:
        return commit in self.dealt_with

    @override
    def converge(self) -> str:
        self.dealt_with.append(self.now)
        return ""


def test_a_head_has_to_stand_still_for_one_interval(tmp_path: Path) -> None:
    """In the middle of a rebase the branch passes through commits that nobody means."""
    follower = Recorded(tmp_path, ["a", "b", "c", "c", "c", "d", "c", "d", "d"])
    watcher = BranchWatcher(tmp_path, follower, python="", say=lambda _: None)
    for _ in range(9):
        watcher.look()
    assert follower.dealt_with == ["c", "d"]


def watched(bot: Bot) -> str:
    path = bot.home / "logs" / "watcher.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_commits_that_no_hook_sees_go_live(bot: Bot) -> None:
    """A plain commit, a reset and a merge with conflicts call no hook."""
    bot.up(bot.watcher())
    first = bot.live()
    second = bot.project.version("2")
    bot.wait_live(second)
    bot.project.git("reset", "--quiet", "--hard", first)
    bot.wait_live(first)
    outcomes = [(entry.commit, entry.outcome, entry.by) for entry in bot.deploys()]
    assert outcomes == [(second, "permanent", "watcher"), (first, "permanent", "watcher")]


def test_a_merge_with_conflicts_goes_live(bot: Bot) -> None:
    bot.up(bot.watcher())
    bot.install_hook()
    bot.project.git("checkout", "--quiet", "-b", "feature")
    bot.project.version("2")
    bot.project.git("checkout", "--quiet", "main")
    third = bot.project.version("3")
    bot.wait_live(third)
    bot.project.git_with_hooks("merge", "--quiet", "feature", check=False)
    fourth = bot.project.version("4", "Join")
    bot.wait_live(fourth)
    assert bot.outcomes() == [(third, "permanent"), (fourth, "permanent")]


def test_a_commit_that_was_refused_is_not_tried_again(bot: Bot) -> None:
    bot.up(bot.watcher())
    bot.project.write("worker.py", "raise SystemExit('broken')\n")
    broken = bot.project.commit("Break it")
    bot.wait(lambda: len(bot.outcomes()) == 1, "a refusal")
    time.sleep(1.5)
    assert bot.outcomes() == [(broken, "refused")]
    fixed = bot.project.version("3")
    bot.wait_live(fixed)


def test_a_rollback_is_left_alone(bot: Bot) -> None:
    """Also by a watcher that was started anew and remembers nothing."""
    bot.up(bot.watcher())
    first = bot.live()
    second = bot.project.version("2")
    bot.wait_live(second)
    bot.request(first)
    bot.wait_live(first)
    (bot.home / "run" / "branch-head.json").unlink()
    bot.kill("watcher")
    bot.wait(lambda: "was permanent before" in watched(bot), "the watcher's word")
    assert bot.live() == first
    assert len(bot.deploys()) == 2


def test_what_needs_no_deploy_is_written_down_once(bot: Bot) -> None:
    bot.up(bot.watcher())
    first = bot.live()
    bot.project.write("docs/index.md", "words\n")
    documented = bot.project.commit("Explain it")
    bot.wait(lambda: len(bot.outcomes()) == 1, "an entry")
    unwanted = bot.project.version("2", "Try it\n\n[skip deploy]")
    bot.wait(lambda: len(bot.outcomes()) == 2, "an entry")
    time.sleep(1.0)
    assert bot.outcomes() == [(documented, "skipped"), (unwanted, "skipped")]
    assert "documentation" in bot.deploys()[0].reason
    assert "[skip deploy]" in bot.deploys()[1].reason
    assert bot.live() == first
    third = bot.project.version("3")
    bot.wait_live(third)


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    key = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    return key


def test_only_what_is_signed_goes_live(bot: Bot, signer: Path) -> None:
    bot.project.git("config", "gpg.format", "ssh")
    bot.project.git("config", "user.signingKey", str(signer))
    allowed = signer.with_name("allowed")
    allowed.write_text(f"mia@example.invalid {signer.with_suffix('.pub').read_text('utf-8')}")
    bot.project.git("config", "gpg.ssh.allowedSignersFile", str(allowed))
    bot.up(bot.watcher(signed="commits"))
    unsigned = bot.project.version("2")
    bot.wait(lambda: len(bot.outcomes()) == 1, "an entry")
    assert bot.outcomes() == [(unsigned, "skipped")]
    bot.project.write("worker.py", (bot.project.path / "worker.py").read_text("utf-8") + "\n")
    bot.project.git("commit", "--quiet", "--all", "-S", "-m", "Signed")
    bot.wait_live(bot.project.git("rev-parse", "HEAD"))
    # A key that is not on the list signs nothing.
    allowed.write_text("", encoding="utf-8")
    bot.project.write("worker.py", (bot.project.path / "worker.py").read_text("utf-8") + "\n")
    bot.project.git("commit", "--quiet", "--all", "-S", "-m", "Stranger")
    bot.wait(lambda: len(bot.outcomes()) == 3, "an entry")
    assert bot.outcomes()[-1][1] == "skipped"


def test_a_deploy_outlives_its_terminal_and_its_deployer(bot: Bot) -> None:
    """Whoever asked is gone and whoever did it was killed: the history still says how it ended."""
    bot.up()
    bot.project.write("worker.py", SLOW_START + WORKER.format(version="2"))
    second = bot.project.commit("Take a while to start")
    ask = (
        "import sys, time; from pathlib import Path; from deploy import jobs, requests;"
        "from handoff.wish import Wish;"
        "home, repository, commit = sys.argv[1:];"
        "jobs.submit(Path(home), requests.Request(deploy='dterminal', repository=repository,"
        "commit=commit, ref=commit, by='mia', wish=Wish(bake=4), requested_ns=time.time_ns()),"
        "sys.executable); time.sleep(600)"
    )
    main, terminal = pty.openpty()
    arguments = [str(bot.home), str(bot.project.path), second]
    command = [sys.executable, "-I", "-c", ask, *arguments]
    asker = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    job = jobs.job_name("dterminal")
    bot.wait(lambda: any(child["name"] == job for child in bot.children()), "the deployer")
    os.close(main)
    asker.kill()
    asker.wait()
    for phase in ("starting", "baking"):
        bot.wait(lambda: (now := bot.current()) is not None and now.phase == phase, phase)  # noqa: B023 - waited for at once
        bot.kill(job)
    bot.wait_live(second)
    (entry,) = bot.deploys()
    assert (entry.deploy, entry.outcome, entry.reason) == ("dterminal", "permanent", "")


def test_a_deployer_that_died_with_its_launcher_is_started_again(bot: Bot) -> None:
    bot.up()
    second = bot.project.version("2")
    deploy = bot.request(second, bake=4)
    bot.wait(lambda: (now := bot.current()) is not None and now.phase == "baking", "a bake")
    deployers = [
        int(child["pid"]) for child in bot.children() if child["name"] == jobs.job_name(deploy)
    ]
    bot.kill_launcher()
    for pid in deployers:
        end(pid)
    bot.up(bot.watcher())
    bot.wait_live(second)
    (entry,) = bot.deploys()
    assert (entry.deploy, entry.outcome, entry.reason) == (deploy, "permanent", "")


def test_a_deployer_waits_for_a_launcher_that_died_in_a_bake(bot: Bot) -> None:
    """The release owns all the while: that it was refused would be a lie."""
    bot.up()
    second = bot.project.version("2")
    deploy = bot.request(second, bake=6)
    bot.wait(lambda: (now := bot.current()) is not None and now.phase == "baking", "a bake")
    bot.kill_launcher()
    bot.up()
    bot.wait_live(second)
    (entry,) = bot.deploys()
    assert (entry.deploy, entry.outcome, entry.reason) == (deploy, "permanent", "")


def test_a_watcher_whose_repository_is_gone_says_so_once(bot: Bot) -> None:
    bot.up(bot.watcher())
    bot.project.path.rename(bot.project.path.with_name("moved"))
    bot.wait(lambda: "error" in watched(bot), "the watcher's word")
    time.sleep(1.0)
    words = [json.loads(line)["watch"] for line in watched(bot).splitlines()]
    assert len([each for each in words if each.startswith("error")]) == 1
