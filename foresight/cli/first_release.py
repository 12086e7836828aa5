"""Which release a start begins with, and that it can begin.

Owns the way from a record, or from none, to a release that a worker can be started of: kept as it
is, mended where the host took something away beneath it, built, or asked for anew.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
from typing import TYPE_CHECKING

from deploy import interpreters, jobs, releases_dir, requests, turn
from deploy.errors import DeployError, InterpreterMissing, UnknownRef
from deploy.git_tree import GitTree
from foresight import config as configuration
from foresight import overrides
from foresight.cli.installation import as_text
from foresight.cli.moments import now_ns
from foresight.cli.output import progress
from foresight.cli.repairing import owning_release
from foresight.config import CONFIG_FILE
from foresight.errors import ConfigError
from foresight.project import ENTRY
from handoff.account import asker
from handoff.errors import HandoffError, ReleaseUnusable
from handoff.release_files import read_manifest
from handoff.wish import BAKE_NONE, Wish

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.cli.installation import Installation


class ReleaseOtherwise(HandoffError):
    """The release that owns the record cannot be made again as it was."""

    hint = (
        "`up` with the Foresight and the Python that it ran with, and deploy with these once it "
        "runs; or begin anew: `foresight state export FILE` keeps record and journal, "
        "`foresight uninstall --state` removes them, `foresight up` makes new ones"
    )


def release_to_start(installation: Installation) -> str:
    """Return the release that owns the record; where there is none, HEAD, built now.

    One that is not there any more, as in a home that a state was restored into, is built again.

    Raises:
        ReleaseUnusable: Its commit is not here.
        ReleaseOtherwise: It cannot be built here as it was.
        InterpreterMissing: It runs with a Python that is not here any more, and its commit is not
            in this repository either.
    """
    home, held = installation.home, owning_release(installation.home)
    if held:
        with contextlib.suppress(ReleaseUnusable):
            return _mended(installation, held)
    repository = GitTree(installation.repository)
    try:
        commit = repository.commit(held.partition("-")[0] or "HEAD")
    except UnknownRef as error:
        message = f"release {held} is not in {home}, and its commit is not in this repository"
        raise ReleaseUnusable(message) from error
    progress(f"building {commit.commit[:12]} {commit.subject}")
    made = releases_dir.build(home, repository, commit, entry_default=ENTRY).release
    if held and made != held:
        message = f"the record is of release {held}; the same commit gives {made} here"
        raise ReleaseOtherwise(message)
    return made


def assets_at_start(installation: Installation, release: str) -> tuple[str, ...]:
    """Return the assets that a local exchange begins with: of the file here, and of a release.

    A release whose assets are not all there does not start, and the one that owns must.
    """
    here = installation.config.board.assets
    try:
        file = f"{read_manifest(installation.home, release).tree}/{CONFIG_FILE}"
        own = configuration.load(file, overrides.gathered(os.environ)).board.assets
    except (ConfigError, ReleaseUnusable):
        return here  # one that cannot be read here may still run there: it says so itself
    return tuple(dict.fromkeys((*here, *own)))


def ask_for_another(installation: Installation, release: str) -> None:
    """Ask for a deploy of the owning release's commit where that release cannot start any more.

    Its commit becomes a release for the Python that is here. What was asked for already goes
    first, if it can deploy now: it takes over from a release that does not run just as well.
    """
    home = installation.home
    manifest = read_manifest(home, release)
    if not interpreters.fault(manifest):
        return
    if any(_takes_over(home, each) for each in requests.open_requests(home)):
        return
    request = requests.Request(
        deploy=f"d{secrets.token_hex(4)}",
        repository=as_text(installation.repository),
        ref=manifest.commit,
        commit=manifest.commit,
        entry_default=ENTRY,
        by=asker(),
        requested_ns=now_ns(),
        wish=Wish(bake=BAKE_NONE),
    )
    jobs.keep(home, request)


def _takes_over(home: Path, request: requests.Request) -> bool:
    """Tell whether a request of before this start deploys something that can run here."""
    if not turn.is_near(home, request):
        return False
    try:
        if request.release:
            releases_dir.mend(home, read_manifest(home, request.release))
    except (DeployError, HandoffError):
        return False
    return True


def _mended(installation: Installation, release: str) -> str:
    manifest = read_manifest(installation.home, release)
    try:
        for words in releases_dir.mend(installation.home, manifest):
            progress(words)
    except InterpreterMissing as error:
        try:
            GitTree(installation.repository).commit(manifest.commit)
        except DeployError:
            raise error from None
        progress(f"{error}; its commit is deployed anew, with Python {platform.python_version()}")
    return manifest.release
