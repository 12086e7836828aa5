"""The end of the journal, followed line by line while the owner appends.

Owns an offset into the newest segment. Lines are checked against the chain as they are read; a
break is said and reading goes on behind it, because a page that shows nothing helps nobody.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from foresight.dashboard.cycles import STRIP_CYCLES, CycleLine
from state.journal_frames import chain_in, peek
from state.journal_reader import segments
from state.seal import SealBroken, unseal

LINES_KEPT: Final = 4 * STRIP_CYCLES  # two lines a cycle, and room for takes and commands
START_BYTES: Final = 16 << 20  # read at the start, of at most two segments
_DECODER: Final = msgspec.json.Decoder(CycleLine)


class JournalTail:
    """The newest lines of a journal.

    Attributes:
        lines: The newest lines, oldest first.
        chained: Lines whose place in the chain was checked.
        broken: Where the chain broke last, in words, or an empty string.
    """

    def __init__(self, directory: Path) -> None:
        """Name the journal's directory; nothing is read yet."""
        self._directory = directory
        self.lines: deque[CycleLine] = deque(maxlen=LINES_KEPT)
        self._forget()

    def _forget(self) -> None:
        self.lines.clear()
        self.chained = 0
        self.broken = ""
        self._segment: Path | None = None
        self._offset = 0
        self._chain = ""  # of the line before; empty where it is not known

    def advance(self) -> bool:
        """Read what was appended; return whether there was anything.

        Raises:
            OSError: The journal cannot be read.
        """
        known = segments(self._directory)
        if not known:
            changed = bool(self.lines)
            self._forget()
            return changed
        if self._segment not in known or known[-1].stat().st_size < self._size_known(known[-1]):
            self._begin(known)
        assert self._segment is not None, "a beginning names a segment"
        found = False
        for segment in known[known.index(self._segment) :]:
            if segment != self._segment:
                self._segment, self._offset = segment, 0
            found = self._read() or found
        return found

    def _size_known(self, newest: Path) -> int:
        return self._offset if newest == self._segment else 0

    def _begin(self, known: list[Path]) -> None:
        self._forget()
        self._segment = known[-1]
        size = known[-1].stat().st_size
        if size < START_BYTES and len(known) > 1:
            self._segment = known[-2]
            size = known[-2].stat().st_size
        if size > START_BYTES:
            self._offset = self._next_line(size - START_BYTES)

    def _next_line(self, offset: int) -> int:
        assert self._segment is not None, "the caller has chosen a segment"
        with self._segment.open("rb") as file:
            file.seek(offset)
            file.readline()
            return file.tell()

    def _read(self) -> bool:
        found = False
        for data in self._appended():
            self._take(data)
            found = True
        return found

    def _appended(self) -> Iterator[bytes]:
        assert self._segment is not None, "there is a segment"
        with self._segment.open("rb") as file:
            file.seek(self._offset)
            for data in file:
                if not data.endswith(b"\n"):
                    return  # a line without its end is not there yet
                self._offset += len(data)
                yield data[:-1]

    def _take(self, data: bytes) -> None:
        self._check(data)
        try:
            self.lines.append(_DECODER.decode(data))
        except msgspec.MsgspecError as error:
            self.broken = f"line after number {self._last_seq()} is no journal line: {error}"
        self._chain = chain_in(data)

    def _check(self, data: bytes) -> None:
        before = self._chain or peek(data).previous_chain
        if not before and self._offset != len(data) + 1:
            return  # read from the middle: what comes before is not known
        try:
            unseal(data, field="chain", salt=before.encode())
        except SealBroken as error:
            self.broken = f"line after number {self._last_seq()} does not continue it: {error}"
        else:
            self.chained += 1

    def _last_seq(self) -> int:
        return self.lines[-1].seq if self.lines else 0
