"""A program of the application that tries two releases: what its end means to the deploy."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from deploy import trial
from handoff.gate_verdict import GateName, GateResult, GateVerdict, passed
from handoff.wish import Trial

if TYPE_CHECKING:
    from pathlib import Path

ANSWER: Final = msgspec.json.encode(passed(GateName.BACKTEST, "it earns as much")).decode()
FAULTS: Final = [
    ("echo 'no candles there' >&2; exit 2", "no candles there"),
    ("exit 7", "exit code 7"),
    ("exit 0", "it ended without an answer"),
]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asks:
    return Asks(tmp_path, monkeypatch)


class Asks:
    """Runs a script in the place of the interpreter, and keeps what it was told."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.program = home / "python"
        monkeypatch.setattr(sys, "executable", str(self.program))

    def __call__(
        self, script: str, *, refuses: bool = False, limit_s: float = 10.0, stops: bool = False
    ) -> GateVerdict:
        told = shlex.quote(str(self.home / "told"))
        self.program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\n{script}\n')
        self.program.chmod(0o700)
        return trial.tried(
            self.home,
            Trial(program="own.gate", arguments=("--days", "2"), refuses=refuses),
            "r1",
            "r2",
            stop=lambda: stops,
            limit_s=limit_s,
        )


def test_its_verdict_is_the_gates_and_it_was_told_both_releases(ask: Asks) -> None:
    told = ask(f"echo {shlex.quote(ANSWER)}")
    assert (told.name, told.result, told.evidence) == ("backtest", "passed", "it earns as much")
    assert told.seconds > 0
    words = (ask.home / "told").read_text(encoding="utf-8").splitlines()
    assert words[:5] == ["-I", "-m", "own.gate", "--days", "2"]
    asked = ["--home", str(ask.home), "--running", "r1", "--candidate", "r2"]
    assert words[5:] == asked


@pytest.mark.parametrize(("script", "words"), FAULTS)
def test_what_cannot_be_told_is_refused_only_where_that_was_wished(
    ask: Asks, script: str, words: str
) -> None:
    """Evidence that is not there refuses nobody; a limit that nobody could check would."""
    skipped = ask(script)
    assert (skipped.result, skipped.reason) == (
        GateResult.SKIPPED,
        f"it cannot be told: {words}",
    )
    refused = ask(script, refuses=True)
    assert (refused.result, refused.reason) == (GateResult.FAILED, skipped.reason)
    assert refused.name == skipped.name == "backtest"


def test_one_that_takes_too_long_is_ended_and_says_so(ask: Asks) -> None:
    told = ask("sleep 60", refuses=True, limit_s=0.3)
    assert told.result == GateResult.FAILED
    assert told.reason == "it cannot be told: it took longer than 0.3 s"


def test_a_deploy_that_somebody_ends_does_not_wait_for_it(ask: Asks) -> None:
    """Nor is the release to blame for that."""
    told = ask("sleep 60", refuses=True, stops=True)
    assert (told.result, told.reason) == (GateResult.SKIPPED, "interrupted")
