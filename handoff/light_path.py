"""A path without `pathlib`, for the one process that carries what it loads for years.

Owns the few operations on paths that the launcher needs. `pathlib` brings `urllib` and
`ipaddress` with it: a tenth of an interpreter's memory. Whatever is not here is asked of a
real `Path`, so that nothing is ever wrong, only heavier. Standard library only.
"""

from __future__ import annotations

import os

from handoff.light_typing import IO, TYPE_CHECKING, Any, override

if TYPE_CHECKING:
    from collections.abc import Iterator


class LightPath:
    """A path that behaves as `pathlib.Path` does, as far as it goes.

    Args:
        text: The path.
    """

    def __init__(self, text: str | os.PathLike[str]) -> None:
        """Keep the text."""
        self._text = os.fspath(text).rstrip("/") or "/"

    def __fspath__(self) -> str:
        """Return the text."""
        return self._text

    @override
    def __str__(self) -> str:
        """Return the text."""
        return self._text

    @override
    def __repr__(self) -> str:
        """Return how it is made."""
        return f"LightPath({self._text!r})"

    @override
    def __eq__(self, other: object) -> bool:
        """Compare with any path."""
        return isinstance(other, os.PathLike) and os.fspath(other) == self._text

    @override
    def __hash__(self) -> int:
        """Hash the text."""
        return hash(self._text)

    def __truediv__(self, part: str | os.PathLike[str]) -> LightPath:
        """Return the path of something in this directory."""
        return LightPath(os.path.join(self._text, part))  # noqa: PTH118 - the point of this file

    @property
    def name(self) -> str:
        """The last part."""
        return os.path.basename(self._text)  # noqa: PTH119 - as above

    @property
    def parent(self) -> LightPath:
        """The directory it is in."""
        return LightPath(os.path.dirname(self._text))  # noqa: PTH120 - as above

    def with_name(self, name: str) -> LightPath:
        """Return the path of a neighbour."""
        return self.parent / name

    def open(self, mode: str = "r", **options: Any) -> IO[Any]:  # noqa: ANN401 - those of open()
        """Open the file."""
        return open(self._text, mode, **options)  # noqa: PTH123 - as above

    def read_bytes(self) -> bytes:
        """Return all of the file."""
        with self.open("rb") as file:
            data: bytes = file.read()
            return data

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return all of the file as text."""
        with self.open("r", encoding=encoding, errors=errors) as file:
            text: str = file.read()
            return text

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Write all of the file."""
        with self.open("w", encoding=encoding) as file:
            file.write(text)

    def stat(self) -> os.stat_result:
        """Return what the file system says of it."""
        return os.stat(self._text)  # noqa: PTH116 - as above

    def lstat(self) -> os.stat_result:
        """Return what the file system says of it, not of what it points to."""
        return os.lstat(self._text)

    def exists(self) -> bool:
        """Tell whether it is there."""
        return os.path.exists(self._text)  # noqa: PTH110 - as above

    def readlink(self) -> LightPath:
        """Return where it points to."""
        return LightPath(os.readlink(self._text))  # noqa: PTH115 - as above

    def rename(self, target: str | os.PathLike[str]) -> None:
        """Rename it, in the place of what may be there."""
        os.rename(self._text, target)  # noqa: PTH104 - as above

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove it."""
        try:
            os.unlink(self._text)  # noqa: PTH108 - as above
        except FileNotFoundError:
            if not missing_ok:
                raise

    def mkdir(self, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the directory."""
        if parents:
            os.makedirs(self.parent, exist_ok=True)  # noqa: PTH103 - as above
        try:
            os.mkdir(self._text, mode)  # noqa: PTH102 - as above
        except FileExistsError:
            if not (exist_ok and os.path.isdir(self._text)):  # noqa: PTH112 - as above
                raise

    def glob(self, pattern: str) -> Iterator[LightPath]:
        """Yield what is in the directory and ends as the pattern does.

        Args:
            pattern: `*` and an ending.
        """
        assert pattern[:1] == "*", pattern
        assert "*" not in pattern[1:], pattern
        for name in os.listdir(self._text):  # noqa: PTH208 - as above
            if name.endswith(pattern[1:]):
                yield self / name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a Path has
        """Ask a real path for everything else."""
        from pathlib import Path  # noqa: PLC0415 - loaded only where it cannot be avoided

        return getattr(Path(self._text), name)
