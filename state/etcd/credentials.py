"""How to be let in to an etcd, read from the file that says so.

Owns that the file is held as a private key is, and that no error says what it holds.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from state.etcd.address import ClusterInvalid, Credentials, credentials_of
from state.premises import read_secret

if TYPE_CHECKING:
    from state.etcd.address import Source


def read_credentials(source: Source) -> Credentials:
    """Return the credentials in a file, their paths absolute.

    Args:
        source: The file, TOML, and who may read it.

    Raises:
        HomeUnsuitable: Somebody else could read or replace it.
        ClusterInvalid: It cannot be read, or its members make no credentials.
    """
    path = Path(source.path)
    try:
        data = read_secret(path, source.places, source.trusted_group)
        found = credentials_of(tomllib.loads(data.decode()))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise ClusterInvalid(message, "name a file of mode 0600") from error
    except ClusterInvalid as error:
        message = f"{path}: {error}"
        raise ClusterInvalid(message, error.hint) from error
    except ValueError:  # of TOML or of its bytes; its text could quote a password
        message = f"{path} is no TOML"
        raise ClusterInvalid(message, "write it as foresight.toml is written") from None
    certificates = {name: getattr(found, name) for name in ("ca", "certificate", "key")}
    return found._replace(
        **{name: os.fspath(path.parent / value) for name, value in certificates.items() if value}
    )
