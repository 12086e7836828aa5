"""What a release looks like on disk, and how a plain directory becomes one.

Owns `releases/<id>/release.json` and the snapshot of a tree that is not under git.
Standard library only: the launcher reads manifests. Building from git commits and with
environments of their own is `deploy`'s matter; it writes the same manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

from handoff.errors import ReleaseUnusable

MANIFEST: Final = "release.json"
MANIFEST_FORMAT: Final = 1
IGNORED: Final = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"})


class Manifest(NamedTuple):
    """How to start a worker of a release.

    Attributes:
        release: Id of the release, also the name of its directory.
        entry: `module:factory`, called with a `Context`.
        python: Absolute path of the interpreter that sees the tree and its environment.
        tree: Absolute path of the immutable tree; the worker's working directory.
        environment: Hash of the environment, or an empty string for the launcher's own.
        commit: Full git commit, or an empty string.
        subject: First line of the commit message, for humans.
        paths: Directories put in front of `sys.path` by the worker; empty where the
            interpreter is a venv made for the release.
    """

    release: str
    entry: str
    python: str
    tree: str
    environment: str = ""
    commit: str = ""
    subject: str = ""
    paths: tuple[str, ...] = ()


def release_directory(home: Path, release: str) -> Path:
    """Return where a release lives under a home directory."""
    return home / "releases" / release


def read_manifest(home: Path, release: str) -> Manifest:
    """Read how to start a release.

    Raises:
        ReleaseUnusable: It is not there, incomplete or of a newer format.
    """
    path = release_directory(home, release) / MANIFEST
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ReleaseUnusable(f"release {release} is not under {path.parent.parent}") from error
    except (OSError, ValueError) as error:
        raise ReleaseUnusable(f"{path}: {error}") from error
    if fields.get("format", 0) > MANIFEST_FORMAT:
        raise ReleaseUnusable(f"{path} has format {fields['format']}, newer than this launcher")
    known = {name: fields[name] for name in Manifest._fields if name in fields}
    try:
        return Manifest(**{**known, "paths": tuple(known.get("paths", ()))})
    except TypeError as error:
        raise ReleaseUnusable(f"{path} is incomplete: {error}") from error


def write_manifest(home: Path, manifest: Manifest) -> None:
    """Write the manifest last: a release directory without one is half-built."""
    path = release_directory(home, manifest.release) / MANIFEST
    text = json.dumps({"format": MANIFEST_FORMAT, **manifest._asdict()}, indent=1)
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def snapshot_tree(home: Path, source: Path, entry: str) -> Manifest:
    """Copy a directory into an immutable release and return how to start it.

    The same content gives the same release: a snapshot that exists is used again.

    Args:
        home: The state directory.
        source: The directory with the application's modules.
        entry: `module:factory`.

    Raises:
        ReleaseUnusable: The source is not a directory.
    """
    if not source.is_dir():
        raise ReleaseUnusable(f"{source} is not a directory")
    release = f"tree-{tree_digest(source, entry)}"
    target = release_directory(home, release)
    manifest = Manifest(
        release=release,
        entry=entry,
        python=sys.executable,
        tree=str(target / "tree"),
        paths=(str(target / "tree"), str(Path(__file__).resolve().parents[1])),
    )
    if (target / MANIFEST).exists():
        return manifest
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    shutil.copytree(source, target / "tree", ignore=shutil.ignore_patterns(*IGNORED))
    write_manifest(home, manifest)
    return manifest


def tree_digest(source: Path, entry: str) -> str:
    """Return 12 characters that differ when a file, its place or the entry differs."""
    digest = hashlib.sha256(entry.encode())
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.is_file() and not IGNORED.intersection(relative.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{relative}\0{content}\n".encode())
    return digest.hexdigest()[:12]
