"""Randomness that is a pure function of its keys.

Owns every draw in this package: the same seed and keys give the same number in every process, so a
restarted exchange continues the very same market. Must never enter: `random`, clocks, hidden state.
"""

import sys
from array import array
from hashlib import blake2b, shake_128
from statistics import NormalDist

_STANDARD = NormalDist()


def key_of(*parts: object) -> int:
    """Return a 64-bit number that stands for a sequence of plain values (their text decides)."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def uniform(*parts: object) -> float:
    """Return a number in the open interval (0, 1) that depends on nothing but `parts`."""
    return ((key_of(*parts) >> 11) + 0.5) / 9007199254740992.0  # 2**53: every value is exact


def uniforms(count: int, *parts: object) -> list[float]:
    """Return `count` independent numbers in (0, 1): one hash for all, for bulk generation.

    Args:
        count: How many, >= 0.
        *parts: What they depend on.
    """
    words = array("Q")
    key = key_of(*parts).to_bytes(8, "big")
    words.frombytes(shake_128(key).digest(8 * count))
    if sys.byteorder == "big":  # same numbers on every machine
        words.byteswap()
    return [((word >> 11) + 0.5) / 9007199254740992.0 for word in words]


def normals(count: int, *parts: object) -> list[float]:
    """Return `count` independent standard normal numbers."""
    inverse = _STANDARD.inv_cdf
    return [inverse(number) for number in uniforms(count, *parts)]
