"""What a release looks like on disk: how a worker of it is started.

Owns `releases/<id>/release.json`. Standard library only: the launcher reads manifests.
How a release comes to be there is the matter of `tree_snapshot` (a plain directory) and
of `deploy` (a git commit); both write this manifest.
"""

from __future__ import annotations

import json
import os

from handoff.errors import ReleaseUnusable
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "release.json"
MANIFEST_FORMAT: Final = 1
ENVIRONMENTS: Final = "environments"  # in a home, by their hash
SITE_PACKAGES: Final = "site-packages"
ID_LETTERS_MAX: Final = 100
_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."


class Manifest(NamedTuple):
    """How to start a worker of a release.

    Attributes:
        release: Id of the release, also the name of its directory.
        entry: `module:factory`, called with a `Context`.
        python: Absolute path of the interpreter that sees the tree and its environment.
        tree: Absolute path of the immutable tree; the worker's working directory.
        environment: Hash of the environment, or an empty string for the launcher's own.
        commit: Full git commit, or an empty string.
        subject: First line of the commit message, for humans.
        paths: Directories put in front of `sys.path` by the worker; empty where the
            interpreter is a venv made for the release.
    """

    release: str
    entry: str
    python: str
    tree: str
    environment: str = ""
    commit: str = ""
    subject: str = ""
    paths: tuple[str, ...] = ()

    def program(self, *arguments: str) -> list[str]:
        """Return the command line of one of the engine's commands, run by this release."""
        return self.module("handoff", *arguments)

    def module(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of a module that is a program, run by this release."""
        # An interpreter of its own needs nothing of its caller; a borrowed one is told its paths.
        # Neither looks into the directory that it is started in, which is no release.
        isolated = ["-s", "-P"] if self.paths else ["-I"]
        return [self.python, *isolated, "-m", name, *arguments]

    def variables(self) -> dict[str, str]:
        """Return what its interpreter must find in its environment, besides what any does."""
        return {"PYTHONPATH": os.pathsep.join(self.paths)} if self.paths else {}


def is_release_id(text: object) -> bool:
    """Tell whether this names a release: a plain name, never a path or a hidden file."""
    if not isinstance(text, str) or not 0 < len(text) <= ID_LETTERS_MAX:
        return False
    return not text.startswith(".") and not text.strip(_ID_LETTERS)


def release_directory(home: Path, release: str) -> Path:
    """Return where a release lives under a home directory.

    A record, a manifest or a request may come from elsewhere: what they call a release is run.

    Raises:
        ReleaseUnusable: This is no name of a release.
    """
    if not is_release_id(release):
        message = f"{release!r} is no name of a release"
        raise ReleaseUnusable(message)
    return home / "releases" / release


def read_manifest(home: Path, release: str) -> Manifest:
    """Read how to start a release, from where it is now: its home may have been moved.

    Raises:
        ReleaseUnusable: It is not there, incomplete or of a newer format.
    """
    path = release_directory(home, release) / MANIFEST
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        message = f"release {release} is not under {path.parent.parent}"
        raise ReleaseUnusable(message) from error
    except (OSError, ValueError) as error:
        message = f"{path}: {error}"
        raise ReleaseUnusable(message) from error
    if not isinstance(fields, dict) or fields.get("release", release) != release:
        message = f"{path} is not the manifest of {release}"
        raise ReleaseUnusable(message)
    if fields.get("format", 0) > MANIFEST_FORMAT:
        message = f"{path} has format {fields['format']}, newer than this launcher"
        raise ReleaseUnusable(message)
    known = {name: fields[name] for name in Manifest._fields if name in fields}
    try:
        manifest = Manifest(**{**known, "paths": tuple(known.get("paths", ()))})
    except TypeError as error:
        message = f"{path} is incomplete: {error}"
        raise ReleaseUnusable(message) from error
    if manifest.environment and not is_release_id(manifest.environment):
        message = f"{path} names the environment {manifest.environment!r}"
        raise ReleaseUnusable(message)
    return _found_in(os.fspath(home), manifest)


def is_here(home: Path, release: str) -> bool:
    """Tell whether a home has a release whose manifest can be read."""
    try:
        read_manifest(home, release)
    except ReleaseUnusable:
        return False
    return True


def _found_in(home: str, manifest: Manifest) -> Manifest:
    """Return a manifest as it is in this home, which may have been moved since it was written."""
    place = f"/releases/{manifest.release}"
    if not manifest.tree.endswith(f"{place}/tree"):
        return manifest
    former = manifest.tree.removesuffix(f"{place}/tree")
    if former == home or not LightPath(f"{home}{place}/tree").exists():
        return manifest

    def moved(path: str) -> str:
        own = path.startswith(f"{former}{place}/")
        return f"{home}{path.removeprefix(former)}" if own else path

    paths = manifest.paths or _paths_of(f"{home}{place}", f"{home}/{ENVIRONMENTS}", manifest)
    return manifest._replace(
        python=moved(manifest.python),
        tree=moved(manifest.tree),
        paths=tuple(moved(path) for path in paths),
    )


def _paths_of(place: str, environments: str, manifest: Manifest) -> tuple[str, ...]:
    """Return what the interpreter of a release sees; its own list of it names the former home."""
    packages = f"{environments}/{manifest.environment}/{SITE_PACKAGES}"
    engine = f"{place}/engine"
    carried = (engine,) if LightPath(engine).exists() else ()
    return (f"{place}/tree", *carried, packages)


def write_manifest(home: Path, manifest: Manifest) -> None:
    """Write the manifest last: a release directory without one is half-built."""
    path = release_directory(home, manifest.release) / MANIFEST
    text = json.dumps({"format": MANIFEST_FORMAT, **manifest._asdict()}, indent=1)
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
