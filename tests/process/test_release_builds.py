"""A commit becomes a release: with real git, a real interpreter, and builders that die."""

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from deploy import engine, environments, frozen_directory, releases_dir
from deploy.errors import (
    BuildBusy,
    DiskLacking,
    EntryInvalid,
    LockFileMissing,
    ReleaseConflict,
)
from deploy.git_tree import GitTree
from handoff.release_files import read_manifest
from tests.process.git_project import Project, said

ROOT = Path(__file__).resolve().parents[2]


# Builds HEAD of argv[2] under argv[1] and says which phases it entered; dies inside argv[3].
BUILDER = """
import importlib, os, signal, sys
from pathlib import Path
from deploy import releases_dir
from deploy.git_tree import GitTree
home, repository, victim = sys.argv[1:]
if victim:
    module, name = victim.rsplit(".", 1)
    die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    setattr(importlib.import_module(module), name, die)
tree = GitTree(Path(repository))
entered = lambda phase: print(phase, flush=True)
manifest = releases_dir.build(Path(home), tree, tree.commit("HEAD"), entered=entered)
print(manifest.release)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    frozen_directory.remove(path)  # read-only directories are not pytest's to remove


def builder(home: Path, project: Project, victim: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(home), str(project.path), victim]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_release_starts_isolated_from_any_directory(home: Path, project: Project) -> None:
    manifest = project.build(home)
    assert said(manifest, "import app.worker as w; print(w.__file__, w.VERSION)") == (
        f"{manifest.tree}/app/worker.py 1"
    )
    assert manifest.commit == project.git("rev-parse", "HEAD")
    assert manifest.subject == "First"
    assert read_manifest(home, manifest.release) == manifest


def test_a_release_sees_its_own_tree_and_nothing_of_ours(home: Path, project: Project) -> None:
    """An import that works by accident works until the accident is over."""
    manifest = project.build(home)
    paths = said(manifest, "import sys; print(*sys.path, sep='\\n')").splitlines()
    assert paths.count(manifest.tree) == 1
    assert not [path for path in paths if path.startswith((str(ROOT), sys.prefix))]


@pytest.mark.parametrize("name", ["with a space", "Münze-日本", "it's \\odd"])
def test_paths_of_any_spelling_work(tmp_path: Path, name: str) -> None:
    """The home directory is where its user put it, whatever the locale."""
    project, home = Project(tmp_path / name / "project"), tmp_path / name / "home"
    project.write(f"data {name}/file.txt", "42")
    project.commit("Data")
    manifest = project.build(home)
    code = "import app, pathlib; print(pathlib.Path(app.__file__).parents[1].as_posix())"
    for locale in ("C.UTF-8", "C", "POSIX"):
        done = subprocess.run(
            [manifest.python, "-I", "-c", code],
            check=True,
            capture_output=True,
            cwd="/",
            env={"LC_ALL": locale},
        )
        assert os.fsdecode(done.stdout.strip()) == manifest.tree
    assert Path(manifest.tree, f"data {name}", "file.txt").read_text(encoding="utf-8") == "42"
    frozen_directory.remove(home)


def test_a_tree_without_the_engine_gets_a_copy_of_ours(home: Path, project: Project) -> None:
    """An application of its own starts with the engine it was built with, for ever."""
    project.git("rm", "--quiet", "-r", "handoff")
    project.commit("Application")
    manifest = project.build(home)
    place = said(manifest, "import handoff.limits; print(handoff.limits.__file__)")
    assert place == str(Path(manifest.tree).with_name("engine") / "handoff/limits.py")
    assert (Path(place).parent / "__pycache__").is_dir()


def test_a_tree_that_carries_the_engine_runs_its_own(home: Path, project: Project) -> None:
    """Otherwise a change of the engine would never go live."""
    project.write("handoff/__init__.py", "OWN = True\n")
    project.commit("Engine")
    manifest = project.build(home)
    assert said(manifest, "import handoff; print(handoff.OWN)") == "True"
    assert not Path(manifest.tree).with_name("engine").exists()


def test_another_engine_makes_another_release(
    tmp_path: Path, home: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.git("rm", "--quiet", "-r", "handoff")
    project.commit("Application")
    first = project.build(home)
    newer = tmp_path / "newer"
    for name in engine.copy(newer):
        assert (newer / name).is_file()
    (newer / "handoff" / "limits.py").write_text("NEW = True\n", encoding="utf-8")
    monkeypatch.setattr(engine, "digest", lambda found=engine.digest: found(newer))
    copy = engine.copy
    monkeypatch.setattr(engine, "copy", lambda target, **like: copy(target, newer, **like))
    second = project.build(home)
    assert first.release != second.release
    assert first.environment == second.environment
    assert said(second, "import handoff.limits as l; print(l.NEW)") == "True"
    assert said(first, "import handoff.limits as l; print(hasattr(l, 'NEW'))") == "False"


def test_the_same_engine_is_written_once_for_all_releases(home: Path, project: Project) -> None:
    project.git("rm", "--quiet", "-r", "handoff")
    project.commit("Application")
    first = project.build(home)
    project.write("app/worker.py", "VERSION = 2\n")
    project.commit("Change it")
    second = project.build(home)
    limits = [Path(each.tree).with_name("engine") / "handoff/limits.py" for each in (first, second)]
    assert limits[0].samefile(limits[1])
    assert limits[0].stat().st_mode & 0o222 == 0
    releases_dir.prune(home, {second.release})
    assert said(second, "import handoff.limits as l; print(l.__name__)") == "handoff.limits"


def test_the_same_commit_is_built_once(home: Path, project: Project) -> None:
    first = project.build(home)
    before = Path(first.tree).stat().st_ino
    assert project.build(home) == first
    assert Path(first.tree).stat().st_ino == before


def test_each_commit_has_a_tree_of_its_own(home: Path, project: Project) -> None:
    """A live worker must never find another version's module (a late import)."""
    first = project.build(home)
    project.write("app/worker.py", "VERSION = 2\n")
    project.commit("Second")
    second = project.build(home)
    assert said(first, "import app.worker; print(app.worker.VERSION)") == "1"
    assert said(second, "import app.worker; print(app.worker.VERSION)") == "2"
    assert first.environment == second.environment


