"""What a merge costs beside booting the release and asking its gates.

    python -m bench.merge_overhead [--merges 10] [--json FILE]

Owns one project made by `foresight init`, a hook, and merges of a changed strategy one after
another. The engine's own share of a deploy is the time from the deployer's first word until the
candidate is ready, minus what the boot and the gates took by the deploy's own history.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

LIMIT_S: Final = 120.0
BEFORE_TAKE: Final = ("building", "waiting", "replaying", "starting", "gating", "ready")
IN_WORKER: Final = frozenset({"boot", "schema", "warm", "reconcile"})
OVERHEAD_S_MAX: Final = 0.3


class Merge(NamedTuple):
    """One merge that went live, seconds."""

    overhead_s: float
    boot_s: float
    gates_s: float
    phases: dict[str, float]


class Project:
    """A project of its own, running."""

    def __init__(self, place: Path) -> None:
        """Make it."""
        self._tree = place / "my bot"
        self._variables = os.environ | {
            "XDG_STATE_HOME": str(place / "state"),
            "FORESIGHT_ENGINE_PAGE": "127.0.0.1:0",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": "bench",
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "bench@localhost",
        }
        self._call(place, "init", str(self._tree))

    def foresight(self, *words: str) -> str:
        """Run a command there; return what it printed."""
        return self._call(self._tree, *words)

    def _call(self, directory: Path, *words: str) -> str:
        command = [sys.executable, "-m", "foresight", *words]
        return self._run(command, directory)

    def _git(self, *words: str) -> str:
        return self._run(["git", *words], self._tree).strip()

    def _run(self, command: list[str], directory: Path) -> str:
        done = subprocess.run(
            command,
            cwd=directory,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def merge(self, number: int) -> str:
        """Merge a changed strategy; return the head."""
        branch = self._git("branch", "--show-current")
        self._git("checkout", "-q", "-b", f"change-{number}")
        path = self._tree / "strategy.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text.rstrip()}\n\n# {number}\n", encoding="utf-8")
        self._git("commit", "-qam", f"Change {number}")
        self._git("checkout", "-q", branch)
        self._git("merge", "-q", "--no-ff", "--no-edit", f"change-{number}")
        return self._git("rev-parse", "HEAD")

    def deployed(self, head: str) -> dict[str, Any]:
        """Wait for the end of a head's deploy; return its entry."""
        deadline_s = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline_s:
            for line in self.foresight("deploys", "--json").splitlines():
                entry: dict[str, Any] = json.loads(line)
                if entry["commit"] == head:
                    return entry
            time.sleep(1.0)
        text = f"{head} did not go live within {LIMIT_S:g} s"
        raise AssertionError(text)


def merge_of(entry: dict[str, Any]) -> Merge:
    """Return what a deploy took, by its entry in the history."""
    assert entry["outcome"] == "permanent", entry
    seconds = {gate["name"]: gate["seconds"] for gate in entry["gates"]}
    phases = {name: entry["phases"].get(name, 0.0) for name in BEFORE_TAKE}
    boot_s = seconds["boot"]
    # A worker begins to get warm while it boots: what it asks after its first word is a phase.
    gates_s = phases["gating"] + sum(seconds[name] for name in seconds if name not in IN_WORKER)
    return Merge(sum(phases.values()) - boot_s - gates_s, boot_s, gates_s, phases)


def main(argv: list[str] | None = None) -> int:
    """Merge, print, and write the JSON if it is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.merge_overhead")
    parser.add_argument("--merges", type=int, default=10)
    parser.add_argument("--json", default="", help="write everything here")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="merges-", dir="/var/tmp") as place:
        merges = _merges(Project(Path(place)), arguments.merges)
    for each in merges:
        rest = " ".join(f"{name} {value:.3f}" for name, value in each.phases.items())
        print(f"{each.overhead_s:6.3f}  boot {each.boot_s:.3f} gates {each.gates_s:.3f}  {rest}")
    median = statistics.median(each.overhead_s for each in merges)
    print(f"engine overhead: median {median:.3f} s of {len(merges)}, wanted: {OVERHEAD_S_MAX:g} s")
    if arguments.json:
        found = {"median_s": median, "merges": [each._asdict() for each in merges]}
        Path(arguments.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if median < OVERHEAD_S_MAX else 1


def _merges(project: Project, number: int) -> list[Merge]:
    project.foresight("up", "-d")
    try:
        project.foresight("hook", "install")
        found = [merge_of(project.deployed(project.merge(each))) for each in range(1, number + 1)]
        assert ", 0 missed, 0 lost, 0 doubled" in project.foresight("cycles", "--check")
    finally:
        project.foresight("down")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
