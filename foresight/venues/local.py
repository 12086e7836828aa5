"""How to construct the ccxt clients so that they talk to a local exchange and to nothing else.

Owns the constructor settings and the demo wallet's key, which is the wallet's alone: the exchange
sees who signed. Usage::

    spot = ccxt.async_support.binance(binance_options("http://127.0.0.1:8080"))
    board = ccxt.prediction.polymarket(polymarket_options("http://127.0.0.1:8080"))

Every address of the client is overridden, so a call that the local exchange does not serve fails
there instead of reaching the real venue. Candles are public: the spot client has no key. Must never
enter: real credentials, real addresses.
"""

from typing import Any, Final

DEMO_PRIVATE_KEY: Final = "0x" + "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
"""A throwaway key from public documentation (web3 manuals): never fund it."""

DEMO_WALLET_ADDRESS: Final = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
"""The address behind `DEMO_PRIVATE_KEY`."""

_BINANCE_GROUPS: Final = [
    "sapi",
    "sapiV2",
    "sapiV3",
    "sapiV4",
    "dapiPublic",
    "dapiPrivate",
    "eapiPublic",
    "eapiPrivate",
    "dapiPrivateV2",
    "dapiData",
    "fapiPublic",
    "fapiPublicV2",
    "fapiPublicV3",
    "fapiPrivate",
    "fapiPrivateV2",
    "fapiPrivateV3",
    "fapiData",
    "papi",
    "papiV2",
]
_BINANCE_STREAMS: Final = [
    "margin",
    "linear",
    "inverse",
    "stock",
    "option",
    "optionMarket",
    "optionPrivate",
    "papi",
]
_BINANCE_ASKED_STREAMS: Final = ["spot", "linear", "inverse"]


def binance_options(base_url: str) -> dict[str, Any]:
    """Return the settings of ccxt's `binance`, which may ask what is public, and listen to it.

    Args:
        base_url: Address of the exchange without a slash at its end.
    """
    unserved = {group: f"{base_url}/unserved/{group}" for group in _BINANCE_GROUPS}
    streams = base_url.replace("http", "ws", 1)
    return {
        "urls": {
            "api": unserved
            | {
                "public": f"{base_url}/api/v3",
                "private": f"{base_url}/api/v3",
                "v1": f"{base_url}/unserved/v1",
                "ws": {group: f"{streams}/unserved/{group}" for group in _BINANCE_STREAMS}
                | {
                    "spot": f"{streams}/ws",
                    "ws-api": {
                        group: f"{streams}/unserved/{group}" for group in _BINANCE_ASKED_STREAMS
                    },
                },
            }
        },
        "options": {
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": ["spot"]},
        },
    }


def polymarket_options(base_url: str) -> dict[str, Any]:
    """Return the settings of ``ccxt.prediction.polymarket``.

    Args:
        base_url: Address of the exchange without a slash at its end.
    """
    return {
        "privateKey": DEMO_PRIVATE_KEY,
        "walletAddress": DEMO_WALLET_ADDRESS,
        "urls": {
            "api": {
                "gamma": f"{base_url}/gamma",
                "clob": f"{base_url}/clob",
                "data": f"{base_url}/data",
                "combos": f"{base_url}/unserved/combos",
                "ws": f"{base_url}/unserved/ws",
                "wsUser": f"{base_url}/unserved/wsUser",
            }
        },
        "options": {"signatureType": 0},
    }
