"""The private key of a real wallet, from a file that nobody else can read or replace.

Owns the check of the file and of the way to it, which `up` and `doctor` ask as well, and the
shape of the key. Only a venue that is opened reads it. The key goes to the client and nowhere
else: no error and no log names it.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from foresight.config import Config
from foresight.errors import ConfigError
from foresight.overrides import CREDENTIALS, SECRETS, TRUSTED_GROUP
from foresight.places import place_of
from state.errors import HomeUnsuitable
from state.premises import read_secret, refuse_open_secret

# Made for secrets: systemd shows a credential to its service alone, by an access list that looks
# like a group that may read; containers mount theirs so that everybody in them may.
PLACES: Final = ("/run/credentials", "/run/secrets")
_KEY: Final = re.compile(rb"(?:0x)?[0-9a-fA-F]{64}")


class KeyUnreadable(ConfigError):
    """The file with the key is not there, or cannot be read: that may pass, as at a boot."""


class KeyFile(NamedTuple):
    """Where the key is, and who is trusted with it.

    Attributes:
        path: The file, absolute.
        places: Directories made for secrets.
        trusted_group: A group whose members may write above it, or an empty string.
    """

    path: Path
    places: tuple[str, ...]
    trusted_group: int | str = ""

    def check(self) -> None:
        """Refuse a file that others can read or replace; what it holds is not read.

        Raises:
            ConfigError: They can.
            KeyUnreadable: It is not there, or nobody can look.
        """
        try:
            refuse_open_secret(self.path, self.places, self.trusted_group)
        except HomeUnsuitable as error:
            what = f"[venue] key_file: {error}"
            raise ConfigError(what, error.hint) from error
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self) -> str:
        """Return the private key.

        Raises:
            ConfigError: Others can read or replace the file, or it holds no key.
        """
        try:
            text = read_secret(self.path, self.places, self.trusted_group).strip()
        except HomeUnsuitable as error:
            what = f"[venue] key_file: {error}"
            raise ConfigError(what, error.hint) from error
        except OSError as error:
            raise self._unreadable(error) from error
        if _KEY.fullmatch(text) is None:
            what = f"[venue] key_file {self.path} holds no private key of 64 hexadecimal digits"
            raise ConfigError(what)
        key = text.decode("ascii")
        return key if key.startswith("0x") else f"0x{key}"

    def _unreadable(self, error: OSError) -> KeyUnreadable:
        what = f"[venue] key_file {self.path} cannot be read: {error.strerror}"
        return KeyUnreadable(what, "name a file with the wallet's private key")


def key_file_of(config: Config, environment: Mapping[str, str], project: Path) -> KeyFile:
    """Return where a configuration says that the key is.

    Args:
        config: The configuration.
        environment: Where the init system has what it hands over, and what the installation
            trusts; what it does not say is as configured.
        project: What a relative path begins at, absolute.

    Raises:
        ConfigError: Nothing says where `~` is.
    """
    handed = environment.get(CREDENTIALS, "")
    told = [place for place in environment.get(SECRETS, "").split(os.pathsep) if place]
    places = (*PLACES, *(told or config.engine.secrets), *((handed,) if handed else ()))
    path = place_of(config.venue.key_file, project, environment)
    return KeyFile(path, places, environment.get(TRUSTED_GROUP) or config.engine.trusted_group)
