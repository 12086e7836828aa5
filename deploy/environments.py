"""Environments: the requirements of a lock file, installed once and shared by releases.

Owns `environments/<hash>/`. One is complete or not there: it is made beside its place and
renamed. It holds a `site-packages` and no scripts, so it can be moved, and it never changes,
so that a worker which imports something late gets what it started with. The caller holds the
lock that keeps two makers apart. Which requirements there are is the lock file's matter.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from deploy import commands, frozen_directory, installed, wheels
from deploy.errors import EnvironmentFailed, LockBuilds, WheelMissing
from deploy.release import LOCK_FILE, PythonFacts, absent, environment_hash, pins_of
from handoff.clean_text import without_passwords
from handoff.logs import open_log
from handoff.proxies import loopback_direct
from handoff.release_files import ENVIRONMENTS, SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable

OFFLINE_LIMIT_S: Final = 120.0  # from uv's cache: 0.2 s and 320 MB written, measured
PLACES_FILE: Final = "places.txt"  # where wheels of the project's own are, while it is made
ONLINE_LIMIT_S: Final = 900.0  # 90 MB of wheels over a slow line
COMPILE_LIMIT_S: Final = 300.0  # 4 s on two cores, measured
NAMED_MAX: Final = 5  # of what is absent, in an error
TAIL_BYTES: Final = 4000  # of the installers' words, in an error
SAID_BYTES_MAX: Final = 1 << 20  # of them, searched for what has no wheel
MARKER: Final = "environment.json"
MARKER_FORMAT: Final = 1

_BYTECODE: Final = "__pycache__"
_REDIRECTING: Final = ("GIT_", "PYTHON", "VIRTUAL_ENV", "__PYVENV")


class Environment(NamedTuple):
    """An environment that is complete.

    Attributes:
        name: Its hash, and the name of its directory.
        packages: Absolute path of its site-packages.
        how: kept, empty, copied, uv-cache, uv or pip.
        seconds: How long it took to make.
    """

    name: str
    packages: Path
    how: str
    seconds: float


def this_python() -> PythonFacts:
    """Return what of the running interpreter decides about environments."""
    return PythonFacts(
        version=platform.python_version(),
        implementation=sys.implementation.name,
        platform=sysconfig.get_platform(),
    )


def environment_directory(home: Path, name: str) -> Path:
    """Return where an environment lives under a home directory."""
    return home / ENVIRONMENTS / name


def ensure(
    home: Path,
    lock: bytes,
    *,
    name: str = "",
    making: Callable[[], None] = lambda: None,
    carry: Callable[[Path], None] = lambda _: None,
) -> Environment:
    """Return the environment that a lock file asks for; make it if it is not there.

    Args:
        home: The state directory, absolute.
        lock: Content of the lock file, with a hash for every requirement.
        name: What a release calls it already; otherwise its name says what it was made from.
        making: Called where it is not there and has to be made.
        carry: Called then with a directory that is not there yet; it makes it if there are
            wheels of the project's own to put there.

    Raises:
        LockBuilds: The lock asks for what is built, not unpacked.
        WheelMissing: Something in the lock has no wheel.
        EnvironmentFailed: No installer managed; what they said is in the error's log.
        OSError: The disk refused a write.
    """
    name = name or environment_hash(lock, this_python())
    place = environment_directory(home, name)
    if intact(place):
        return Environment(name, place / SITE_PACKAGES, "kept", 0.0)
    making()
    building = wheels.could_be_built(lock)
    if building:
        raise LockBuilds(LOCK_FILE, building)
    started = time.perf_counter()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = frozen_directory.unfinished(place)
    fresh.mkdir(mode=0o700)
    (fresh / LOCK_FILE).write_bytes(lock)
    carry(fresh / wheels.DIRECTORY)
    how = _install(fresh, lock, _log_file(home, name))
    frozen_directory.remove(fresh / wheels.DIRECTORY)
    (fresh / PLACES_FILE).unlink(missing_ok=True)
    seconds = time.perf_counter() - started
    _complete(fresh, how, seconds)
    frozen_directory.move_into_place(fresh, place)
    return Environment(name, place / SITE_PACKAGES, how, seconds)


def intact(place: Path) -> bool:
    """Tell whether an environment is complete and still what it was when it was made."""
    try:
        marker = json.loads((place / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(marker, dict) or marker.get("format") != MARKER_FORMAT:
        return False
    packages = place / SITE_PACKAGES
    # One that lacks something may have been recorded where no installer's end could be seen.
    return marker.get("listing") == listing(packages) and not _absent(place)


def _absent(place: Path) -> list[str]:
    try:
        lock = (place / LOCK_FILE).read_bytes()
        return absent(lock, os.listdir(place / SITE_PACKAGES))  # noqa: PTH208 - names are asked for
    except OSError as error:
        return [str(error)]


def listing(packages: Path) -> str:
    """Return a digest of the names and sizes below a directory, bytecode left out."""
    digest = hashlib.sha256()
    for entry in _entries(str(packages), ""):
        digest.update(os.fsencode(entry))
    return digest.hexdigest()


def _entries(directory: str, prefix: str) -> list[str]:
    found: list[str] = []
    try:
        with os.scandir(directory) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except FileNotFoundError:
        return found
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            found.append(f"{name}\0{entry.stat(follow_symlinks=False).st_size}\n")
        elif entry.name != _BYTECODE:
            found += _entries(entry.path, f"{name}/")
    return found


def _install(fresh: Path, lock: bytes, log: Path) -> str:
    packages = fresh / SITE_PACKAGES
    if not pins_of(lock):
        packages.mkdir()
        return "empty"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    how = _copied_or_installed(fresh, lock, log)
    lacking = _absent(fresh)
    if lacking:
        reason = f"after {how}, {', '.join(lacking[:NAMED_MAX])} of the lock is not there"
        raise EnvironmentFailed(reason, log=str(log), tail=_tail(log))
    _compile(packages, log)
    return how


def _copied_or_installed(fresh: Path, lock: bytes, log: Path) -> str:
    packages = fresh / SITE_PACKAGES
    reason = installed.copy_installed(lock, packages)
    if not reason:
        return "copied"
    begun = log.stat().st_size if log.exists() else 0
    _note(log, f"not copied from {sys.prefix}: {reason}")
    reason = "no installer is there"
    for how, command, limit_s in _installers(packages, _asked(fresh)):
        frozen_directory.remove(packages)
        reason = _attempt(how, command, limit_s, log)
        if not reason:
            frozen_directory.remove(packages / "bin")  # scripts that would name another place
            (packages / ".lock").unlink(missing_ok=True)  # uv's
            return how
    lacking = wheels.no_wheel_of(lock, _said_since(log, begun))
    if lacking:
        raise WheelMissing(reason, packages=lacking, log=str(log), tail=_tail(log))
    raise EnvironmentFailed(reason, log=str(log), tail=_tail(log))


def _asked(fresh: Path) -> list[Path]:
    """Return the files that say what to install and, beside the usual places, from where."""
    own = fresh / wheels.DIRECTORY
    if not own.exists():
        return [fresh / LOCK_FILE]
    # As an option it would replace the places that the environment's variables name. Beside the
    # wheels: a directory that comes from a release is written by nobody.
    place = fresh / PLACES_FILE
    place.write_text(f"--find-links {own.as_uri()}\n", encoding="utf-8")
    return [fresh / LOCK_FILE, place]


def _installers(packages: Path, asked: list[Path]) -> list[tuple[str, list[str], float]]:
    # What is built runs a program that no hash pins.
    target = ["--only-binary", ":all:", "--require-hashes", "--no-deps", "--target", str(packages)]
    target += [word for file in asked for word in ("-r", str(file))]
    uv = Path(sys.executable).with_name("uv")
    with_uv = [str(uv), "pip", "install", "--python", sys.executable, "--link-mode", "copy"]
    with_pip = [sys.executable, "-I", "-m", "pip", "install", "--no-input", "--no-compile"]
    found = [
        ("uv-cache", [*with_uv, "--offline", *target], OFFLINE_LIMIT_S),
        ("uv", [*with_uv, *target], ONLINE_LIMIT_S),
    ]
    pip = ("pip", [*with_pip, "--disable-pip-version-check", *target], ONLINE_LIMIT_S)
    return [*found, pip] if uv.exists() else [pip]


def _attempt(how: str, command: list[str], limit_s: float, log: Path) -> str:
    """Run an installer; return why it failed, or nothing."""
    _note(log, " ".join(command))
    done = _run(command, limit_s, log)
    if done.timed_out:
        return f"{how} took longer than {limit_s:.0f} s"
    return f"{how} failed with exit code {done.code}" if done.code else ""


def _compile(packages: Path, log: Path) -> None:
    # Some distributions carry files of other Python versions: what does not compile is left.
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-j", "0", str(packages)]
    _run(command, COMPILE_LIMIT_S, log)


def _run(command: list[str], limit_s: float, log: Path) -> commands.Finished:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_REDIRECTING)
    }
    # uv takes its certificates from the system, as pip does.
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    with tempfile.TemporaryFile() as said:
        try:
            return commands.run(
                command,
                limit_s=limit_s,
                environment=loopback_direct(environment),
                into=said,
                both=True,
            )
        finally:
            _add(log, said)


def _add(log: Path, said: BinaryIO) -> None:
    """Add what an installer said to its log, less the password of a proxy or of an index."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - commands.OUTPUT_BYTES_MAX))
    with os.fdopen(open_log(log), "ab") as file:
        file.write(without_passwords(said.read().decode(errors="replace")).encode())


def _complete(fresh: Path, how: str, seconds: float) -> None:
    facts = {
        "format": MARKER_FORMAT,
        "python": this_python()._asdict(),
        "how": how,
        "seconds": round(seconds, 3),
        "listing": listing(fresh / SITE_PACKAGES),
    }
    (fresh / MARKER).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    frozen_directory.freeze(fresh)


def _log_file(home: Path, name: str) -> Path:
    return home / "logs" / f"environment-{name}.log"


def _note(log: Path, text: str) -> None:
    with os.fdopen(open_log(log), "a", encoding="utf-8") as file:
        file.write(f"$ {without_passwords(text)}\n")


def _said_since(log: Path, begun: int) -> str:
    with log.open("rb") as file:
        file.seek(max(begun, log.stat().st_size - SAID_BYTES_MAX))
        return file.read(SAID_BYTES_MAX).decode(errors="replace")


def _tail(log: Path) -> str:
    return log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
