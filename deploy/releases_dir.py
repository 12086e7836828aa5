"""Releases: a commit's tree and the interpreter that sees it, made once, never changed.

Owns `releases/<id>/`: `tree/` (the commit's files and their bytecode), `engine/` (ours, where
the tree brings none), `venv/` (see `interpreters`) and, last of all, the manifest. A directory
without a manifest is half-built and made again. One lock keeps builders and pruning apart. Which
releases may go is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from filelock import FileLock, Timeout

from deploy import bytecode, engine, environments, frozen_directory, host, interpreters, wheels
from deploy.errors import (
    BuildBusy,
    DeployError,
    DiskLacking,
    InterpreterOther,
    LockFileMissing,
    ReleaseConflict,
)
from deploy.release import (
    LOCK_FILE,
    PROJECT_FILE,
    entry_of,
    environment_hash,
    pins_of,
    release_id,
)
from handoff.errors import ReleaseUnusable
from handoff.release_files import (
    MANIFEST,
    SITE_PACKAGES,
    Manifest,
    read_manifest,
    release_directory,
    write_manifest,
)
from state.atomic_file import FILE_MODE, SystemFiles, make_directory, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from deploy.git_tree import Blob, Commit, GitTree

BUILD_LOCK: Final = ".lock"  # in `releases/`; never deleted
LOCK_LIMIT_S: Final = 2400.0  # the other build may try every installer to its own limit
BUILD_BYTES_MIN: Final = 16 << 20  # a tree, its bytecode and room for a log

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

assert LOCK_LIMIT_S > (
    environments.OFFLINE_LIMIT_S + 2 * environments.ONLINE_LIMIT_S + environments.COMPILE_LIMIT_S
)


class _Source(NamedTuple):
    """What a commit says about the release it becomes."""

    repository: GitTree
    commit: Commit
    blobs: Sequence[Blob]
    lock: bytes
    entry: str
    engine: str  # hash of ours, or empty where the tree carries one


def build(
    home: Path,
    repository: GitTree,
    commit: Commit,
    *,
    entry_default: str = "",
    entered: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Return how to start a commit; make its release and environment if they are not there.

    Args:
        home: The state directory.
        repository: Where the commit is.
        commit: What `repository.commit(ref)` returned.
        entry_default: `module:factory` for a tree whose pyproject.toml names none.
        entered: Told the name of each phase as it begins: waiting (for another build), environment
            and building where they have to be made.

    Raises:
        DeployError: The commit cannot become a release, or the build failed; nothing that
            runs has changed, and the next build starts from the beginning.
    """
    home = home.absolute()
    source = _read(repository, commit, entry_default)
    entered("waiting")
    with _disk_full_named(home), _alone(home):
        environment = environments.ensure(
            home,
            source.lock,
            making=lambda: entered("environment"),
            carry=lambda place: _carry(source, place),
        )
        manifest = _manifest(home, source)
        if not _is_built(home, manifest, source.blobs):
            entered("building")
            _make(home, manifest, environment, source)
    return manifest


def mend(home: Path, manifest: Manifest) -> list[str]:
    """Bring back what a release needs to start and the host took away; return what was done.

    Its interpreter is replaced by another one of the same minor version, its environment is
    installed anew from the lock in its tree. One that only differs and cannot be made again stays.

    Raises:
        ReleaseUnusable: Its tree or its virtual environment is gone: it has to be built.
        InterpreterMissing: No interpreter of its version is here.
        DeployError: Its environment is gone, and could not be made again.
    """
    home, tree = home.absolute(), Path(manifest.tree)
    if not tree.is_dir():
        message = f"{tree} is gone"
        raise ReleaseUnusable(message)
    why = interpreters.fault(manifest)
    if why and not interpreters.made_for(manifest):
        raise ReleaseUnusable(why)  # as where whoever replaced it was killed half-way
    place = environments.environment_directory(home, manifest.environment)
    is_whole = not manifest.environment or environments.intact(place)
    if is_whole and not why:
        return []
    done: list[str] = []
    with _disk_full_named(home), _alone(home):
        if why:
            carried = [each for each in (tree, tree.with_name(engine.DIRECTORY)) if each.exists()]
            packages = place / SITE_PACKAGES
            base = interpreters.replace(manifest, carried, packages)
            done.append(f"{why}; it links to {base.path} now")
        if not is_whole:
            done.append(_environment_made_again(home, manifest, place))
    return done


