"""Which release is the previous one, and whether every place says so."""

from __future__ import annotations

import tomllib

import pytest

from tests.upgrade.engines import NO_PREVIOUS, PREVIOUS, ROOT, git, is_in_this_clone

THIS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_commit_named_is_the_release_and_behind_us() -> None:
    """Whoever makes the next release has to name this one here."""
    if not is_in_this_clone(PREVIOUS.commit):
        pytest.skip(NO_PREVIOUS)
    released = tomllib.loads(git("show", f"{PREVIOUS.commit}:pyproject.toml").decode())
    assert released["project"]["version"] == PREVIOUS.version
    git("merge-base", "--is-ancestor", PREVIOUS.commit, "HEAD")
    tags = git("tag", "--list", "v*", "--sort=-creatordate").decode().split()
    newest = git("rev-parse", f"{tags[0]}^{{commit}}").decode().strip() if tags else ""
    assert newest in ("", PREVIOUS.commit), f"{tags[0]} is newer than what is tried here"


def test_what_is_in_the_making_comes_after_it() -> None:
    """Two releases of one version cannot be told apart."""
    version = THIS["project"]["version"].removesuffix(".dev0")
    assert version == THIS["tool"]["towncrier"]["version"]
    assert numbers(version) > numbers(PREVIOUS.version)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {PREVIOUS.version} (" in changes
    assert f"\n## {version} (" not in changes


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, which compare as versions do."""
    return tuple(map(int, version.split(".")))
