"""A copy of the state comes back as it was, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec
import pytest

from state.archive import (
    ArchiveDamaged,
    Contents,
    Member,
    StateNewer,
    export_state,
    restore_state,
)
from state.errors import (
    OutcomeUnknown,
    RecordBehind,
    RecordForeign,
    RecordMissing,
    WriteFailed,
)
from state.journal import Retention
from state.open_struct import decode_open, encode_open
from state.record import Phase
from state.seal import seal, unseal
from tests.faulty_files import FaultyFiles, Killed
from tests.homes import kinds, open_store, prove
from tests.records import (
    APP,
    NOW_NS,
    SECOND_NS,
    decided_again,
    deciding,
    note,
    run_cycles,
    settle,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from state.record import Record


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    run_cycles(started(open_store(home, retention=Retention(segment_bytes_max=4_000))), 4)
    return home


def exported(home: Path) -> Path:
    path = home.parent / "copy.tar"
    export_state(home, path, now_ns=NOW_NS)
    return path


def restored(home: Path, archive: Path, *, app: str = APP, force: bool = False) -> Path | None:
    return restore_state(home, archive, app=app, force=force, now_ns=NOW_NS)[1]


def read(home: Path) -> Record:
    return open_store(home).read()


def test_an_export_comes_back_in_an_empty_home(home: Path, tmp_path: Path) -> None:
    expected = read(home)
    archive, other = exported(home), tmp_path / "other"
    assert archive.stat().st_mode & 0o777 == 0o600
    other.mkdir()
    assert restored(other, archive) is None
    assert read(other) == expected
    previous = "state/record.prev.json"
    assert (other / previous).read_bytes() == (home / previous).read_bytes()
    assert kinds(other) == kinds(home)
    run_cycles(open_store(other), 1)
    prove(other)


def test_an_export_is_of_the_format_that_released_programs_read(home: Path) -> None:
    """The release before this one has to bring it back: this number changes with care."""
    with tarfile.open(exported(home)) as archive:
        member = archive.extractfile("contents.json")
        assert member is not None
        assert json.loads(member.read())["format"] == 1


def test_nothing_of_what_is_replaced_stays_beside_what_is_restored(
    home: Path, tmp_path: Path
) -> None:
    """The generation before would be of another life: a damaged record is proven by it."""
    young = tmp_path / "young"
    started(open_store(young))
    (young / "state" / "record.prev.json").unlink()
    archive = exported(young)
    restored(home, archive, force=True)
    assert read(home) == read(young)
    assert not (home / "state" / "record.prev.json").exists()
    prove(home)


def test_an_export_is_one_moment_while_the_owner_goes_on(home: Path, tmp_path: Path) -> None:
    """A journal that is copied later than its record must not run ahead of it."""
    expected = read(home)
    archive = exported(home)
    run_cycles(open_store(home), 3)
    other = tmp_path / "other"
    other.mkdir()
    restored(other, archive)
    assert read(other) == expected
    prove(other)


def test_what_is_replaced_is_kept(home: Path) -> None:
    archive = exported(home)
    newer = run_cycles(open_store(home), 1)
    with pytest.raises(StateNewer, match=r"cycle 15 settled.*cycle 14 settled"):
        restored(home, archive)
    assert read(home) == newer
    kept = restored(home, archive, force=True)
    assert kept is not None
    assert read(home).progress.cycle == 14
    assert read(kept) == newer
    prove(kept)
    assert not (home / ".restore").exists()


def test_a_damaged_home_needs_no_force(home: Path) -> None:
    archive, expected = exported(home), read(home)
    (home / "state" / "record.json").write_bytes(b"")
    (home / "state" / "record.prev.json").unlink()
    restored(home, archive)
    assert read(home) == expected


def test_an_archive_of_another_app_is_refused(home: Path) -> None:
    archive, expected = exported(home), read(home)
    with pytest.raises(RecordForeign, match="app"):
        restored(home, archive, app="other")
    assert read(home) == expected


@pytest.mark.parametrize(
    "damage", ["cut", "changed", "previous", "empty", "text", "short", "stray"]
)
def test_a_damaged_archive_is_refused_and_nothing_is_touched(home: Path, damage: str) -> None:
    archive, expected = exported(home), read(home)
    data = archive.read_bytes()
    match damage:
        case "cut":
            archive.write_bytes(data[: len(data) // 2])
        case "changed":
            archive.write_bytes(data.replace(b"order-12", b"order-13", 1))
        case "previous":  # nothing that is proven by anything else in it
            head, name, rest = data.partition(b"state/record.prev.json")
            archive.write_bytes(head + name + rest.replace(b"order-14", b"order-15", 1))
        case "empty":
            archive.write_bytes(b"")
        case "text":
            archive.write_bytes(b"no archive" * 1000)
        case "short":
            without(archive, "journal/000000000001.jsonl")
        case _:
            with tarfile.open(archive, "a") as tar:
                tar.addfile(tarfile.TarInfo("../stray"), io.BytesIO())
    with pytest.raises(ArchiveDamaged):
        restored(home, archive)
    assert read(home) == expected
    assert not (home / ".restore").exists()


def forged(archive: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    """Rewrite an archive with other members, and a list of contents that names them all."""
    with tarfile.open(archive) as old:
        members = [(info, file.read()) for info in old if (file := old.extractfile(info))]
    *files, (_, document) = members
    change(files)
    contents = decode_open(unseal(document, field="digest_of_contents")[0], Contents)
    listed = tuple(
        Member(name=info.name, size=info.size, sha256=hashlib.sha256(data).hexdigest())
        for info, data in files
    )
    sealed, _ = seal(
        encode_open(msgspec.structs.replace(contents, members=listed)), field="digest_of_contents"
    )
    last = tarfile.TarInfo("contents.json")
    last.size = len(sealed)
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as new:
        for info, data in (*files, (last, sealed)):
            new.addfile(info, io.BytesIO(data))


def planted(name: str, kind: bytes = tarfile.REGTYPE, *, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


SEGMENT = "journal/000000000009.jsonl"
FORGED = (
    planted("../releases/x/release.json"),
    planted("/etc/cron.d/x"),
    planted("state/record.lock"),
    planted("state/sub/record.json"),
    planted(f"{SEGMENT}/x"),
    planted("journal/notes.txt"),
    planted("run/engine.json"),
    planted(SEGMENT, tarfile.SYMTYPE, target="/etc/passwd"),
    planted(SEGMENT, tarfile.LNKTYPE, target="state/record.json"),
    planted(SEGMENT, tarfile.FIFOTYPE),
    planted(SEGMENT, tarfile.DIRTYPE),
    planted(SEGMENT, tarfile.GNUTYPE_SPARSE),
)


def test_a_forged_archive_brings_nothing_but_the_files_of_an_export(home: Path) -> None:
    """A list of contents is sealed by no secret: whoever makes an archive can name anything."""
    good, expected = exported(home).read_bytes(), read(home)
    archive = home.parent / "forged.tar"
    for info in FORGED:
        archive.write_bytes(good)
        forged(archive, _put_first(info))
        before = set(home.parent.iterdir())
        with pytest.raises(ArchiveDamaged):
            restored(home, archive, force=True)
        assert set(home.parent.iterdir()) == before, info.name
    assert read(home) == expected


def _put_first(info: tarfile.TarInfo) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    return lambda members: members.insert(0, (info, b""))


def test_an_archive_that_holds_more_than_the_disk_is_refused_before_it_is_laid_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fill the disk of a home on which another bot may trade."""
    archive = exported(home)
    seen = []

    def little(path: Path) -> SimpleNamespace:
        seen.append(sorted(path.rglob("*.json*")))
        return SimpleNamespace(free=1000)

    monkeypatch.setattr("state.archive.shutil.disk_usage", little)
    with pytest.raises(ArchiveDamaged, match="1000 are free"):
        restored(home, archive, force=True)
    assert seen == [[]]


