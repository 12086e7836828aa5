"""``python -m foresight.demo``: tell the story, print the proof, leave nothing behind.

Owns the command line, signals and exit codes. After a failure everything is stopped and its
files are kept; after a success, or an interrupt, nothing is.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from foresight.demo.proof import Proof, lateness_text
from foresight.demo.story import FULL, QUICK, Story
from foresight.evidence.errors import CannotBegin, EvidenceError
from foresight.evidence.narration import Narrator
from handoff.child_signals import take_signals
from handoff.exit_codes import ExitCode
from handoff.standard_streams import make_usable

CLAIM_COLUMNS = 16


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; return 0 only if everything that it claims holds."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return ExitCode.USAGE
    make_usable()
    take_signals()
    options = _parser().parse_args(arguments)
    if options.replay is not None and not options.replay.is_dir():
        sys.stderr.write(f"error: {options.replay} is no folder of recorded candles\n")
        return ExitCode.USAGE
    signal.signal(signal.SIGTERM, _interrupt)
    narrator = Narrator()
    replay = None if options.replay is None else options.replay.resolve()
    story = Story(narrator, QUICK if options.quick else FULL, replay)
    try:
        with story:
            proof = story.tell()
    except KeyboardInterrupt:
        narrator.heading("interrupted: everything was stopped and removed")
        story.remove()
        return ExitCode.INTERRUPTED
    except EvidenceError as error:
        return _failed(story, error)
    except BaseException:
        sys.stderr.write(f"kept: {story.directory}\n")
        raise
    _show(narrator, proof)
    if options.json:
        text = json.dumps(proof.numbers, indent=1, default=str)
        options.json.write_text(f"{text}\n", encoding="utf-8")
    if proof.holds:
        story.remove()
        return ExitCode.DONE
    _say_where(story)
    return ExitCode.FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m foresight.demo",
        description="Deploys and faults under load, and the proof of what they did not disturb.",
    )
    parser.add_argument("--replay", type=Path, metavar="DIR", help="folder of recorded candles")
    parser.add_argument("--quick", action="store_true", help="a shorter story, for tests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    return parser


def _interrupt(*_: Any) -> None:  # noqa: ANN401 - what a handler is called with
    raise KeyboardInterrupt


def _failed(story: Story, error: EvidenceError) -> int:
    sys.stderr.write(f"error: {error}\n")
    if error.hint:
        sys.stderr.write(f"hint: {error.hint}\n")
    if isinstance(error, CannotBegin):
        story.remove()
    else:
        _say_where(story)
    return ExitCode.FAILED


def _say_where(story: Story) -> None:
    sys.stderr.write(f"kept: {story.directory} (logs: {story.home / 'logs'})\n")


def _show(narrator: Narrator, proof: Proof) -> None:
    numbers = proof.numbers
    narrator.heading(f"the proof ({numbers['market']} market)")
    for line in proof.lines:
        sign = narrator.tick if line.holds else narrator.cross
        narrator.plain(f"  {sign} {line.claim:<{CLAIM_COLUMNS}} {line.found}")
    narrator.plain("")
    narrator.plain("  lateness, from a boundary to the witness:")
    for row in lateness_text(numbers):
        narrator.plain(f"    {row}")
    wrong = sum(not line.holds for line in proof.lines)
    verdict = "everything holds" if proof.holds else f"{wrong} of these do not hold"
    narrator.plain(f"\n{verdict}; {numbers['seconds']:.0f} s in all")


if __name__ == "__main__":
    raise SystemExit(main())
