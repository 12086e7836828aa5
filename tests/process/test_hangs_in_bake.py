"""A baking release that hangs before it is warm, where nobody is left who could take over."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from bench.installation import ROOT, environment
from handoff.limits import FAILED_STARTS_MAX
from handoff.log_events import LogEvent
from tests.process.hurt import Hurt, verify_nothing_lost

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BAKE: Final = 500
LIMIT_S: Final = 3.0

# The launcher as it is, with less patience: a worker may take two minutes to get warm.
IMPATIENT: Final = """
import sys
import handoff.limits
handoff.limits.READY_TIMEOUT_S = float(sys.argv[2])
handoff.limits.DRAIN_TIMEOUT_S = float(sys.argv[2])
from handoff.__main__ import main
sys.exit(main(["launcher", "--home", sys.argv[1]]))
"""

HANGS: Final = {
    "at its import": """
import time
from pathlib import Path

if Path({flag!r}).exists():
    time.sleep(3600)
""",
    "while it warms up": """
import time
from pathlib import Path


async def _hangs(self, body):
    if Path({flag!r}).exists():
        time.sleep(3600)


Faulty.warm = _hangs
""",
}


def hanging(hurt: Hurt, version: str, where: str, flag: Path) -> Path:
    """Return the tree of a release that hangs as long as a file is there."""
    tree = hurt.release(version)
    module = tree / "faulty_worker.py"
    text = HANGS[where].format(flag=str(flag))
    module.write_text(module.read_text("utf-8") + text, encoding="utf-8")
    return tree


def start_impatient(hurt: Hurt) -> None:
    """Start a launcher that gives a worker little time to get warm."""
    command = [sys.executable, "-c", IMPATIENT, str(hurt.home), str(LIMIT_S)]
    with hurt.output.open("ab") as output:
        hurt.launcher = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=output, stderr=output
        )


def bake_in(hurt: Hurt, tree: Path) -> None:
    """Deploy with a bake that does not end, and wait until the release has run cycles."""
    hurt.background("replace", "--tree", str(tree), "--bake", str(BAKE))
    hurt.wait(lambda: release_that_owns(hurt) == "v1", "the take")
    hurt.wait_cycles(2)
    assert hurt.version() == "v1"


def release_that_owns(hurt: Hurt) -> str:
    owner = hurt.owner()
    return hurt.tree_version(owner.release) if owner is not None else ""


def end_everything(hurt: Hurt) -> None:
    """Kill launcher and workers, as a host does that loses its power."""
    hurt.kill_launcher()
    for pid in hurt.workers():
        hurt.end_process(pid)


def started(hurt: Hurt, *, since: int) -> list[str]:
    """Return the versions of the workers that the launcher started, from a place in its log on."""
    lines = hurt.output.read_bytes()[since:].decode().splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    return [
        hurt.tree_version(each["release"])
        for each in said
        if each["event"] == LogEvent.CHILD_STARTED.value
    ]


@pytest.mark.parametrize("where", HANGS)
def test_a_release_that_hangs_when_it_is_started_again_in_its_bake_gives_way_to_the_previous_one(
    tmp_path: Path, where: str
) -> None:
    """After everything was killed there is no way back that runs; a hang ends no process."""
    with Hurt(tmp_path) as hurt:
        hurt.up()
        flag = tmp_path / "hangs"
        bake_in(hurt, hanging(hurt, "v1", where, flag))
        flag.touch()
        end_everything(hurt)
        before = hurt.output.stat().st_size
        start_impatient(hurt)
        hurt.wait(lambda: release_that_owns(hurt) == "v0", "the previous release")
        hurt.wait_cycles(2)
        assert hurt.version() == "v0"
        record = hurt.record()
        assert record is not None
        assert record.rollout is None, "the bake is over"
        tried = started(hurt, since=before)[: FAILED_STARTS_MAX + 1]
        assert tried == ["v1"] * FAILED_STARTS_MAX + ["v0"]
        verify_nothing_lost(hurt)
