"""A bot whose worker has an effect, and whose versions differ in what the tests give in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy import requests
from tests.process.bot import Bot, end

if TYPE_CHECKING:
    from pathlib import Path

    from deploy import history
    from handoff.gate_verdict import GateVerdict

WORKER: Final = '''"""Counts its cycles and tells somebody: a line in a file, which can be asked."""

import os
import time
from pathlib import Path

import msgspec

from handoff import Absent, Context, Decision, Workload, effect, every, receipt
from state.record import Outcome
from state.schema import Schema

VERSION = {version!r}
TOLD = Path({told!r})


class Counted(msgspec.Struct):
    cycles: int = 0
{fields}

class Counter(Workload[Counted, int]):
    body = Schema("counted", {schema}, Counted, up={up}, down={down})
    inputs = Schema("number", 1, int)
    cadence = every(0.5)
    effect_kinds = {{kind: Schema(kind, 1, int) for kind in {kinds!r}}}

    async def observe(self, cycle, body):
{observe}
        return cycle.number

    def decide(self, cycle, body, inputs, receipts):
        amount = 1
{decide}
        body.cycles += 1
        told = effect("tell", effect_id=f"tell-{{cycle.number}}", payload=amount)
        return Decision(body=body, effects=[told])

    async def perform(self, effect):
        descriptor = os.open(TOLD, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{{effect.effect_id}} {{os.getpid()}} {{VERSION}}\\n".encode())
        os.close(descriptor)
        return receipt(effect, Outcome.CONFIRMED)

    async def resolve(self, effect):
        lines = TOLD.read_text().splitlines() if TOLD.exists() else []
        if any(line.split()[0] == effect.effect_id for line in lines):
            return receipt(effect, Outcome.CONFIRMED)
        return Absent(repeatable=True)
{appraise}

def create(context: Context) -> Counter:
    return Counter()
'''


class Teller(Bot):
    """A bot whose worker tells somebody; what differs between its versions is given in words.

    Attributes:
        told: What was told, a line for each time: a witness outside the engine.
    """

    @property
    def told(self) -> Path:
        """Return where the worker tells."""
        return self.home.with_name("told")

    def version(
        self,
        version: str,
        *,
        decide: str = "",
        observe: str = "",
        fields: str = "",
        schema: int = 1,
        up: str = "None",
        down: str = "None",
        kinds: tuple[str, ...] = ("tell",),
        appraise: str = "",
    ) -> str:
        """Commit a version of the worker; return the commit."""
        text = WORKER.format(
            version=version,
            told=str(self.told),
            observe="".join(f"        {line}\n" for line in observe.splitlines()),
            decide="".join(f"        {line}\n" for line in decide.splitlines()),
            fields="".join(f"    {line}\n" for line in fields.splitlines()),
            schema=schema,
            up=up,
            down=down,
            kinds=kinds,
            appraise=appraise,
        )
        self.project.write("worker.py", text)
        return self.project.commit(f"Version {version}")

    def run(self, commit: str, *, wait: bool = True, **asked: Any) -> history.Entry:  # noqa: ANN401 - fields of a request
        """Deploy a commit and wait for the end; return its history."""
        deploy = self.request(commit, **asked)
        if not wait:
            self.wait(lambda: self.current() is not None, "the deploy")
            current = self.current()
            assert current is not None
            return msgspec.structs.replace(current, deploy=deploy)
        self.wait(lambda: self._ended(deploy) is not None, f"the end of {deploy}")
        ended = self._ended(deploy)
        assert ended is not None
        return ended

    def run_cycles(self, cycles: int) -> None:
        """Wait for so many more cycles."""
        last = self.cycle() + cycles
        self.wait(lambda: self.cycle() >= last, f"cycle {last}")

    def abort(self, deploy: str) -> None:
        """Ask for the end of a deploy."""
        requests.ask_abort(self.home, deploy, "mia")

    def under_way(self) -> bool:
        """Tell whether any deploy has not ended."""
        return bool(requests.open_requests(self.home))

    def kill_owner(self) -> None:
        """Kill the owner."""
        record = self.record()
        assert record is not None
        assert record.ownership.owner is not None
        end(record.ownership.owner.pid)

    def body(self) -> dict[str, object]:
        """Return the body as plain JSON."""
        record = self.record()
        assert record is not None
        return msgspec.json.decode(record.body, type=dict[str, object])

    def _ended(self, deploy: str) -> history.Entry | None:
        return next((each for each in self.deploys() if each.deploy == deploy), None)


def gate(entry: history.Entry, name: str) -> GateVerdict:
    """Return what a gate said in a deploy."""
    return next(each for each in entry.gates if each.name == name)
