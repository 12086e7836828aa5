"""`python -m tests.cluster`: faults on three members of an etcd and two hosts, and the proof.

Here and not in `bench`, because there is one right outcome; the times are printed beside it. All of
it runs in namespaces of an ordinary user and ends with this process.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.cluster import network
from tests.cluster.faults import Fault
from tests.process import shifted_clock
from tests.process.etcd_server import ABSENT, PROGRAM


def main(argv: list[str] | None = None) -> int:
    """Run a series; return 0 if nothing was lost or done twice."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(words)
    missing = ABSENT if PROGRAM is None else network.FORBIDDEN if not network.can_be() else ""
    if any(arguments.clocks or ()) and shifted_clock.library() is None:
        missing = missing or shifted_clock.ABSENT
    if missing:
        sys.stderr.write(f"error: {missing}\n")
        return 2
    network.enter("tests.cluster", words)
    # Process 1 of its namespace hears nothing that it did not ask for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Loaded late: whoever has not entered the network yet needs none of it.
    from tests.cluster import series  # noqa: PLC0415
    from tests.cluster.report import as_text  # noqa: PLC0415 - as above

    course = series.Course(
        seconds=arguments.seconds,
        seed=arguments.seed,
        outage_s=arguments.outage,
        only=tuple(Fault(each) for each in arguments.only.split(",") if each),
        clocks_ms=arguments.clocks,
    )
    # Not below /tmp: each host has one of its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="cluster-") as folder:
        place = Path(arguments.directory or folder).absolute()
        place.mkdir(exist_ok=True)
        report = series.run(place, course, _say)
    sys.stdout.write(as_text(report) + "\n")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if report["passed"] else 1


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _clocks(text: str) -> tuple[int, int]:
    north, south = map(int, text.split(","))
    return north, south


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long it strikes")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without a majority")
    parser.add_argument("--only", default="", help="faults, by commas, once each in this order")
    parser.add_argument(
        "--clocks", type=_clocks, help="how far ahead each host's is, as in 250,-250 (milliseconds)"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--directory", default="", help="kept, to be looked at")
    parser.add_argument("--json", default="", help="write the whole report here")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
