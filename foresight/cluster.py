"""Which etcd an installation names, and with which credentials.

Owns the way from `[engine] state` and `[engine] cluster_credentials` to an address. The file is a
secret as a private key is: nobody else may read or replace it, and no error says what it holds.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

from foresight.errors import ConfigError
from foresight.overrides import CREDENTIALS
from foresight.places import place_of
from foresight.venues.keys import PLACES
from state.errors import HomeUnsuitable
from state.etcd.address import Cluster, ClusterInvalid, Credentials, cluster_of, credentials_of
from state.premises import read_secret

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
        return cluster_of(engine.state, _credentials(config, environment, project))
    except ClusterInvalid as error:
        what = f"[engine] state: {error}"
        raise ConfigError(what, error.hint) from error


def refuse_cluster(config: Config) -> None:
    """Refuse to start a bot whose state is to be in an etcd: no release can run there yet.

    Raises:
        ConfigError: It names one.
    """
    if config.engine.state:
        what = "[engine] state names an etcd, and a bot cannot be run on one yet"
        raise ConfigError(what, "leave it out: state is kept in the home then")


def _credentials(config: Config, environment: Mapping[str, str], project: Path) -> Credentials:
    named = config.engine.cluster_credentials
    if not named:
        return Credentials()
    path = place_of(named, project, environment)
    handed = environment.get(CREDENTIALS, "")
    places = (*PLACES, *config.engine.secrets, *((handed,) if handed else ()))
    try:
        data = read_secret(path, places, config.engine.trusted_group)
        found = credentials_of(tomllib.loads(data.decode()))
    except HomeUnsuitable as error:
        what = f"[engine] cluster_credentials: {error}"
        raise ConfigError(what, error.hint) from error
    except OSError as error:
        what = f"[engine] cluster_credentials {path} cannot be read: {error.strerror}"
        raise ConfigError(what, "name a file of mode 0600") from error
    except ClusterInvalid as error:
        what = f"[engine] cluster_credentials {path}: {error}"
        raise ConfigError(what, error.hint) from error
    except ValueError as error:  # of TOML or of its bytes; its text could quote a password
        what = f"[engine] cluster_credentials {path} is no TOML"
        raise ConfigError(what, "write it as foresight.toml is written") from error
    certificates = {name: getattr(found, name) for name in ("ca", "certificate", "key")}
    return found._replace(
        **{name: os.fspath(path.parent / value) for name, value in certificates.items() if value}
    )
