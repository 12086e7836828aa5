"""The witness: a process outside the engine that writes down who said to do what, and when.

Owns the pipe's reading end and the file of what came through it, with the time of arrival by
the witness's own clock. It neither knows nor asks the engine, so a cycle that the engine loses
or runs twice shows here, whatever the engine believes. What the reports add up to is `count`'s
matter.

    python -m foresight.evidence.witness PIPE FILE
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from foresight.evidence.count import Report

READ_BYTES = 65536


def main(arguments: list[str]) -> int:
    """Write down every report until killed."""
    pipe, file = map(Path, arguments)
    # Open for writing too: without a writer of its own a pipe ends with its last other one.
    reading = os.open(pipe, os.O_RDWR)
    kept = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    rest = b""
    while True:
        data = os.read(reading, READ_BYTES)
        at_ns = time.time_ns()
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line) | {"at_ns": at_ns}
            os.write(kept, json.dumps(said).encode() + b"\n")


def reports_in(file: Path) -> list[Report]:
    """Return what the witness has written so far, in order of arrival."""
    data = file.read_bytes() if file.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    return [Report(**json.loads(line)) for line in whole.splitlines()]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
