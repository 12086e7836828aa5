"""The local exchange as a companion of a bot: whether there is one, and what it is told.

Owns its words on the command line. How a companion is started is the launcher's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from foresight.errors import ConfigError
from foresight.exchange.ledger.file import rule_of_ledger
from foresight.exchange.prices.recordings import recorded_assets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from foresight.config import Config
    from state.record import Timeline

EXCHANGE: Final = "exchange"  # the companion's name, and its folder in the home
BALANCE_USDC: Final = 1_000_000  # of the local exchange: a fair market costs about 250 a market day


def has_exchange(config: Config) -> bool:
    """Tell whether a bot of this configuration has an exchange of its own."""
    return config.venue.kind == "local" and not config.venue.url


def exchange_words(
    home: Path,
    config: Config,
    timeline: Timeline,
    replay: Path | None,
    traded: Sequence[str],
    *,
    rule: str | None = None,
) -> tuple[str, ...]:
    """Return what the local exchange of a home is told, beside where it listens."""
    assets = recorded_assets(replay) if replay else traded
    words = ["--dir", str(home / EXCHANGE), "--assets", ",".join(assets)]
    words += ["--origin-ns", str(timeline.origin_ns), "--speed", str(timeline.speed)]
    words += ["--balance", str(BALANCE_USDC)]
    words += ["--replay", str(replay.absolute())] if replay else []
    words += ["--rule", rule] if rule else []  # without one, its ledger's
    words += [word for host in config.engine.exchange_hosts for word in ("--host", host)]
    return tuple(words)


def refuse_other_rule(home: Path, config: Config, rule: str | None) -> None:
    """Refuse a rule that the exchange of this home cannot go on with."""
    if rule is None:
        return
    if not has_exchange(config):
        what = "--rule is said to the local exchange, and none is started here"
        raise ConfigError(what, "leave it out: a venue says itself what settles its windows")
    kept = rule_of_ledger(home / EXCHANGE)
    if kept not in (None, rule):
        what = f"the exchange of this home settles by {kept}, not by {rule}"
        raise ConfigError(what, "leave --rule out, or begin a new home")
