"""Recorded cycles decided again by the release that wants to run, through the real deployer.

A release that decides otherwise is seen before it owns anything: by the running release's own
code, from recorded inputs, without a venue.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from deploy import history
from foresight.backtest import gate as gate_program
from handoff.gate_verdict import GateName, GateResult
from handoff.wish import Trial
from tests.process.teller import Teller, gate

if TYPE_CHECKING:
    from collections.abc import Iterator

# A word more is worth one and a half, if its cycle's inputs came with it.
APPRAISE: Final = """
    def appraise(self, body, cycles):
        from handoff import Appraisal, payload_of

        earned = changed = 0
        for each in cycles:
            for was, now in zip(each.decided, each.wanted, strict=True):
                more = payload_of(now, int) - payload_of(was, int)
                earned += more * 1_500_000 * (each.inputs == each.cycle.number)
                changed += more != 0
        return Appraisal(of="words", changed=changed, amount_micro=earned, unit="coins")
"""

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teller]:
    """A bot that has run twenty cycles of a release that is pure, and never decides otherwise."""
    with Teller(Path(tmp_path_factory.mktemp("teller"))) as bot:
        bot.version("1")
        bot.up()
        bot.run_cycles(20)
        yield bot


def test_a_release_that_decides_alike_passes_with_the_count(teller: Teller) -> None:
    ended = teller.run(teller.version("alike"))
    assert ended.outcome == history.Outcome.PERMANENT, ended
    said = gate(ended, GateName.REPLAY)
    assert said.result == GateResult.PASSED
    assert ", 0 differ" in said.evidence
    assert int(said.evidence.split()[0]) >= 20, "every cycle since the first checkpoint"
    assert gate(ended, GateName.EFFECTS).result == GateResult.PASSED
    assert 0 < ended.phases["replaying"] < 60


def test_a_release_that_decides_a_third_otherwise_is_refused_with_the_numbers(
    tmp_path: Path,
) -> None:
    """It never got a process of its own: the owner is not disturbed."""
    with Teller(tmp_path) as bot:
        live = bot.version("1")
        bot.up()
        bot.run_cycles(20)
        differs = bot.version(
            "differs", decide="amount = 2 if cycle.number % 10 < 3 else 1", appraise=APPRAISE
        )
        ended = bot.run(differs)
        assert ended.outcome == history.Outcome.REFUSED, ended
        assert "recorded cycles are decided otherwise" in ended.reason
        assert "at most 25%" in ended.reason
        assert "payload of tell-" in ended.reason
        assert "was 1, is 2" in ended.reason
        assert bot.live() == live
        assert "starting" not in ended.phases
        accepted = bot.run(differs, allow_differences=True)
        assert accepted.outcome == history.Outcome.PERMANENT, accepted
        evidence = gate(accepted, GateName.REPLAY).evidence
        differ = int(evidence.split()[2])
        assert differ > 0
        earned = f"{differ} changed words; the difference would have earned +{differ * 1.5:.2f}"
        assert f" cycles, {differ} differ ({earned} coins)" in evidence


def test_a_release_that_raises_on_a_recorded_cycle_is_refused_whatever_is_allowed(
    teller: Teller,
) -> None:
    ended = teller.run(
        teller.version("raises", decide="if inputs % 10 == 7: raise KeyError('nothing')"),
        allow_differences=True,
        replay_differ_max=1.0,
    )
    assert ended.outcome == history.Outcome.REFUSED, ended
    assert "cannot be decided; cycle " in ended.reason
    assert "decide raised KeyError: 'nothing'" in ended.reason


def test_a_release_that_dies_of_a_recorded_cycle_is_refused(teller: Teller) -> None:
    ended = teller.run(
        teller.version("dies", decide="import os; os._exit(7)"), allow_differences=True
    )
    assert ended.outcome == history.Outcome.REFUSED, ended
    assert "replay: exit code 7" in ended.reason


@pytest.mark.parametrize("allow_differences", [False, True])
def test_a_release_that_ends_well_without_a_word_is_refused(
    teller: Teller, *, allow_differences: bool
) -> None:
    """Its exit status says that all is well; nothing was decided, and nobody else is to blame."""
    silent = teller.version(f"silent {allow_differences}", decide="import os; os._exit(0)")
    ended = teller.run(silent, allow_differences=allow_differences)
    assert ended.outcome == history.Outcome.REFUSED, ended
    assert ended.reason == "replay: it ended without an answer"


def test_what_tries_both_releases_is_asked_after_the_replay_and_may_refuse(
    teller: Teller,
) -> None:
    """It finds no recording here: evidence that is not there refuses nobody, a limit does."""
    told = gate_program.arguments_of(
        teller.home / "nowhere", days=1, period_s=0.5, limit_cents=None
    )
    wished = Trial(program=gate_program.PROGRAM, arguments=told, refuses=True)
    live = teller.live()
    ended = teller.run(teller.version("tried"), trial=wished)
    assert ended.outcome == history.Outcome.REFUSED, ended
    assert ended.reason.startswith("backtest: it cannot be told: ")
    assert [each.name for each in ended.gates][-3:] == ["replay", "effects", "backtest"]
    assert "starting" not in ended.phases
    assert teller.live() == live
    again = teller.run(
        teller.version("tried again"), trial=msgspec.structs.replace(wished, refuses=False)
    )
    assert again.outcome == history.Outcome.PERMANENT, again
    said = gate(again, GateName.BACKTEST)
    assert said.result == GateResult.SKIPPED
    assert "no <ASSET>USDT-1m.csv" in said.reason
    assert 0 < again.phases["backtesting"] < 60


def test_a_changed_shape_without_a_new_version_is_refused(teller: Teller) -> None:
    ended = teller.run(teller.version("shape", fields="seen: int = 0"))
    assert ended.outcome == history.Outcome.REFUSED, ended
    assert "the shape of counted changed without a new version" in ended.reason


def test_an_impure_running_release_is_reported_and_its_successor_needs_a_word(
    tmp_path: Path,
) -> None:
    """What it decided cannot be decided again, so nothing can be compared with it."""
    with Teller(tmp_path) as bot:
        bot.version("impure", decide="amount = time.time_ns()")
        bot.up()
        bot.run_cycles(6)
        pure = bot.version("pure")
        ended = bot.run(pure)
        assert ended.outcome == history.Outcome.REFUSED, ended
        assert "is not pure" in ended.reason
        again = bot.run(pure, allow_differences=True)
        assert again.outcome == history.Outcome.PERMANENT, again