def test_what_is_built_is_the_commit_not_the_directory(home: Path, project: Project) -> None:
    project.write("app/worker.py", "VERSION = 3\n")
    project.write("app/forgotten.py", "")
    manifest = project.build(home)
    assert said(manifest, "import app.worker; print(app.worker.VERSION)") == "1"
    assert not Path(manifest.tree, "app/forgotten.py").exists()
    state = GitTree(project.path).working_tree()
    assert (state.changed, state.untracked) == (("app/worker.py",), ("app/forgotten.py",))


def test_bytecode_is_made_at_build_time_and_never_again(home: Path, project: Project) -> None:
    manifest = project.build(home)
    before = sorted(Path(manifest.tree).rglob("*"))
    (compiled,) = Path(manifest.tree, "app/__pycache__").glob("worker.*.pyc")
    assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", "hash-based and unchecked"
    code = "import app.worker, sys; print(app.worker.__cached__, app.worker.__loader__.get_code"
    assert str(compiled) in said(manifest, f"{code}('app.worker').co_filename)")
    assert sorted(Path(manifest.tree).rglob("*")) == before


def test_bytecode_of_what_did_not_change_is_shared(home: Path, project: Project) -> None:
    """It is most of the time a deploy takes; what changed must not be shared."""
    first = project.build(home)
    project.write("app/worker.py", "VERSION = 2\n")
    project.commit("Second")
    second = project.build(home)
    name = f"{sys.implementation.cache_tag}.pyc"
    same, other = f"app/__pycache__/__init__.{name}", f"app/__pycache__/worker.{name}"
    assert Path(first.tree, same).samefile(Path(second.tree, same))
    assert not Path(first.tree, other).samefile(Path(second.tree, other))


def test_an_error_names_the_file_of_its_own_release(home: Path, project: Project) -> None:
    """Shared bytecode must not send a reader of a traceback to another release."""
    project.write("app/faulty.py", "def fail():\n    raise ValueError\n")
    project.commit("Fault")
    project.build(home)
    project.write("app/worker.py", "VERSION = 2\n")
    project.commit("Second")
    manifest = project.build(home)
    place = said(manifest, "import app.faulty; print(app.faulty.fail.__code__.co_filename)")
    assert place == f"{manifest.tree}/app/faulty.py"


def test_a_file_that_does_not_compile_is_left_to_its_import(home: Path, project: Project) -> None:
    """A tree may carry templates and files of other interpreters."""
    project.write("app/template.py", "class {{ name }}:\n")
    project.write("app/warned.py", "PATTERN = '\\d'\n")
    project.commit("Template")
    manifest = project.build(home)
    assert said(manifest, "import app.worker; print(app.worker.VERSION)") == "1"
    compiled = {path.name.split(".")[0] for path in Path(manifest.tree).rglob("*.pyc")}
    assert compiled == {"__init__", "worker", "warned"}


