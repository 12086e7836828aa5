"""What a start goes by: the file here, and that of the release that owns.

Owns which of the two counts for what. The file here goes live by a deploy alone: what comes up
again goes by its own, however wrong or different the one here is, and finds the exchange, the key
and the account of before. The one here says what is there beside that for a later deploy.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from deploy.errors import DeployError
from foresight import config as configuration
from foresight.cli.output import complain
from foresight.cli.repairing import owning_release
from foresight.cluster import account_of
from foresight.config import CONFIG_FILE, Config
from foresight.errors import ConfigError
from foresight.overrides import REPLAYED, gathered
from foresight.sound_config import refuse_unsound
from foresight.table_files import check_strategies
from foresight.venues.keys import KeyUnreadable
from handoff import open_files
from handoff.errors import OpenFilesLacking, ReleaseUnusable
from handoff.release_files import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foresight.cli.installation import Installation
    from foresight.venues.keys import KeyFile


class Basis(NamedTuple):
    """The two configurations; `[engine]` is the same in both.

    Attributes:
        here: The file of the project.
        own: That of the release that owns; the one here where none does.
    """

    here: Config
    own: Config

    @property
    def exchanged(self) -> Config:
        """The one that says whether there is a local exchange, and where."""
        return self.own if self.own.venue.kind == "local" else self.here

    @property
    def accounted(self) -> Config:
        """The one that says whose account nobody else may trade."""
        return self.own if account_of(self.own) else self.here

    @property
    def is_live(self) -> bool:
        """Whether one of them asks for real money."""
        return self.here.venue.live or self.own.venue.live


def basis_of(installation: Installation) -> Basis:
    """Return what a start goes by; a file that is wrong keeps down nothing that ran before.

    Raises:
        ConfigError: The file here is wrong, and no release owns; or its `[engine]` is.
    """
    try:
        here = installation.config
    except ConfigError as error:
        installation.engine = installation.engine_alone()
        own = _own(installation)
        if own is None:
            raise
        complain(f"{error}; the release that owns goes by its own file", error.hint)
        installation.config = own
        return Basis(own, own)
    return Basis(here, _own(installation) or here)


@contextlib.contextmanager
def unless_it_ran(installation: Installation, consequence: str) -> Iterator[None]:
    """Refuse at a first start alone what keeps nothing from trading; say it where a release owns.

    Args:
        installation: What is started.
        consequence: What it means to go on.
    """
    try:
        yield
    except (ConfigError, DeployError, OpenFilesLacking) as error:
        if not owning_release(installation.home):
            raise
        complain(f"{error}; {consequence}", error.hint)


def require_open_files(installation: Installation) -> None:
    """Refuse to begin where a deploy could not open its files; what ran before comes up again."""
    with unless_it_ran(installation, "until then a deploy is refused"):
        open_files.require()


def require_key(installation: Installation, key: KeyFile) -> None:
    """Refuse a key that others could read or replace; one that is not there yet is waited for."""
    try:
        key.check()
    except KeyUnreadable:
        with unless_it_ran(installation, "workers are started until it can be read"):
            raise


def require_sound(installation: Installation, *, replayed: bool) -> None:
    """Refuse to begin with what cannot trade; what ran before comes up again by its own files."""
    config, where = installation.config, str(installation.config_path)
    with unless_it_ran(installation, "the release that owns goes by its own files"):
        refuse_unsound(config, {REPLAYED: "1"} if replayed else {})
        check_strategies(config, installation.repository, replayed=replayed, where=where)


def _own(installation: Installation) -> Config | None:
    """Return the configuration of the release that owns, if it is there and can be read here."""
    held = owning_release(installation.home)
    try:
        file = f"{read_manifest(installation.home, held).tree}/{CONFIG_FILE}" if held else ""
        own = configuration.load(file, gathered(os.environ)) if file else None
    except (ConfigError, ReleaseUnusable):
        return None
    return None if own is None else replace(own, engine=installation.engine)
