"""Who else could replace a home: the rule, from both sides of each of its bounds."""

from __future__ import annotations

import stat

import pytest

from state.access import (
    Found,
    Group,
    Side,
    fault_of_ancestor,
    fault_of_home,
    fault_of_link,
)

US, STRANGER, OVERFLOW = 1000, 2000, 65534
SIDE = Side(uid=US, gid=US)
DIRECTORY = stat.S_IFDIR
OURS_ALONE = Group(50, "ours", frozenset({0, US}))
SHARED = Group(60, "staff", frozenset({US, STRANGER}))
UNKNOWN = Group(70, "")


def found(uid: int = US, mode: int = 0o755, gid: int = 50, *, named: bool = False) -> Found:
    return Found("/srv/bot", uid, gid, DIRECTORY | mode, named)


@pytest.mark.parametrize("judge", [fault_of_ancestor, fault_of_home])
def test_root_and_we_ourselves_are_nobody_else(judge: object) -> None:
    assert callable(judge)
    for uid in (0, US):
        assert judge(found(uid), OURS_ALONE, SIDE) is None
    fault = judge(found(STRANGER), OURS_ALONE, SIDE)
    assert fault is not None
    assert f"account {STRANGER}" in fault.reason


def test_everybody_may_write_above_a_home_only_where_nobody_may_replace() -> None:
    """In `/tmp` a home is safe once it is there, because its directory is sticky."""
    assert fault_of_ancestor(found(0, 0o1777), OURS_ALONE, SIDE) is None
    fault = fault_of_ancestor(found(0, 0o777), OURS_ALONE, SIDE)
    assert fault is not None
    assert fault.remedy == "chmod o-w /srv/bot"
    assert fault_of_home(found(US, 0o777), OURS_ALONE, SIDE) is not None
    assert fault_of_home(found(US, 0o1777), OURS_ALONE, SIDE) is not None
    assert fault_of_home(found(US, 0o1757), OURS_ALONE, SIDE) is not None


@pytest.mark.parametrize("judge", [fault_of_ancestor, fault_of_home])
def test_a_group_may_write_if_nobody_but_us_is_in_it_or_it_is_trusted(judge: object) -> None:
    """Most hosts give an account a group of its own, and make directories that it may write."""
    assert callable(judge)
    writable = found(US, 0o775, gid=60)
    assert judge(found(US, 0o775), OURS_ALONE, SIDE) is None
    assert judge(found(US, 0o755, gid=60), SHARED, SIDE) is None
    fault = judge(writable, SHARED, SIDE)
    assert fault is not None
    assert "group staff" in fault.reason
    assert "trusted_group = 60" in fault.remedy
    assert judge(writable, SHARED, SIDE._replace(trusted=60)) is None
    assert judge(writable, SHARED, SIDE._replace(trusted=61)) is not None


def test_a_group_that_no_database_knows_is_ours_if_it_has_our_number() -> None:
    """A container has no account database; another number may be that of a shared volume."""
    own = Group(US, "")
    assert fault_of_home(found(US, 0o775, gid=US), own, SIDE) is None
    assert fault_of_home(found(US, 0o775, gid=70), UNKNOWN, SIDE) is not None
    assert fault_of_home(found(US, 0o775, gid=US), own, SIDE._replace(gid=70)) is not None


def test_an_access_list_gives_rights_that_no_group_shows() -> None:
    fault = fault_of_ancestor(found(US, 0o775, named=True), OURS_ALONE, SIDE)
    assert fault is not None
    assert "setfacl -b" in fault.remedy
    assert fault_of_ancestor(found(US, 0o755, named=True), OURS_ALONE, SIDE) is None


def test_in_a_namespace_that_does_not_know_the_owner_it_may_be_root() -> None:
    """A rootless container sees the host's directories so; where others write it is no proof."""
    inside = SIDE._replace(overflow=OVERFLOW)
    assert fault_of_ancestor(found(OVERFLOW), OURS_ALONE, inside) is None
    assert fault_of_ancestor(found(OVERFLOW, 0o1777), OURS_ALONE, inside) is None
    assert fault_of_ancestor(found(OVERFLOW, 0o777), OURS_ALONE, inside) is not None
    assert fault_of_ancestor(found(OVERFLOW), OURS_ALONE, SIDE) is not None


def test_who_owns_a_link_decides_where_a_home_is() -> None:
    link = found(US)._replace(mode=stat.S_IFLNK | 0o777)
    assert fault_of_link(link, SIDE) is None
    assert fault_of_link(link._replace(uid=0), SIDE) is None
    assert fault_of_link(link._replace(uid=STRANGER), SIDE) is not None
