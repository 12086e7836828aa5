"""Faults at every system call of a step: which calls there are, and what one fault leaves.

Owns the tracing of one clean run, the list of points that follows from it, and the run of a
point: the fault, then a fresh process that recovers, then the verdict. A point is the n-th call
of its kind between the victim's `begin` and `end`; strace makes it fail, or ends the process in
its place.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.crash.judge import Verdict, judge
from tests.crash.victim import GAVE_UP, Victim, genesis, open_store
from tests.put_back import WAYS, Pair, pair_in, put
from tests.records import worker

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
LIMIT_S: Final = 30.0
HUNG: Final = 124  # as timeout(1) says it

CHANGING: Final = (
    *("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2"),
    *("link", "linkat", "unlink", "unlinkat", "ftruncate", "fallocate", "mkdir", "flock"),
)
LOOKING: Final = ("read", "newfstatat", "fstat", "lseek", "getdents64", "close")
FAULTS: Final = ("KILL", "EIO", "ENOSPC", "LIE")
LIE_BYTES: Final = 7  # what a lying write says it took; it took nothing

# Each step, with what has been done in its home before.
STEPS: Final = {
    "first": "nothing",
    "decide": "settled",
    "settle": "decided",
    "take": "settled",
    "seize": "decided",
    "decide-bake": "taken",
    "decide-rotate": "long",
    "decide-short": "settled",
    "settle-short": "decided",
}
PUT_BACK_STEPS: Final = ("decide", "settle")
OLDER: Final = ("older.json", "older.prev.json")  # beside a home: its record some cycles ago
RECOVERY: Final = "survive"
VICTIM: Final = (sys.executable, "-m", "tests.crash.victim")
VICTIM_TREE: Final = ("state", "tests/crash", "tests/records.py", "tests/faulty_files.py")

_KIND: Final = re.compile(rb'"kind":"(\w+)","at"')
_PROGRESS: Final = re.compile(rb'"progress":\{"cycle":\d+,"phase":"\w+"')
_CALL: Final = re.compile(r"^\d+ +(\w+)\((.*)$")


class Point(NamedTuple):
    """One place for a fault.

    Attributes:
        step: What the victim does.
        call: The kind of system call.
        nth: Which of that kind since the process began, from 1: what strace counts.
        fault: KILL, EIO, ENOSPC or LIE.
        where: The call as it was traced, for a reader.
        start: A home to start from; None means the one that the step prescribes.
        put_back: What an operator does to the record afterwards, one of `WAYS`; empty for nothing.
    """

    step: str
    call: str
    nth: int
    fault: str
    where: str
    start: Path | None = None
    put_back: str = ""


class Trial(NamedTuple):
    """What came of one point.

    Attributes:
        point: The point.
        struck: Whether the fault happened, and where it should.
        verdict: What a survivor left.
        wreck: Where the home is as the fault left it; None unless it was asked for.
        trouble: A process that ended in a way that no fault explains.
    """

    point: Point
    struck: bool
    verdict: Verdict
    wreck: Path | None = None
    trouble: str = ""

    @property
    def is_clean(self) -> bool:
        return self.struck and self.verdict.is_clean and not self.trouble


def why_impossible() -> str:
    """Return why no process can be traced here, or an empty string."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = ["strace", "-f", "-o", os.devnull, "-e", "inject=fsync:error=EIO:when=1", "true"]
    done = subprocess.run(command, check=False, capture_output=True, timeout=LIMIT_S)
    return "" if done.returncode == 0 else "tracing a process is not permitted"


