"""A bot whose launcher, worker and commands each come from a release of their own choice.

Every commit of its project carries an engine, as Foresight's own commits do, so that a release is
old or new whatever deploys it. The worker signs for each cycle in a file outside of the home: what
really was done is counted there, and not by the code under test.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any, Final

from deploy import engine
from handoff.exit_codes import ExitCode
from state.cycle_audit import effective
from state.journal_reader import read_lines
from tests.process.bot import Bot, end
from tests.upgrade.engines import Engines, Installation

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import WorkerId

APP: Final = "signed"
BODY: Final = "class Signed(msgspec.Struct):\n    cycles: int = 0\n"
SCHEMA: Final = 'Schema("signed", 1, Signed)'
NAMES: Final = ("previous", "this")

WORKER: Final = '''"""Leaves its book as it is, and signs for every cycle."""

import os

import msgspec

from handoff import Absent, Context, Decision, Unknown, Workload
from handoff import effect, every, payload_of, receipt
from state.record import Outcome
from state.schema import Schema


{body}

class Signer(Workload):
    body = {schema}
    inputs = Schema("number", 1, int)
    cadence = every(0.5)
    effect_kinds = {{"sign": Schema("sign", 1, int)}}

    def __init__(self, release):
        self.release = release

    async def observe(self, cycle, body):
{observe}
        return cycle.number

    def decide(self, cycle, body, inputs, receipts):
{decide}
        signed = effect("sign", effect_id=f"sign-{{cycle.number}}", payload=cycle.number)
        return Decision(body=body, effects=[signed])

    async def perform(self, effect):
        with open({witness!r}, "ab", 0) as file:
            file.write(f"{{effect.effect_id}} {{self.release}}\\n".encode())
        return receipt(effect, Outcome.CONFIRMED)

    async def resolve(self, effect):
        if not payload_of(effect, int):
            return Unknown("no cycle of ours")
        with open({witness!r}, encoding="ascii") as file:
            if effect.effect_id in [line.split()[0] for line in file]:
                return receipt(effect, Outcome.CONFIRMED)
        # Who asks does so because the one before is dead: nothing is still under way.
        return Absent(repeatable=True)


def create(context: Context) -> Signer:
    return Signer(context.release)
'''

# What `foresight up` does, for an application of our own: build, configure, become the launcher.
UP: Final = """
import os, sys
from pathlib import Path
from deploy import releases_dir
from deploy.git_tree import GitTree
from handoff.engine_config import EngineConfig, write_engine_config
from handoff.launcher_process import command
from handoff.plain import prepare_home
home, app, project, first = Path(sys.argv[1]), *sys.argv[2:]
prepare_home(home)
if not first:
    repository = GitTree(Path(project))
    first = releases_dir.build(home, repository, repository.commit("HEAD")).release
