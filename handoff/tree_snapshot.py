"""How a plain directory, one that is not under git, becomes a release.

Owns the copy and its digest. A snapshot is never changed once its manifest is written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import site
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handoff.errors import ReleaseUnusable
from handoff.release_files import (
    MANIFEST,
    Manifest,
    read_manifest,
    release_directory,
    write_manifest,
)
from state.atomic_file import SystemFiles, sync

if TYPE_CHECKING:
    from collections.abc import Collection

_FILES: Final = SystemFiles()
PREFIX: Final = "tree-"  # of a snapshot's id
IGNORED: Final = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"})
SNAPSHOTS_KEPT: Final = 3  # the newest ones, besides those that are named by somebody
REASONS_MAX: Final = 3  # of what cannot be copied; the rest is seen once these are dealt with


def snapshot_tree(home: Path, source: Path, entry: str) -> Manifest:
    """Copy a directory into an immutable release and return how to start it.

    The same content gives the same release: a snapshot that exists is used again. The content
    is that of the copy, so what changes while it is made, or lies behind a link, counts.

    Args:
        home: The state directory.
        source: The directory with the application's modules.
        entry: `module:factory`.

    Raises:
        ReleaseUnusable: The source is not a directory, or cannot be copied.
    """
    if not source.is_dir():
        message = f"{source} is not a directory"
        raise ReleaseUnusable(message)
    if home.resolve().is_relative_to(source.resolve()):
        message = (
            f"the state directory {home} is inside {source}, which would be copied into itself"
        )
        raise ReleaseUnusable(message)
    fresh = home / "releases" / f".tree-{os.getpid()}"
    try:
        copied = _copied(source, fresh / "tree")
        return _in_place(home, fresh, entry, tree_digest(copied, entry))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def engine_paths() -> tuple[str, ...]:
    """Return where a worker finds this engine, beside what its interpreter sees by itself.

    An installed engine lies among strangers' packages. Put in front of the standard library, as a
    release's paths are, that place could replace any module of it.
    """
    engine = Path(__file__).resolve().parents[1]
    installed = {Path(place).resolve() for place in site.getsitepackages()}
    return () if engine in installed else (str(engine),)


def prune_snapshots(home: Path, in_use: Collection[str]) -> list[str]:
    """Remove snapshots that nobody goes back to; return their ids.

    Args:
        home: The state directory.
        in_use: Releases that stay however old they are: those that run, and the way back.
    """
    found = [path for path in (home / "releases").glob(f"{PREFIX}*") if not path.is_symlink()]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    removed = [path for path in found[SNAPSHOTS_KEPT:] if path.name not in in_use]
    for path in removed:
        # The manifest first: whatever happens, half a release is not taken for one.
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path)
    return [path.name for path in removed]


def _copied(source: Path, tree: Path) -> Path:
    """Copy a directory, what links lead to included; return the copy."""
    _refuse_circles(source)
    shutil.rmtree(tree.parent, ignore_errors=True)
    tree.parent.mkdir(parents=True, mode=0o700)
    try:
        shutil.copytree(source, tree, ignore=shutil.ignore_patterns(*IGNORED))
    except shutil.Error as error:
        reasons = "; ".join(f"{name}: {reason}" for name, _, reason in error.args[0][:REASONS_MAX])
        message = f"{source} cannot be copied: {reasons}"
        raise ReleaseUnusable(message) from error
    return tree


def _refuse_circles(source: Path) -> None:
    """Refuse a directory with a link to a directory that it is in: a copy of it has no end."""
    for directory, names, _ in os.walk(source, followlinks=True):
        names[:] = [name for name in names if name not in IGNORED]
        for name in names:
            path = Path(directory, name)
            if path.is_symlink() and Path(directory).resolve().is_relative_to(path.resolve()):
                message = f"{path} is a link to a directory that it is in"
                raise ReleaseUnusable(message)


def _in_place(home: Path, fresh: Path, entry: str, digest: str) -> Manifest:
    """Make a release of a copy: what has the name of a digest is what the digest is of."""
    release = f"{PREFIX}{digest}"
    target = release_directory(home, release)
    manifest = Manifest(
        release=release,
        entry=entry,
        python=sys.executable,
        tree=str(target / "tree"),
        paths=(str(target / "tree"), *engine_paths()),
    )
    if _is_there(home, manifest):
        os.utime(target)  # it counts as new again
        return manifest
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    for path in [*(target / "tree").rglob("*"), target / "tree"]:
        sync(_FILES, path)  # before the manifest says that it is there
    write_manifest(home, manifest)
    sync(_FILES, target)
    sync(_FILES, target.parent)
    return manifest


def _is_there(home: Path, manifest: Manifest) -> bool:
    try:
        return read_manifest(home, manifest.release) == manifest
    except ReleaseUnusable:
        return False  # never finished, or torn by a power cut


def tree_digest(source: Path, entry: str) -> str:
    """Return 12 characters that differ when a file, its place or the entry differs.

    Args:
        source: A directory without links to directories: what lies behind one does not count.
        entry: `module:factory`.
    """
    digest = hashlib.sha256(os.fsencode(entry))
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.is_file() and not IGNORED.intersection(relative.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(os.fsencode(f"{relative}\0{content}\n"))  # a name may be no text
    return digest.hexdigest()[:12]