class Sweep:
    """All points of some steps, in a directory of its own.

    Args:
        directory: Where homes are made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbered = 0
        self._tree = _frozen_tree(directory / "tree")
        self._templates: dict[str, Path] = {}
        for name in sorted({*STEPS.values(), "decided"}):
            self._templates[name] = _prepared(directory / f"template-{name}", name)

    def points(self, step: str, start: Path | None = None) -> list[Point]:
        """Trace one clean run of a step and return its points.

        Raises:
            RuntimeError: The step fails without any fault.
        """
        place = self._copy(step, start)
        log = place / "trace"
        done = self._trace(step, place, log, [])
        if done.returncode != 0:
            message = f"{step} fails by itself: {done.stderr}"
            raise RuntimeError(message)
        found = []
        for call, nth, where in _swept(log.read_text(errors="replace"), place):
            found += [
                Point(step, call, nth, fault, where, start)
                for fault in FAULTS
                if _applies(fault, call, where)
            ]
        shutil.rmtree(place)
        return found

    def run(self, point: Point, *, keep_wreck: bool = False) -> Trial:
        """Let one fault happen, recover, and judge."""
        place = self._copy(point.step, point.start)
        log = place / "trace"
        done = self._trace(point.step, place, log, [_injection(point)])
        struck = _struck(log.read_text(errors="replace"), point)
        trouble = _trouble(point, done, "the victim")
        if point.put_back:
            self._put_back(point, place / "home")
        wreck = None
        if keep_wreck:
            wreck = self._fresh("wreck")
            _copy_home(place, wreck)
        after = self._run([*VICTIM, RECOVERY, *_places(place)])
        if point.put_back and after.returncode == GAVE_UP:  # it names the command for an operator
            self._run([*VICTIM, "repair", *_places(place)])
            after = self._run([*VICTIM, RECOVERY, *_places(place)])
        if after.returncode != 0:
            trouble = f"the survivor ended with {after.returncode}: {after.stderr[-300:]}"
        verdict = judge(place / "home", place / "acks", lied=point.fault == "LIE")
        if struck and verdict.is_clean and not trouble:
            shutil.rmtree(place)
        return Trial(point, struck, verdict, wreck, trouble)

    def put_backs(self, points: Sequence[Point]) -> list[Point]:
        """Return for each kill the points after which a record is put back, in every way."""
        kills = [each for each in points if each.fault == "KILL" and each.step in PUT_BACK_STEPS]
        changing = [each for each in kills if each.call in CHANGING]
        return [each._replace(put_back=way) for way in WAYS for each in changing]

    def _put_back(self, point: Point, home: Path) -> None:
        older = Pair(*((self.template(point.step) / name).read_bytes() for name in OLDER))
        pairs = list(WAYS[point.put_back](pair_in(home), [older]))
        if pairs:
            put(home, pairs[0])

    def template(self, step: str) -> Path:
        """Return the place from which a step starts."""
        return self._templates[STEPS[step]]

    def strike(self, point: Point, place: Path) -> bool:
        """Run a step in a place of the caller's with its fault; return whether it struck."""
        self._trace(point.step, place, place / "trace", [_injection(point)])
        return _struck((place / "trace").read_text(errors="replace"), point)

    def survive(self, place: Path) -> int:
        """Recover in a place of the caller's with a fresh process; return its exit status."""
        return self._run([*VICTIM, RECOVERY, *_places(place)]).returncode

    def _copy(self, step: str, start: Path | None) -> Path:
        place = self._fresh(step)
        _copy_home(start or self.template(step), place)
        return place

    def _fresh(self, stem: str) -> Path:
        self._numbered += 1
        return self._directory / f"{stem}-{self._numbered:05d}"

    def _trace(
        self, step: str, place: Path, log: Path, inject: list[str]
    ) -> subprocess.CompletedProcess[str]:
        calls = ",".join((*CHANGING, *LOOKING))
        command = ["strace", "-f", "-y", "-s", "24", "-o", str(log)]
        if not any("signal=" in each for each in inject):
            command.append("--seccomp-bpf")  # four times faster; a signal is lost with it
        command += ["-e", f"trace={calls}", *(f"--inject={each}" for each in inject)]
        return self._run([*command, *VICTIM, step, *_places(place)])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        # The same calls in every run: nothing is compiled on the way and no hash is random.
        steady = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        try:
            return subprocess.run(
                command,
                cwd=self._tree,
                env=kept | steady,
                check=False,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            said = f"it hung for {LIMIT_S:g} s"
            return subprocess.CompletedProcess(command, HUNG, stdout="", stderr=said)


def _frozen_tree(target: Path) -> Path:
    """Copy what the victim imports: an edit during a sweep would move every count."""
    for name in VICTIM_TREE:
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy)
    compileall.compile_dir(target, quiet=1)
    return target


