"""What a start asks for where the release that owns cannot run on this host any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from deploy import history, requests
from deploy.requests import MS_NS, Request
from foresight.cli.first_release import ask_for_another, assets_at_start
from foresight.cli.installation import Installation
from foresight.config import load
from foresight.overrides import EXCHANGE_ASSETS
from foresight.sound_config import refuse_unsound
from handoff.release_files import Manifest, release_directory, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

ASKED_NS = 10**18
COMMIT = "c" * 40


class Placed(Installation):
    """An installation whose state directory is named, not configured."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "foresight.toml")
        self.home = home


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return one with two releases of a Python that no host has."""
    for release in ("owning", "before"):
        place = release_directory(tmp_path, release)
        (place / "venv" / "lib" / "python3.0").mkdir(parents=True)
        (place / "venv" / "bin").mkdir()
        (place / "venv" / "bin" / "python").symlink_to(tmp_path / "gone" / "python3.0")
        (place / "tree").mkdir()
        manifest = Manifest(
            release=release,
            entry="a:b",
            python=str(place / "venv" / "bin" / "python"),
            tree=str(place / "tree"),
            commit=COMMIT,
        )
        write_manifest(tmp_path, manifest)
    (tmp_path / "foresight.toml").touch()
    return Placed(tmp_path)


def asked_for(installation: Installation, before: Request) -> list[str]:
    """Return what commits are asked for beside an open request."""
    requests.write_request(installation.home, before)
    ask_for_another(installation, "owning")
    found = requests.open_requests(installation.home)
    return [each.commit for each in found if each.deploy != before.deploy]


OPEN = Request(deploy="d1", commit="d" * 40, by="alice", requested_ns=ASKED_NS)


def test_what_can_take_over_goes_first(installation: Installation) -> None:
    """It is what somebody wanted, and runs just as well where the release that owns does not."""
    assert asked_for(installation, OPEN) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aborted_by": "bob"}, id="undone"),
        pytest.param({"tries": 1}, id="waits for inputs of what does not run"),
        pytest.param({"release": "before", "commit": ""}, id="back to what runs no more either"),
        pytest.param({"release": "nowhere", "commit": ""}, id="back to what is gone"),
    ],
)
def test_what_cannot_take_over_keeps_nothing_from_being_asked_for(
    installation: Installation, changes: dict[str, object]
) -> None:
    """It ended at once or waited for a month, and meanwhile nobody traded and nobody was told."""
    assert asked_for(installation, msgspec.structs.replace(OPEN, **changes)) == [COMMIT]


def test_what_was_overtaken_keeps_nothing_from_being_asked_for(installation: Installation) -> None:
    """Its deployer died, and a newer deploy ended since: it ends as soon as it is driven again."""
    newer = history.requested(
        "d2", now_ns=ASKED_NS + MS_NS, by="bob", ref="", from_release="owning"
    )
    permanent = msgspec.structs.replace(newer, outcome=history.Outcome.PERMANENT.value)
    history.finish(installation.home, permanent)
    assert asked_for(installation, OPEN) == [COMMIT]
    latest = requests.open_requests(installation.home)[-1]
    assert history.asked_ms(latest.requested_ns) > newer.requested_ms, "or it is overtaken itself"


def test_an_exchange_begins_with_what_the_release_that_owns_trades(
    installation: Installation,
) -> None:
    """Of an asset that the file here has no more it may hold positions, and it starts with all."""
    board = '[board]\nassets = ["{}", "{}"]\n'
    installation.config_path.write_text(board.format("BTC", "SOL"), encoding="utf-8")
    tree = release_directory(installation.home, "owning") / "tree"
    (tree / "foresight.toml").write_text(board.format("ETH", "BTC"), encoding="utf-8")
    traded = assets_at_start(installation, "owning")
    assert traded == ("BTC", "SOL", "ETH")
    told = {EXCHANGE_ASSETS: ",".join(traded)}
    refuse_unsound(load(str(tree / "foresight.toml"), {}), told)
    assert assets_at_start(installation, "nowhere") == ("BTC", "SOL")