def test_an_export_follows_no_link(home: Path, tmp_path: Path) -> None:
    """A copy that is handed on must not hold what somebody pointed at."""
    first = home / "journal" / "000000000001.jsonl"
    first.rename(tmp_path / "elsewhere")
    first.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WriteFailed):
        exported(home)
    assert not (tmp_path / "copy.tar").exists()


def test_an_export_writes_through_no_link_that_waits_for_it(home: Path, tmp_path: Path) -> None:
    """Its first name can be told beforehand, and the directory may be everybody's."""
    ours = tmp_path / "ours"
    ours.write_text("precious")
    (tmp_path / ".copy.tar.part").symlink_to(ours)
    exported(home)
    assert ours.read_text() == "precious"


def without(archive: Path, name: str) -> None:
    with tarfile.open(archive) as old:
        members = [(info, old.extractfile(info)) for info in old]
        data = [(info, file.read()) for info, file in members if file is not None]
    with tarfile.open(archive, "w") as new:
        for info, content in data:
            if info.name != name:
                new.addfile(info, io.BytesIO(content))


def test_a_restore_that_dies_half_way_never_leaves_a_home_that_begins_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = exported(home)
    run_cycles(open_store(home), 1)
    for count in range(3):
        with monkeypatch.context() as patch:
            left = [count]

            def replace(source: Path, target: Path, left: list[int] = left) -> None:
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                source.rename(target)

            patch.setattr("state.archive._FILES.replace", replace, raising=False)
            with pytest.raises(Killed):
                restore_state(home, archive, app=APP, force=True, now_ns=NOW_NS + count * SECOND_NS)
        # The old record or the new one; never none, which would begin anew.
        assert open_store(home, replay=decided_again).read().progress.cycle in {14, 15}
    restore_state(home, archive, app=APP, force=True, now_ns=NOW_NS + 9 * SECOND_NS)
    assert read(home).progress.cycle == 14
    prove(home)


