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
from deploy.gates import Gate, GateName, GateResult
from tests.process.bot import Bot

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]

WORKER: Final = '''"""Counts its cycles and tells somebody."""

import time

import msgspec

from handoff import Context, Decision, Workload, effect, every, receipt
from state.record import Outcome
from state.schema import Schema

VERSION = {version!r}


class Counted(msgspec.Struct):
    cycles: int = 0
{fields}

class Counter(Workload[Counted, int]):
    body = Schema("counted", {schema}, Counted, up={up}, down={down})
    inputs = Schema("number", 1, int)
    cadence = every(0.5)
    effect_kinds = {{kind: Schema(kind, 1, int) for kind in {kinds!r}}}

    async def observe(self, cycle, body):
        return cycle.number

    def decide(self, cycle, body, inputs, receipts):
        amount = 1
{decide}
        body.cycles += 1
        told = effect("tell", effect_id=f"tell-{{cycle.number}}", payload=amount)
        return Decision(body=body, effects=[told])

    async def perform(self, effect):
        return receipt(effect, Outcome.CONFIRMED)


def create(context: Context) -> Counter:
    return Counter()
'''


class Teller(Bot):
    """A bot whose worker tells somebody; what differs between its versions is given in words."""

    def version(  # noqa: PLR0913 - each says one thing about the worker
        self,
        version: str,
        *,
        decide: str = "",
        fields: str = "",
        schema: int = 1,
        up: str = "None",
        down: str = "None",
        kinds: tuple[str, ...] = ("tell",),
    ) -> str:
        """Commit a version of the worker; return the commit."""
        text = WORKER.format(
            version=version,
            decide="".join(f"        {line}\n" for line in decide.splitlines()),
            fields="".join(f"    {line}\n" for line in fields.splitlines()),
            schema=schema,
            up=up,
            down=down,
            kinds=kinds,
        )
        self.project.write("worker.py", text)
        return self.project.commit(f"Version {version}")

    def run(self, commit: str, **asked: object) -> history.Entry:
        """Deploy a commit and wait for the end; return its history."""
        deploy = self.request(commit, **asked)
        self.wait(lambda: self._ended(deploy) is not None, f"the end of {deploy}")
        ended = self._ended(deploy)
        assert ended is not None
        return ended

    def run_cycles(self, cycles: int) -> None:
        """Wait for so many more cycles."""
        last = self.cycle() + cycles
        self.wait(lambda: self.cycle() >= last, f"cycle {last}")

    def body(self) -> dict[str, object]:
        """Return the body as plain JSON."""
        record = self.record()
        assert record is not None
        return msgspec.json.decode(record.body, type=dict[str, object])

    def _ended(self, deploy: str) -> history.Entry | None:
        return next((each for each in self.deploys() if each.deploy == deploy), None)


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teller]:
    """A bot that has run twenty cycles of a release that is pure."""
    with Teller(Path(tmp_path_factory.mktemp("teller"))) as bot:
        bot.version("1")
        bot.up()
        bot.run_cycles(20)
        yield bot


def gate(entry: history.Entry, name: str) -> Gate:
    """Return what a gate said in a deploy."""
    return next(each for each in entry.gates if each.name == name)


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
    teller: Teller,
) -> None:
    """It never got a process of its own: the owner is not disturbed."""
    live = teller.live()
    differs = teller.version("differs", decide="amount = 2 if cycle.number % 10 < 3 else 1")
    ended = teller.run(differs)
    assert ended.outcome == history.Outcome.REFUSED, ended
    assert "recorded cycles are decided otherwise" in ended.reason
    assert "at most 25%" in ended.reason
    assert "payload of tell-" in ended.reason
    assert "was 1, is 2" in ended.reason
    assert teller.live() == live
    assert "starting" not in ended.phases
    accepted = teller.run(differs, allow_differences=True)
    assert accepted.outcome == history.Outcome.PERMANENT, accepted
    assert "differ" in gate(accepted, GateName.REPLAY).evidence


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
