"""The keys that open the spot venue's signed side.

Owns the one demo account of the spot venue. The prediction venue has no keys of its own: it sees
who signed, and derives what it gives out (`signatures`). Must never enter: real credentials,
private keys of wallets.
"""

from typing import Final

BINANCE_DEMO_KEY: Final = "foresight-local-demo-key"
BINANCE_DEMO_SECRET: Final = "foresight-local-demo-secret"  # noqa: S105 - public, opens a toy only
