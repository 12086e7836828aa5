"""A release that is there is there as a whole, also after the power went."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handoff.plain import prepare_home
from handoff.release_files import MANIFEST, read_manifest
from handoff.tree_snapshot import snapshot_tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    tree = tmp_path / "source"
    (tree / "package").mkdir(parents=True)
    (tree / "package" / "module.py").write_text("answer = 42\n")
    (tree / "main.py").write_text("import package.module\n")
    return tree


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were fsynced, in order."""
    paths: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    if Path("/proc/self/fd").exists():
        monkeypatch.setattr(os, "fsync", noting)
        return paths
    pytest.skip("descriptors have no names here")


def test_a_tree_is_durable_before_its_manifest_says_that_it_is_there(
    tmp_path: Path, source: Path, synced: list[str]
) -> None:
    """The owner of the record must start after a power cut, from files that are not empty."""
    home = tmp_path / "home"
    prepare_home(home)
    assert str(tmp_path) in synced, "the home itself"
    manifest = snapshot_tree(home, source, "main:create")
    release = Path(manifest.tree).parent
    names = [release / MANIFEST, release, release.parent]
    everything = [Path(manifest.tree), *Path(manifest.tree).rglob("*")]
    told = synced.index(str(release / MANIFEST))
    assert {str(path) for path in everything} <= set(synced[:told])
    assert [each for each in synced[told:] if Path(each) in names] == [str(each) for each in names]


@pytest.mark.parametrize("damage", [b"", b'{"format":1'])
def test_a_manifest_that_was_torn_is_written_anew(
    tmp_path: Path, source: Path, damage: bytes
) -> None:
    prepare_home(tmp_path / "home")
    manifest = snapshot_tree(tmp_path / "home", source, "main:create")
    (Path(manifest.tree).parent / MANIFEST).write_bytes(damage)
    assert snapshot_tree(tmp_path / "home", source, "main:create") == manifest
    assert read_manifest(tmp_path / "home", manifest.release) == manifest
