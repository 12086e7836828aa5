"""Cells laid out in columns of a width, one line for a row or several where they do not fit.

Owns how wide a column is and where a cell is folded. Nothing is cut: a word that is wider than its
column, a path or an address, stands out of it whole. No file, clock or process enters here.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handoff.folding import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP: Final = 2  # letters between two columns
NARROWEST: Final = 8  # letters: below it a column of words would be a column of syllables


def laid_out(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> tuple[str, list[list[str]]]:
    """Return the heading, and the lines of each row.

    Args:
        columns: The headings.
        rows: The cells of each row, as many as there are headings.
        width: Letters of a line.
    """
    stacked = list(zip(columns, *rows, strict=True))
    natural = [max(map(cell_len, column)) for column in stacked]
    least = [_least(column) for column in stacked]
    widths = _narrowed(natural, least, width - GAP * (len(columns) - 1))
    return _line(columns, widths), [_lines(row, widths) for row in rows]


def _least(cells: Sequence[str]) -> int:
    """Return how wide a column has to be: its longest word is not broken."""
    return max((cell_len(word) for cell in cells for word in cell.split()), default=0)


def _narrowed(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths that fit into a room, taken from the widest; at last those that do not."""
    widths = list(natural)
    for _ in range(max(0, sum(natural) - room)):  # one letter each turn: it takes no more of them
        can = [place for place, width in enumerate(widths) if width > max(least[place], NARROWEST)]
        if not can:
            break  # a very narrow terminal breaks the lines itself
        widths[max(can, key=lambda place: widths[place])] -= 1
    return widths


def _lines(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    parts = [
        [part for line in cell.split("\n") for part in folded(line, width)]
        for cell, width in zip(cells, widths, strict=True)
    ]
    return [_line(line, widths) for line in zip_longest(*parts, fillvalue="")]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return (" " * GAP).join(padded).rstrip()
