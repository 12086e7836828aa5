"""Nothing is built on the way to an environment: wheels are unpacked, and each has its hash."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import environments, frozen_directory, installed, wheels
from deploy.errors import EnvironmentFailed, LargeFilesPresent, LockBuilds, WheelMissing
from foresight.project import write_project
from handoff.release_files import SITE_PACKAGES
from tests.process.distributions import pin, wheel
from tests.process.git_project import ENTRY_TABLE, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]
BACKEND = '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    frozen_directory.remove(path)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that is there once the program of the source distribution has run."""
    return tmp_path / "it ran"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index in a folder: nothing is asked of a network."""
    folder = tmp_path / "an index"
    folder.mkdir()
    for name, value in (("FIND_LINKS", folder.as_uri()), ("NO_INDEX", "1")):
        monkeypatch.setenv(f"UV_{name}", value)
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def source(folder: Path, marker: Path) -> Path:
    """Make a source distribution whose setup.py says that it ran; it needs nothing to be built."""
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: gamma\nVersion: 1.0\n",
        "pyproject.toml": BACKEND,
        "setup.py": f"from pathlib import Path\n\nPath({str(marker)!r}).touch()\n",
    }
    path = folder / "gamma-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"gamma-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def lock_of_source(path: Path) -> bytes:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"gamma==1.0 \\\n    --hash=sha256:{digest}\n".encode()


@pytest.mark.parametrize("by_pip", [False, True])
def test_a_source_distribution_is_named_and_never_run(
    home: Path, index: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, *, by_pip: bool
) -> None:
    """Its program ran with the rights of the bot, and with requirements that no lock names."""
    lock = lock_of_source(source(index, marker))
    if by_pip:
        found = environments._installers  # noqa: SLF001 - the list as it would be without uv
        monkeypatch.setattr(environments, "_installers", lambda *args: found(*args)[-1:])
    with pytest.raises(WheelMissing) as caught:
        environments.ensure(home, lock)
    assert not marker.exists()
    assert caught.value.packages == ("gamma==1.0",)
    assert "no wheel of gamma==1.0" in str(caught.value)
    assert "pip wheel --no-deps --wheel-dir wheels gamma==1.0" in caught.value.hint
    assert list((home / "environments").glob("[!.]*")) == []


@pytest.mark.parametrize("line", ["  --no-binary :all:", "--only-binary :none:", "gamma @ {}"])
def test_a_lock_cannot_ask_for_what_is_built(
    home: Path, index: Path, marker: Path, line: str
) -> None:
    """pip takes such lines for the last word, whatever its command line says."""
    path = source(index, marker)
    lock = lock_of_source(path)
    words = line.format(path.as_uri())
    lock = lock.replace(b"gamma==1.0", words.encode()) if "@" in line else lock + words.encode()
    with pytest.raises(LockBuilds) as caught:
        environments.ensure(home, lock)
    assert not marker.exists()
    assert words.strip() in str(caught.value)


def test_an_environment_that_is_there_stays_valid(
    home: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that ran yesterday comes up, whatever its lock says that is refused today."""
    lock = pin(wheel(index, "alpha", "1.0")) + b"--no-binary other\n"
    with monkeypatch.context() as patch:
        patch.setattr(wheels, "could_be_built", lambda _: [])
        made = environments.ensure(home, lock)
    assert environments.ensure(home, lock) == made._replace(how="kept", seconds=0.0)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path / "a project")
    found.write("pyproject.toml", ENTRY_TABLE)
    return found


def test_a_project_carries_a_wheel_that_no_index_has(
    home: Path, index: Path, project: Project
) -> None:
    """Some packages have none; what the project built once is as good, by its hash in the lock."""
    assert list(index.iterdir()) == []
    own = project.path / wheels.DIRECTORY
    own.mkdir()
    lock = pin(wheel(own, "alpha", "1.0")) + pin(wheel(index, "beta", "2.0"))
    project.write("requirements.lock", lock.decode())
    project.commit("Carry alpha")
    (own / "alpha-1.0-py3-none-any.whl").unlink()  # it is taken from the commit
    manifest = project.build(home)
    place = environments.environment_directory(home, manifest.environment)
    names = {path.name.partition("-")[0] for path in (place / SITE_PACKAGES).iterdir()}
    assert names == {"alpha", "beta"}
    assert sorted(path.name for path in place.iterdir()) == [
        environments.MARKER,
        "requirements.lock",
        SITE_PACKAGES,
    ]


