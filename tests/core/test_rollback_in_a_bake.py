"""A rollback that comes as a bake ends: the way back is taken all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from handoff import plain
from handoff.release_files import Manifest, release_directory, write_manifest
from handoff.rollout.table import Deploy, Phase
from state.local_store import read_only_snapshot
from state.store import Note
from state.transitions import Proof
from tests.homes import open_store
from tests.records import A, B, decide, empty, seize, settle, take

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from handoff.wish import Wish
    from state.local_store import LocalStore

NOTE = Note(kind="command")


class Baking:
    """A launcher that is asked to give back, and whose owner has just run its last clean cycle."""

    asked = 0
    store: LocalStore

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, _kind: object, **_members: object) -> None:
        type(self).asked += 1
        if read_only_snapshot(self.home / "state").rollout is not None:
            self.store.transact(decide, NOTE)
            self.store.transact(settle, NOTE)


def test_a_bake_that_ended_meanwhile_is_followed_by_an_ordinary_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked for ten minutes what nobody could give, and what was not wanted went on running."""
    Baking.store = open_store(tmp_path)
    Baking.store.create(empty())
    Baking.store.transact(lambda record: seize(record, A, proof=Proof.NONE), NOTE)
    for change in (decide, settle, lambda record: take(record, of=1)):
        Baking.store.transact(change, NOTE)
    for worker in (A, B):
        release_directory(tmp_path, worker.release).mkdir(parents=True)
        write_manifest(tmp_path, Manifest(worker.release, entry="a:b", python="/p", tree="/t"))
    driven: list[str] = []

    def drive(_home: Path, release: str, _wish: Wish, _say: object) -> Deploy:
        driven.append(release)
        return Deploy("d1", Phase.PERMANENT, release)

    monkeypatch.setattr(plain, "LauncherClient", Baking)
    monkeypatch.setattr(plain, "ASK_BACK_S", 0.0)
    monkeypatch.setattr(plain, "GIVE_BACK_S_MAX", 1.0)
    monkeypatch.setattr(plain, "_drive", drive)
    ended = plain.rollback(tmp_path, "", print)
    assert (Baking.asked, driven) == (1, [A.release])
    assert ended.phase is Phase.PERMANENT
