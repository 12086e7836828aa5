"""Wheels only: what of a lock an installer could build, and what it found no wheel of; no file.

Owns the rule that nothing is built on the way to an environment. A wheel is unpacked, and its
hash is in the lock; a source distribution runs its own program with requirements that no lock
names. Who installs, and where, is decided elsewhere.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from deploy.release import pins_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.git_tree import Blob

DIRECTORY: Final = "wheels"  # at the root of a tree: wheels that the project built itself
SUFFIX: Final = ".whl"

_PIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[\w.,\s-]*\])?\s*==\s*[^\s;]+")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[\w.,\s-]*\])?\s*@\s*(\S+)")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
# They say where to look, never what to do with what is found there.
_PLACES: Final = frozenset(
    ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--trusted-host")
)
_WHEELS_ASKED: Final = frozenset(("--only-binary :all:", "--only-binary=:all:", "--require-hashes"))
# As uv says it, and pip where it has reached an index.
_NO_WHEEL: Final = ("has no usable wheels", "No matching distribution found for")
_NOT_REACHED: Final = "Retrying ("


def could_be_built(lock: bytes) -> list[str]:
    """Return the lines of a lock that let an installer build something, or might.

    What is left is `name==version`, or the address of a wheel, with hashes, and where to look.
    """
    return [line for line in _logical_lines(lock.decode(errors="replace")) if not _unpacks(line)]


def no_wheel_of(lock: bytes, said: str) -> list[str]:
    """Return what a lock pins and installers found no wheel of, as `name==version`.

    Args:
        lock: Content of the lock file.
        said: What the installers said, of one installation.
    """
    phrases = _NO_WHEEL[:1] if _NOT_REACHED in said else _NO_WHEEL
    lines = [line for line in said.splitlines() if any(phrase in line for phrase in phrases)]
    pins = [f"{pin.name}=={pin.version}" for pin in pins_of(lock) if pin.version]
    return [
        pin
        for pin in dict.fromkeys(pins)
        if any(re.search(rf"(?<![\w.-]){re.escape(pin)}(?![\w.-])", line) for line in lines)
    ]


def carried(blobs: Sequence[Blob]) -> list[Blob]:
    """Return the wheels that a tree carries, named as in their own directory."""
    return [
        blob._replace(path=posixpath.basename(blob.path))
        for blob in blobs
        if posixpath.dirname(blob.path) == DIRECTORY and blob.path.endswith(SUFFIX)
    ]


def _logical_lines(text: str) -> list[str]:
    """Return what installers take for a line: continued ones joined, comments left out."""
    lines, line = [], ""
    for raw in text.splitlines():
        is_comment = raw.lstrip().startswith("#")
        line += "" if is_comment else f" {raw.rstrip(chr(92))}"
        if is_comment or not raw.endswith("\\"):
            lines.append(_COMMENT.sub("", line).strip())
            line = ""
    return [each for each in [*lines, line.strip()] if each]


def _unpacks(line: str) -> bool:
    if line in _WHEELS_ASKED:
        return True
    options = [word.partition("=")[0] for word in line.split() if word.startswith("-")]
    if line.startswith("-"):
        return all(option in _PLACES for option in options)
    address = _ADDRESS.match(line)
    named = _PIN.match(line) or (address and urlsplit(address[1]).path.endswith(SUFFIX))
    return bool(named) and all(option == "--hash" for option in options)
