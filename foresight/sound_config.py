"""What no single key shows: whether a configuration can trade at all.

Owns the refusal of a board with assets that the venue has no market for, of an address for real
money, and of stakes that no limit lets pass. Whoever starts something asks here before, and a
worker when it is made: a release that asks for what is not there never owns. Reading the file
refuses none of these: what runs by another one can be halted. No file, clock or process enters
here.
"""

from collections.abc import Mapping
from typing import Final

from foresight.config import ASSETS, Config, nearest
from foresight.errors import ConfigError
from foresight.overrides import EXCHANGE_ASSETS, REPLAYED

GENERATED: Final = (*ASSETS, "ADA", "ALGO", "ATOM", "AVAX", "DOT", "LINK", "LTC", "NEAR")
ASSETS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "local": GENERATED,  # what the local exchange makes prices for
    "paper": ASSETS,  # what the real markets have windows for
    "live": ASSETS,
}
_RESTART: Final = "`foresight down` and `foresight up` start one that has it; or leave it out"


def refuse_unsound(config: Config, environment: Mapping[str, str]) -> None:
    """Refuse a configuration that cannot trade as it says.

    Args:
        config: The configuration.
        environment: Variables of a worker, which say what the local exchange has; empty before
            anything is started.

    Raises:
        ConfigError: An asset has no market, real money has an address, or a stake is above its
            limit.
    """
    if config.venue.url and config.venue.kind == "live":
        what = "[venue] url is no address for real money"
        raise ConfigError(what, 'leave it out, or use kind = "paper" there')
    _refuse_assets(config, environment)
    _refuse_stakes(config)


def _refuse_assets(config: Config, environment: Mapping[str, str]) -> None:
    if config.venue.url or environment.get(REPLAYED) == "1":
        return  # what that exchange has, it alone knows
    kind = config.venue.kind
    for asset in config.board.assets:
        if asset not in ASSETS_OF[kind]:
            what = f"[board] assets: a {kind} venue has no market for {asset}"
            raise ConfigError(what, nearest(asset, ASSETS_OF[kind]))
    told = environment.get(EXCHANGE_ASSETS, "")
    missing = [asset for asset in config.board.assets if told and asset not in told.split(",")]
    if missing and kind == "local":
        what = f"[board] assets: the exchange that runs has no market for {', '.join(missing)}"
        raise ConfigError(what, _RESTART)


def _refuse_stakes(config: Config) -> None:
    risk = config.risk
    for name in ("stake_window_usdc", "stake_asset_usdc", "stake_board_usdc", "stake_day_usdc"):
        limit = getattr(risk, name)
        # A limit of nothing is a word of its own: go on, and buy nothing.
        if 0 < limit < risk.stake_floor_usdc:
            what = (
                f"[risk] stake_floor_usdc = {risk.stake_floor_usdc:g} is above {name} = {limit:g}"
            )
            raise ConfigError(what, "no stake could pass both: lower the one or raise the other")