def test_a_release_is_read_only(home: Path, project: Project) -> None:
    project.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    project.commit("Script")
    manifest = project.build(home)
    for path in [Path(manifest.tree), *Path(manifest.tree).rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222, path
    assert os.access(Path(manifest.tree, "run.sh"), os.X_OK)


def test_a_commit_without_a_lock_is_refused(home: Path, project: Project) -> None:
    project.git("rm", "--quiet", "requirements.lock")
    project.commit("No lock")
    with pytest.raises(LockFileMissing):
        project.build(home)


def test_the_entry_comes_from_the_commit(home: Path, project: Project) -> None:
    project.write("pyproject.toml", '[tool.foresight]\nentry = "app.worker:make"\n')
    project.commit("Entry")
    assert project.build(home).entry == "app.worker:make"
    project.write("pyproject.toml", "[tool.foresight]\nentry = 1\n")
    project.commit("Faulty")
    with pytest.raises(EntryInvalid):
        project.build(home)


def test_one_release_cannot_have_two_entries(home: Path, project: Project) -> None:
    """Its name does not tell them apart, so the second would start the first's worker."""
    project.git("rm", "--quiet", "pyproject.toml")
    project.commit("Say nothing of a worker")
    tree = GitTree(project.path)
    releases_dir.build(home, tree, tree.commit("HEAD"), entry_default="app.worker:create")
    with pytest.raises(ReleaseConflict, match=r"app\.worker:make"):
        releases_dir.build(home, tree, tree.commit("HEAD"), entry_default="app.worker:make")


@pytest.mark.parametrize(
    "victim",
    [
        "deploy.environments._complete",
        "deploy.bytecode.write",
        "deploy.frozen_directory.freeze",
        "deploy.frozen_directory.move_into_place",
        "deploy.releases_dir.write_manifest",
        "deploy.releases_dir.sync",
    ],
)
def test_a_builder_killed_at_any_step_leaves_nothing_that_is_taken_for_a_release(
    home: Path, project: Project, victim: str
) -> None:
    with builder(home, project, victim) as process:
        process.communicate(timeout=15)
    assert process.returncode == -signal.SIGKILL
    complete = [manifest.release for manifest in releases_dir.built(home)]
    assert len(complete) == (victim == "deploy.releases_dir.sync")
    manifest = project.build(home)
    assert said(manifest, "import app.worker; print(app.worker.VERSION)") == "1"
    releases_dir.prune(home, {manifest.release})
    assert {path.name for path in (home / "releases").iterdir()} == {".lock", manifest.release}
    assert [path.name for path in (home / "environments").iterdir()] == [manifest.environment]


def test_two_builders_at_once_build_once(home: Path, project: Project) -> None:
    processes = [builder(home, project) for _ in range(3)]
    spoken = [process.communicate(timeout=15)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({lines[-1] for lines in spoken}) == 1
    assert sum("building" in lines for lines in spoken) == 1


def test_a_build_that_waits_too_long_says_for_what(
    home: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.build(home)
    monkeypatch.setattr(releases_dir, "LOCK_LIMIT_S", 0.1)
    lock = FileLock(home / "releases" / ".lock", fallback_to_soft=False)
    with lock, pytest.raises(BuildBusy, match=r"releases/\.lock"):
        project.build(home)


@pytest.mark.parametrize("damage", ["file", "bytes", "python", "manifest"])
def test_a_damaged_release_is_made_again(home: Path, project: Project, damage: str) -> None:
    """A power cut or a hand in the wrong place: found at the next deploy, not in the cycle."""
    manifest = project.build(home)
    source, python = Path(manifest.tree, "app/worker.py"), Path(manifest.python)
    for directory in (source.parent, python.parent):
        directory.chmod(0o700)
    match damage:
        case "file":
            source.unlink()
        case "bytes":
            source.chmod(0o600)
            source.write_bytes(b"")
        case "python":
            python.unlink()
        case _:
            (home / "releases" / manifest.release / "release.json").write_text("{", "utf-8")
    assert project.build(home) == manifest
    assert said(manifest, "import app.worker; print(app.worker.VERSION)") == "1"
    assert source.read_text(encoding="utf-8") == "VERSION = 1\n"


def test_a_full_disk_is_called_by_its_name(
    home: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(GitTree, "extract", full)
    with pytest.raises(DiskLacking):
        project.build(home)
    monkeypatch.undo()
    assert project.build(home).subject == "First"


def test_pruning_keeps_what_may_come_back(home: Path, project: Project) -> None:
    first = project.build(home)
    project.write("app/worker.py", "VERSION = 2\n")
    project.commit("Second")
    second = project.build(home)
    project.write("requirements.lock", "# still nothing\n")
    project.commit("Third")
    third = project.build(home)
    assert third.environment != second.environment
    for kind in ("releases", "environments"):
        (home / kind / ".unfinished-of-somebody").mkdir()
    assert releases_dir.prune(home, {first.release, third.release}) == [second.release]
    assert {found.release for found in releases_dir.built(home)} == {first.release, third.release}
    assert said(first, "import app.worker; print(app.worker.VERSION)") == "1"
    releases_dir.prune(home, {third.release})
    kept = environments.environment_directory(home, third.environment)
    assert list((home / "environments").iterdir()) == [kept]
    assert {path.name for path in (home / "releases").iterdir()} == {".lock", third.release}
