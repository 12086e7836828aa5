"""Programs that we run end when they should, with all of their children."""

import os
import sys
import time
from pathlib import Path

import pytest

from deploy import commands, replay
from deploy.errors import ProgramMissing
from deploy.git_tree import child_environment
from handoff.release_files import Manifest
from handoff.wish import Wish

HERE = dict(os.environ)


def wait_gone(pid: int) -> bool:
    """Wait until a process is gone, or a zombie that nobody has collected yet."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_at_the_limit_the_children_end_too(tmp_path: Path) -> None:
    """A git that hangs has a filter or a transport below it; killing git alone leaves that."""
    note = tmp_path / "pid"
    script = f"sleep 60 & echo $! > '{note}'; wait"
    done = commands.run(["sh", "-c", script], limit_s=0.5, environment=HERE)
    assert done.timed_out
    assert done.code == commands.TIMED_OUT
    assert wait_gone(int(note.read_text(encoding="ascii")))


@pytest.mark.timeout(20)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("hangs", [0, 1])
def test_a_pair_of_which_one_hangs_ends_at_its_limit(tmp_path: Path, hangs: int) -> None:
    """A replay is such a pair: one that tells its cycles for ever would hold up every deploy."""
    note = tmp_path / "pid"
    forever = ["sh", "-c", f"echo $$ > '{note}'; exec sleep 60"]
    pair = [["sh", "-c", "echo told"], ["cat"]]
    pair[hangs] = forever
    found = commands.run_pair(*pair, limit_s=0.5, environments=(HERE, HERE))
    assert [each.timed_out for each in found] == [True, True]
    assert found[hangs].code == -9
    assert wait_gone(int(note.read_text(encoding="ascii")))


@pytest.mark.timeout(20)
def test_a_pair_ends_when_nobody_wants_its_answer_any_more() -> None:
    forever = ["sh", "-c", "exec sleep 60"]
    wanted = iter([False, True])
    found = commands.run_pair(
        forever, ["cat"], limit_s=60, environments=(HERE, HERE), stop=lambda: next(wanted, True)
    )
    assert [each.timed_out for each in found] == [True, True]


def test_a_replay_that_hangs_is_the_candidates_fault_and_says_which_knob_to_turn(
    tmp_path: Path,
) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o700)
    release = Manifest("r1", "bot:create", str(slow), str(tmp_path))
    found = replay.replay(tmp_path, release, release, last=5, limit_s=0.5)
    (gate,) = replay.gates_of(found, Wish())
    assert not gate.allows
    assert "longer than 0.5 s; [engine] replay" in gate.reason


def test_a_child_reads_and_writes() -> None:
    done = commands.run(["cat"], limit_s=5, environment=HERE, feed=b"x" * 1_000_000)
    assert (done.code, len(done.output), done.errors, done.timed_out) == (0, 1_000_000, b"", False)


def test_a_child_gets_the_environment_it_is_given_and_no_other() -> None:
    done = commands.run(["/usr/bin/env"], limit_s=5, environment={"ONLY": "this"})
    assert done.output == b"ONLY=this\n"


def test_exit_codes_and_words_come_back() -> None:
    done = commands.run(["sh", "-c", "echo why >&2; exit 3"], limit_s=5, environment=HERE)
    assert (done.code, done.errors) == (3, b"why\n")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramMissing) as caught:
        commands.run(["no-such-program"], limit_s=5, environment=HERE)
    assert caught.value.program == "no-such-program"


def test_git_gets_nothing_that_redirects_it() -> None:
    """It takes what to run, and where, from more variables than its own."""
    own = {"GIT_DIR": "/x", "GIT_CONFIG_COUNT": "1", "PATH": "/bin", "LC_ALL": "de_DE"}
    own |= {"LD_PRELOAD": "/x", "PAGER": "x", "SSH_ASKPASS": "/x", "HOME": "/home/us"}
    given = child_environment(own)
    assert given["PATH"] == "/bin"
    assert given["LC_ALL"] == "C"
    assert given["HOME"] == "/home/us"
    assert not {"GIT_DIR", "GIT_CONFIG_COUNT", "LD_PRELOAD", "PAGER", "SSH_ASKPASS"} & set(given)
    assert given["GIT_OPTIONAL_LOCKS"] == "0"
