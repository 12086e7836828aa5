"""What a start goes by where the file of the project says something wrong, or something else.

HEAD goes live by a deploy alone. A merge that no deploy accepted must not keep down what ran
before, nor give it another exchange, another account or another key.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.errors import AddressesUnusable, BranchUnnamed
from foresight.cli.controlling import halt
from foresight.cli.installation import Installation
from foresight.cli.start_basis import basis_of, require_key, unless_it_ran
from foresight.cli.worker_environment import kept_variables
from foresight.cluster import account_of
from foresight.errors import ConfigError
from foresight.overrides import EXCHANGE_URL
from foresight.venues.keys import key_file_of
from handoff.release_files import Manifest, release_directory, write_manifest
from state.local_store import LocalStore, read_only_snapshot
from state.record import Ownership, Progress, Record, Timeline
from tests.records import worker

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "0123456789ab-cdef01"
ENGINE = '[engine]\napp = "demo"\nperiod_s = 5\nhome = "home"\n'
WALLET = f"0x{'AB' * 20}"
LIVE = f'[venue]\nkind = "live"\nlive = true\nwallet = "{WALLET}"\nkey_file = "key"\n'
PAPER = '[venue]\nkind = "paper"\n'
WRONG = [
    "[risk]\nstake_windw_usdc = 5\n",
    "[risk]\nstake_window_usdc = -5\n",
    "[rsik]\n",
    '[venue]\nkind = "live"\n',
    '[strategy.7m]\nname = "fade"\n',
]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return one whose home has a record, and a release that owns it."""
    home = tmp_path / "home"
    store = LocalStore(
        home / "state",
        app="demo",
        timeline=Timeline(),
        now_ns=lambda: 1,
        force_filesystem=True,
    )
    owned = Ownership(epoch=1, last_owner=worker(release=RELEASE))
    store.create(Record(app="demo", progress=Progress(cycle=7), ownership=owned))
    store.close()
    place = release_directory(home, RELEASE)
    (place / "tree").mkdir(parents=True)
    manifest = Manifest(release=RELEASE, entry="a:b", python="/nowhere", tree=str(place / "tree"))
    write_manifest(home, manifest)
    return Installation(tmp_path / "foresight.toml")


def says(installation: Installation, text: str, *, own: str = "") -> None:
    """Let the file of the project say something, and that of the release that owns."""
    installation.config_path.write_text(ENGINE + text, encoding="utf-8")
    tree = release_directory(installation.config_path.parent / "home", RELEASE) / "tree"
    # Its [engine] is that of another day, and counts for nothing.
    (tree / "foresight.toml").write_text(f'[engine]\napp = "old"\n{own}', encoding="utf-8")


