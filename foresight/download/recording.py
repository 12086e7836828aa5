"""The file of one asset while it is fetched, and once it is whole.

Owns three names in a folder: `<ASSET>USDT-1m.csv.gz`, which is only ever a whole recording;
`<ASSET>USDT-1m.csv.part`, which grows page by page and is cut back to its last whole line; and
`<ASSET>USDT-1m.source`, which says what of. Two who write to one folder are kept apart by a lock on
the folder itself. What is asked of an exchange is `fetching`'s.
"""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from foresight.download.candle_lines import HEADER, Candle, line_of, read_line, text_of
from foresight.errors import ConfigError
from state.atomic_file import SystemFiles, discard, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

_READABLE: Final = 0o644  # what an exchange tells everybody is no secret


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording is of.

    Attributes:
        exchange: ccxt's name of it.
        url: Its address, or an empty string for the exchange's own.
        pair: Such as `BTC/USDT`.
        first_minute: The first minute that was asked for, minutes since 1970 UTC.
        end_minute: The first minute after the whole recording; 0 while it is being fetched.
    """

    exchange: str
    url: str
    pair: str
    first_minute: int
    end_minute: int = 0


class Recording(NamedTuple):
    """The files of one asset.

    Attributes:
        folder: Where they are.
        asset: Upper-case name.
    """

    folder: Path
    asset: str

    @property
    def whole(self) -> Path:
        """Return the name of the whole recording."""
        return self.folder / f"{self.asset}USDT-1m.csv.gz"

    @property
    def part(self) -> Path:
        """Return the name of what has come so far."""
        return self.folder / f"{self.asset}USDT-1m.csv.part"

    @property
    def note(self) -> Path:
        """Return the name of what says where it comes from."""
        return self.folder / f"{self.asset}USDT-1m.source"

    def begin(self, wanted: Source) -> int:
        """Make the part ready to grow; return the first minute that it lacks.

        Args:
            wanted: What is to be fetched, with its end.

        Raises:
            ConfigError: What is there is of something else, or holds more than is wanted.
            OSError: It cannot be read or written.
        """
        said = self.said()
        begun = msgspec.structs.replace(wanted, end_minute=0)
        if said is None:
            self._refuse_strangers()
        elif msgspec.structs.replace(said, end_minute=0) != begun:
            what = f"{self.note} is of {_words(said)}, not of {_words(wanted)}"
            raise ConfigError(what, "name another folder, or remove that asset's files")
        if said is not None and said.end_minute and self.whole.exists():
            self._refuse_longer(said.end_minute > wanted.end_minute)
            self._unpack()  # a part beside it is what a whole one was made of
        self._write(self.note, msgspec.json.encode(begun))
        newest = self._mend(wanted.first_minute)
        self._refuse_longer(newest >= wanted.end_minute)
        return newest + 1

    def said(self) -> Source | None:
        """Return what the folder says of where its recording comes from, None for nothing.

        Raises:
            ConfigError: It is damaged.
        """
        try:
            return msgspec.json.decode(self.note.read_bytes(), type=Source)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            what = f"{self.note} does not say what its recording is of: {error}"
            raise ConfigError(what, "name another folder, or remove that asset's files") from error

    def append(self, candles: Sequence[Candle]) -> None:
        """Add later candles to the part, durably."""
        with self.part.open("a", encoding="ascii", newline="\n") as lines:
            lines.writelines(f"{line_of(each)}\n" for each in candles)
            lines.flush()
            os.fsync(lines.fileno())

    def finish(self, wanted: Source) -> None:
        """Put the whole recording under its name, and say of what it is."""
        packed = io.BytesIO()
        with (
            self.part.open("rb") as lines,
            gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as into,
        ):
            shutil.copyfileobj(lines, into)
        self._write(self.whole, packed.getvalue())
        self._write(self.note, msgspec.json.encode(wanted))
        discard(SystemFiles(), self.part)

    def forget(self) -> None:
        """Remove what was begun and came to nothing."""
        for path in (self.part, self.note):
            discard(SystemFiles(), path)

    def minutes(self) -> Iterator[int]:
        """Yield the minutes of the part's candles, rising."""
        with self.part.open(encoding="ascii") as lines:
            next(lines)
            for line in lines:
                candle = read_line(line)
                assert candle is not None, "the part was mended before it grew"
                yield candle.minute

    def _refuse_strangers(self) -> None:
        # Under all names that a reader takes for this asset's: two files of one asset are refused.
        names = re.compile(rf"{self.asset}(?:[-_]?USDT)?(?:[-_]1m)?\.csv(?:\.gz)?")
        there = next((each for each in self.folder.iterdir() if names.fullmatch(each.name)), None)
        if there is not None:
            what = f"{there} is there already, and does not say what it is of"
            raise ConfigError(what, "name another folder")

    def _refuse_longer(self, is_longer: bool) -> None:  # noqa: FBT001 - one place, one question
        if is_longer:
            what = f"the recording of {self.asset} in {self.folder} goes on after what is wanted"
            raise ConfigError(what, "name another folder, or a later --to")

    def _unpack(self) -> None:
        try:
            with gzip.open(self.whole, "rb") as lines:
                self._write(self.part, lines.read())
        except (EOFError, OSError) as error:
            what = f"{self.whole} cannot be read: {error}"
            raise ConfigError(what, "remove that asset's files, and fetch them again") from error

    def _mend(self, first_minute: int) -> int:
        """Cut the part back to its last whole candle; return its minute, or the one before all."""
        newest = first_minute - 1
        if not self.part.exists():
            self._write(self.part, f"{HEADER}\n".encode("ascii"))
        with self.part.open("rb+") as part:
            size = 0
            for number, line in enumerate(part):
                if number:
                    candle = read_line(line.decode("ascii", "replace"))
                    if not line.endswith(b"\n") or candle is None or candle.minute <= newest:
                        break
                    newest = candle.minute
                elif line != f"{HEADER}\n".encode("ascii"):
                    break
                size += len(line)
            _cut(part, size)
        return newest

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        replace_file(SystemFiles(), path, data)
        path.chmod(_READABLE)


def _cut(part: IO[bytes], size: int) -> None:
    part.seek(size)
    part.truncate()
    if not size:
        part.write(f"{HEADER}\n".encode("ascii"))


def _words(source: Source) -> str:
    where = f"{source.exchange} at {source.url}" if source.url else source.exchange
    return f"{source.pair} of {where} from {text_of(source.first_minute)} on"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder if need be, and keep a second download out of it.

    Raises:
        ConfigError: Another one is under way there.
        OSError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            what = f"another download is under way in {folder}"
            raise ConfigError(what, "wait for it, or name another folder") from error
        yield
    finally:
        os.close(descriptor)
