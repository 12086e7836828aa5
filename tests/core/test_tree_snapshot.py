"""A release that is there is there as a whole, also after the power went."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handoff.errors import ReleaseUnusable
from handoff.plain import prepare_home
from handoff.release_files import MANIFEST, read_manifest
from handoff.tree_snapshot import snapshot_tree, tree_digest


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


def test_what_lies_behind_a_link_to_a_directory_is_a_part_of_the_release(
    tmp_path: Path, source: Path
) -> None:
    """It is copied, so another content of it is another release and no stale one."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "rule.py").write_text("answer = 1\n")
    (source / "linked").symlink_to(shared)
    home = tmp_path / "home"
    prepare_home(home)
    first = snapshot_tree(home, source, "main:create")
    (shared / "rule.py").write_text("answer = 2\n")
    second = snapshot_tree(home, source, "main:create")
    assert first.release != second.release
    assert (Path(second.tree) / "linked" / "rule.py").read_text() == "answer = 2\n"
    assert snapshot_tree(home, source, "main:create") == second
    assert sorted(path.name for path in (home / "releases").iterdir()) == sorted(
        (first.release, second.release)
    )


@pytest.mark.parametrize(
    ("link", "target", "words"),
    [
        ("package/again", "..", "that it is in"),
        ("gone", "nowhere", "cannot be copied"),
    ],
)
def test_a_tree_that_cannot_be_copied_is_refused_by_name(
    tmp_path: Path, source: Path, link: str, target: str, words: str
) -> None:
    prepare_home(tmp_path / "home")
    (source / link).symlink_to(target)
    with pytest.raises(ReleaseUnusable, match=words) as caught:
        snapshot_tree(tmp_path / "home", source, "main:create")
    assert link in str(caught.value)
    assert list((tmp_path / "home" / "releases").iterdir()) == []


def test_a_home_inside_its_own_tree_is_refused(source: Path) -> None:
    """It would be copied into itself, again and again."""
    prepare_home(source / "home")
    with pytest.raises(ReleaseUnusable, match="inside"):
        snapshot_tree(source / "home", source, "main:create")


def test_a_file_whose_name_is_no_text_is_a_file(source: Path) -> None:
    """A name of other bytes is allowed on disk, and it must count: two such trees differ."""
    before = tree_digest(source, "app:create")
    Path(source, "caf\udce9.txt").write_text("1", encoding="utf-8")
    assert tree_digest(source, "app:create") != before
