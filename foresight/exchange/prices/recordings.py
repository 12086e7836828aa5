"""Reading recorded candles from a folder of CSV or CSV.gz files.

Owns the file names and the opening of files. Must never enter: what the numbers mean (see
`replay`), time.
"""

import gzip
import re
import zlib
from pathlib import Path
from typing import Final

from foresight.exchange.errors import RecordingError
from foresight.exchange.prices.replay import Recording, parse_recording

_NAME: Final = re.compile(r"^([A-Z0-9]{1,8}?)(?:[-_]?USDT)?(?:[-_]1m)?\.csv(?:\.gz)?$")


def load_recordings(folder: Path) -> list[Recording]:
    """Read every recording of a folder, in order of file name.

    Args:
        folder: Holds files such as ``BTCUSDT-1m.csv.gz`` or ``BTC.csv``.

    Raises:
        RecordingError: There is no such file, two files name one asset, or one is damaged.
    """
    return [_load(asset, path) for asset, path in files_of(folder).items()]


def recorded_assets(folder: Path) -> list[str]:
    """Return the assets of a folder's recordings without reading them, in order of name.

    Raises:
        RecordingError: There is no such file, or two files name one asset.
    """
    return list(files_of(folder))


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files of a folder's recordings by asset, in order of name.

    Raises:
        RecordingError: There is no such file, or two files name one asset.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.csv*")):
        match = _NAME.match(path.name)
        if match is None:
            continue
        asset = match[1]
        if asset in found:
            raise RecordingError(str(path), f"a second file for {asset}")
        found[asset] = path
    if not found:
        raise RecordingError(str(folder), "no <ASSET>USDT-1m.csv or .csv.gz file in it")
    return found


def _load(asset: str, path: Path) -> Recording:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="ascii") as lines:
                return parse_recording(asset, str(path), lines)
        with path.open(encoding="ascii") as lines:
            return parse_recording(asset, str(path), lines)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise RecordingError(str(path), str(error)) from error
