"""A home that somebody else could replace is refused; one that others can look into is narrowed."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from deploy.frozen_directory import freeze
from handoff.launcher.engine_config import write_json
from handoff.logs import open_log
from handoff.plain import prepare_home
from handoff.release_files import Manifest, write_manifest
from state.access import Side
from state.atomic_file import SystemFiles, replace_file
from state.errors import HomeUnsuitable
from state.premises import fault_of, narrow, refuse_shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRANGER = 61234
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_home_is_made_where_nobody_else_can_write(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    prepare_home(home)
    assert mode_of(home) == mode_of(home / "run") == 0o700
    assert narrow(home) == []
    prepare_home(home)  # and it is as good the next time


def test_a_home_below_a_directory_that_everybody_writes_is_refused(tmp_path: Path) -> None:
    """Whoever can rename it can put one of his own in its place, with a release in it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for home in (shared / "home", shared):
        with pytest.raises(HomeUnsuitable, match="by everybody") as refused:
            prepare_home(home)
        assert refused.value.hint == f"chmod o-w {shared}"
    assert list(shared.iterdir()) == [], "nothing was made there"
    shared.chmod(0o1777)
    prepare_home(shared / "home")


def test_the_way_to_a_home_is_looked_at_behind_every_link(tmp_path: Path) -> None:
    """A link of ours into a directory of everybody's is as good as that directory."""
    shared = tmp_path / "shared"
    (shared / "home").mkdir(parents=True)
    (tmp_path / "link").symlink_to("shared")
    (tmp_path / "home").symlink_to(tmp_path / "link" / "home")
    refuse_shared(tmp_path / "home")
    shared.chmod(0o777)
    with pytest.raises(HomeUnsuitable, match="by everybody"):
        refuse_shared(tmp_path / "home")
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(HomeUnsuitable, match="without an end"):
        refuse_shared(tmp_path / "round" / "home")


def test_what_others_can_read_in_a_home_is_narrowed_and_said(tmp_path: Path) -> None:
    """A umask of another day, or a copy without modes, must not need somebody to come."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    prepare_home(home)
    outside.write_text("not ours to change")
    outside.chmod(0o644)
    (home / "logs" / "w.log").write_text("")
    (home / "logs" / "w.log").chmod(0o666)
    (home / "run" / "link").symlink_to(outside)
    os.mkfifo(home / "run" / "pipe")
    tree = home / "releases" / "r1" / "tree"
    tree.mkdir(parents=True, mode=0o755)
    tree.chmod(0o755)
    (home / "logs").chmod(0o777)
    home.chmod(0o755)
    changed = narrow(home)
    assert changed == [str(home), str(home / "logs"), str(home / "logs" / "w.log")]
    assert mode_of(home) == mode_of(home / "logs") == 0o700
    assert mode_of(home / "logs" / "w.log") == 0o600
    assert mode_of(outside) == 0o644
    assert mode_of(tree) == 0o755, "programs have modes of their own"
    assert narrow(home) == []


@as_root
def test_a_home_of_somebody_else_is_refused_wherever_the_name_leads(tmp_path: Path) -> None:
    """The refusal is for what somebody else could use."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    (theirs / "home").mkdir(parents=True)
    ours.mkdir()
    os.chown(theirs, STRANGER, STRANGER)
    link = tmp_path / "link"
    link.symlink_to(ours)
    os.lchown(link, STRANGER, STRANGER)
    for home in (theirs, theirs / "home", link, link / "home"):
        with pytest.raises(HomeUnsuitable, match=str(STRANGER)):
            prepare_home(home)


@as_root
def test_a_volume_of_a_trusted_group_carries_a_home(tmp_path: Path) -> None:
    """A volume with an `fsGroup` belongs to root, and to a group that no database knows."""
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, 0, 2000)
    volume.chmod(0o2775)
    side = Side(uid=0, gid=0)
    for home in (volume, volume / "home"):
        fault = fault_of(home, side)
        assert fault is not None
        assert "trusted_group = 2000" in fault.remedy
        assert fault_of(home, side._replace(trusted=2000)) is None
    prepare_home(volume / "home", trusted_group=2000)


@pytest.fixture(params=[0o000, 0o077, 0o277])
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """Set a umask once the test's own directory is there."""
    assert tmp_path.is_dir()
    former = os.umask(request.param)
    yield request.param
    os.umask(former)


@pytest.mark.usefixtures("umask")
def test_what_is_written_in_a_home_is_ours_alone_whatever_the_umask(tmp_path: Path) -> None:
    """A strategy inherits the umask, so it is not ours to change; modes are set one by one."""
    home = tmp_path / "home"
    prepare_home(home)
    replace_file(SystemFiles(), home / "run" / "word", b"")
    write_json(home / "run" / "plain.json", {})
    os.close(open_log(home / "logs" / "w.log"))
    (home / "releases" / "r1").mkdir()
    (home / "releases" / "r1").chmod(0o700)
    write_manifest(home, Manifest("r1", "bot:create", "/usr/bin/python3", "/srv/tree"))
    for path in home.rglob("*"):
        assert mode_of(path) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.usefixtures("umask")
def test_a_release_can_be_read_and_run_and_never_written_whatever_the_umask(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    tree.chmod(0o700)
    for name, mode in (("module.py", 0o600), ("program", 0o700)):
        (tree / name).touch()
        (tree / name).chmod(mode)
    freeze(tree)
    assert [mode_of(tree / name) for name in (".", "module.py", "program")] == [
        *(0o555, 0o444, 0o555),
    ]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Names of new files can be told beforehand, in a container also the pid in them."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    prepare_home(home)
    outside.write_text("precious")
    (home / "run" / f"plain.json.{os.getpid()}").symlink_to(outside)
    (home / "run" / "word.new").symlink_to(outside)
    (home / "logs" / "w.log").symlink_to(outside)
    os.mkfifo(home / "logs" / "pipe.log")
    write_json(home / "run" / "plain.json", {})
    replace_file(SystemFiles(), home / "run" / "word", b"")
    for name in ("w.log", "pipe.log"):
        with pytest.raises(OSError, match=r"symbolic links|plain file|No such device"):
            open_log(home / "logs" / name)
    assert outside.read_text() == "precious"