def forget(installation: Installation) -> None:
    """Let nothing have run before."""
    for name in ("state", "journal"):
        shutil.rmtree(installation.config_path.parent / "home" / name)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_is_wrong_keeps_nothing_down_that_ran_before(
    installation: Installation, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commit was refused by every gate, and the bot went on until the host went down."""
    says(installation, wrong, own='[board]\nassets = ["BTC"]\n')
    basis = basis_of(installation)
    assert basis.here == basis.own == installation.config
    assert basis.own.board.assets == ("BTC",)
    assert (basis.own.engine.app, basis.own.engine.period_s) == ("demo", 5)
    said = capsys.readouterr().err
    assert "the release that owns goes by its own file" in said
    assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_is_wrong_begins_nothing(installation: Installation, wrong: str) -> None:
    says(installation, wrong)
    forget(installation)
    with pytest.raises(ConfigError):
        basis_of(installation)


@pytest.mark.parametrize("wrong", ["app = 7\n", "hoem = 'x'\n", "<<<<<<< HEAD\n"])
def test_a_wrong_section_of_the_engine_is_refused(installation: Installation, wrong: str) -> None:
    """It may have named another home: what lies in the one that is found may be older."""
    says(installation, "")
    installation.config_path.write_text(f'[engine]\nhome = "home"\n{wrong}', encoding="utf-8")
    with pytest.raises(ConfigError):
        basis_of(installation)


def test_a_halt_needs_no_more_of_the_file_than_where_the_home_is(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a wrong key nor a variable about something else comes between."""
    monkeypatch.setenv("FORESIGHT_RISK_STAKE_WINDOW_USDC", "many")
    says(installation, WRONG[0])
    halt.main(["--note", "now"], obj=installation, standalone_mode=False)
    assert read_only_snapshot(installation.home / "state").control.halted


def test_a_venue_that_was_not_deployed_takes_no_exchange_away(installation: Installation) -> None:
    """What owns bought there, and its windows settle there."""
    says(installation, PAPER)
    basis = basis_of(installation)
    assert (basis.here.venue.kind, basis.exchanged.venue.kind) == ("paper", "local")
    told = dict(
        kept_variables(
            installation, basis, exchange="127.0.0.1:7", traded=["BTC"], recorded=(), live=False
        )
    )
    assert told[EXCHANGE_URL] == "http://127.0.0.1:7"


def test_an_exchange_that_was_not_deployed_moves_no_owner_to_it(
    installation: Installation,
) -> None:
    says(installation, '[venue]\nurl = "http://127.0.0.1:9"\n')
    told = dict(
        kept_variables(
            installation,
            basis_of(installation),
            exchange="127.0.0.1:7",
            traded=["BTC"],
            recorded=(),
            live=False,
        )
    )
    assert told[EXCHANGE_URL] == "http://127.0.0.1:7"


def test_an_exchange_for_a_later_deploy_is_there(installation: Installation) -> None:
    says(installation, "", own=PAPER)
    basis = basis_of(installation)
    assert basis.exchanged is basis.here


def test_real_money_that_was_not_deployed_asks_for_no_key_yet(installation: Installation) -> None:
    """What owns trades without one."""
    says(installation, LIVE)
    basis = basis_of(installation)
    assert basis.own.venue.kind == "local"
    assert basis.is_live, "a later deploy may be what --live was said for"
    assert account_of(basis.accounted) == WALLET.lower()


def test_what_trades_real_money_stays_alone_with_its_account(installation: Installation) -> None:
    """The file here says paper, and the owner, told --live by its unit, trades the wallet."""
    says(installation, PAPER, own=LIVE)
    basis = basis_of(installation)
    assert basis.own.venue.kind == "live"
    assert basis.is_live
    assert account_of(basis.accounted) == WALLET.lower()


def test_without_a_release_that_owns_the_file_here_counts(installation: Installation) -> None:
    says(installation, PAPER, own=LIVE)
    forget(installation)
    basis = basis_of(installation)
    assert basis.own is basis.here
    assert not basis.is_live


@pytest.mark.parametrize(
    "error", [AddressesUnusable("of whom", "gone"), BranchUnnamed("here"), ConfigError("wrong")]
)
def test_what_keeps_nothing_from_trading_is_refused_at_a_first_start_alone(
    installation: Installation, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """Addresses that are told of deploys, a branch whose merges go live: the bot needs neither."""
    says(installation, "")
    with unless_it_ran(installation, "nobody is told"):
        raise error
    assert f"error: {error}; nobody is told" in capsys.readouterr().err
    forget(installation)
    with pytest.raises(type(error)), unless_it_ran(installation, "nobody is told"):
        raise error


def test_a_key_that_is_late_at_a_boot_is_waited_for(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its disk may be mounted a minute later; what others could read is refused all the same."""
    says(installation, LIVE, own=LIVE)
    project = installation.config_path.parent
    key = key_file_of(basis_of(installation).own, {}, project)
    require_key(installation, key)
    assert "key cannot be read" in capsys.readouterr().err
    (project / "key").write_text("0" * 64)
    (project / "key").chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        require_key(installation, key)
    (project / "key").unlink()
    forget(installation)
    with pytest.raises(ConfigError, match="cannot be read"):
        require_key(installation, key)
