"""Who signed a request.

Owns the checks of signatures: HMAC of both venues' private requests, recovery of the address
behind an Ethereum signature, and the API credentials derived for an address. Must never enter:
private keys, permissions, what a request does.
"""

import base64
import hmac
from hashlib import sha256
from typing import NamedTuple

from coincurve import PublicKey

from foresight.exchange.signing.keccak import keccak256

_SIGNATURE_BYTES = 65


class Credentials(NamedTuple):
    """API credentials of one address.

    Attributes:
        key: Looks like a UUID.
        secret: URL-safe base64 of 32 bytes.
        passphrase: 64 hex digits.
    """

    key: str
    secret: str
    passphrase: str


def credentials_of(address: str, *, seed: int) -> Credentials:
    """Return the credentials this exchange gives an address: always the same ones.

    Args:
        address: 0x and 40 hex digits, any case.
        seed: Seed of the exchange.
    """
    root = f"{seed}:{address.lower()}".encode()
    digits = sha256(b"key:" + root).hexdigest()
    key = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
    secret = base64.urlsafe_b64encode(sha256(b"secret:" + root).digest()).decode()
    return Credentials(key, secret, sha256(b"passphrase:" + root).hexdigest())


def is_hex_hmac(message: str, signature: str, *, secret: str) -> bool:
    """Check the hex HMAC-SHA256 of a Binance request's query or body."""
    expected = hmac.new(secret.encode(), message.encode(), sha256).hexdigest()
    return hmac.compare_digest(expected, signature.lower())


def is_base64_hmac(message: str, signature: str, *, secret: str) -> bool:
    """Check the URL-safe base64 HMAC-SHA256 of a Polymarket request.

    Args:
        message: Timestamp, method, path and body, joined.
        signature: As in the header.
        secret: URL-safe base64, as given out.
    """
    key = base64.urlsafe_b64decode(secret)
    digest = hmac.new(key, message.encode(), sha256).digest()
    expected = base64.urlsafe_b64encode(digest).decode()
    return hmac.compare_digest(expected, signature)


def signer_of(digest: bytes, signature: str) -> str | None:
    """Return the address whose key signed a digest.

    Args:
        digest: 32 bytes.
        signature: Hex of r, s and v (27 or 28); what follows the first 65 bytes is ignored.

    Returns:
        0x and 40 lower-case hex digits, or None where the signature is no signature.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))[:_SIGNATURE_BYTES]
        recoverable = raw[:64] + bytes([raw[64] - 27])
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # noqa: BLE001 - the library raises bare Exception; no signature is an answer
        return None
    return "0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex()