def _environment_made_again(home: Path, manifest: Manifest, place: Path) -> str:
    tree, minor = Path(manifest.tree), interpreters.made_for(manifest)
    try:
        if minor != interpreters.this_base().minor:
            raise InterpreterOther(manifest.release, minor)
        lock, own = (tree / LOCK_FILE).read_bytes(), tree / wheels.DIRECTORY

        def carry(to: Path) -> None:
            if own.is_dir():
                shutil.copytree(own, to)

        environments.ensure(home, lock, name=manifest.environment, carry=carry)
    except (DeployError, FileNotFoundError) as error:
        if not (place / SITE_PACKAGES).is_dir():
            raise
        return f"{place} is not what it was, and cannot be made again: {error}"
    return f"{place} was not what it was, and is installed anew"


class Intention(NamedTuple):
    """What a build would make.

    Attributes:
        manifest: What it would return.
        tree_bytes: Size of the files it would write; 0 where the release is there already.
        environment_built: Whether its environment is there already.
        tree_files: How many files it would write; 0 as above.
        packages: How many packages its lock file pins.
    """

    manifest: Manifest
    tree_bytes: int
    environment_built: bool
    tree_files: int = 0
    packages: int = 0


def intend(
    home: Path, repository: GitTree, commit: Commit, *, entry_default: str = ""
) -> Intention:
    """Return what `build` would make of a commit, and make nothing.

    Raises:
        DeployError: The commit cannot become a release.
    """
    home = home.absolute()
    source = _read(repository, commit, entry_default)
    manifest = _manifest(home, source)
    done = _is_built(home, manifest, source.blobs)
    place = environments.environment_directory(home, manifest.environment)
    written = () if done else source.blobs
    return Intention(
        manifest,
        sum(blob.size for blob in written),
        environments.intact(place),
        tree_files=len(written),
        packages=len(pins_of(source.lock)),
    )


def built(home: Path) -> list[Manifest]:
    """Return the releases that can be started, in no particular order."""
    found: list[Manifest] = []
    for path in sorted((home / "releases").glob("[!.]*")):
        with contextlib.suppress(ReleaseUnusable):
            found.append(read_manifest(home, path.name))
    return found


def prune(home: Path, keep: Collection[str]) -> list[str]:
    """Remove releases, environments that none of the kept ones uses, and leftovers.

    Args:
        home: The state directory.
        keep: Ids of every release that may come back, those that run included.

    Returns:
        Ids of the releases removed.

    Raises:
        BuildBusy: A build holds the lock.
    """
    home = home.absolute()
    with _alone(home):
        removed = [name for name in _directories(home / "releases") if name not in keep]
        for name in removed:
            # The manifest first: whatever happens, half a release is not taken for one.
            (release_directory(home, name) / MANIFEST).unlink(missing_ok=True)
            frozen_directory.remove(release_directory(home, name))
        used = {manifest.environment for manifest in built(home)}
        for name in _directories(home / "environments"):
            if name not in used:
                frozen_directory.remove(home / "environments" / name)
        frozen_directory.remove_leftovers(home / "releases")
        frozen_directory.remove_leftovers(home / "environments")
    return removed


