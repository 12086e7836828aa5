"""What a release is called and what it is made of: ids and decisions, no file.

Owns the arithmetic of names. The same commit with the same requirements on the same
interpreter has the same id everywhere; anything that changes what runs changes the id.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.errors import EntryInvalid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LOCK_FILE: Final = "requirements.lock"  # at the root of the tree
PROJECT_FILE: Final = "pyproject.toml"

ENVIRONMENT_FORMAT: Final = 1  # raised when environments are laid out in another way
ENVIRONMENT_DIGITS: Final = 16  # 64 bits: two locks of one machine do not meet
COMMIT_DIGITS: Final = 12  # git itself shortens to 7-12
SUFFIX_DIGITS: Final = 6  # tells environments of one commit apart; there are two or three

_ENTRY: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_DIST_INFO: Final = ".dist-info"  # of `<name>-<version>`, as installers write it
_PIN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)(?:\s*;\s*([^\\]+))?")
_REQUIREMENT: Final = re.compile(r"^[^\s#].*$", re.MULTILINE)


class PythonFacts(NamedTuple):
    """What of an interpreter decides whether an environment fits it.

    Attributes:
        version: Full version, for example 3.11.7.
        implementation: For example cpython.
        platform: Platform tag, for example linux-x86_64.
    """

    version: str
    implementation: str
    platform: str


class Pin(NamedTuple):
    """One line of a lock file.

    Attributes:
        name: Normalised name of the distribution.
        version: The one version.
        marker: Condition under which it is installed, or an empty string.
    """

    name: str
    version: str
    marker: str = ""


def environment_hash(lock: bytes, python: PythonFacts) -> str:
    """Return the name of the environment that a lock asks for on an interpreter."""
    digest = hashlib.sha256()
    for part in (str(ENVIRONMENT_FORMAT).encode(), *(fact.encode() for fact in python), lock):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:ENVIRONMENT_DIGITS]


def release_id(commit: str, environment: str, engine: str = "") -> str:
    """Return the id of a commit with what it runs on.

    Args:
        commit: Full hash.
        environment: Hash of the environment.
        engine: Hash of the engine where it is not part of the commit, or an empty string.
    """
    assert len(commit) >= COMMIT_DIGITS, commit
    assert len(environment) >= SUFFIX_DIGITS, environment
    ground = environment
    if engine:
        ground = hashlib.sha256(f"{environment} {engine}".encode()).hexdigest()
    return f"{commit[:COMMIT_DIGITS]}-{ground[:SUFFIX_DIGITS]}"


def entry_of(project: bytes | None, default: str = "") -> str:
    """Return how a worker of a tree is made.

    Args:
        project: Content of the tree's pyproject.toml, or None where there is none.
        default: `module:factory` for a tree that does not say; empty if each has to.

    Raises:
        EntryInvalid: The file cannot be read, or its entry is no `module:factory`.
    """
    try:
        table = tomllib.loads((project or b"").decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = f"cannot be read: {error}"
        raise EntryInvalid(reason) from error
    tool = table.get("tool", {})
    own = tool.get("foresight", {}) if isinstance(tool, dict) else {}
    entry = own.get("entry", default) if isinstance(own, dict) else None
    if not isinstance(entry, str) or not _ENTRY.fullmatch(entry):
        reason = f"[tool.foresight] entry is {entry!r}, not module:factory"
        raise EntryInvalid(reason)
    return entry


def pins_of(lock: bytes) -> list[Pin]:
    """Return what a lock file asks for, in its order; what is no pin has no version."""
    return [_pin(line) for line in _REQUIREMENT.findall(lock.decode(errors="replace"))]


def _pin(line: str) -> Pin:
    found = _PIN.match(line)
    if found is None:  # an address or an option: an installer understands it, a name it has not
        return Pin(line, "")
    name, version, marker = found.groups()
    return Pin(normalised(name), version, (marker or "").strip())


def absent(lock: bytes, entries: Collection[str]) -> list[str]:
    """Return the names that a lock pins and that are not installed, in its order.

    What a condition is tied to may be absent: whether it holds is the installer's to judge.

    Args:
        lock: Content of the lock file.
        entries: Names of what lies in site-packages.
    """
    there = {
        normalised(entry.removesuffix(_DIST_INFO).partition("-")[0])
        for entry in entries
        if entry.endswith(_DIST_INFO)
    }
    return [
        pin.name
        for pin in pins_of(lock)
        if pin.version and not pin.marker and pin.name not in there
    ]


def normalised(name: str) -> str:
    """Return a distribution's name the way indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def releases_to_keep(
    in_record: Collection[str], deployed: Sequence[str], *, spare: int
) -> frozenset[str]:
    """Return the releases that may come back.

    Args:
        in_record: Owner, previous owner and candidate: whatever the record names.
        deployed: Releases that became permanent, oldest first.
        spare: How many distinct ones of those to keep for a rollback.
    """
    assert spare >= 0
    newest = list(dict.fromkeys(reversed(deployed)))[:spare]
    return frozenset(in_record) | frozenset(newest)