told = tuple((name, os.environ[name]) for name in os.environ if name.startswith("HANDOFF_"))
write_engine_config(home, EngineConfig(app=app, first_release=first, environment=told))
program = command(home)
os.execv(program[0], program)
"""

LAUNCH: Final = """
import os, sys
from pathlib import Path
from handoff.launcher_process import command
program = command(Path(sys.argv[1]))
os.execv(program[0], program)
"""


def holds(checked: dict[str, Any]) -> bool:
    """Tell whether `cycles --check` found nothing wrong.

    An owner of 0.2.0 does not say when it was asked to leave: cycles that began between that and
    its release are not decided, and count as due before the stop.
    """
    begun = "begun before the planned stop"
    return checked["ok"] or all(begun in fault for fault in checked["faults"])


class Mixed(Bot):
    """A home whose processes may come from either release; everything ends with the context."""

    def __init__(self, directory: Path, engines: Engines) -> None:
        super().__init__(directory)
        self.engines = engines
        self.witness = directory / "witness"
        self.installations = {
            name: Installation(directory / "installed" / name, engines.of(name)) for name in NAMES
        }
        config = f'[engine]\napp = "{APP}"\nhome = "{self.home}"\nperiod_s = 0.5\nbake = 1\n'
        self.project.write("foresight.toml", config)

    def carry(
        self,
        name: str,
        *,
        body: str = BODY,
        schema: str = SCHEMA,
        observe: str = "",
        decide: str = "",
    ) -> str:
        """Commit a worker with the engine named; return the commit."""
        for package in engine.PACKAGES:
            shutil.rmtree(self.project.path / package, ignore_errors=True)
            source = self.engines.of(name) / package
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, self.project.path / package, ignore=ignored)
        text = WORKER.format(
            body=body,
            schema=schema,
            observe=f"        {observe}",
            decide=f"        {decide}",
            witness=str(self.witness),
        )
        self.project.write("worker.py", text)
        return self.project.commit(f"Carry the engine of {name}")

    # --- running -------------------------------------------------------------------

    def launch(self, installation: Installation) -> None:
        """Start a launcher of an installation; wait until it runs cycles."""
        record = self.record()
        held = (record.ownership.owner or record.ownership.last_owner) if record else None
        first = held.release if held is not None else ""
        before = self.cycle()
        arguments = [str(self.home), APP, str(self.project.path), first]
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        with (self.home / "logs" / "launcher.log").open("ab") as log:
            self._launcher = subprocess.Popen(
                installation.python_command(UP, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        self.wait(lambda: self.cycle() > before, "a cycle")
        self.wait(lambda: any(child["owner"] for child in self.children()), "an owner")

    def relaunch(self, installation: Installation) -> None:
        """Start a launcher of an installation with the configuration as it is."""
        with (self.home / "logs" / "launcher.log").open("ab") as log:
            self._launcher = subprocess.Popen(
                installation.python_command(LAUNCH, str(self.home)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        self.wait(lambda: bool(self.children()), "an answer")

    def signal_launcher(self, number: int) -> None:
        """Send the launcher a signal."""
        os.kill(self.launcher_pid(), number)

    def replace_launcher(self) -> None:
        """Let the launcher become whatever its installation holds now."""
        before = self.events("launcher_replaced")
        self.signal_launcher(signal.SIGUSR2)
        self.wait(lambda: self.events("launcher_replaced") > before, "the launcher's new image")

    def run_cycles(self, cycles: int) -> None:
        """Wait for so many more cycles."""
        last = self.cycle() + cycles
        self.wait(lambda: self.cycle() >= last, f"cycle {last}")

    def kill_owner(self) -> None:
        """Kill the owner and wait for the next one."""
        before = self.owner()
        end(before.pid)
        self.wait(lambda: self.owner_now() not in (None, before), "the next owner")

    def down(self, name: str) -> None:
        """Stop by the command of the release named."""
        self.said(name, "down")
        assert self._launcher is not None
        assert self._launcher.wait(60) == 0
        self._launcher = None

    # --- commands ------------------------------------------------------------------

    def foresight(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the release named."""
        return self.installations[name].foresight(
            self.project.path, *words, environment=dict(os.environ)
        )

    def said(self, name: str, *words: str) -> list[Any]:
        """Run a command of the release named, which must succeed; return its JSON lines."""
        done = self.foresight(name, *words)
        assert done.returncode == ExitCode.DONE, f"{words}: {done.stdout}\n{done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    # --- looking -------------------------------------------------------------------

    def owner_now(self) -> WorkerId | None:
        """Return the owner, if there is one at this moment."""
        record = self.record()
        return record.ownership.owner if record is not None else None

    def owner(self) -> WorkerId:
        """Return the owner."""
        found = self.owner_now()
        assert found is not None
        return found

    def pids(self) -> list[int]:
        """Return the pids of the launcher's children."""
        return [int(child["pid"]) for child in self.children()]

    def launcher_log(self) -> str:
        """Return what the launchers said."""
        return (self.home / "logs" / "launcher.log").read_text(encoding="utf-8")

    def events(self, event: str) -> int:
        """Return how often the launchers wrote an event into their log."""
        said = self.launcher_log().splitlines()
        lines = (json.loads(line) for line in said if line.startswith("{"))
        return sum(line.get("event") == event for line in lines)

    def verify(self) -> list[str]:
        """Prove the state by the commands of both releases; return who decided, in order.

        Nothing may run. The journal and the signatures outside of it must say the same.
        """
        happened = effective(read_lines(self.home / "journal"))
        decided = [line for line in happened if line.kind == "decide"]
        for name in NAMES:
            # What `holds` lets pass is a fault to the command itself.
            checked = json.loads(self.foresight(name, "cycles", "--check", "--json").stdout)
            assert (holds(checked), checked["decided"]) == (True, len(decided)), checked
            (proven,) = self.said(name, "state", "verify", "--json")
            assert (proven["ok"], proven["recomputed"]["checked"]) == (True, len(decided)), proven
        signatures = self.witness.read_text(encoding="ascii").splitlines()
        assert signatures == [f"sign-{line.cycle} {line.release}" for line in decided]
        cycles = [line.cycle for line in decided]
        assert cycles == list(range(cycles[0], cycles[0] + len(cycles))), "each one, once"
        return [release for release, _ in itertools.groupby(line.release for line in decided)]
