"""What the newest line of the journal says of the record: for a launcher that has to choose.

Owns reading that line as plain JSON, its first 64 KB at most. The line is the commit: where the
record is missing, damaged or behind it, the release of the line is the one that can bring the
record forward. Nothing is judged here; the worker that is started does that. Standard library
only.
"""

from __future__ import annotations

import contextlib
import json
import os

from handoff.light_typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

LINE_BYTES: Final = 64 * 1024  # header and all, but for a line with large inputs
_BLOCK_BYTES: Final = 64 * 1024
_SUFFIX: Final = ".jsonl"
_PARTS: Final = ("ownership", "progress", "rollout")
_WORKERS: Final = ("owner", "last_owner", "previous")
_OF_WORKER: Final = {
    "release": str,
    "host": str,
    "boot_id": str,
    "pid_namespace": str,
    "pid": int,
    "start_ticks": int,
}


def counted_record(home: Path, record: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the record without its bodies as the newest line that counts has it.

    Args:
        home: The state directory.
        record: The record as plain JSON; None where there is none, empty where it is damaged.

    Returns:
        What the line says; of a line too large for that only the owner's release; the record
        where it has gone further, or where no line can be read.
    """
    line = _newest_line(os.path.join(os.fspath(home), "journal"))  # noqa: PTH118 - no pathlib here
    if not line.get("result") or (record and _reached(record) > _reached({"progress": line})):
        return record
    header = as_record(line.get("header"))
    if header.get("ownership"):
        return header
    if not line.get("release") or (record and record.get("digest") == line["result"]):
        return record
    return {"ownership": {"owner": {"release": line["release"]}}}


def as_record(plain: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a file holds
    """Return plain JSON if it has the shape of a record as far as a launcher reads it, else {}.

    One of another shape is damaged: the worker that is started refuses it or repairs it.
    """
    sound = (
        isinstance(plain, dict)
        and all(isinstance(plain.get(name), dict | None) for name in _PARTS)
        and all(_is_worker((plain.get("ownership") or {}).get(name)) for name in _WORKERS)
    )
    return plain if sound else {}


def _is_worker(plain: Any) -> bool:  # noqa: ANN401 - as above
    if plain is None:
        return True
    return isinstance(plain, dict) and all(
        isinstance(plain.get(name), kind) for name, kind in _OF_WORKER.items()
    )


def _reached(record: dict[str, Any]) -> tuple[int, bool]:
    progress = record.get("progress") or {}
    return progress.get("cycle") or 0, progress.get("phase") == "settled"


def _newest_line(journal: str) -> dict[str, Any]:
    try:
        names = [name for name in os.listdir(journal) if name.endswith(_SUFFIX)]  # noqa: PTH208
        for name in sorted(names, key=lambda each: int(each.removesuffix(_SUFFIX)), reverse=True):
            with open(os.path.join(journal, name), "rb") as file:  # noqa: PTH118, PTH123 - as above
                start = _start_of_last(file)
                if start is not None:
                    file.seek(start)
                    return _members(file.read(LINE_BYTES).decode(errors="replace"))
    except (OSError, ValueError):
        pass  # no journal, or names of somebody else's: then the record alone is gone by
    return {}


def _start_of_last(file: Any) -> int | None:  # noqa: ANN401 - a binary file
    """Return where the last complete line of a file begins, or None where there is none."""
    at, ends = file.seek(0, os.SEEK_END), 0
    while at > 0:
        step = min(_BLOCK_BYTES, at)
        at -= step
        file.seek(at)
        block = file.read(step)
        place = len(block)
        while (place := block.rfind(b"\n", 0, place)) >= 0:
            ends += 1
            if ends == 2:  # noqa: PLR2004 - the end of the line before the last one
                return int(at + place + 1)
    return 0 if ends else None


def _members(text: str) -> dict[str, Any]:
    """Return the members of a JSON object that are there as a whole; its end may be cut off."""
    decoder, found, at = json.JSONDecoder(), {}, 1
    with contextlib.suppress(ValueError):
        while text[at : at + 1] == '"':
            name, at = decoder.raw_decode(text, at)
            found[name], at = decoder.raw_decode(text, at + 1)
            at += 1
    return found
