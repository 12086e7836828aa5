"""The interpreter of a release: made, looked at, and replaced where its host took it away.

Owns `releases/<id>/venv/`, the least that python takes for a virtual environment: a link to an
interpreter of the system and one line that names what it sees. A distribution may replace or
remove that interpreter whenever it likes; another one of the same minor version takes its place,
since what was installed and compiled fits that version alone.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy import commands, frozen_directory
from deploy.errors import InterpreterMissing, ProgramMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handoff.release_files import Manifest

DIRECTORY: Final = "venv"
PATH_FILE: Final = "foresight-release.pth"
LIMIT_S: Final = 30.0  # an interpreter says its version in a tenth of a second
USUAL: Final = ("/usr/local/bin", "/usr/bin")

_PROBE: Final = (
    "import json, platform, sys; "
    "base = getattr(sys, '_base_executable', '') or sys.executable; "
    "print(json.dumps([platform.python_version(), base]))"
)


class Base(NamedTuple):
    """An interpreter that a virtual environment can be made for.

    Attributes:
        path: Where it is, by the name that survives an upgrade where it has one.
        version: Its version, as 3.11.7.
    """

    path: Path
    version: str

    @property
    def minor(self) -> str:
        """Its minor version, as 3.11: what was installed for it fits all of these."""
        return minor_of(self.version)


def minor_of(version: str) -> str:
    """Return the minor version of a version, 3.11 of 3.11.7."""
    return ".".join(version.split(".")[:2])


def this_base() -> Base:
    """Return the interpreter under our own virtual environment."""
    base = Path(getattr(sys, "_base_executable", sys.executable))
    return _by_version(Base(base, platform.python_version()))


def _by_version(base: Base) -> Base:
    versioned = base.path.with_name(f"python{base.minor}")
    known = versioned.exists() and versioned.samefile(base.path)
    return Base(versioned, base.version) if known else base


def make(venv: Path, seen: Sequence[Path], packages: Path, base: Base) -> None:
    """Make the least that python takes for a virtual environment: three files, no copy.

    Args:
        venv: A directory that is not there yet.
        seen: Directories whose modules it finds first.
        packages: The site-packages that it finds then.
        base: The interpreter that it links to.
    """
    site_packages = venv / "lib" / f"python{base.minor}" / "site-packages"
    site_packages.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(base.path)
    text = f"home = {base.path.parent}\ninclude-system-site-packages = false\n"
    (venv / "pyvenv.cfg").write_text(f"{text}version = {base.version}\n", encoding="utf-8")
    # Escaped, because the interpreter reads this file in the encoding of its locale; and a
    # condition, because inside a virtual environment it reads it twice.
    own, shared = ascii([str(path) for path in seen]), ascii(str(packages))
    line = f"{own}[0] in sys.path or (sys.path.extend({own}), site.addsitedir({shared}))"
    (site_packages / PATH_FILE).write_text(f"import site, sys; {line}\n", encoding="ascii")


def made_for(manifest: Manifest) -> str:
    """Return the minor version that a release was made for; empty where nothing says it."""
    venv = _venv_of(manifest)
    if venv is None:
        return ""
    names = [path.name.removeprefix("python") for path in (venv / "lib").glob("python*")]
    return names[0] if len(names) == 1 else ""


def fault(manifest: Manifest) -> str:
    """Return why the interpreter of a release does not run it, or an empty string if it does."""
    wanted, python = made_for(manifest), Path(manifest.python)
    if _venv_of(manifest) is None:
        return ""  # it is borrowed, and whoever lent it keeps it
    if not wanted:
        return f"{python} is gone, with all that says which Python it was"
    found = _probed(python)
    if found is None and python.is_symlink() and not python.exists():
        return f"{python} links to {python.readlink()}, which is gone"
    if found is None:
        return f"{python} does not run"
    if found.minor != wanted:
        return f"{python} is Python {found.version} now, and the release was made for {wanted}"
    return ""


def find(minor: str, before: Path | None = None) -> Base | None:
    """Return an interpreter of a minor version on this host, or None where there is none.

    Args:
        minor: The minor version, as 3.11.
        before: What was linked to; another one of its directory is as good.
    """
    own = this_base()
    if own.minor == minor:
        return own
    for path in _candidates(minor, before):
        found = _probed(path)
        if found is not None and found.minor == minor:
            return _by_version(found)
    return None


def replace(manifest: Manifest, seen: Sequence[Path], packages: Path) -> Base:
    """Make the virtual environment of a release anew, for another interpreter of its version.

    Raises:
        InterpreterMissing: There is none on this host.
    """
    venv, minor = _venv_of(manifest), made_for(manifest)
    assert venv is not None, "what is borrowed has no fault of its own"
    python = Path(manifest.python)
    base = find(minor, python.readlink() if python.is_symlink() else None)
    if base is None:
        raise InterpreterMissing(manifest.release, minor, fault(manifest))
    fresh = frozen_directory.unfinished(venv)
    make(fresh, seen, packages, base)
    frozen_directory.freeze(fresh)
    frozen_directory.move_into_place(fresh, venv)
    return base


def _venv_of(manifest: Manifest) -> Path | None:
    venv = Path(manifest.tree).with_name(DIRECTORY)
    return venv if Path(manifest.python) == venv / "bin" / "python" else None


def _candidates(minor: str, before: Path | None) -> Iterator[Path]:
    name = f"python{minor}"
    named = shutil.which(name)
    if named:
        yield Path(named)
    places = [Path(each) for each in USUAL]
    places += [before.parent] if before is not None else []
    for place in places:
        yield from (place / each for each in (name, "python3") if (place / each).exists())


def _probed(python: Path) -> Base | None:
    """Return what an interpreter says of itself, or None where it does not run."""
    command = [str(python), "-I", "-c", _PROBE]
    try:
        done = commands.run(command, limit_s=LIMIT_S, environment=dict(os.environ))
        version, base = json.loads(done.output) if done.code == 0 else ("", "")
    except (ProgramMissing, OSError, ValueError):
        return None
    return Base(Path(base), version) if version else None
