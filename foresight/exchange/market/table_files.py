"""The tables that come with the exchange.

Owns the place of the files. Must never enter: what is in them (see `calibration`).
"""

from functools import cache
from pathlib import Path
from typing import Final

from foresight.exchange.market.calibration import Source, Table, read_table

TABLES: Final = Path(__file__).with_name("tables")
"""Folder of ``recorded.json`` and ``synthetic.json``."""


@cache
def load_table(source: Source) -> Table:
    """Return the table for a kind of prices.

    Raises:
        TableError: It cannot be read, or is not for that kind.
    """
    return read_table((TABLES / f"{source}.json").read_bytes(), source=source)