def _directories(parent: Path) -> list[str]:
    # A file there is nobody's release: whoever put it there takes it away.
    return [path.name for path in parent.glob("[!.]*") if path.is_dir() and not path.is_symlink()]


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    make_directory(SystemFiles(), home / "releases")
    path = home / "releases" / BUILD_LOCK
    lock = FileLock(path, LOCK_LIMIT_S, FILE_MODE, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise BuildBusy(str(path), LOCK_LIMIT_S) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _disk_full_named(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = shutil.disk_usage(home).free
        files = host.files_free(home)
        raise DiskLacking(
            str(home), free_bytes=free, needed_bytes=BUILD_BYTES_MIN, files_free=files
        ) from error


def _read(repository: GitTree, commit: Commit, entry_default: str) -> _Source:
    blobs = repository.files(commit.commit)
    lock = repository.content(commit.commit, LOCK_FILE)
    if lock is None:
        raise LockFileMissing(LOCK_FILE, commit.commit)
    return _Source(
        repository=repository,
        commit=commit,
        blobs=blobs,
        lock=lock,
        entry=entry_of(repository.content(commit.commit, PROJECT_FILE), entry_default),
        engine="" if engine.is_carried(blob.path for blob in blobs) else engine.digest(),
    )


def _manifest(home: Path, source: _Source) -> Manifest:
    environment = environment_hash(source.lock, environments.this_python())
    release = release_id(source.commit.commit, environment, source.engine)
    place = release_directory(home, release)
    return Manifest(
        release=release,
        entry=source.entry,
        python=str(place / interpreters.DIRECTORY / "bin" / "python"),
        tree=str(place / "tree"),
        environment=environment,
        commit=source.commit.commit,
        subject=source.commit.subject,
    )


def _is_built(home: Path, wanted: Manifest, blobs: Sequence[Blob]) -> bool:
    try:
        found = read_manifest(home, wanted.release)
    except ReleaseUnusable:
        return False
    for field in ("commit", "entry"):
        old, new = getattr(found, field), getattr(wanted, field)
        if old != new:
            raise ReleaseConflict(wanted.release, field=field, found=old, wanted=new)
    if found != wanted or not os.access(wanted.python, os.X_OK):
        return False  # the home directory or the interpreter has moved
    return all(_is_whole(Path(wanted.tree) / blob.path, blob) for blob in blobs)


def _is_whole(path: Path, blob: Blob) -> bool:
    try:
        return path.lstat().st_size == blob.size
    except OSError:
        return False


def _make(
    home: Path, manifest: Manifest, environment: environments.Environment, source: _Source
) -> None:
    place, earlier = release_directory(home, manifest.release), _newest_tree(home)
    fresh = frozen_directory.unfinished(place)
    fresh.mkdir(mode=0o700)
    source.repository.extract(source.blobs, fresh / "tree")
    modules = [blob.path for blob in source.blobs if blob.path.endswith(".py")]
    bytecode.write(modules, fresh / "tree", place / "tree", like=earlier)
    seen = [place / "tree"]
    if source.engine:
        before = None if earlier is None else earlier.with_name(engine.DIRECTORY)
        copied = engine.copy(fresh / engine.DIRECTORY, like=before)
        modules = [name for name in copied if name.endswith(".py")]
        bytecode.write(modules, fresh / engine.DIRECTORY, place / engine.DIRECTORY, like=before)
        seen.append(place / engine.DIRECTORY)
    base = interpreters.this_base()
    interpreters.make(fresh / interpreters.DIRECTORY, seen, environment.packages, base)
    for made in fresh.iterdir():
        frozen_directory.freeze(made)
    frozen_directory.move_into_place(fresh, place)
    write_manifest(home, manifest)
    sync(SystemFiles(), place)


def _carry(source: _Source, place: Path) -> None:
    """Write the wheels of the commit, if it has any, to a directory that is not there yet."""
    own = wheels.carried(source.blobs)
    if own:
        source.repository.extract(own, place)


def _newest_tree(home: Path) -> Path | None:
    releases = built(home)
    newest = max(
        releases,
        key=lambda found: (release_directory(home, found.release) / MANIFEST).stat().st_mtime_ns,
        default=None,
    )
    return None if newest is None else Path(newest.tree)
