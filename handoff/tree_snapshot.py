"""How a plain directory, one that is not under git, becomes a release.

Owns the copy and its digest. A snapshot is never changed once its manifest is written.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Final

from handoff.errors import ReleaseUnusable
from handoff.release_files import Manifest, read_manifest, release_directory, write_manifest
from state.atomic_file import SystemFiles, sync

_FILES: Final = SystemFiles()
IGNORED: Final = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"})


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
        message = f"{source} is not a directory"
        raise ReleaseUnusable(message)
    release = f"tree-{tree_digest(source, entry)}"
    target = release_directory(home, release)
    manifest = Manifest(
        release=release,
        entry=entry,
        python=sys.executable,
        tree=str(target / "tree"),
        paths=(str(target / "tree"), str(Path(__file__).resolve().parents[1])),
    )
    if _is_there(home, manifest):
        return manifest
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    shutil.copytree(source, target / "tree", ignore=shutil.ignore_patterns(*IGNORED))
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
    """Return 12 characters that differ when a file, its place or the entry differs."""
    digest = hashlib.sha256(entry.encode())
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.is_file() and not IGNORED.intersection(relative.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{relative}\0{content}\n".encode())
    return digest.hexdigest()[:12]
