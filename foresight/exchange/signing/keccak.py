"""Keccak-256, the hash of Ethereum, in plain Python.

Owns `keccak256`. It is here because OpenSSL offers it only from 3.2 on and because the exchange
must not load the client it serves (0.4 s and 100 MiB). One order takes about a millisecond.

Must never enter: what is hashed.
"""

from typing import Final

_RATE_BYTES: Final = 136
_LANES: Final = 25
_MASK: Final = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    constants = []
    register = 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            register = ((register << 1) ^ ((register >> 7) * 0x71)) % 256
            if register & 2:
                constant ^= 1 << ((1 << power) - 1)
        constants.append(constant)
    return tuple(constants)


def _permutation() -> tuple[tuple[int, int, int], ...]:
    # (target lane, source lane, left rotation) of the combined rho and pi steps.
    steps = [(0, 0, 0)]
    x, y = 1, 0
    for step in range(24):
        target = (y, (2 * x + 3 * y) % 5)
        steps.append((target[0] + 5 * target[1], x + 5 * y, (step + 1) * (step + 2) // 2 % 64))
        x, y = target
    return tuple(steps)


_ROUND_CONSTANTS: Final = _round_constants()
_STEPS: Final = _permutation()
_ROWS: Final = tuple(
    (row + column, row + (column + 1) % 5, row + (column + 2) % 5)
    for row in range(0, _LANES, 5)
    for column in range(5)
)


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest of `data` (the original padding, not SHA3-256)."""
    padded = bytearray(data)
    padded += b"\x00" * (_RATE_BYTES - len(data) % _RATE_BYTES)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    state = [0] * _LANES
    for start in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            place = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[place : place + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _permute(lanes: list[int]) -> list[int]:
    mixed = [0] * _LANES
    for constant in _ROUND_CONSTANTS:
        columns = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        parity = [
            columns[x - 1] ^ (columns[(x + 1) % 5] << 1 & _MASK | columns[(x + 1) % 5] >> 63)
            for x in range(5)
        ]
        for target, source, turn in _STEPS:
            lane = lanes[source] ^ parity[source % 5]
            mixed[target] = (lane << turn & _MASK) | lane >> (64 - turn)
        lanes = [mixed[here] ^ (~mixed[right] & mixed[far]) for here, right, far in _ROWS]
        lanes[0] ^= constant
    return lanes
