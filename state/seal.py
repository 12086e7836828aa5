"""A JSON document that carries the digest of its own remaining bytes.

Owns how a digest is put in front of a document and checked again. The digest covers
bytes, not values, so no canonical form of JSON has to be agreed upon. What the
document says never matters here.
"""

from __future__ import annotations

import hashlib

DIGEST_CHARS = 64  # SHA-256 in hexadecimal, FIPS 180-4
_HEAD = b'{"%s":"'


class SealBroken(ValueError):
    """The document's bytes do not match the digest it carries."""


def digest_of(data: bytes | memoryview) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def seal(document: bytes, *, field: str, salt: bytes = b"") -> tuple[bytes, str]:
    """Put the digest of a JSON object in front of its members.

    Args:
        document: An encoded, non-empty JSON object.
        field: Name of the member that will carry the digest.
        salt: Bytes that the digest covers as well: the previous link of a chain.

    Returns:
        The sealed document and its digest.
    """
    assert document.startswith(b'{"'), "only a JSON object with members can be sealed"
    rest = document[1:]
    digest = digest_of(salt + rest)
    return b"".join((_HEAD % field.encode(), digest.encode(), b'",', rest)), digest


def unseal(sealed: bytes, *, field: str, salt: bytes = b"") -> tuple[bytes, str]:
    """Check a sealed document; return what was sealed and its digest.

    Args:
        sealed: What `seal` returned, byte for byte.
        field: Name of the member that carries the digest.
        salt: The salt given to `seal`.

    Raises:
        SealBroken: The bytes are not those that were sealed.
    """
    head = _HEAD % field.encode()
    start = len(head) + DIGEST_CHARS
    if not sealed.startswith(head) or sealed[start : start + 2] != b'",':
        message = "it does not start with a digest"
        raise SealBroken(message)
    claimed = sealed[len(head) : start].decode("ascii", "replace")
    rest = sealed[start + 2 :]
    actual = digest_of(salt + rest)
    if claimed != actual:
        message = f"digest {claimed[:12]} was expected, the bytes have {actual[:12]}"
        raise SealBroken(message)
    return b"{" + rest, actual
