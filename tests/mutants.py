"""Break one rule at a time and see that a test notices.

`python -m tests.mutants` applies each mutant to a copy of the tree, runs there the one test that
is named for it, and exits 1 if that test still passes: the rule would then be held by nobody.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path("state/transitions.py")
REQUIREMENTS = Path("state/requirements.py")
OUTBOX = Path("state/outbox.py")
TESTS = "tests/core/test_transitions.py"
# With the helpers of the tests; not with their conftest.py, which prepares a whole session.
COPIED = (
    *("state", "handoff", "deploy", "foresight", "tests/core", "pyproject.toml"),
    *("tests/records.py", "tests/homes.py", "tests/faulty_files.py", "tests/power_cut.py"),
    *("tests/trading_values.py", "tests/backtest"),
    *("tests/put_back.py", "tests/engine_world.py", "tests/owner_world.py"),
    *("tests/worker_world.py", "tests/shared_world.py", "tests/exchange/test_desk.py"),
    *("tests/process/test_release_commands.py", "tests/crash/conftest.py"),
    *("tests/etcd_model.py", "tests/deploy_hosts.py"),
    *("tests/elsewhere.py", "tests/process/etcd_proxy.py", "tests/process/etcd_server.py"),
    *("tests/process/test_etcd_access.py", "tests/process/test_etcd_lease.py"),
    *("tests/process/test_etcd_store.py", "tests/process/conftest.py"),
    *("tests/process/etcd_door.py", "tests/process/test_etcd_put_back.py"),
    *("tests/crash/test_power_cut.py", "tests/crash/test_record_put_back.py"),
)
JOBS = 2
TEST_TIMEOUT_S = 120
FAILED_TESTS = 1  # pytest's exit code where tests ran and some failed; any other is our mistake


class Mutant(NamedTuple):
    """One broken rule.

    Attributes:
        name: What is broken, in words.
        source: The text that holds the rule; it occurs once.
        replacement: What stands there instead.
        test: Name of the test that must fail.
        target: The module.
        tests: The test's file.
    """

    name: str
    source: str
    replacement: str
    test: str
    target: Path = TARGET
    tests: str = TESTS


_REFUSED = "test_what_is_not_allowed_is_refused_and_changes_nothing"

CORE_MUTANTS = (
    Mutant(
        "epoch stands still",
        "epoch=held.epoch + 1,",
        "epoch=held.epoch,",
        "test_take_makes_the_candidate_owner_from_the_next_cycle_and_leaves_the_body",
    ),
    Mutant(
        "epoch is not checked",
        "if held.epoch != epoch or held.owner != worker:",
        "if held.owner != worker:",
        f"{_REFUSED}[decide with an old epoch]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "any worker writes with the right epoch",
        "if held.epoch != epoch or held.owner != worker:",
        "if held.epoch != epoch:",
        f"{_REFUSED}[decide by another worker]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "a living owner is seized",
        "if held.owner is not None and proof is Proof.NONE:",
        "if held.owner is not None and proof is None:",
        f"{_REFUSED}[seize without proof]",
    ),
    Mutant(
        "a cycle is skipped",
        "if cycle != record.progress.cycle + 1:",
        "if cycle <= record.progress.cycle:",
        f"{_REFUSED}[decide beyond the next]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "a cycle is decided again",
        "if cycle != record.progress.cycle + 1:",
        "if cycle > record.progress.cycle + 1:",
        f"{_REFUSED}[decide a cycle again]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "a take at its deadline lands",
        "if now_ns >= deadline_ns:",
        "if now_ns > deadline_ns:",
        f"{_REFUSED}[take at the deadline]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "a bake is interrupted by a third release",
        "    if not returning:\n        require_no_bake(record)",
        "    if returning:\n        require_no_bake(record)",
        f"{_REFUSED}[take during a bake]",
    ),
    Mutant(
        "stale evidence is believed",
        "    if found != seen:",
        "    if found.epoch != seen.epoch:",
        f"{_REFUSED}[take on stale evidence]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "the owner takes from itself",
        "if record.ownership.owner == worker:",
        "if record.ownership.last_owner == worker:",
        f"{_REFUSED}[take by the owner]",
        target=REQUIREMENTS,
    ),
    Mutant(
        "an effect is planned twice",
        "        known.add(effect.effect_id)",
        "        known.discard(effect.effect_id)",
        f"{_REFUSED}[decide with an effect twice]",
        target=OUTBOX,
    ),
    Mutant(
        "an effect is forgotten",
        '        raise Refused(Refusal.EFFECT_PENDING, f"{effect.effect_id} has no fate yet")',
        "        return effect",
        f"{_REFUSED}[settle without a fate]",
        target=OUTBOX,
    ),
    Mutant(
        "an effect settles with the receipt of another",
        "        raise Refused(\n            Refusal.EFFECT_UNKNOWN,\n"
        '            f"{effect.effect_id} got the receipt of {receipt.effect_id}",\n        )',
        "        return",
        f"{_REFUSED}[settle an effect with the receipt of another]",
        target=OUTBOX,
    ),
    Mutant(
        "a doubtful effect may be sent again",
        "    return replace(effect, fate=Fate.DOUBTFUL)\n",
        "    return replace(effect, fate=Fate.PLANNED)\n",
        "test_settle_turns_fates_into_receipts_and_keeps_what_is_doubtful",
        target=OUTBOX,
    ),
    Mutant(
        "receipts are handed over twice",
        "        receipts=(),",
        "        receipts=record.receipts,",
        "test_decide_commits_body_effects_and_consumed_receipts_in_one_step",
    ),
    Mutant(
        "a halted bot plans effects",
        "if record.control.halted and effects:",
        "if record.control.paused and effects:",
        f"{_REFUSED}[decide with effects while halted]",
    ),
    Mutant(
        "the previous release gets a body it cannot read",
        "    if record.fallback is None:\n        return back",
        "    if record.fallback is not None:\n        return back",
        "test_the_previous_release_takes_back_with_a_body_that_it_reads",
    ),
    Mutant(
        "a bake ends one cycle early",
        "if rollout.clean_cycles < rollout.of:",
        "if rollout.clean_cycles + 1 < rollout.of:",
        "test_a_bake_ends_with_its_last_clean_cycle",
    ),
    Mutant(
        "a spoilt cycle counts as clean",
        "clean = cleanliness is Cleanliness.CLEAN and",
        "clean = cleanliness is not None and",
        "test_a_cycle_spoilt_from_outside_does_not_count_in_a_bake",
    ),
    Mutant(
        "ownership is released with a cycle in hand",
        "    require_settled(record)\n    ownership = replace(record.ownership, owner=None",
        "    ownership = replace(record.ownership, owner=None",
        f"{_REFUSED}[release with a cycle in hand]",
    ),
)


def applied(mutant: Mutant, text: str) -> str:
    """Return the mutated source.

    Raises:
        ValueError: The source does not hold the text to be replaced exactly once.
    """
    found = text.count(mutant.source)
    if found != 1:
        message = f"{mutant.name}: {mutant.source!r} occurs {found} times in {mutant.target}"
        raise ValueError(message)
    return text.replace(mutant.source, mutant.replacement)


def is_killed(mutant: Mutant) -> bool:
    """Run the named test against the mutated copy of the tree; return whether it failed, or hung.

    Raises:
        RuntimeError: The test could not be run at all.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        tree = Path(name)
        _copy_tree(tree)
        target = tree / mutant.target
        target.write_text(applied(mutant, target.read_text(encoding="utf-8")), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(  # noqa: S603 - this interpreter, on a test named above
                [*command, f"{mutant.tests}::{mutant.test}"],
                cwd=tree,
                env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1", "PATH": ""},
                capture_output=True,
                encoding="utf-8",
                errors="replace",  # a failure may print any name
                timeout=TEST_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True  # in the checks its own limit ends it
    if done.returncode not in {0, FAILED_TESTS}:
        message = f"{mutant.name}: {mutant.test} did not run\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return done.returncode == FAILED_TESTS


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants; return 1 if one survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="try this mutant alone")
    only = parser.parse_args(arguments).only
    chosen = [mutant for mutant in all_mutants() if only in {None, mutant.name}]
    if not chosen:
        parser.error(f"no mutant is called {only!r}")
    survivors = 0
    with ThreadPoolExecutor(JOBS) as threads:
        for mutant, killed in zip(chosen, threads.map(is_killed, chosen), strict=True):
            survivors += not killed
            word = "killed" if killed else "SURVIVED"
            sys.stdout.write(f"{word:8}  {mutant.name}  ({mutant.target}, {mutant.test})\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} mutants, {survivors} survived\n")
    return 1 if survivors else 0


def all_mutants() -> tuple[Mutant, ...]:
    """Return those of the rules, of everything around them, and of what is mixed up."""
    from tests.bound_mutants import BOUND_MUTANTS  # noqa: PLC0415 - it needs `Mutant` from here
    from tests.effect_mutants import EFFECT_MUTANTS  # noqa: PLC0415 - as above
    from tests.etcd_mutants import ETCD_MUTANTS  # noqa: PLC0415 - as above
    from tests.heard_mutants import HEARD_MUTANTS  # noqa: PLC0415 - as above
    from tests.host_mutants import HOST_MUTANTS  # noqa: PLC0415 - as above
    from tests.kind_mutants import KIND_MUTANTS  # noqa: PLC0415 - as above
    from tests.late_mutants import LATE_MUTANTS  # noqa: PLC0415 - as above
    from tests.repair_mutants import REPAIR_MUTANTS  # noqa: PLC0415 - as above
    from tests.shell_mutants import SHELL_MUTANTS  # noqa: PLC0415 - as above
    from tests.store_mutants import STORE_MUTANTS  # noqa: PLC0415 - as above
    from tests.swap_mutants import SWAP_MUTANTS  # noqa: PLC0415 - as above
    from tests.text_mutants import TEXT_MUTANTS  # noqa: PLC0415 - as above
    from tests.trading_mutants import TRADING_MUTANTS  # noqa: PLC0415 - as above

    return (
        *CORE_MUTANTS,
        *BOUND_MUTANTS,
        *EFFECT_MUTANTS,
        *ETCD_MUTANTS,
        *HEARD_MUTANTS,
        *HOST_MUTANTS,
        *KIND_MUTANTS,
        *LATE_MUTANTS,
        *REPAIR_MUTANTS,
        *SHELL_MUTANTS,
        *STORE_MUTANTS,
        *SWAP_MUTANTS,
        *TEXT_MUTANTS,
        *TRADING_MUTANTS,
    )


def _copy_tree(tree: Path) -> None:
    for name in COPIED:
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)


if __name__ == "__main__":
    sys.exit(main())
