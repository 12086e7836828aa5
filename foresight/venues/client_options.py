"""The settings of the clients: which addresses they reach, and how.

Owns what each kind of venue means for the constructors of the two clients. The key of a wallet is
none of them: it is read when a venue is opened.
"""

from collections.abc import Mapping
from typing import Any, Final

from foresight.config import Venue
from foresight.errors import ConfigError
from foresight.overrides import EXCHANGE_URL, LIVE
from foresight.venues.ccxt_calls import OPEN_TIMEOUT_S
from foresight.venues.local import binance_options, polymarket_options


def client_options(
    venue: Venue, environment: Mapping[str, str], *, timeout_s: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the spot client and of the board's.

    Args:
        venue: `[venue]`.
        environment: Variables: where the local exchange is, whether live was asked for.
        timeout_s: Longest wait for one answer, seconds of the wall.

    Raises:
        ConfigError: There is no address, or real money was not asked for.
    """
    shared: dict[str, Any] = {
        "timeout": round(max(timeout_s, OPEN_TIMEOUT_S) * 1000),  # ours comes first
        # Ours is the only client of a local exchange.
        "enableRateLimit": venue.kind != "local" and not venue.url,
    }
    match venue.kind:
        case "local":
            url = (environment.get(EXCHANGE_URL) or venue.url).rstrip("/")
            if not url:
                what = '[venue] kind = "local" needs the address of the local exchange'
                raise ConfigError(what, "set [venue] url, or start it with `foresight up`")
            return binance_options(url) | shared, polymarket_options(url) | shared
        case "paper" if venue.url:
            url = venue.url.rstrip("/")
            # Without the wallet that the exchange knows: what is simulated signs nothing.
            return binance_options(url) | shared, polymarket_options(url) | shared | _NO_WALLET
        case "paper":
            return {**_SPOT, **shared, **_PROXIES}, {**shared, **_PROXIES}
        case "live":
            if environment.get(LIVE) != "1":
                what = "the configuration wants to trade with real money"
                raise ConfigError(what, 'say --live as well, or use [venue] kind = "paper"')
            wallet = {
                "walletAddress": venue.wallet,
                "options": {"signatureType": venue.signature_type},
            }
            return {**_SPOT, **shared, **_PROXIES}, {**wallet, **shared, **_PROXIES}


# What the variables of the network say holds on real markets; a local exchange is reached directly.
_PROXIES: Final = {"aiohttp_trust_env": True}
_NO_WALLET: Final = {"privateKey": "", "walletAddress": ""}
_SPOT: Final[Mapping[str, Any]] = {
    "options": {
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
    }
}
