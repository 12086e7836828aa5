"""What the running interpreter has installed, copied instead of installed once more.

Owns the shortest way to an environment: `make setup` has just installed the same lock, from
wheels alone, and stamped that. A copy is taken only where the stamp still fits and every file has
the hash that its distribution wrote down; anything else is answered with a reason, and the caller
installs. `python -m deploy.installed LOCK` writes the stamp, with `--begin` it takes it away and
refuses a lock that lets something be built.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy import frozen_directory
from deploy.errors import LockBuilds
from deploy.release import Pin, normalised, pins_of
from deploy.wheels import could_be_built

if TYPE_CHECKING:
    from collections.abc import Iterable

STAMP: Final = "foresight-wheels.sha256"  # in the venv's root; its former name knew source too
COPY_THREADS: Final = 4  # hashing and writing release the interpreter's lock


class Mismatch(Exception):
    """What is installed is not what the lock asks for; the text says how."""


class RecordedFile(NamedTuple):
    """One file of a distribution.

    Attributes:
        source: Where it is.
        path: Where it belongs, relative to site-packages.
        digest: Its sha256 as wheels write it, or an empty string where none is recorded.
    """

    source: Path
    path: str
    digest: str


def copy_installed(lock: bytes, target: Path, *, prefix: Path | None = None) -> str:
    """Copy what a lock pins from an installation to a new directory.

    Args:
        lock: Content of the lock file.
        target: The new site-packages; not there yet, and not there if this fails.
        prefix: Root of the installation; the running interpreter's if None.

    Returns:
        Why that cannot be done, or an empty string where it was.

    Raises:
        OSError: The disk refused a write.
    """
    root = Path(sys.prefix) if prefix is None else prefix
    try:
        stamped = _check_stamp(root / STAMP, lock)
        found = _distributions(root)
        files = _files_of(pins_of(lock), found)
        _check_unchanged(stamped, lock, found)
        _copy_all(files, target)
    except Mismatch as mismatch:
        frozen_directory.remove(target)
        return str(mismatch)
    return ""


def stamp(lock: bytes, *, prefix: Path | None = None) -> None:
    """Write down that a lock has just been installed, every package anew and from a wheel.

    Args:
        lock: Content of the lock file.
        prefix: Root of the installation; the running interpreter's if None.
    """
    root = Path(sys.prefix) if prefix is None else prefix
    words = f"{hashlib.sha256(lock).hexdigest()}\n{_records_digest(lock, _distributions(root))}\n"
    (root / STAMP).write_text(words, encoding="ascii")


def _check_stamp(path: Path, lock: bytes) -> str:
    """Return the digest of the records that were there when a lock was installed."""
    try:
        digest, records = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        reason = f"it does not say which lock it was made from, wheels only ({STAMP})"
        raise Mismatch(reason) from error
    if digest != hashlib.sha256(lock).hexdigest():
        reason = "it was made from another lock"
        raise Mismatch(reason)
    return records


def _check_unchanged(
    stamped: str, lock: bytes, found: dict[str, importlib.metadata.Distribution]
) -> None:
    if stamped != _records_digest(lock, found):
        reason = "something was installed into it since it was set up"
        raise Mismatch(reason)


def _records_digest(lock: bytes, found: dict[str, importlib.metadata.Distribution]) -> str:
    """Return a digest of what the distributions of a lock say that they installed.

    Whoever installs another build of the same version afterwards changes it.
    """
    digest = hashlib.sha256()
    for name in sorted({pin.name for pin in pins_of(lock)} & found.keys()):
        record = (found[name].read_text("RECORD") or "").encode()
        digest.update(f"{name} {len(record)}\n".encode() + record)
    return digest.hexdigest()


def _directories(root: Path) -> list[Path]:
    # Some systems keep compiled packages in a directory of their own.
    base = {"base": str(root), "platbase": str(root)}
    paths = [sysconfig.get_path(kind, vars=base) for kind in ("purelib", "platlib")]
    return [Path(path) for path in dict.fromkeys(map(os.path.realpath, paths))]


def _distributions(root: Path) -> dict[str, importlib.metadata.Distribution]:
    directories = [str(path) for path in _directories(root)]
    return {
        normalised(found.metadata["Name"]): found
        for found in importlib.metadata.distributions(path=directories)
    }


def _files_of(
    pins: list[Pin], distributions: dict[str, importlib.metadata.Distribution]
) -> list[RecordedFile]:
    files: list[RecordedFile] = []
    for pin in pins:
        found = distributions.get(pin.name)
        if found is None and pin.marker:
            continue  # the lock was installed here, so its condition does not hold here
        if found is None or found.version != pin.version:
            reason = f"{pin.name} is {found.version if found else 'absent'}, not {pin.version}"
            raise Mismatch(reason)
        files += _recorded(found)
    return files


def _recorded(found: importlib.metadata.Distribution) -> Iterable[RecordedFile]:
    record = found.read_text("RECORD")
    if record is None:
        reason = f"{found.name} has no RECORD"
        raise Mismatch(reason)
    for path, digest, _ in csv.reader(record.splitlines()):
        parts = PurePosixPath(path).parts
        if ".." in parts or path.startswith("/") or path.endswith(".pyc"):
            continue  # scripts, and bytecode, which goes with its source
        yield RecordedFile(Path(str(found.locate_file(path))), path, digest)


def _copy_all(files: list[RecordedFile], target: Path) -> None:
    for directory in {(target / file.path).parent for file in files}:
        directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(COPY_THREADS) as threads:
        for _ in threads.map(lambda file: _copy(file, target / file.path), files):
            pass  # an error of any of them is raised here


def _copy(file: RecordedFile, target: Path) -> None:
    content = _read(file.source)
    kind, _, digest = file.digest.partition("=")
    if kind and (kind != "sha256" or digest != _record_digest(content)):
        reason = f"{file.path} is not what was installed"
        raise Mismatch(reason)
    _write(target, content, like=file.source)
    if target.suffix == ".py":
        _copy_bytecode(file.source, target)


def _copy_bytecode(source: Path, target: Path) -> None:
    compiled = Path(importlib.util.cache_from_source(str(source)))
    if compiled.exists():  # the time of its source is in it, and has been kept
        beside = target.parent / compiled.parent.name / compiled.name
        beside.parent.mkdir(exist_ok=True)
        _write(beside, compiled.read_bytes(), like=compiled)


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        reason = f"{source.name} cannot be read: {error.strerror}"
        raise Mismatch(reason) from error


def _write(target: Path, content: bytes, *, like: Path) -> None:
    target.write_bytes(content)
    status = like.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _record_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def main(words: list[str]) -> int:
    """Stamp what was just installed, or begin; return an exit code."""
    begins, name = "--begin" in words, words[-1]
    lock = Path(name).read_bytes()
    building = could_be_built(lock)
    if building or begins:
        (Path(sys.prefix) / STAMP).unlink(missing_ok=True)
    if building:
        refusal = LockBuilds(name, building)
        sys.stderr.write(f"error: {refusal}\nhint: {refusal.hint}\n")
        return 1
    if not begins:
        stamp(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
