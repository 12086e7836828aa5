"""Which etcd an installation names, and with which credentials.

Owns the way from `[engine] state` and `[engine] cluster_credentials` to an address. The file is a
secret as a private key is: nobody else may read or replace it, and no error says what it holds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from foresight.errors import ConfigError
from foresight.overrides import CREDENTIALS
from foresight.places import place_of
from foresight.venues.keys import PLACES
from handoff.launcher.account_lock import digest_of
from handoff.shared_record import look_up, variables_of
from state.errors import EtcdShut, HomeUnsuitable, OutOfReach, StateError
from state.etcd import forgetting
from state.etcd.address import Cluster, ClusterInvalid, Credentials, Source, cluster_of
from state.etcd.credentials import read_credentials
from state.mirror import refuse_kept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from foresight.config import Config


def configured_cluster(
    config: Config, environment: Mapping[str, str], project: Path
) -> Cluster | None:
    """Return the etcd that a configuration names, or None where state is in the home.

    Args:
        config: The configuration.
        environment: Where the init system has what it hands over, and what `~` is.
        project: What a relative path begins at, absolute.

    Raises:
        ConfigError: The address or the credentials cannot be used.
    """
    engine = config.engine
    if not engine.state:
        if engine.cluster_credentials:
            what = "[engine] cluster_credentials without [engine] state"
            raise ConfigError(what, 'name the etcd: state = "etcd://h1,h2,h3/app"')
        return None
    try:
        source = _source(config, environment, project)
        return cluster_of(engine.state, _credentials(source), source)
    except ClusterInvalid as error:
        what = f"[engine] state: {error}"
        raise ConfigError(what, error.hint) from error


def require_usable(
    config: Config, environment: Mapping[str, str], project: Path, home: Path
) -> None:
    """Refuse an etcd that every worker would refuse, before anything is started.

    Raises:
        ConfigError: Its address or its credentials cannot be used, or each host would have an
            exchange of its own.
        HomeUnsuitable: The home keeps a record of its own.
    """
    if configured_cluster(config, environment, project) is not None:
        refuse_kept(home / "state")
        refuse_own_exchange(config)


def refuse_own_exchange(config: Config) -> None:
    """Refuse a state that hosts share where the exchange would not be: its orders are in no other.

    Raises:
        ConfigError: `up` would start one for this host alone.
    """
    if config.engine.state and config.venue.kind == "local" and not config.venue.url:
        what = "[engine] state is for several hosts, and each would have an exchange of its own"
        hint = "start one, `foresight exchange --dir PLACE --speed N`, and name it: [venue] url"
        raise ConfigError(what, hint)


def refuse_put_back(home: Path, told: tuple[tuple[str, str], ...], app: str) -> None:
    """Refuse to begin beside an etcd that knows less than this home has seen, or lets it not act.

    One that does not answer is no reason: whoever is started waits for it.

    Args:
        home: The state directory.
        told: What workers are told of the etcd.
        app: Name of the application.

    Raises:
        EtcdOlder: It was put back from a copy.
        AccountOther: Its record acts for another account.
        EtcdShut: It lets nobody in with these credentials.
        StateError: What lies in it, or in the home, cannot be used.
    """
    try:
        look_up(home, dict(told), app=app)
    except EtcdShut:
        raise  # whoever is started would wait for an operator
    except OutOfReach:
        return


def account_of(config: Config) -> str:
    """Return what no two may trade for at a time, or an empty string."""
    wallet = config.venue.wallet.lower() if config.venue.live else ""
    return config.engine.account or wallet


def account_told(config: Config) -> str:
    """Return what workers and an etcd are told in place of the account, perhaps empty."""
    account = account_of(config)
    return digest_of(account) if account else ""


def forget_account(config: Config, environment: Mapping[str, str], project: Path) -> str:
    """Forget in the etcd whose account it is; return why that was left, or an empty string.

    Raises:
        ConfigError: Its address or its credentials cannot be used.
    """
    cluster = configured_cluster(config, environment, project)
    if cluster is None:
        return ""
    try:
        return "" if forgetting.forget_account(cluster) else "a worker of another host owns it"
    except StateError as error:
        return str(error)


def told_variables(
    config: Config, environment: Mapping[str, str], project: Path
) -> tuple[tuple[str, str], ...]:
    """Return what workers are told of the etcd: where it is, and for whom they act there."""
    path = credentials_path(config, environment, project)
    return variables_of(
        config.engine.state,
        credentials="" if path is None else str(path),
        places=os.pathsep.join((*PLACES, *config.engine.secrets)),
        trusted_group=str(config.engine.trusted_group),
        account=account_told(config),
    )


def _source(config: Config, environment: Mapping[str, str], project: Path) -> Source | None:
    path = credentials_path(config, environment, project)
    if path is None:
        return None
    handed = environment.get(CREDENTIALS, "")
    places = (*PLACES, *config.engine.secrets, *((handed,) if handed else ()))
    return Source(str(path), places, config.engine.trusted_group)


def _credentials(source: Source | None) -> Credentials:
    try:
        return Credentials() if source is None else read_credentials(source)
    except (HomeUnsuitable, ClusterInvalid) as error:
        what = f"[engine] cluster_credentials: {error}"
        raise ConfigError(what, error.hint) from error


def credentials_path(config: Config, environment: Mapping[str, str], project: Path) -> Path | None:
    """Return the file of credentials, absolute; None where none is named."""
    named = config.engine.cluster_credentials
    return place_of(named, project, environment) if named else None
