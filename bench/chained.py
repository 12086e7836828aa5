"""The worker that the soak deploys: a body that proves its own history.

Owns the hash chain over (chain, cycle, inputs), the stamp of the release's version and the
reports to the witness. Every release of the soak is a copy of this file with another
`settings.json` beside it. Inputs are random on purpose: a cycle decided twice from two
observations, or out of order, breaks the chain.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from typing_extensions import override

from foresight.evidence.report import Report, Reporter, was_performed
from handoff import Absent, Context, Cycle, Decision, Unavailable, Workload, effect, every, receipt
from state.record import Effect, Outcome, Receipt
from state.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one release from another.

    Attributes:
        version: Stamped into the body.
        witness: Path of the witness's file.
        period_s: Length of a cycle.
        body_bytes: Size of the body, roughly.
        boot_s: How long the import takes on top of what it takes anyway.
        step_s: The same of observing, deciding and performing: room to be killed in.
    """

    version: str
    witness: str
    period_s: float = 0.5
    body_bytes: int = 256 * 1024
    boot_s: float = 0.0
    step_s: float = 0.0


class Reading(msgspec.Struct, frozen=True):
    """One observation: nothing that could be guessed or repeated."""

    nonce: str


class Body(msgspec.Struct):
    """What must survive every deploy.

    Attributes:
        version: Of the release that decided last.
        chain: SHA-256 over the chain before, the cycle and its inputs.
        links: Cycles decided.
        confirmed: Effects known to have been carried out.
        ballast: Fills the body up; another one in every cycle.
    """

    version: str = ""
    chain: str = ""
    links: int = 0
    confirmed: int = 0
    ballast: str = ""


SettingsT = TypeVar("SettingsT", bound=Settings)


def settings_beside(module: str, kind: type[SettingsT]) -> SettingsT:
    """Read the settings of the release that a module belongs to."""
    return msgspec.json.decode(Path(module).with_name("settings.json").read_bytes(), type=kind)


def next_link(chain: str, cycle: int, inputs: bytes) -> str:
    """Return the chain after a cycle with these inputs, as they are recorded."""
    return hashlib.sha256(f"{chain} {cycle} ".encode() + inputs).hexdigest()


class Chained(Workload[Body, Reading]):
    """Extends the chain once a cycle and tells the witness."""

    body = Schema("bench.chained", 1, Body)
    inputs = Schema("bench.reading", 1, Reading)

    def __init__(self, context: Context, settings: Settings) -> None:
        """Open the witness's file."""
        self.settings = settings
        self.cadence = every(settings.period_s)
        self._release = context.release
        self._reporter = Reporter(Path(settings.witness))

    @override
    async def observe(self, cycle: Cycle, body: Body) -> Reading | Unavailable:
        self.tell("observe", cycle.number)
        await asyncio.sleep(self.settings.step_s)
        return Reading(secrets.token_hex(16))

    @override
    def decide(
        self,
        cycle: Cycle,
        body: Body,
        inputs: Reading | Unavailable,
        receipts: Sequence[Receipt],
    ) -> Decision[Body]:
        self.tell("decide", cycle.number)
        time.sleep(self.settings.step_s)
        recorded = b"null" if isinstance(inputs, Unavailable) else bytes(self.inputs.encode(inputs))
        chain = next_link(body.chain, cycle.number, recorded)
        confirmed = [each for each in receipts if each.outcome is Outcome.CONFIRMED]
        after = Body(
            version=self.settings.version,
            chain=chain,
            links=body.links + 1,
            confirmed=body.confirmed + len(confirmed),
            ballast=chain * (self.settings.body_bytes // len(chain)),
        )
        tick = effect("tick", effect_id=f"tick-{cycle.number}", payload=cycle.number)
        self.tell("decided", cycle.number)
        return Decision(body=after, effects=[tick])

    @override
    async def perform(self, effect: Effect) -> Receipt:
        self.tell("perform", cycle_in(effect))
        await asyncio.sleep(self.settings.step_s)
        self.tell("performed", cycle_in(effect))
        return receipt(effect, Outcome.CONFIRMED)

    @override
    async def resolve(self, effect: Effect) -> Receipt | Absent:
        """Look into the witness's file: it is the outside world, and it can be asked."""
        if was_performed(Path(self.settings.witness), cycle_in(effect)):
            return receipt(effect, Outcome.CONFIRMED, reason="found")
        # A write of a dead process is in the file or will never be: none is under way.
        return Absent(repeatable=True)

    @override
    async def close(self) -> None:
        self._reporter.close()

    def tell(self, kind: str, cycle: int) -> None:
        """Report to the witness."""
        self._reporter.report(Report(kind, cycle, os.getpid(), self._release, time.time_ns()))


def cycle_in(effect: Effect) -> int:
    """Return the cycle that an effect was planned in."""
    return int(msgspec.json.decode(effect.payload, type=int))


def create(context: Context) -> Chained:
    """Make the one workload of a worker."""
    settings = settings_beside(__file__, Settings)
    time.sleep(settings.boot_s)
    return Chained(context, settings)
