"""Whose home it is, and whose code runs in it: with real processes and real containers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.installation import ROOT, environment
from handoff.exit_codes import ExitCode
from handoff.processes import HAS_PIDFD
from tests.process.hurt import ENTRY, Hurt, verify_counts, verify_nothing_lost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
]

# A machine of its own, as far as it can be told: host name, boot, machine id, processes.
AS_MACHINE = (
    *("unshare", "--user", "--map-root-user", "--pid", "--mount", "--uts"),
    *("--fork", "--kill-child", "--mount-proc"),
)
DRESS = """
hostname "$1"
mount --bind "$2" /proc/sys/kernel/random/boot_id
mount --bind "$3" /etc/machine-id
shift 3
exec "$@"
"""
ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture(scope="module")
def machines() -> None:
    probe = ["sh", "-ec", DRESS, "sh", "probe", "/dev/null", "/dev/null", "true"]
    able = shutil.which("unshare") is not None
    if (
        not able
        or subprocess.run([*AS_MACHINE, *probe], check=False, capture_output=True).returncode
    ):
        pytest.skip("namespaces of a user's own are not permitted")


class Machine:
    """A command on a machine that it takes for another one; all of it ends together."""

    def __init__(self, hurt: Hurt, name: str, *, boot: str, machine: str) -> None:
        self._hurt = hurt
        boot_file, id_file = hurt.directory / f"boot-{name}", hurt.directory / f"id-{name}"
        boot_file.write_text(f"{boot}\n")
        id_file.write_text(f"{machine}\n")
        self._dress = ["sh", "-ec", DRESS, "sh", name, str(boot_file), str(id_file)]

    def run(self, *options: str) -> subprocess.Popen[bytes]:
        hurt = self._hurt
        words = hurt.command("run", ENTRY, "--tree", str(hurt.release("v0")), *options)
        with hurt.output.open("ab") as output:
            return subprocess.Popen(
                [*AS_MACHINE, *self._dress, *words, "--app", "bench"],
                cwd=ROOT,
                env=environment(),
                stdout=output,
                stderr=output,
            )


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(30)


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize(
    ("first", "second"), [(ONE, ONE), ("", ""), (ONE, ""), ("", ONE), ("uninitialized", ONE)]
)
def test_after_a_reboot_under_another_name_the_owning_release_runs_by_itself(
    tmp_path: Path, first: str, second: str
) -> None:
    """A changed host name after a crash left the record without an owner, for good."""
    hurt = Hurt(tmp_path)
    before = Machine(hurt, "before", boot="boot-1", machine=first).run()
    try:
        hurt.wait_cycles(2)
        old = hurt.the_owner()
    finally:
        end(before)
    after = Machine(hurt, "after", boot="boot-2", machine=second).run()
    try:
        new = hurt.wait_other_owner(old)
        assert (old.host, new.host) == ("before", "after")
        assert (old.boot_id, new.boot_id) == ("boot-1", "boot-2")
        hurt.wait_cycles(2)
    finally:
        end(after)
    verify_counts(hurt)


@pytest.mark.usefixtures("machines")
def test_on_another_machine_nobody_owns_without_a_word(tmp_path: Path) -> None:
    """The first machine may still run it: no lock reaches from one to the other."""
    hurt = Hurt(tmp_path)
    before = Machine(hurt, "before", boot="boot-1", machine=ONE).run()
    try:
        hurt.wait_cycles(2)
        old = hurt.the_owner()
    finally:
        end(before)
    other = Machine(hurt, "after", boot="boot-2", machine=TWO)
    refused = other.run()
    assert refused.wait(60) == ExitCode.FAILED
    assert "up --moved" in hurt.output.read_text()
    assert hurt.the_owner() == old
    vouched = other.run("--moved")
    try:
        hurt.wait_other_owner(old)
        hurt.wait_cycles(2)
    finally:
        end(vouched)
    (seize,) = [line for line in hurt.kinds("seize") if "moved" in line.evidence]
    assert "operator" in str(seize.evidence["moved"])
    verify_counts(hurt)


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Hurt]:
    with Hurt(tmp_path / "original") as hurt:
        yield hurt


def copy_of(hurt: Hurt, place: Path) -> Hurt:
    done = subprocess.run(["/bin/cp", "-a", str(hurt.home), str(place)], check=False)
    assert place.is_dir(), done  # a socket that is not copied is no reason
    return Hurt(place.with_name("beside"), home=place)


def test_a_copy_of_a_living_home_is_refused_and_the_original_goes_on(
    original: Hurt, tmp_path: Path
) -> None:
    """Its launcher adopted and ended the original's owner; then both decided and both sent."""
    original.up()
    original.wait_cycles(2)
    owner = original.the_owner()
    copy = copy_of(original, tmp_path / "copy")
    words = ("run", ENTRY, "--tree", str(original.release("v0")), "--app", "bench")
    for options in ((), ("--moved",)):
        done = copy.call(*words, *options)
        assert done.returncode == ExitCode.FAILED
        assert str(original.home) in done.stderr
        assert str(copy.home) in done.stderr
    # And by the launcher itself, whoever starts it.
    launcher = [sys.executable, "-m", "handoff", "launcher", "--home", str(copy.home)]
    started = subprocess.run(
        launcher, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True
    )
    assert started.returncode == ExitCode.FAILED
    assert str(original.home) in started.stderr
    assert original.the_owner() == owner
    verify_nothing_lost(original)


def test_a_copy_whose_original_is_dead_is_a_move(original: Hurt, tmp_path: Path) -> None:
    original.up()
    original.wait_cycles(2)
    original.kill_launcher()
    owner = original.kill_owner()
    with copy_of(original, tmp_path / "copy") as copy:
        before = len(copy.kinds("settle"))
        copy.launcher = copy.run(original.release("v0"), ENTRY)
        copy.wait_other_owner(owner)
        (seize,) = [line for line in copy.kinds("seize") if "moved" in line.evidence]
        assert "elsewhere" in str(seize.evidence["moved"])
        copy.wait(lambda: len(copy.kinds("settle")) > before, "a cycle of the copy")
        assert copy.down() == 0


def test_a_restart_runs_its_release_and_not_what_lies_where_the_launcher_was_started(
    tmp_path: Path,
) -> None:
    """Edited and not deployed, it ran after the next crash, under the old release's name."""
    with Hurt(tmp_path) as hurt:
        tree = hurt.release("v0")
        words = hurt.command("run", ENTRY, "--tree", ".", "--app", "bench")
        with hurt.output.open("ab") as output:
            hurt.launcher = subprocess.Popen(
                words, cwd=tree, env=environment(), stdout=output, stderr=output
            )
        hurt.wait_cycles(1)
        (tree / "faulty_worker.py").write_text("raise RuntimeError('edited, not deployed')\n")
        (tree / "msgspec.py").write_text("raise RuntimeError('a neighbour of the same name')\n")
        old = hurt.kill_owner()
        hurt.wait_other_owner(old)
        verify_nothing_lost(hurt)