def fingerprint(place: Path) -> str:
    """Return a digest of the shape of a home: which files, how much of each, how far they got.

    Times and random words in it differ from run to run; what a recovery meets does not.
    """
    digest = hashlib.sha256()
    for path in sorted((place / "home").rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            kinds = _KIND.findall(data)[-2:] + _PROGRESS.findall(data)[-1:]
            shape = (path.name, data.count(b"\n"), data[-1:], kinds, min(len(data), 1))
            digest.update(repr(shape).encode())
    return digest.hexdigest()[:16]


def _copy_home(source: Path, target: Path) -> None:
    target.mkdir()
    if (source / "home").exists():
        shutil.copytree(source / "home", target / "home")
    else:
        (target / "home").mkdir()
    if (source / "acks").exists():
        shutil.copy2(source / "acks", target / "acks")


def _prepared(place: Path, done: str) -> Path:
    place.mkdir(parents=True)
    (place / "home").mkdir()
    if done == "nothing":
        return place
    store = open_store(place / "home", rotating=done == "long")
    victim = Victim(store, worker("a", "r1"), place / "acks")
    store.create(genesis())
    record = victim.seize(store.read())
    cycles = 2
    if done == "long":  # the next decision opens a new segment, and the oldest goes
        cycles = 10
    for _ in range(cycles):
        for name, data in zip(OLDER, pair_in(place / "home"), strict=True):
            (place / name).write_bytes(data or b"")
        record = victim.settle(victim.decide(record))
    if done == "decided":
        record = victim.decide(record)
        victim.send(record)
    if done == "taken":
        victim.me = worker("b", "r2")
        victim.decide(victim.settle(victim.decide(victim.take(record))))
        victim.settle(store.read())
    store.close()
    return place


def _places(place: Path) -> list[str]:
    return [str(place / "home"), str(place / "acks")]


def _swept(trace: str, place: Path) -> list[tuple[str, int, str]]:
    """Return the calls between the two marks: kind, number of its kind, and what it was."""
    counts: dict[str, int] = {}
    found: list[tuple[str, int, str]] = []
    inside = False
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        call, arguments = match.groups()
        counts[call] = counts.get(call, 0) + 1
        if inside:
            words = arguments.replace(f"{place}/", "")
            found.append((call, counts[call], f"{call}({words}"))
        inside = (inside or '"begin\\n"' in arguments) and '"end\\n"' not in arguments
    return found


def _applies(fault: str, call: str, where: str) -> bool:
    outside = "acks" in where
    match fault:
        case "KILL":
            return True
        case "EIO":
            return not outside and call not in {"close", "lseek", "fstat"}
        case "ENOSPC":
            writes = {*CHANGING} - {"flock", "unlink", "unlinkat", "ftruncate"}
            return (
                not outside and call in writes and not ("openat" in where and "O_RDONLY" in where)
            )
        case _:
            return not outside and call in {"write", "pwrite64"}


def _injection(point: Point) -> str:
    match point.fault:
        case "KILL":
            what = "signal=KILL"
        case "LIE":
            what = f"retval={LIE_BYTES}"
        case error:
            what = f"error={error}"
    return f"{point.call}:{what}:when={point.nth}"


def _struck(trace: str, point: Point) -> bool:
    """Tell whether the fault happened after `begin`, as planned."""
    begun = False
    for line in trace.splitlines():
        if '"begin\\n"' in line:
            begun = True
        if "(INJECTED)" in line:
            return begun
        if "+++ killed by SIGKILL" in line:
            return begun and point.fault == "KILL"
    return False


def _trouble(point: Point, done: subprocess.CompletedProcess[str], who: str) -> str:
    if point.fault == "KILL" and done.returncode != HUNG:
        return ""
    # A worker that cannot open its home leaves, and the launcher starts another one.
    allowed = {0, GAVE_UP} if point.step in {"first", RECOVERY} else {0}
    if done.returncode in allowed:
        return ""
    return f"{who} ended with {done.returncode}: {done.stderr[-600:]}"
