"""`make cluster`: an etcd of three members, two hosts, a deploy, a host killed, and the proof.

All of it runs in namespaces of an ordinary user and ends with this process.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from foresight.evidence.errors import EvidenceError
from foresight.evidence.narration import Narrator
from tests.cluster import network
from tests.process.etcd_server import ABSENT, PROGRAM

if TYPE_CHECKING:
    from tests.cluster.evidence import Found
    from tests.cluster.stage import Stage

CYCLES: Final = 2  # that are waited for between two acts


def main(argv: list[str] | None = None) -> int:
    """Tell the story; return 0 if the proof holds."""
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument(
        "--trader", action="store_true", help="the trader on three hosts, with one exchange"
    )
    arguments = parser.parse_args(words)
    missing = ABSENT if PROGRAM is None else network.FORBIDDEN if not network.can_be() else ""
    if missing:
        hint = "install etcd-server" if PROGRAM is None else "run it where user namespaces are"
        sys.stderr.write(f"error: {missing}\nhint: {hint}\n")
        return 2
    network.enter("tests.cluster.story", words)
    # Process 1 of its namespace hears nothing that it did not ask for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    narrator = Narrator()
    # Not below /tmp: each host has one of its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="cluster-") as folder:
        try:
            return 0 if _story(narrator, Path(folder), is_trader=arguments.trader).tell() else 1
        except EvidenceError as error:
            narrator.say(f"{narrator.cross} {error}")
            return 1


def _story(narrator: Narrator, place: Path, *, is_trader: bool) -> Told:
    """Return what is told."""
    if not is_trader:
        return Story(narrator, place)
    # Loaded late: whoever has not entered the network yet needs none of it.
    from tests.cluster.trading import TradingStory  # noqa: PLC0415

    return TradingStory(narrator, place)


class Told(Protocol):
    """What is told, and proven."""

    def tell(self) -> bool:
        """Run the whole course; return whether the proof holds."""
        ...


class Story:
    """The course of it.

    Args:
        narrator: Tells it.
        place: A directory for what is written.
    """

    def __init__(self, narrator: Narrator, place: Path) -> None:
        """Nothing runs yet."""
        self._narrator = narrator
        self._place = place

    def tell(self) -> bool:
        """Run the whole course; return whether the proof holds."""
        # Loaded late: whoever has not entered the network yet needs none of it.
        from tests.cluster import evidence  # noqa: PLC0415
        from tests.cluster.faults import Fault  # noqa: PLC0415 - as above
        from tests.cluster.stage import Stage  # noqa: PLC0415 - as above
        from tests.cluster.striking import Blow  # noqa: PLC0415 - as above

        say, detail = self._narrator.say, self._narrator.detail
        self._narrator.heading("three members of an etcd, each with a network of its own")
        with Stage(self._place) as stage:
            detail("spoken to by TLS, with certificates on both sides; an election after 500 ms")
            self._narrator.heading("two hosts, each with processes, boot, name and network")
            stage.up()
            owning, other = stage.owners()
            # The one that was due before there was an owner is nobody's.
            first = stage.cycle_now() + 1
            say(f"{owning.name} owns, a cycle every 5 s; {other.name} follows, and sees nobody")
            self._wait_cycles(stage)
            self._narrator.heading(f"a new release, on {other.name}")
            release = stage.prepare()
            done = stage.deploy(other, release)
            say(f"{done.phase.value}: {other.name} took cycle {done.cycle} before its boundary")
            stage.wait_calm()
            say(f"{owning.name} follows it, with the same release")
            self._wait_cycles(stage)
            owning, other = stage.owners()
            self._narrator.heading(f"{owning.name} loses its power")
            epoch, at_ns = self._epoch(stage), time.time_ns()
            owning.cut_power()
            other.wait(lambda: self._epoch(stage) > epoch, "another owner")
            say(f"{other.name} owns, once the lease of {owning.name} was over")
            stage.boot(owning)
            stage.wait_calm()
            say(f"{owning.name} is back as another boot, and follows")
            self._wait_cycles(stage)
            stage.wait_ends()
            found = evidence.gather(stage, first=first, last=stage.cycle_now() - 1)
        blow = Blow(Fault.OWNER_HOST_KILLED.value, at_ns, at_ns, epoch, "")
        report = evidence.judge(found, [blow], (), ())
        self._prove(found, report)
        return bool(report["passed"])

    def _prove(self, found: Found, report: dict[str, Any]) -> None:
        cycles, orders, takes = report["cycles"], report["orders"], report["takes"]
        takeovers = report["takeovers_s"].get("owners-host-killed", [])
        self._narrator.heading("the proof: by the venue's count and the journals of both hosts")
        self._line(
            not (cycles["skipped"] or cycles["doubled"]),
            f"{cycles['due']} cycles were due and {cycles['decided']} decided, "
            f"{len(cycles['skipped'])} skipped, {len(cycles['doubled'])} twice",
        )
        self._line(
            not (orders["doubled"] or orders["contradicted"] or orders["waiting"]),
            f"{orders['carried_out']} orders were carried out, {len(orders['doubled'])} twice; "
            f"{len(orders['contradicted'])} ended otherwise than was said",
        )
        self._line(
            not takes["late"],
            f"{takes['planned']} planned takeover, "
            f"{takes['least_before_its_boundary_s']} s before its boundary",
        )
        self._line(
            found.same and not cycles["broken_chain"],
            f"both journals say the same in {len(found.lines)} lines, each in a chain of its own",
        )
        bound = report["bounds"]["takeover after a host's death"]
        for seconds in takeovers:
            self._narrator.detail(
                f"another host owned {seconds} s after the death, of {bound['limit_s']:g} s"
            )

    def _line(self, is_so: bool, text: str) -> None:  # noqa: FBT001 - it stands before what it is of
        sign = self._narrator.tick if is_so else self._narrator.cross
        self._narrator.say(f"{sign} {text}")

    def _wait_cycles(self, stage: Stage) -> None:
        last = stage.homes[0].wait_cycles(CYCLES)
        self._narrator.detail(f"cycle {last} is done")

    def _epoch(self, stage: Stage) -> int:
        newest = stage.newest()
        return newest.record.ownership.epoch if newest is not None else 0


if __name__ == "__main__":
    raise SystemExit(main())
