"""How a release's own interpreter is called: by the launcher, by gates, by a verification.

All of them must run the same code; a variable of whoever calls must not reach into it.
"""

import json
import shutil
from pathlib import Path

import pytest

from handoff.errors import ReleaseUnusable
from handoff.release_files import Manifest, read_manifest, release_directory, write_manifest

OWN = Manifest("r1", "bot:create", "/srv/envs/e1/bin/python", "/srv/releases/r1/tree")
BORROWED = OWN._replace(python="/usr/bin/python3", paths=("/srv/releases/r1/tree", "/srv/engine"))


def test_an_interpreter_of_its_own_is_isolated_and_told_nothing() -> None:
    """A PYTHONPATH of the caller would put other code before the release's."""
    assert OWN.program("worker", "--home", "/srv") == [
        *("/srv/envs/e1/bin/python", "-I", "-m", "handoff"),
        *("worker", "--home", "/srv"),
    ]
    assert OWN.variables() == {}


def test_a_borrowed_interpreter_is_told_where_the_release_is() -> None:
    """Isolated, it would ignore what it is told and run whatever is installed there."""
    assert BORROWED.program("worker") == ["/usr/bin/python3", "-s", "-P", "-m", "handoff", "worker"]
    assert BORROWED.variables() == {"PYTHONPATH": "/srv/releases/r1/tree:/srv/engine"}


def written(home: Path, manifest: Manifest) -> Manifest:
    (release_directory(home, manifest.release) / "tree").mkdir(parents=True)
    write_manifest(home, manifest)
    return manifest


def own_in(home: Path) -> Manifest:
    place = release_directory(home, "r1")
    python, tree = str(place / "venv/bin/python"), str(place / "tree")
    return Manifest("r1", "bot:create", python, tree, environment="e1")


def test_a_release_is_found_where_its_home_is_now(tmp_path: Path) -> None:
    """Moved or copied, it ran the code of the former place, or none at all."""
    former, home = tmp_path / "former", tmp_path / "home"
    manifest = written(former, own_in(former))
    assert read_manifest(former, "r1") == manifest
    (release_directory(former, "r1") / "engine").mkdir()
    shutil.copytree(former, home)
    found = read_manifest(home, "r1")
    assert (found.python, found.tree) == own_in(home)[2:4]
    place = release_directory(home, "r1")
    packages = home / "environments" / "e1" / "site-packages"
    # The interpreter's own list names the former place: it is told what to see instead.
    assert found.paths == (str(place / "tree"), str(place / "engine"), str(packages))
    assert str(former) not in " ".join(map(str, found))


def test_a_borrowed_interpreter_stays_where_it_is_when_the_home_is_moved(tmp_path: Path) -> None:
    former, home = tmp_path / "former", tmp_path / "home"
    tree = str(release_directory(former, "r1") / "tree")
    written(former, BORROWED._replace(tree=tree, paths=(tree, "/srv/engine")))
    former.rename(home)
    found = read_manifest(home, "r1")
    assert found.python == BORROWED.python
    assert found.paths == (str(release_directory(home, "r1") / "tree"), "/srv/engine")


def test_a_release_that_lies_elsewhere_on_purpose_is_left_there(tmp_path: Path) -> None:
    elsewhere = written(tmp_path, OWN._replace(tree="/srv/code"))
    assert read_manifest(tmp_path, "r1") == elsewhere


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../r1", "r1/../../elsewhere", "/srv/r1", ".tree-1", "r\n1", "r" * 101]
)
def test_what_is_called_a_release_is_never_a_path(tmp_path: Path, name: str) -> None:
    """A record that was restored, or forged, names what is run."""
    with pytest.raises(ReleaseUnusable, match="no name of a release"):
        release_directory(tmp_path, name)
    with pytest.raises(ReleaseUnusable, match="no name of a release"):
        read_manifest(tmp_path, name)


@pytest.mark.parametrize(
    "changed", [{"release": "../r2"}, {"release": "r2"}, {"environment": "../../srv"}]
)
def test_a_manifest_speaks_of_its_own_release_and_of_no_place(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    written(tmp_path, own_in(tmp_path))
    path = release_directory(tmp_path, "r1") / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ReleaseUnusable):
        read_manifest(tmp_path, "r1")
