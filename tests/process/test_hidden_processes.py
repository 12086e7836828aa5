"""What cannot be seen is not dead: owners behind a `/proc` that hides them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handoff.processes import HAS_PIDFD, Identity, identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else"),
]

ROOT = Path(__file__).resolve().parents[2]
SOMEBODY = 61234  # an account that needs no entry
VICTIM = """
import ctypes, os, sys
uid, dumpable = map(int, sys.argv[1:])
os.setgroups([]), os.setresgid(uid, uid, uid), os.setresuid(uid, uid, uid)
ctypes.CDLL(None).prctl(4, dumpable, 0, 0, 0)
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, *arguments]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        yield process
        process.kill()


def ask(asker: subprocess.Popen[bytes], identity: Identity) -> dict[str, Any]:
    assert asker.stdin is not None
    assert asker.stdout is not None
    asker.stdin.write(json.dumps(identity).encode() + b"\n")
    asker.stdin.flush()
    answer: dict[str, Any] = json.loads(asker.stdout.readline())
    return answer


@pytest.mark.parametrize("dumpable", [0, 1])
@pytest.mark.parametrize("hidepid", [1, 2, 4])
def test_a_process_that_proc_hides_lives_until_it_is_dead(hidepid: int, dumpable: int) -> None:
    """A killed launcher's successor took a hidden owner for dead, and two owned at once."""
    script = str(Path(__file__).with_name("hidden_proc.py"))
    victim = running("-c", VICTIM, str(SOMEBODY), str(dumpable))
    with running(script, str(hidepid), str(SOMEBODY)) as asker, victim as process:
        assert process.stdout is not None
        process.stdout.readline()
        identity = identity_of(process.pid)
        assert identity is not None
        hidden = not dumpable
        assert ask(asker, identity) == {"hidden": hidden, "watched": True, "dead": False}
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # A zombie that nobody reaped; behind hidepid its descriptor alone can tell.
        assert ask(asker, identity) == {"hidden": True, "watched": False, "dead": True}
        process.wait()
        assert ask(asker, identity) == {"hidden": True, "watched": False, "dead": True}
