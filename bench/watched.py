"""What it costs to be looked at: cycles, the page's processor and memory, bytes on the wire.

    python -m bench.watched [--blocks 5] [--seconds 60] [--clients 50] [--speed 60] [--json FILE]

One installation on the local exchange at a cycle a second. Blocks without anybody, with one plain
client and with many take turns, so that what else the machine does hits all of them alike. Owns
the blocks and the table; three kinds of five minutes each are a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.installation import ROOT, environment
from deploy import frozen_directory
from foresight.demo.project import Project
from foresight.demo.story import SPEED
from foresight.evidence.command import Command
from foresight.page_link import TOKEN_FILE
from handoff.exit_codes import ExitCode

BAKE: Final = 1
CALM_S: Final = 10.0  # after the start, and after clients came or left
PATIENCE_S: Final = 60.0
SHARE_MAX: Final = 0.10  # median lateness may be so much above that without clients,
LATER_MS_MAX: Final = 1.0  # or so much, whichever is larger
CPU_TIMES_MAX: Final = 3.0  # of what one client costs
PAGE: Final = "dashboard"
TICKS_S: Final = os.sysconf("SC_CLK_TCK")


class Block(NamedTuple):
    """One stretch of time.

    Attributes:
        clients: How many followed.
        from_ms: Its begin, wall-clock milliseconds.
        until_ms: Its end.
        cpu: Of the page's process, seconds a second.
        memory_mb: Resident memory of the page at its end.
        wire_kb: Thousands of bytes a second that each client took; 0 without any.
        ended: How often a stream ended before its time.
    """

    clients: int
    from_ms: float
    until_ms: float
    cpu: float
    memory_mb: float
    wire_kb: float
    ended: int


class Watched:
    """An installation with a page, in a directory of its own.

    Args:
        directory: Where everything goes.
        speed: Market seconds per second.
    """

    def __init__(self, directory: Path, *, speed: int) -> None:
        """Make the project; nothing runs yet."""
        self.home = directory / "home"
        project = Project(directory / "project")
        self.command = Command(project.directory, self.home, bake=BAKE)
        self._speed = speed

    def up(self) -> None:
        """Start it, and wait until it is calm."""
        self.address = self.command.up(speed=self._speed, replay=None, force=True)
        pause(CALM_S)

    def block(self, clients: int, seconds: float) -> Block:
        """Let so many look for so long; return what that cost."""
        words = [self.address, str(self.home / TOKEN_FILE), str(clients), f"{seconds + CALM_S:g}"]
        command = [sys.executable, "-m", "bench.followers", *words]
        following = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        try:
            pause(CALM_S / 2)
            pid, from_ms, used_s = self._page(), time.time() * 1e3, self._used_s()
            pause(seconds)
            until_ms, memory_mb = time.time() * 1e3, _memory_mb(pid)
            cpu = (self._used_s() - used_s) / (until_ms - from_ms) * 1e3
            told = json.loads(following.communicate(timeout=seconds + PATIENCE_S)[0])
        finally:
            following.kill()
            following.wait()
        wire = told["bytes"] / told["seconds"] / clients / 1e3 if clients else 0.0
        return Block(clients, from_ms, until_ms, cpu, memory_mb, wire, told["ended"])

    def late_ms(self, block: Block) -> list[float]:
        """Return how late the cycles of a block began, milliseconds."""
        cycles = self.command.expect(ExitCode.DONE, "cycles", "--json").objects()
        return [
            each["late_ms"]
            for each in cycles
            if each.get("late_ms") is not None
            and block.from_ms <= each["scheduled"] < block.until_ms
        ]

    def _page(self) -> int:
        told = json.loads((self.home / "run" / "launcher.json").read_bytes())
        return next(int(each["pid"]) for each in told["children"] if each["name"] == PAGE)

    def _used_s(self) -> float:
        fields = Path(f"/proc/{self._page()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_S


def measure(watched: Watched, *, blocks: int, seconds: float, clients: int) -> dict[str, Any]:
    """Return what each kind of block cost, and how they compare."""
    kinds = (0, 1, clients)
    done: list[tuple[Block, list[float]]] = []
    for _ in range(blocks):
        for kind in kinds:
            block = watched.block(kind, seconds)
            done.append((block, watched.late_ms(block)))
            sys.stderr.write(f"{_row(*done[-1])}\n")
    found: dict[int, list[tuple[Block, list[float]]]] = {
        kind: [each for each in done if each[0].clients == kind] for kind in kinds
    }
    cpu = {kind: statistics.median(block.cpu for block, _ in found[kind]) for kind in kinds}
    late = {kind: [each for _, times in found[kind] for each in times] for kind in kinds}
    median = {kind: statistics.median(late[kind] or [0.0]) for kind in kinds}
    allowed_ms = max(SHARE_MAX * median[0], LATER_MS_MAX)
    return {
        "clients": clients,
        "seconds": seconds,
        "blocks": [block._asdict() | {"late_ms": times} for block, times in done],
        "late_ms": {str(kind): median[kind] for kind in kinds},
        "late_ms_without": [statistics.median(times or [0.0]) for _, times in found[0]],
        "later_ms": median[clients] - median[0],
        "later_ms_allowed": allowed_ms,
        "cpu": {str(kind): cpu[kind] for kind in kinds},
        "cpu_times": cpu[clients] / cpu[1] if cpu[1] else 0.0,
        "memory_mb": max(block.memory_mb for block, _ in done),
        "wire_kb": max(block.wire_kb for block, _ in done),
        "holds": {
            "lateness": median[clients] - median[0] <= allowed_ms,
            "processor": cpu[clients] <= CPU_TIMES_MAX * cpu[1],
        },
    }


def as_text(found: dict[str, Any]) -> str:
    """Return the comparison in a few lines."""
    many, without = str(found["clients"]), sorted(found["late_ms_without"])
    late, cpu, holds = found["late_ms"], found["cpu"], found["holds"]
    said = {True: "holds", False: "does not hold"}
    lateness = (
        f"median lateness of cycles: {late[many]:.2f} ms with {many} clients, {late['0']:.2f} "
        f"without (blocks {without[0]:.2f} to {without[-1]:.2f}); later by "
        f"{found['later_ms']:.2f} ms, {found['later_ms_allowed']:.2f} allowed"
    )
    processor = (
        f"processor of the page: {cpu['0']:.4f} s/s for nobody, {cpu['1']:.4f} for one client, "
        f"{cpu[many]:.4f} for {many}: {found['cpu_times']:.2f} times one's, "
        f"{CPU_TIMES_MAX:g} allowed"
    )
    weight = (
        f"memory of the page: {found['memory_mb']:.1f} MB at most; "
        f"on the wire: {found['wire_kb']:.2f} kB/s a client at most"
    )
    return (
        f"{lateness}: {said[holds['lateness']]}\n{processor}: {said[holds['processor']]}\n{weight}"
    )


def _row(block: Block, late_ms: list[float]) -> str:
    late = statistics.median(late_ms or [0.0])
    return (
        f"{block.clients:3} clients: {len(late_ms)} cycles, median {late:.2f} ms late; page "
        f"{block.cpu:.4f} s/s, {block.memory_mb:.1f} MB, {block.wire_kb:.2f} kB/s each, "
        f"{block.ended} streams ended"
    )


def _memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None, "every living process has one"
    return int(found[1]) * 1024 / 1e6


def pause(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)


def main(argv: list[str] | None = None) -> int:
    """Measure, print the comparison, and write the JSON if it is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.watched")
    parser.add_argument("--blocks", type=int, default=5, help="of each kind")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each block")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--speed", type=int, default=SPEED)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here")
    options = parser.parse_args(argv)
    directory = Path(tempfile.mkdtemp(prefix="bench-watched-")).resolve()
    watched = Watched(directory, speed=options.speed)
    try:
        watched.up()
        found = measure(
            watched, blocks=options.blocks, seconds=options.seconds, clients=options.clients
        )
    finally:
        watched.command.down()
    frozen_directory.remove(directory)
    sys.stdout.write(as_text(found) + "\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
