"""One bot's life in an unkind world: `up`, a deploy of a changed commit, `halt`, `status`, `down`.

Runs inside whatever namespaces an environment wants: reads a `Life` from its arguments, prints
the `Step`s that came of it as JSON, and waits for the end of its input, so that whoever looks
from outside sees what is left before a namespace takes it away.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parents[2]
LIMIT_S: Final = 150.0  # for one command; building an environment takes the longest
BAKE: Final = 2  # cycles
SUBJECT: Final = "Sag es stärker: 強い"  # ASCII has no words for it


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What runs: a project, the conditions of each command, and all of their variables."""

    tree: str
    conditions: tuple[str, ...]
    variables: dict[str, str]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended; `code` is -1 if it did not end in its time."""

    name: str
    code: int
    out: str
    err: str


def live(life: Life) -> list[Step]:
    """Run the commands one after the other; the first refusal ends it, but for `down`."""
    steps = [run(life, "up", "-d")]
    if steps[0].code != 0:
        return steps
    change(Path(life.tree))
    orders = (
        ("deploy", "--bake", str(BAKE)),
        ("halt", "--note", "enough"),
        ("status", "--json"),
    )
    for words in orders:
        steps.append(run(life, *words))
        if steps[-1].code != 0:
            break
    return [*steps, run(life, "down")]


def run(life: Life, *words: str) -> Step:
    """Run one of the project's commands under the conditions, its output in files."""
    within = [sys.executable, "-m", "tests.world.within", *life.conditions, "--"]
    command = [sys.executable, "-m", "foresight", "-C", life.tree, *words]
    place = Path(life.tree).parent
    out, err = place / f"{words[0]}.out", place / f"{words[0]}.err"
    with out.open("wb") as to, err.open("wb") as errors:
        try:
            code = subprocess.run(
                [*within, *command],
                cwd=life.tree,
                env=life.variables | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=errors,
                check=False,
                timeout=LIMIT_S,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
    return Step(name=words[0], code=code, out=next(texts), err=next(texts))


def change(tree: Path) -> None:
    """Commit a change of the strategy, as its author would, in his own ordinary world."""
    strategy = tree / "strategy.py"
    text = strategy.read_text(encoding="utf-8")
    strategy.write_text(text.replace("too near", "far too near"), encoding="utf-8")
    author = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(tree), *author, "commit", "-qam", SUBJECT]
    subprocess.run(command, check=True, env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull})


def main() -> None:
    """Live, tell, and wait until somebody has looked."""
    steps = live(msgspec.json.decode(sys.argv[1], type=Life))
    sys.stdout.buffer.write(msgspec.json.encode(steps) + b"\n")
    sys.stdout.buffer.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
