"""Requirements installed once per lock: by copy, by uv, by pip, and again after damage."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import environments, frozen_directory, installed
from deploy.errors import EnvironmentFailed, ProgramMissing
from tests.process.distributions import pin, recorded, wheel


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    frozen_directory.remove(path)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index in a folder: nothing is asked of a network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for variable in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        # As an address: both installers cut a plain path at its spaces.
        monkeypatch.setenv(variable, folder.as_uri())
    for variable in ("UV_NO_INDEX", "PIP_NO_INDEX"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    return folder


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An installation with one distribution of the lock, and what developers have beside it."""
    root = tmp_path / "venv"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(root)}))
    packages.mkdir(parents=True)
    for path in (wheel(tmp_path, "alpha", "1.0"), wheel(tmp_path, "beside", "9.0")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(packages)
    with (packages / "alpha-1.0.dist-info/RECORD").open("a", encoding="utf-8") as record:
        record.write(f"../scripts/alpha,sha256={recorded(b'')},0\n")
    (packages.parent / "scripts").mkdir()
    (packages.parent / "scripts/alpha").touch()
    (packages / "editable.pth").write_text("/nowhere\n", encoding="utf-8")
    source = packages / "alpha/__init__.py"
    compiled = Path(importlib.util.cache_from_source(str(source)))
    compiled.parent.mkdir()
    compiled.write_bytes(b"compiled")
    lock = pin(tmp_path / "alpha-1.0-py3-none-any.whl")
    installed.stamp(lock, prefix=root)
    return root


def imported(packages: Path, code: str) -> str:
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {code}"]
    command.append(str(packages))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def mark(root: Path, lock: bytes) -> bytes:
    installed.stamp(lock, prefix=root)
    return lock


def test_requirements_are_installed_with_uv_and_only_once(home: Path, wheels: Path) -> None:
    lock = pin(wheel(wheels, "alpha", "1.0"))
    first = environments.ensure(home, lock)
    assert first.how == "uv-cache"
    assert imported(first.packages, "import alpha; print(alpha.VERSION)") == "1.0"
    again = environments.ensure(home, lock)
    assert (again.how, again.packages) == ("kept", first.packages)
    assert {path.name for path in first.packages.iterdir()} == {"alpha", "alpha-1.0.dist-info"}


def test_without_uv_pip_does_the_same(
    home: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv is a speed-up, never a need."""
    lock = pin(wheel(wheels, "alpha", "1.0"))
    found = environments._installers  # noqa: SLF001 - the list as it would be without uv
    monkeypatch.setattr(environments, "_installers", lambda *args: found(*args)[-1:])
    environment = environments.ensure(home, lock)
    assert environment.how == "pip"
    assert imported(environment.packages, "import alpha; print(alpha.VERSION)") == "1.0"
    assert {path.name for path in environment.packages.iterdir()} == {
        "alpha",
        "alpha-1.0.dist-info",
    }


@pytest.mark.parametrize("digest", [b"", b" --hash=sha256:" + b"0" * 64])
def test_a_file_that_is_not_the_locked_one_is_refused(
    home: Path, wheels: Path, digest: bytes
) -> None:
    """A stranger's package of the same name and version runs beside the keys otherwise."""
    wheel(wheels, "alpha", "1.0")
    with pytest.raises(EnvironmentFailed):
        environments.ensure(home, b"alpha==1.0" + digest + b"\n")
    assert list((home / "environments").glob("[!.]*")) == []


def test_a_failed_installation_shows_what_the_installers_said(home: Path, wheels: Path) -> None:
    assert wheels.is_dir()
    lock = b"absent==1.0 \\\n    --hash=sha256:" + b"0" * 64 + b"\n"
    with pytest.raises(EnvironmentFailed) as caught:
        environments.ensure(home, lock)
    assert "absent" in caught.value.tail
    assert "pip failed with exit code 1" in caught.value.reason
    log = Path(caught.value.log).read_text(encoding="utf-8")
    assert log.count("$ ") == 4, "why it was not copied, uv twice, pip"


def test_an_installer_that_hangs_is_ended(
    home: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = pin(wheel(wheels, "alpha", "1.0"))
    hanging = [("slow", ["sleep", "60"], 0.2)]
    monkeypatch.setattr(environments, "_installers", lambda *_: hanging)
    with pytest.raises(EnvironmentFailed, match="slow took longer than 0 s"):
        environments.ensure(home, lock)


def test_an_installer_that_is_not_there_is_named(
    home: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = pin(wheel(wheels, "alpha", "1.0"))
    monkeypatch.setattr(environments, "_installers", lambda *_: [("none", ["no-such"], 1.0)])
    with pytest.raises(ProgramMissing, match="no-such"):
        environments.ensure(home, lock)


def test_releases_with_the_same_lock_share_one_environment(home: Path, wheels: Path) -> None:
    one = pin(wheel(wheels, "alpha", "1.0"))
    other = pin(wheel(wheels, "alpha", "2.0"))
    first, second = environments.ensure(home, one), environments.ensure(home, other)
    assert first.packages != second.packages
    assert environments.ensure(home, one).packages == first.packages
    assert imported(first.packages, "import alpha; print(alpha.VERSION)") == "1.0"
    assert imported(second.packages, "import alpha; print(alpha.VERSION)") == "2.0"


@pytest.mark.parametrize("damage", ["removed", "shortened", "added", "marker", "moved"])
def test_a_damaged_environment_is_made_again(home: Path, wheels: Path, damage: str) -> None:
    """Half an update of a virtual environment is the classic of the broken deploy."""
    lock = pin(wheel(wheels, "alpha", "1.0"))
    environment = environments.ensure(home, lock)
    module = environment.packages / "alpha" / "__init__.py"
    marker = environment.packages.parent / environments.MARKER
    for path in (module, marker, module.parent, environment.packages, environment.packages.parent):
        path.chmod(0o700)
    match damage:
        case "removed":
            module.unlink()
        case "shortened":
            module.write_bytes(b"")
        case "added":
            (module.parent / "spare.py").touch()
        case "marker":
            marker.write_text("{", "utf-8")
        case _:
            environment.packages.rename(environment.packages.with_name("elsewhere"))
    again = environments.ensure(home, lock)
    assert (again.how, again.packages) == ("uv-cache", environment.packages)
    assert imported(again.packages, "import alpha; print(alpha.VERSION)") == "1.0"
    assert [path.name for path in (home / "environments").iterdir()] == [again.name]


def test_an_environment_is_read_only_and_compiled(home: Path, wheels: Path) -> None:
    environment = environments.ensure(home, pin(wheel(wheels, "alpha", "1.0")))
    for path in [environment.packages, *environment.packages.rglob("*")]:
        assert not path.stat().st_mode & 0o222, path
    compiled = importlib.util.cache_from_source(str(environment.packages / "alpha/__init__.py"))
    assert Path(compiled).exists()


def test_bytecode_that_a_worker_adds_is_no_damage(home: Path, wheels: Path) -> None:
    lock = pin(wheel(wheels, "alpha", "1.0"))
    environment = environments.ensure(home, lock)
    folder = environment.packages / "alpha" / "__pycache__"
    folder.chmod(0o700)
    (folder / "late.pyc").touch()
    assert environments.ensure(home, lock).how == "kept"


def test_what_is_installed_already_is_copied(tmp_path: Path, prefix: Path) -> None:
    """The first start needs no network and no minute."""
    lock = mark(prefix, pin(tmp_path / "alpha-1.0-py3-none-any.whl"))
    target = tmp_path / "copy"
    assert installed.copy_installed(lock, target, prefix=prefix) == ""
    assert {path.name for path in target.iterdir()} == {"alpha", "alpha-1.0.dist-info"}
    assert not (tmp_path / "scripts").exists(), "a script names the interpreter it was made for"
    source = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}), "alpha/__init__.py")
    copy = target / "alpha" / "__init__.py"
    assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns, "or its bytecode is worth nothing"
    assert Path(importlib.util.cache_from_source(str(copy))).read_bytes() == b"compiled"
    assert imported(target, "import alpha; print(alpha.VERSION)") == "1.0"
    assert not copy.samefile(source), "a change of the one must not be a change of the other"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("no digest", "does not say which lock"),
        ("other lock", "made from another lock"),
        ("other version", "alpha is 1.0, not 2.0"),
        ("absent", "gamma is absent, not 1.0"),
        ("changed file", "alpha/__init__.py is not what was installed"),
        ("missing file", "cannot be read"),
        ("no record", "alpha has no RECORD"),
        ("older stamp", "wheels only"),
        ("other build", "something was installed into it since"),
    ],
)
def test_what_is_not_exactly_the_lock_is_not_copied(
    tmp_path: Path, prefix: Path, damage: str, reason: str
) -> None:
    lock = pin(tmp_path / "alpha-1.0-py3-none-any.whl")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}))
    match damage:
        case "no digest":
            (prefix / installed.STAMP).unlink()
        case "other lock":
            lock += b"# changed\n"
        case "other version":
            lock = mark(prefix, lock.replace(b"==1.0", b"==2.0"))
        case "absent":
            lock = mark(prefix, lock + lock.replace(b"alpha", b"gamma"))
        case "changed file":
            (packages / "alpha/__init__.py").write_text("VERSION = '1.1'\n", encoding="utf-8")
        case "missing file":
            (packages / "alpha/__init__.py").unlink()
        case "older stamp":
            (prefix / installed.STAMP).unlink()
            digest = hashlib.sha256(lock).hexdigest()
            (prefix / "foresight-lock.sha256").write_text(digest, encoding="ascii")
        case "other build":
            shutil.rmtree(packages / "alpha-1.0.dist-info")
            path = wheel(tmp_path, "alpha", "1.0", said="built here")
            with zipfile.ZipFile(path) as archive:
                archive.extractall(packages)
        case _:
            (packages / "alpha-1.0.dist-info/RECORD").unlink()
    assert reason in installed.copy_installed(lock, tmp_path / "copy", prefix=prefix)
    assert not (tmp_path / "copy").exists()


def test_a_requirement_of_another_platform_need_not_be_there(tmp_path: Path, prefix: Path) -> None:
    lock = pin(tmp_path / "alpha-1.0-py3-none-any.whl")
    elsewhere = lock.replace(b"alpha==1.0", b"gamma==1.0 ; sys_platform == 'win32'")
    lock = mark(prefix, lock + elsewhere)
    assert installed.copy_installed(lock, tmp_path / "copy", prefix=prefix) == ""


def test_a_lock_without_requirements_installs_nothing(home: Path) -> None:
    environment = environments.ensure(home, b"# nothing\n")
    assert (environment.how, list(environment.packages.iterdir())) == ("empty", [])
    assert not (home / "logs").exists()