def test_a_home_without_a_record_has_nothing_to_export(tmp_path: Path) -> None:
    open_store(tmp_path)
    with pytest.raises(RecordMissing):
        exported(tmp_path)
    assert not (tmp_path.parent / "copy.tar").exists()


def test_a_copy_that_cannot_be_written_is_an_error(home: Path) -> None:
    with pytest.raises(WriteFailed):
        export_state(home, home / "nowhere" / "copy.tar", now_ns=NOW_NS)


def test_a_line_ahead_of_the_record_is_finished_first(home: Path, tmp_path: Path) -> None:
    """It has happened: a copy without it would decide its cycle again."""
    files = FaultyFiles()
    store = open_store(home, files=files)
    files.fail("replace", "record.json")
    with pytest.raises(OutcomeUnknown):
        store.transact(deciding(), note("decide"))
    archive, other = exported(home), tmp_path / "other"
    other.mkdir()
    restored(other, archive)
    assert (read(other).progress.cycle, read(other).progress.phase) == (15, Phase.DECIDED)
    open_store(other).transact(settle, note("settle"))
    run_cycles(open_store(other), 1)
    prove(other)


def test_what_has_to_be_decided_again_is_not_exported(home: Path) -> None:
    open_store(home).transact(deciding(), note("decide"))
    (home / "state" / "record.prev.json").replace(home / "state" / "record.json")
    with pytest.raises(RecordBehind, match="exported"):
        exported(home)


def test_a_restore_that_dies_is_finished_by_whoever_opens_the_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the journal's exchange the old state stands, after it the restored one."""
    archive = exported(home)
    run_cycles(open_store(home), 3)
    seen = set()
    for count in range(99):
        other = tmp_path / "other"
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(home, other)
        files = FaultyFiles()
        monkeypatch.setattr("state.archive._FILES", files)
        files.kill_at(count)
        try:
            restored(other, archive, force=True)
        except Killed:
            monkeypatch.undo()
        else:
            break
        if not (other / "journal").exists():
            continue  # between the two halves of the exchange: calling again finishes
        seen.add(open_store(other).read().progress.cycle)
        run_cycles(open_store(other), 1)
        prove(other)
    assert seen == {14, 17}


@pytest.mark.parametrize(
    "said",
    [
        {"GNU.sparse.map": "a,b"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
        {"GNU.sparse.name": "x", "GNU.sparse.realsize": "q"},
        {"size": "9" * 30},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_header_with_numbers_that_are_none_is_damage(
    home: Path, tmp_path: Path, said: dict[str, str]
) -> None:
    """Who forges an archive gets a refusal as well, and no traceback."""
    archive = tmp_path / "forged.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("state/record.json")
        info.pax_headers = said
        tar.addfile(info)
    before = read(home)
    with pytest.raises(ArchiveDamaged):
        restored(home, archive, force=True)
    assert read(home) == before
