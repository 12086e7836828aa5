"""What the exchange acknowledged is on the disk: what it forgets is bought a second time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from foresight.exchange.ledger.file import Identity, open_ledger
from foresight.exchange.ledger.prediction_entries import AccountOpened

IDENTITY = Identity(seed=7, origin_ns=1, speed=60, assets=("BTC",), source="synthetic")
ENTRY = AccountOpened("0xowner", 100_000_000, 1)


class Disk:
    """What would be there after a power cut: of each file as much as was fsynced last.

    Attributes:
        durable: Path to size; a directory's is how many names it had.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.durable: dict[Path, int] = {}
        self._fsync = os.fsync
        patch.setattr(os, "fsync", self._note)

    def _note(self, descriptor: int) -> None:
        self._fsync(descriptor)
        found = os.fstat(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        is_folder = stat.S_ISDIR(found.st_mode)
        self.durable[path] = len(list(path.iterdir())) if is_folder else found.st_size


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_what_was_appended_is_on_the_disk_before_anybody_is_answered(
    tmp_path: Path, disk: Disk
) -> None:
    ledger, path = open_ledger(tmp_path), tmp_path / "ledger.jsonl"
    ledger.begin(IDENTITY)
    for _ in range(3):
        ledger.append([ENTRY, ENTRY])
        assert disk.durable[path] == path.stat().st_size > 0
    ledger.close()


def test_the_name_of_a_new_ledger_is_on_the_disk_with_its_first_line(
    tmp_path: Path, disk: Disk
) -> None:
    """Without its name a file of acknowledged orders is a market that begins anew."""
    ledger = open_ledger(tmp_path)
    ledger.begin(IDENTITY)
    assert disk.durable[tmp_path] == 1
    assert disk.durable[tmp_path / "ledger.jsonl"] > 0
    ledger.close()


def test_half_a_line_is_cut_off_for_good_before_anything_follows_it(
    tmp_path: Path, disk: Disk
) -> None:
    """If it came back with the power, the next entry would be the end of it."""
    ledger, path = open_ledger(tmp_path), tmp_path / "ledger.jsonl"
    ledger.begin(IDENTITY)
    ledger.append([ENTRY])
    ledger.close()
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b'{"type":"acc')
    disk.durable.clear()
    again = open_ledger(tmp_path)
    assert list(again.entries()) == [ENTRY]
    assert disk.durable == {path: whole}
    again.close()
