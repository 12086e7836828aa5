"""What the running interpreter has installed, copied instead of installed once more.

Owns the shortest way to an environment: `make setup` has just installed the same lock. A
copy is taken only where that is on record and every file still has the hash that its
distribution wrote down; anything else is answered with a reason, and the caller installs.
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
from deploy.release import Pin, normalised, pins_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LOCK_DIGEST: Final = "foresight-lock.sha256"  # in the venv's root, written by `make setup`
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
        _check_digest(root / LOCK_DIGEST, lock)
        files = _files_of(pins_of(lock), _directories(root))
        _copy_all(files, target)
    except Mismatch as mismatch:
        frozen_directory.remove(target)
        return str(mismatch)
    return ""


def _check_digest(path: Path, lock: bytes) -> None:
    try:
        installed = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = f"it does not say which lock it was made from ({LOCK_DIGEST})"
        raise Mismatch(reason) from error
    if installed != hashlib.sha256(lock).hexdigest():
        reason = "it was made from another lock"
        raise Mismatch(reason)


def _directories(root: Path) -> list[Path]:
    # Some systems keep compiled packages in a directory of their own.
    base = {"base": str(root), "platbase": str(root)}
    paths = [sysconfig.get_path(kind, vars=base) for kind in ("purelib", "platlib")]
    return [Path(path) for path in dict.fromkeys(map(os.path.realpath, paths))]


def _files_of(pins: list[Pin], directories: list[Path]) -> list[RecordedFile]:
    distributions = {
        normalised(found.metadata["Name"]): found
        for found in importlib.metadata.distributions(path=[str(path) for path in directories])
    }
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
