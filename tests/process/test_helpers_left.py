"""What a worker forked ends with it, whoever started the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff.processes import HAS_PIDFD, identity_of, watch
from tests.process.hurt import ENTRY, Hurt, verify_nothing_lost

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.processes import Watched

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
]

HELPER = """
import os
import signal
import time

_asked_to_run = {note!r}
_helper = os.fork()
if _helper == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
    os._exit(0)
with open(_asked_to_run + str(os.getpid()), "w") as note:
    note.write(str(_helper))
"""


def helper_of(hurt: Hurt, worker: int) -> Watched:
    identity = identity_of(int((hurt.directory / f"helper-{worker}").read_text("ascii")))
    assert identity is not None, "it lives as long as its worker"
    watched = watch(identity)
    assert watched is not None
    return watched


def test_what_a_killed_worker_forked_ends_with_it_also_under_another_launcher(
    tmp_path: Path,
) -> None:
    """It went on with its worker's sockets and files, until somebody found it and ended it."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0")
        module = tree / "faulty_worker.py"
        text = HELPER.format(note=str(hurt.directory / "helper-"))
        module.write_text(module.read_text("utf-8") + text, encoding="utf-8")
        hurt.start(tree, ENTRY)
        own = helper_of(hurt, hurt.the_owner().pid)
        first = hurt.kill_owner()
        second = hurt.wait_other_owner(first)
        hurt.wait(own.gone, "the end of what a child forked")
        adopted = helper_of(hurt, second.pid)
        hurt.kill_launcher()
        hurt.start(tree, ENTRY)
        hurt.wait_adopted(second)
        assert not adopted.gone()
        hurt.wait_other_owner(hurt.kill_owner())
        hurt.wait(adopted.gone, "the end of what an adopted worker forked")
        third = hurt.the_owner()
        unseen = helper_of(hurt, third.pid)
        hurt.kill_launcher()
        hurt.kill_owner()
        assert not unseen.gone()
        hurt.start(tree, ENTRY)
        hurt.wait(unseen.gone, "the end of what a worker forked that nobody saw end")
        verify_nothing_lost(hurt)
        own.close()
        adopted.close()
        unseen.close()
