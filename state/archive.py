"""Record and journal as one file that can be kept elsewhere, and the way back.

Owns the archive: a tar file with a sealed list of contents at its end. What is taken in is the
state of one moment although the owner goes on; what is brought back is proven as a whole before
anything is replaced, and what it replaces is kept. Whether a bot runs is the caller's matter.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import stat
import tarfile
from typing import IO, TYPE_CHECKING, Final

import msgspec

from state.atomic_file import (
    DIRECTORY_MODE,
    FILE_MODE,
    SystemFiles,
    create,
    discard,
    make_directory,
    replace_file,
    sync,
)
from state.errors import (
    JournalBroken,
    RecordBehind,
    RecordDamaged,
    RecordMissing,
    StateError,
    StateUnusable,
    WriteFailed,
)
from state.journal import Journal, Retention
from state.journal_reader import is_segment, segments, verify_chain
from state.mirror import MIRROR, read_either, record_path, write_mirror
from state.moments import milliseconds, rfc3339
from state.open_struct import OpenStruct, decode_open, encode_open
from state.opening import Opening
from state.pruned import NAME as PRUNED
from state.record import Phase, Record, Timeline, check_identity, decode_record
from state.record_file import PREVIOUS, RECORD, RecordFile, read_generation
from state.record_lock import RecordLock
from state.recovery import Undecided, release_of
from state.seal import SealBroken, seal, unseal
from state.sighting import forget_seen

if TYPE_CHECKING:
    from pathlib import Path

    from state.commit import Generation

CONTENTS: Final = "contents.json"
FORMAT: Final = 1
STATE: Final = "state"
JOURNAL: Final = "journal"
REPLACED: Final = "replaced"
FRESH: Final = ".restore"
LOCK: Final = "record.lock"
LOCK_TIMEOUT_NS: Final = 5_000_000_000  # as for any commit
MEMBERS_MAX: Final = 100_000  # a year of journal has a few thousand
CONTENTS_BYTES_MAX: Final = 64 << 20
_BLOCK_BYTES: Final = 1 << 20
_FILES: Final = SystemFiles()


class Member(OpenStruct, frozen=True, kw_only=True):
    """One file of an archive: its path in the home, its size and its digest."""

    name: str
    size: int
    sha256: str


class Contents(OpenStruct, frozen=True, kw_only=True):
    """What an archive holds.

    Attributes:
        format: Version of this document's own shape.
        at: When it was made, RFC 3339.
        app: Of which application.
        epoch: Of the record.
        cycle: Newest cycle of the record.
        phase: How far that cycle got.
        digest: Of the record.
        members: Its files.
    """

    format: int = FORMAT
    at: str = ""
    app: str
    epoch: int = 0
    cycle: int
    phase: Phase
    digest: str
    members: tuple[Member, ...]


class ArchiveDamaged(StateUnusable):
    """The file is no archive, or not as it was written."""

    hint = "take another copy; the state in the home directory was not touched"


class StateNewer(StateError):
    """What is there has gone further than what would replace it."""

    hint = "--force replaces it all the same; what is replaced is kept"


def export_state(home: Path, target: Path, *, now_ns: int) -> Contents:
    """Write record and journal of one moment into a file; the owner may go on meanwhile.

    Args:
        home: The home directory.
        target: The file; replaced as a whole if it is there.
        now_ns: Wall-clock time, nanoseconds UTC.

    Raises:
        StateUnusable: There is no record, or it is damaged.
        LockTimeout: The record's lock was not free.
        WriteFailed: The file cannot be written.
    """
    beside = target.with_name(f".{target.name}.part")
    with contextlib.ExitStack() as stack:
        try:
            data, sources = _one_moment(home, stack)
            descriptor = create(_FILES, beside)
            stack.callback(beside.unlink, missing_ok=True)
            with open(descriptor, "wb") as out:  # noqa: PTH123 - it is open already
                contents = _write(out, data, sources, now_ns)
            sync(_FILES, beside)
            _FILES.replace(beside, target)
            sync(_FILES, target.absolute().parent)
        except OSError as error:
            raise WriteFailed(str(target), error) from error
    return contents


def restore_state(
    home: Path, archive: Path, *, app: str, force: bool, now_ns: int, mirrored: bool = False
) -> tuple[Contents, Path | None]:
    """Put what an archive holds in the place of record and journal.

    The caller has made sure that nothing runs here, and keeps it so.

    Args:
        home: The home directory; it exists.
        archive: The file.
        app: Application that the home belongs to.
        force: Also replace what has gone further.
        now_ns: Wall-clock time, nanoseconds UTC: names what is kept.
        mirrored: The record is in an etcd, which `etcd_repair` brings to what is put here.

    Returns:
        What was restored, and where the replaced state is; None where there was none.

    Raises:
        ArchiveDamaged: The file is not what was exported.
        RecordForeign: It is of another application or timeline.
        StateNewer: What is there has gone further.
        WriteFailed: The disk refused; calling again finishes.
    """
    fresh = home / FRESH
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        contents = _unpack(archive, fresh)
        found = _proven(archive, fresh, contents)
        _refuse_others(home, found.record, app=app, force=force)
        put_in_place = _put_mirror_in_place if mirrored else _put_in_place
        return contents, put_in_place(home, fresh, now_ns)
    except OSError as error:
        raise WriteFailed(error.filename or str(home), error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _one_moment(
    home: Path, stack: contextlib.ExitStack
) -> tuple[bytes, list[tuple[str, IO[bytes], int]]]:
    """Open everything under the record's lock; what is appended later is cut off.

    A newest line that is ahead of the record has happened: its rename is finished first.
    """
    sources: list[tuple[str, IO[bytes], int]] = []
    lock = RecordLock(home / STATE / LOCK, timeout_ns=LOCK_TIMEOUT_NS)
    stack.callback(lock.close)
    record = record_path(home / STATE)
    paths = [record, home / STATE / PREVIOUS, home / JOURNAL / PRUNED]
    with lock.held():
        if record.name == RECORD:  # an etcd's is finished there
            _finish_line_ahead(home)
        for path in [*paths, *segments(home / JOURNAL)]:
            with contextlib.suppress(FileNotFoundError):
                file = stack.enter_context(_opened(path))
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise WriteFailed(str(path), OSError(errno.EINVAL, "it is no plain file"))
                named = home / STATE / RECORD if path == record else path
                sources.append((named.relative_to(home).as_posix(), file, found.st_size))
        return paths[0].read_bytes(), sources


def _opened(path: Path) -> IO[bytes]:
    # A name of ours may have become a link, or a pipe that nobody writes to.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(path, flags), "rb")


def _finish_line_ahead(home: Path) -> None:
    file = RecordFile(home / STATE, files=_FILES)
    journal = Journal(home / JOURNAL, files=_FILES, retention=Retention())
    try:
        Opening(file, journal, home / JOURNAL, lambda _: None).newest()
    except Undecided as undecided:
        line, why = undecided.line, "it has to be decided again before it can be exported"
        raise RecordBehind(
            str(file.path), release=release_of(line), cycle=line.cycle, why=why
        ) from undecided


def _write(
    out: IO[bytes], data: bytes, sources: list[tuple[str, IO[bytes], int]], now_ns: int
) -> Contents:
    record, digest = decode_record(data, where=RECORD)
    members = []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, file, size in sources:
            sealed = _Digesting(file)
            tar.addfile(_info(name, size, now_ns), sealed)  # type: ignore[arg-type]  # reads only
            members.append(Member(name=name, size=size, sha256=sealed.digest.hexdigest()))
        contents = Contents(
            at=rfc3339(now_ns),
            app=record.app,
            epoch=record.ownership.epoch,
            cycle=record.progress.cycle,
            phase=record.progress.phase,
            digest=digest,
            members=tuple(members),
        )
        document, _ = seal(encode_open(contents), field="digest_of_contents")
        tar.addfile(_info(CONTENTS, len(document), now_ns), io.BytesIO(document))
    return contents


class _Digesting:
    """A file that is digested while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _info(name: str, size: int, now_ns: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, FILE_MODE, int(milliseconds(now_ns) / 1000)
    return info


def _unpack(archive: Path, fresh: Path) -> Contents:
    """Lay an archive out in a new directory; return what it says that it holds."""
    for name in (STATE, JOURNAL):
        (fresh / name).mkdir(mode=DIRECTORY_MODE, parents=True)
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            *infos, last = _members(archive, tar)
            contents = _contents(archive, tar, last)
            _refuse_unlisted(archive, infos, contents)
            _refuse_too_much(archive, fresh, contents)
            found = tuple(_lay_out(tar, fresh, info) for info in infos)
    except (tarfile.TarError, EOFError, ValueError, SealBroken, msgspec.DecodeError) as error:
        # The library takes a number of a header for one, and raises what `int` does.
        raise _damaged(archive, str(error)) from error
    if found != contents.members:
        raise _damaged(archive, "its files are not the ones that were put in")
    return contents


def _members(archive: Path, tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Return the headers of an archive, none of which says more than a plain file does."""
    found: list[tarfile.TarInfo] = []
    for info in tar:
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse():
            raise _damaged(archive, f"{info.name} is no plain file")
        found.append(info)
        if len(found) > MEMBERS_MAX:
            raise _damaged(archive, f"it has more than {MEMBERS_MAX} files")
    if not found or found[-1].name != CONTENTS:
        raise _damaged(archive, "it has no list of contents")
    return found


def _contents(archive: Path, tar: tarfile.TarFile, info: tarfile.TarInfo) -> Contents:
    source = tar.extractfile(info)
    assert source is not None, "a plain file"
    if info.size > CONTENTS_BYTES_MAX:
        raise _damaged(archive, f"its list of contents has {info.size} bytes")
    document, _ = unseal(source.read(), field="digest_of_contents")
    contents = decode_open(document, Contents)
    if contents.format > FORMAT:
        raise _damaged(archive, f"it has format {contents.format}, this program knows {FORMAT}")
    return contents


def _refuse_unlisted(archive: Path, infos: list[tarfile.TarInfo], contents: Contents) -> None:
    """Refuse what the list does not name, and names that no export has."""
    for info in infos:
        if not _is_exported(info.name):
            raise _damaged(archive, f"{info.name} does not belong into it")
    there = [(info.name, info.size) for info in infos]
    if there != [(member.name, member.size) for member in contents.members]:
        raise _damaged(archive, "its files are not the ones that were put in")


def _is_exported(name: str) -> bool:
    folder, _, leaf = name.partition("/")
    if folder == JOURNAL:
        return leaf == PRUNED or is_segment(leaf)
    return folder == STATE and leaf in {RECORD, PREVIOUS}


def _refuse_too_much(archive: Path, fresh: Path, contents: Contents) -> None:
    needed, free = sum(member.size for member in contents.members), shutil.disk_usage(fresh).free
    if needed > free:
        raise _damaged(archive, f"it holds {needed} bytes, and {free} are free")


def _lay_out(tar: tarfile.TarFile, fresh: Path, info: tarfile.TarInfo) -> Member:
    source, path = tar.extractfile(info), fresh / info.name
    assert source is not None, "a plain file"
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as out:
        path.chmod(FILE_MODE)
        while block := source.read(_BLOCK_BYTES):
            out.write(block)
            digest.update(block)
            size += len(block)
    sync(_FILES, path)
    return Member(name=info.name, size=size, sha256=digest.hexdigest())


def _proven(archive: Path, fresh: Path, contents: Contents) -> Generation:
    try:
        found = read_generation(fresh / STATE / RECORD)
        if found.digest != contents.digest:
            raise _damaged(archive, "its record is another one")
        verify_chain(fresh / JOURNAL, digest=found.digest, cycle=found.record.progress.cycle)
    except (RecordMissing, RecordDamaged, JournalBroken) as error:
        raise _damaged(archive, str(error)) from error
    return found


def _refuse_others(home: Path, wanted: Record, *, app: str, force: bool) -> None:
    try:
        there = read_either(home / STATE).record
    except (RecordMissing, RecordDamaged):
        # Nothing that could be compared: this is what an archive is kept for.
        check_identity(wanted, app=app, timeline=wanted.timeline)
        return
    timeline: Timeline = there.timeline
    check_identity(wanted, app=app, timeline=wanted.timeline if force else timeline)
    if not force and _reached(there) > _reached(wanted):
        there_words, wanted_words = _words(there), _words(wanted)
        message = f"the record is at {there_words}, the archive at {wanted_words}"
        raise StateNewer(message)


def _reached(record: Record) -> tuple[int, bool, int]:
    settled = record.progress.phase is Phase.SETTLED
    return record.progress.cycle, settled, record.ownership.epoch


def _words(record: Record) -> str:
    progress = record.progress
    return f"cycle {progress.cycle} {progress.phase.value}, epoch {record.ownership.epoch}"


def _put_in_place(home: Path, fresh: Path, now_ns: int) -> Path | None:
    """Write the record beside the one that is there, exchange the journal, then rename.

    From the exchange on the journal ends with the restored record, and whoever opens the home
    finishes the rename.
    """
    kept = home / REPLACED / rfc3339(now_ns).replace(":", "")
    old = [home / STATE / name for name in (RECORD, PREVIOUS)]
    anything = any(path.exists() for path in [*old, home / JOURNAL])
    for directory in (kept / STATE, home / STATE) if anything else (home / STATE,):
        make_directory(_FILES, directory)
    for path in old:
        with contextlib.suppress(FileNotFoundError):
            _FILES.link(path, kept / STATE / path.name)
    file = RecordFile(home / STATE, files=_FILES)
    file.prepare((fresh / STATE / RECORD).read_bytes())
    if (home / JOURNAL).exists():
        _FILES.replace(home / JOURNAL, kept / JOURNAL)
    sync(_FILES, fresh / JOURNAL)
    _FILES.replace(fresh / JOURNAL, home / JOURNAL)
    for directory in (kept / STATE, kept, home) if anything else (home,):
        sync(_FILES, directory)
    file.place(keep_previous=False)
    discard(_FILES, home / STATE / PREVIOUS)  # of what is replaced: it proves nothing any more
    with contextlib.suppress(FileNotFoundError):
        previous = (fresh / STATE / PREVIOUS).read_bytes()
        replace_file(_FILES, home / STATE / PREVIOUS, previous)
    return kept if anything else None


def _put_mirror_in_place(home: Path, fresh: Path, now_ns: int) -> Path | None:
    """Exchange the journal, then the mirror; what is replaced is kept, and what was seen forgotten.

    Whoever dies in between leaves a home that follows the etcd as one that comes late.
    """
    kept = home / REPLACED / rfc3339(now_ns).replace(":", "")
    anything = (home / JOURNAL).exists()
    make_directory(_FILES, home / STATE)
    if anything:
        make_directory(_FILES, kept)
        _FILES.replace(home / JOURNAL, kept / JOURNAL)
        with contextlib.suppress(FileNotFoundError):
            _FILES.replace(home / STATE / MIRROR, kept / MIRROR)
        sync(_FILES, kept)
    sync(_FILES, fresh / JOURNAL)
    _FILES.replace(fresh / JOURNAL, home / JOURNAL)
    write_mirror(_FILES, home / STATE, (fresh / STATE / RECORD).read_bytes())
    forget_seen(_FILES, home / STATE)
    sync(_FILES, home)
    return kept if anything else None


def _damaged(archive: Path, reason: str) -> ArchiveDamaged:
    return ArchiveDamaged(f"{archive} cannot be restored: {reason}")
