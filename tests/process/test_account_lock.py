"""One launcher for an account: whatever the home, the shell, and whoever squats a name."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff.errors import AnotherInCharge
from handoff.launcher import account_lock
from handoff.launcher.account_lock import (
    BELOW_HOME,
    FILE,
    NAME,
    AccountLockUnusable,
    accounts_directory,
    is_held_by_us,
    require_directory,
    take_account,
    take_file,
    take_locks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account(tmp_path: Path) -> str:
    """A name that no other run of these tests uses at the same time."""
    return str(tmp_path)


@pytest.fixture
def squatted(account: str) -> Iterator[str]:
    name = f"foresight-{os.geteuid()}-{account_lock.digest_of(account)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        holder.bind(f"\0{name}")
        yield name


def close(locks: dict[str, int]) -> None:
    for each in locks.values():
        os.close(each)


def test_an_account_is_locked_by_a_file_and_by_the_name_of_an_older_release(
    tmp_path: Path, account: str
) -> None:
    first = take_account(account, str(tmp_path / "accounts"))
    assert (set(first.locks), first.doubt) == ({FILE, NAME}, "")
    for named in (str(tmp_path / "accounts"), str(tmp_path / "others")):
        with pytest.raises(AnotherInCharge):
            take_account(account, named)
    close({NAME: first.locks[NAME]})
    with pytest.raises(AnotherInCharge):
        take_account(account, str(tmp_path / "accounts"))
    close({FILE: first.locks[FILE]})
    close(take_account(account, str(tmp_path / "accounts")).locks)
    (lock,) = (tmp_path / "accounts").iterdir()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert account not in lock.name


def test_a_name_that_a_stranger_squats_keeps_nobody_from_starting(
    tmp_path: Path, account: str, squatted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any account of the host can bind it; only a process of ours that holds it means us."""
    assert is_held_by_us(squatted)
    with pytest.raises(AnotherInCharge):
        take_account(account, str(tmp_path / "accounts"))
    monkeypatch.setattr(account_lock, "has_open", lambda *_: False)
    taken = take_account(account, str(tmp_path / "accounts"))
    assert set(taken.locks) == {FILE}
    assert "somebody else" in taken.doubt
    close(taken.locks)


def test_nothing_that_a_shell_sets_leads_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two shells with two HOMEs would trade one account twice."""
    monkeypatch.setattr(account_lock, "FIRST_NAMESPACE", str(Path("/proc/self/ns/pid").readlink()))
    before = accounts_directory()
    for name in ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    assert accounts_directory() == before
    assert not before or before.endswith(BELOW_HOME)


def test_a_container_has_no_place_of_its_own_for_the_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: str
) -> None:
    """Its home is another one in every container, so a lock in it excludes nobody."""
    monkeypatch.setattr(account_lock, "FIRST_NAMESPACE", "pid:[1]")
    assert accounts_directory() == ""
    with pytest.raises(AccountLockUnusable) as refused:
        require_directory()
    assert "[engine] accounts" in refused.value.hint
    assert require_directory(str(tmp_path / "volume")) == str(tmp_path / "volume")
    assert take_file(account) is None
    taken = take_account(account)
    assert set(taken.locks) == {NAME}
    assert "no lock file" in taken.doubt
    close(taken.locks)


def test_a_place_that_others_can_write_holds_no_lock(tmp_path: Path, account: str) -> None:
    """Whoever can remove the file lets a second launcher have the account."""
    place = tmp_path / "accounts"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(AccountLockUnusable):
        require_directory(str(place))
    with pytest.raises(AccountLockUnusable):
        take_account(account, str(place))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(AccountLockUnusable):
        require_directory(str(tmp_path / "link"))


def test_a_launcher_in_the_place_of_an_older_one_takes_the_file_and_never_ends_for_it(
    tmp_path: Path, account: str
) -> None:
    """What runs goes on; the next `up` finds the file taken, and refuses."""
    place = str(tmp_path / "accounts")
    inherited = {"home": -1, NAME: -2}
    locks, doubt = take_locks(tmp_path, account, place, inherited)
    assert (set(locks), doubt) == ({"home", NAME, FILE}, "")
    assert take_locks(tmp_path, account, place, locks) == (locks, "")
    other, doubt = take_locks(tmp_path, account, place, inherited)
    assert other == inherited
    assert "has this account already" in doubt
    close({FILE: locks[FILE]})
