"""What a host takes away beneath a release: its interpreter, the version of it, its environment.

A distribution replaces its Python over night, and somebody's tool tidies up. What was deployed has
to start in the morning, with its own code and what that was tried with.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import environments, frozen_directory, interpreters, releases_dir
from deploy.errors import EnvironmentFailed, InterpreterMissing, InterpreterOther
from handoff.errors import ReleaseUnusable
from handoff.release_files import SITE_PACKAGES
from tests.process.distributions import pin, wheel
from tests.process.git_project import Project, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff.release_files import Manifest

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
NEITHER = "3.98"  # an interpreter that is on no host
VERSION = "import alpha, app.worker; print(alpha.VERSION, app.worker.VERSION)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    frozen_directory.remove(path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a requirement that it carries itself: no index is asked."""
    for variable in ("UV_NO_INDEX", "PIP_NO_INDEX"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    found = Project(tmp_path / "project")
    folder = found.path / "wheels"
    folder.mkdir()
    found.write("requirements.lock", pin(wheel(folder, "alpha", "1.0")).decode())
    found.commit("Need alpha")
    return found


def venv_of(manifest: Manifest) -> Path:
    venv = Path(manifest.tree).with_name("venv")
    for path in (venv, venv / "bin", venv / "lib"):
        path.chmod(0o755)
    return venv


def relink(manifest: Manifest, target: Path) -> None:
    """Let the interpreter of a release be another one, as an upgrade of the system does."""
    link = venv_of(manifest) / "bin" / "python"
    link.unlink()
    link.symlink_to(target)


def made_for(manifest: Manifest, minor: str) -> None:
    """Let a release be one that was made for another minor version."""
    (library,) = (venv_of(manifest) / "lib").iterdir()
    library.rename(library.with_name(f"python{minor}"))


def impostor(place: Path, version: str) -> Path:
    """Make a program that says it is an interpreter of that version."""
    path = place / "python3"
    answer = shlex.quote(json.dumps([version, str(path)]))
    path.write_text(f"#!/bin/sh\necho {answer}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_release_whose_interpreter_is_gone_gets_another_of_its_version(
    home: Path, project: Project
) -> None:
    """It was started again and again by a link that leads nowhere."""
    manifest = project.build(home)
    assert releases_dir.mend(home, manifest) == [], "nothing is wrong with it"
    relink(manifest, Path("/nowhere/bin/python3"))
    (words,) = releases_dir.mend(home, manifest)
    assert words.startswith(f"{manifest.python} links to /nowhere/bin/python3, which is gone; ")
    assert said(manifest, VERSION) == "1.0 1"
    assert releases_dir.mend(home, manifest) == []


@pytest.mark.parametrize("left", ["nothing", "the old one under another name"])
def test_a_release_whose_virtual_environment_is_gone_is_built_again(
    home: Path, project: Project, left: str
) -> None:
    """Killed while it was replaced, a start took it for borrowed: nothing was wrong for ever."""
    manifest = project.build(home)
    venv = venv_of(manifest)
    if left == "nothing":
        frozen_directory.remove(venv)
    else:
        venv.rename(venv.with_name(f"{frozen_directory.REPLACED}venv"))
    assert "is gone" in interpreters.fault(manifest)
    with pytest.raises(ReleaseUnusable, match="is gone"):
        releases_dir.mend(home, manifest)
    assert project.build(home) == manifest
    assert said(manifest, VERSION) == "1.0 1"


def test_an_interpreter_that_became_another_version_is_replaced(
    tmp_path: Path, home: Path, project: Project
) -> None:
    """It would run, and find nothing of what was installed for the version before."""
    manifest = project.build(home)
    relink(manifest, impostor(tmp_path, "3.99.1"))
    (words,) = releases_dir.mend(home, manifest)
    assert f"is Python 3.99.1 now, and the release was made for {MINOR}" in words
    assert said(manifest, VERSION) == "1.0 1"


def test_an_upgrade_within_its_version_is_left_alone(
    tmp_path: Path, home: Path, project: Project
) -> None:
    """What was installed for 3.11.2 runs with 3.11.9: nothing is made again for that."""
    manifest = project.build(home)
    relink(manifest, impostor(tmp_path, f"{MINOR}.99"))
    assert releases_dir.mend(home, manifest) == []


def test_without_another_of_its_version_it_is_refused_with_what_to_install(
    home: Path, project: Project
) -> None:
    manifest = project.build(home)
    made_for(manifest, NEITHER)
    relink(manifest, Path("/nowhere/bin/python3"))
    with pytest.raises(InterpreterMissing, match=f"runs with Python {NEITHER} alone") as caught:
        releases_dir.mend(home, manifest)
    assert "/nowhere/bin/python3, which is gone" in str(caught.value)
    assert "install that Python" in caught.value.hint


@pytest.mark.parametrize("place", ["PATH", "where it was"])
def test_another_interpreter_is_looked_for_where_one_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    found = impostor(tmp_path, f"{NEITHER}.1")
    named = found.rename(found.with_name(f"python{NEITHER}"))
    named.write_text(named.read_text("utf-8").replace("/python3", f"/python{NEITHER}"), "utf-8")
    assert interpreters.find(NEITHER) is None
    if place == "PATH":
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        base = interpreters.find(NEITHER)
    else:
        base = interpreters.find(NEITHER, tmp_path / "python")
    assert base == interpreters.Base(named, f"{NEITHER}.1")


def test_an_environment_that_is_gone_is_installed_again_under_its_name(
    home: Path, project: Project
) -> None:
    """Also where the patch version of the interpreter, and so its name, would be another now."""
    manifest = project.build(home)
    place = environments.environment_directory(home, manifest.environment)
    frozen_directory.remove(place)
    (words,) = releases_dir.mend(home, manifest)
    assert words == f"{place} was not what it was, and is installed anew"
    assert said(manifest, VERSION) == "1.0 1"


def test_what_differs_and_cannot_be_made_again_is_started_as_it_is(
    home: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file more than there was is no reason to trade no more; a missing one is told at once."""
    manifest = project.build(home)
    place = environments.environment_directory(home, manifest.environment)
    packages = place / SITE_PACKAGES
    packages.chmod(0o755)
    (packages / "added.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(environments, "_installers", lambda *_: [])
    (words,) = releases_dir.mend(home, manifest)
    assert words.startswith(f"{place} is not what it was, and cannot be made again: ")
    assert said(manifest, VERSION) == "1.0 1"
    frozen_directory.remove(place)
    with pytest.raises(EnvironmentFailed):
        releases_dir.mend(home, manifest)


def test_an_environment_is_installed_by_the_python_that_it_is_for(
    tmp_path: Path, home: Path, project: Project
) -> None:
    """What another one installs may have no module that this one can load."""
    manifest = project.build(home)
    made_for(manifest, NEITHER)
    relink(manifest, impostor(tmp_path, f"{NEITHER}.0"))
    frozen_directory.remove(environments.environment_directory(home, manifest.environment))
    with pytest.raises(InterpreterOther) as caught:
        releases_dir.mend(home, manifest)
    assert caught.value.hint == f"run this command with Python {NEITHER}"


def test_a_release_without_its_tree_has_to_be_built(home: Path, project: Project) -> None:
    manifest = project.build(home)
    frozen_directory.remove(Path(manifest.tree))
    with pytest.raises(ReleaseUnusable):
        releases_dir.mend(home, manifest)
