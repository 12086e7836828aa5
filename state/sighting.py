"""How far a host has seen the etcd that its record is in, and which of its homes this one is.

Owns `state/etcd.json` in a home. An etcd that was put back from a copy counts the same revisions
again; so the highest one that was seen is kept, and beside it how often a repair has begun the
count anew. The file follows the mirror: what was seen since the record last changed is not in it,
and what it lacks after a power cut the newest line of the journal tells.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from state.atomic_file import replace_file
from state.errors import HomeUnsuitable
from state.open_struct import OpenStruct, decode_open, encode_open
from state.seal import SealBroken, seal, unseal

if TYPE_CHECKING:
    from pathlib import Path

    from state.atomic_file import Files

NAME: Final = "etcd.json"
FORMAT: Final = 1
_DIGEST: Final = "digest"


class Sighting(NamedTuple):
    """How far an etcd was seen; the later of two is the greater one.

    Attributes:
        repairs: How often a repair has begun its history anew.
        revision: The highest one since then.
    """

    repairs: int = 0
    revision: int = 0

    def words(self) -> str:
        """Return it as people read it."""
        after = f" after repair {self.repairs}" if self.repairs else ""
        return f"revision {self.revision}{after}"


class Seen(OpenStruct, frozen=True, kw_only=True):
    """What a home keeps of it.

    Attributes:
        format: Version of this document's own shape.
        home: A random name of the home: a host may have several.
        repairs: See `Sighting`.
        revision: Likewise.
    """

    format: int = FORMAT
    home: str
    repairs: int = 0
    revision: int = 0

    @property
    def sighting(self) -> Sighting:
        """How far."""
        return Sighting(self.repairs, self.revision)


def read_seen(directory: Path) -> Seen | None:
    """Return what a home has seen; None where it has not followed an etcd yet.

    Raises:
        HomeUnsuitable: The file is not what was written, or a newer engine's.
    """
    path = directory / NAME
    try:
        seen = decode_open(unseal(path.read_bytes(), field=_DIGEST)[0], Seen)
    except FileNotFoundError:
        return None
    except (SealBroken, msgspec.DecodeError) as error:
        hint = "put it aside; the newest line of the journal still tells an older etcd"
        raise HomeUnsuitable(str(path), f"it is not what was written: {error}", hint) from error
    if seen.format > FORMAT:
        reason = f"it has format {seen.format}, this program knows {FORMAT}"
        raise HomeUnsuitable(str(path), reason, "run the release that wrote it, or a newer one")
    return seen


def forget_seen(files: Files, directory: Path) -> None:
    """Forget how far an etcd was seen, for a home that begins again from another state.

    Raises:
        HomeUnsuitable: What is there is not what was written.
        OSError: It may be as it was.
    """
    found = read_seen(directory)
    if found is not None:
        seen = msgspec.structs.replace(found, repairs=0, revision=0)
        replace_file(files, directory / NAME, seal(encode_open(seen), field=_DIGEST)[0])


def write_seen(files: Files, directory: Path, sighting: Sighting) -> Seen:
    """Keep how far an etcd was seen, and never less than before; return what is kept.

    The caller has the home's lock.

    Raises:
        HomeUnsuitable: What is there is not what was written.
        OSError: It may be as it was.
    """
    before = read_seen(directory)
    if before is not None and before.sighting >= sighting:
        return before
    found = before or Seen(home=secrets.token_hex(4))
    seen = msgspec.structs.replace(found, repairs=sighting.repairs, revision=sighting.revision)
    replace_file(files, directory / NAME, seal(encode_open(seen), field=_DIGEST)[0])
    return seen
