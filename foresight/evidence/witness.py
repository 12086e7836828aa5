"""The witness: a process outside the engine that writes down who said to do what, and when.

Owns that process: the pipe's reading end and the file of what came through it, with the time of
arrival by the witness's own clock. It neither knows nor asks the engine, and it outlives whoever
started it, unless it is ended. What a report is is `report`'s matter.

    python -m foresight.evidence.witness PIPE FILE
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from foresight.evidence.errors import CannotBegin

READ_BYTES = 65536
LISTENING = "listening\n"
END_S_MAX = 5.0


class Witness:
    """A witness that listens, as whoever started it has it.

    Args:
        pipe: Where workers report; made if it is not there.
        file: Where they are written down.
    """

    def __init__(self, pipe: Path, file: Path) -> None:
        """Start it, and wait until it listens.

        Raises:
            CannotBegin: It does not.
        """
        if not pipe.exists():
            os.mkfifo(pipe, 0o600)
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-m", "foresight.evidence.witness", str(pipe), str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._child.pid
        assert self._child.stdout is not None, "a pipe was asked for"
        if self._child.stdout.readline() != LISTENING:
            self.end()
            what = "the witness did not start"
            raise CannotBegin(what, "its words are above")

    def end(self) -> None:
        """End it."""
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()


def main(arguments: list[str]) -> int:
    """Write down every report until killed."""
    pipe, file = map(Path, arguments)
    # Open for writing too: without a writer of its own a pipe ends with its last other one.
    reading = os.open(pipe, os.O_RDWR)
    kept = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.write(LISTENING)
    sys.stdout.flush()
    rest = b""
    while True:
        data = os.read(reading, READ_BYTES)
        at_ns = time.time_ns()
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line) | {"at_ns": at_ns}
            os.write(kept, json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