def test_a_carried_wheel_that_is_not_the_locked_one_is_refused(
    home: Path, index: Path, project: Project
) -> None:
    assert index.is_dir()
    own = project.path / wheels.DIRECTORY
    own.mkdir()
    wheel(own, "alpha", "1.0")
    project.write("requirements.lock", f"alpha==1.0 --hash=sha256:{'0' * 64}\n")
    project.commit("Carry another alpha")
    with pytest.raises(EnvironmentFailed):
        project.build(home)
    assert list((home / "environments").glob("[!.]*")) == []


def test_a_carried_wheel_that_lies_elsewhere_is_named(
    home: Path, index: Path, project: Project
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    project.write("wheels/alpha-1.0-py3-none-any.whl", pointer)
    project.write("requirements.lock", pin(wheel(index, "alpha", "1.0")).decode())
    project.commit("Carry a pointer")
    with pytest.raises(LargeFilesPresent, match=r"alpha-1\.0"):
        project.build(home)


class Own:
    """A project made by `init` with an interpreter of its own, which sees the engine."""

    def __init__(self, place: Path) -> None:
        self.tree, self.venv = place / "my project", place / "my venv"
        write_project(self.tree, "mine")
        venv.create(self.venv, symlinks=True)
        self.packages = Path(sysconfig.get_path("purelib", vars={"base": str(self.venv)}))
        seen = (str(ROOT), sysconfig.get_path("purelib"))
        (self.packages / "engine.pth").write_text("\n".join(seen), encoding="utf-8")

    def setup(self, lock: bytes) -> subprocess.CompletedProcess[str]:
        (self.tree / "requirements.lock").write_bytes(lock)
        python = self.venv / "bin" / "python"
        command = ["make", "setup", f"PYTHON={python}"]
        return subprocess.run(
            command, cwd=self.tree, check=False, capture_output=True, text=True, timeout=100
        )


def test_a_projects_own_setup_installs_wheels_and_stamps_that(
    tmp_path: Path, index: Path, marker: Path
) -> None:
    """A venv is copied into an environment only if it was installed so."""
    own = Own(tmp_path)
    carried = own.tree / wheels.DIRECTORY
    carried.mkdir()
    lock = pin(wheel(carried, "alpha", "1.0"))
    done = own.setup(lock)
    assert done.returncode == 0, done.stderr
    assert installed.copy_installed(lock, tmp_path / "copy", prefix=own.venv) == ""
    both = lock + lock_of_source(source(index, marker))
    refused = own.setup(both)
    assert (refused.returncode, marker.exists()) == (2, False), refused.stderr
    assert "gamma==1.0" in refused.stderr
    assert "which lock" in installed.copy_installed(both, tmp_path / "none", prefix=own.venv)


def test_a_projects_own_setup_refuses_a_lock_that_builds(
    tmp_path: Path, index: Path, marker: Path
) -> None:
    lock = lock_of_source(source(index, marker)) + b"--no-binary :all:\n"
    done = Own(tmp_path).setup(lock)
    assert (done.returncode, marker.exists()) == (2, False), done.stderr
    assert "lets an installer build from source: --no-binary :all:" in done.stderr


def test_the_source_distribution_of_these_tests_would_run(
    tmp_path: Path, index: Path, marker: Path
) -> None:
    """Otherwise none of them could fail."""
    (tmp_path / "lock").write_bytes(lock_of_source(source(index, marker)))
    command = [sys.executable, "-I", "-m", "pip", "install", "--require-hashes", "--no-deps"]
    command += ["--target", str(tmp_path / "target"), "-r", str(tmp_path / "lock")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert marker.exists(), done.stderr


def test_a_dependency_is_added_to_the_lock_with_its_hash_and_stays_installed(
    tmp_path: Path, index: Path
) -> None:
    """`make lock`, then `make setup`: what the README of a new project says."""
    own = Own(tmp_path)
    before = pin(wheel(index, "alpha", "1.0"))
    added = pin(wheel(index, "beta", "2.0"))
    (own.tree / "requirements.lock").write_bytes(before)
    python = own.venv / "bin" / "python"
    (own.venv / "bin" / "uv").symlink_to(Path(sys.executable).parent / "uv")
    command = ["make", "lock", "ADD=beta==2.0", f"PYTHON={python}"]
    done = subprocess.run(
        command, cwd=own.tree, check=False, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    lock = (own.tree / "requirements.lock").read_bytes()
    assert lock.split() == (before + added).split()
    assert own.setup(lock).returncode == 0
    found = subprocess.run([python, "-c", "import beta"], check=False, capture_output=True)
    assert found.returncode == 0, found.stderr
