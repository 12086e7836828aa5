"""Runs the story from an idea to what it earned, sees that it holds, and writes its page.

Owns the steps, what each must say, and the words between them. Everything happens in a clone with
a home of its own. `make story` runs all of it on recorded candles; `--write` writes docs/story.md
from what was printed; `--short` runs fewer steps, on half a day.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from docs.typed import ROOT, environment_of, typed
from foresight.exchange.prices.synthetic import MINUTES_PER_DAY, SyntheticPrices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE: Final = ROOT / "docs" / "story.md"
RECORDED: Final = Path(os.environ.get("CANDLES_RECORDED", ROOT.parent / "shared" / "market"))
HEADING: Final = "open_time_ms,open,high,low,close,volume\n"
MINUTE_MS: Final = 60_000
FIRST_MINUTE: Final = 20_252 * MINUTES_PER_DAY  # 2025-06-13, after what the tables were fitted on
SHORT_ASSETS: Final = ("BTC", "ETH", "SOL", "XRP")
LEAD_MINUTES: Final = 360  # of a recording that is played: history before its market begins
PLAYED_MINUTES: Final = 36 * 60  # more than is played on a machine with other work
SPEED: Final = 120
SHORT_SPEED: Final = 60  # for a busy machine
LINE_MAX: Final = 160  # characters of a line in the page


class Step(NamedTuple):
    """One thing that is typed.

    Attributes:
        words: Said before it in the page; empty where it follows from the step before.
        command: What is typed.
        says: What its output must say, as regular expressions.
        code: Its exit code.
        is_long: Left out of the short form.
    """

    words: str
    command: str
    says: tuple[str, ...] = ()
    code: int = 0
    is_long: bool = False


JUDGED: Final = "--rule last --table foresight/exchange/market/tables/recorded.json"
HOUR_S: Final = 3600 // SPEED
STEPS: Final = (
    Step(
        """The bot runs, here on recorded candles at {speed} times the clock. `../candles` holds
the {length} before what is played, so that nothing is judged by what is traded later.""",
        "foresight up -d --replay ../played --rule last --speed {speed}",
        ("running; home",),
    ),
    Step(
        """**The idea**: buy only what has moved further. It is one number, on a branch of its own.
`backtest` is the trader itself, with its limits, over all of it.""",
        "git switch -qc larger-move",
    ),
    Step(
        "",
        "sed -i 's/threshold_sigmas = 0.5/threshold_sigmas = 1.5/' foresight.toml",
    ),
    Step("", f"foresight backtest ../candles {JUDGED}", ("a share, 95 %",)),
    Step(
        """**Beside what runs**: both over the same minutes at the same prices. What is in `main`
runs; `.` is the working tree.""",
        f"foresight compare main . --candles ../candles {JUDGED}",
        (r"^\. +\d+ ",),
    ),
    Step(
        """**Merge, and watch**: the replay gate decides the recorded cycles again, the shadow
decides live ones beside the owner with its effects off, and for the bake the way back stays warm.
That it decides otherwise is the purpose, so it is said. (With `foresight hook install` a merge is
the deploy.)""",
        "git commit -qam 'Ask for a larger move'",
    ),
    Step("", "git switch -q main && git merge -q larger-move"),
    Step(
        "",
        "foresight deploy --allow-differences --shadow 3 --bake 3",
        ("replay: passed", "shadow: passed", "2 of 3 clean cycles", "permanent"),
    ),
    Step(
        """**What it earned**, after one market hour. At speed 1 that is an hour, and a day says
more: an interval of an hour is wide.""",
        f"sleep {HOUR_S}",
        is_long=True,
    ),
    Step("", "foresight trades --by-release", ("release .* trades .* says",)),
    Step(
        """## Does it tell skill from luck?

[`examples/peeking.py`](../examples/peeking.py) holds two strategies of known skill: `seeing.toml`
buys, at minute 4 of a window of five, the side on which the next minute closes in the recording;
`blind.toml` buys the side on which the price stands; `early.toml` does so a minute earlier. Two
market hours tell the first from the second. Those without skill they do not tell apart, although
each buys what the other does not.""",
        f"foresight compare blind.toml seeing.toml early.toml --candles ../candles {JUDGED}"
        " {two_hours}",
        (
            "seeing.toml earns more than blind.toml",
            "seeing.toml: it is above zero",
            "^early.toml .* no evidence of a difference",
        ),
    ),
    Step(
        "Nor do two days:",
        f"foresight compare blind.toml early.toml --candles ../candles {JUDGED}",
        ("^early.toml .* no evidence of a difference",),
        is_long=True,
    ),
    Step(
        """No honest strategy earns that. `--check-future` decides again where later candles are
altered, and names who decides otherwise:""",
        f"foresight -c seeing.toml backtest ../candles {JUDGED} {{two_hours}}"
        " --check-future 2>/dev/null",
        (r"peek \(5m\) decides by candles that are not there yet",),
        code=3,
    ),
    Step(
        "Live, two market hours each:",
        "cp blind.toml foresight.toml && git commit -qam 'Buy the side on which it stands'",
        is_long=True,
    ),
    Step(
        "",
        "foresight deploy --allow-differences --bake 3 | tail -1",
        ("permanent",),
        is_long=True,
    ),
    Step("", f"sleep {2 * HOUR_S}", is_long=True),
    Step(
        "",
        "cp seeing.toml foresight.toml && git commit -qam 'See the next minute'",
        is_long=True,
    ),
    Step(
        "",
        "foresight deploy --allow-differences --bake 3 | tail -1",
        ("permanent",),
        is_long=True,
    ),
    Step("", f"sleep {2 * HOUR_S + 5 * 60 // SPEED}", is_long=True),
    Step(
        "The last line is the one that sees:",
        "foresight trades --by-release",
        (r"above zero\s*$",),
        is_long=True,
    ),
    Step(
        "And nothing noticed but the version number:",
        "foresight cycles --check",
        (" 0 missed, 0 lost, 0 doubled",),
    ),
    Step("", "foresight down", ("stopped",)),
)

INTRODUCTION: Final = """# From an idea to what it earned

Written by `python -m docs.story --write` on recorded candles. `make story` lives all of it on two
days, its short form half a day, and looks at what every step must say. Change a parameter, try it
on history, compare it with what runs, merge, watch the gates, and read what the version earned.

"""
SETTINGS: Final = """
[strategy.5m]
name = "examples.peeking:Peek"
peeks = {peeks}
minute = {minute}
"""
VARIANTS: Final = (("seeing", True, 4), ("blind", False, 4), ("early", False, 3))


class Failed(Exception):
    """A step did not say what it must."""


class Candles(NamedTuple):
    """What the story is told on.

    Attributes:
        first_minute: Of what is judged, since 1970 UTC.
        table: Name of what prices shares.
        speed: Market seconds per second of what is played.
    """

    first_minute: int
    table: str
    speed: int = SPEED

    @property
    def named(self) -> Mapping[str, str]:
        """What is put into commands."""
        begin, end = (
            time.strftime("%Y-%m-%dT%H:%M", time.gmtime((self.first_minute + minutes) * 60))
            for minutes in (60, 180)  # an hour before them is what strategies look back on
        )
        return {
            "two_hours": f"--judge-from {begin} --judge-until {end}",
            "speed": str(self.speed),
            "length": "two days" if self.speed == SPEED else "half a day",
        }


def main() -> int:
    """Run the story; return 0 only if every step said what it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer steps, on half a day")
    parser.add_argument("--write", action="store_true", help="write docs/story.md")
    options = parser.parse_args()
    if not options.short and not RECORDED.is_dir():
        sys.stderr.write(f"error: no recorded candles in {RECORDED}\n")
        sys.stderr.write("hint: say where they are: make story CANDLES=DIR\n")
        return 2
    signal.signal(signal.SIGTERM, _interrupted)  # what was started is stopped all the same
    begun_s = time.monotonic()
    steps = steps_of(is_whole=not options.short)
    try:
        page = told(steps, is_whole=not options.short)
    except Failed as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except subprocess.TimeoutExpired as error:
        sys.stderr.write(f"error: `{error.cmd}` took longer than {error.timeout:.0f} s\n")
        sys.stderr.write("hint: the story needs a machine without other work\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: everything was stopped and removed\n")
        return 130
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
    print(f"everything holds; {time.monotonic() - begun_s:.0f} s in all")
    return 0


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def steps_of(*, is_whole: bool) -> list[Step]:
    """Return the steps of the whole story, or of its short form."""
    return [step for step in STEPS if is_whole or not step.is_long]


def told(steps: Sequence[Step], *, is_whole: bool) -> str:
    """Run the steps in a clone; return the page.

    Args:
        steps: Which.
        is_whole: On two days, not on half a day.

    Raises:
        Failed: One of them did not say what it must.
    """
    with tempfile.TemporaryDirectory(prefix="foresight story ", dir="/var/tmp") as name:
        place = Path(name)
        candles = write_candles(place, is_whole=is_whole)
        environment = environment_of(place)
        _make_project(place / "project", environment)
        try:
            blocks = [_block(step, candles, place, environment) for step in steps]
        finally:
            typed("foresight down", place / "project", environment)
    return INTRODUCTION + "".join(blocks).replace("```\n```console\n", "") + "\n"


def write_candles(place: Path, *, is_whole: bool) -> Candles:
    """Write what is judged into `candles` and what is played into `played`, beside each other."""
    first, is_recorded = FIRST_MINUTE, RECORDED.is_dir()
    split = first + (2 * MINUTES_PER_DAY if is_whole else MINUTES_PER_DAY // 2)
    parts = (("candles", first, split), ("played", split - LEAD_MINUTES, split + PLAYED_MINUTES))
    for folder, begin, end in parts:
        (place / folder).mkdir()
        source = _recorded(begin, end) if is_recorded else _synthetic(begin, end)
        for asset, lines in source.items():
            if not is_whole and asset not in SHORT_ASSETS:
                continue
            text = HEADING + "".join(lines)
            (place / folder / f"{asset}USDT-1m.csv").write_text(text, encoding="ascii")
    speed = SPEED if is_whole else SHORT_SPEED
    return Candles(first, "recorded" if is_recorded else "synthetic", speed)


def _recorded(begin: int, end: int) -> dict[str, list[str]]:
    found = {}
    for path in sorted(RECORDED.glob("*USDT-1m.csv.gz")):
        with gzip.open(path, "rt", encoding="ascii") as lines:
            next(lines)
            rows = [
                line for line in lines if begin <= int(line.partition(",")[0]) // MINUTE_MS < end
            ]
        found[path.name.partition("USDT")[0]] = rows
    return found


def _synthetic(begin: int, end: int) -> dict[str, list[str]]:
    prices = SyntheticPrices(seed=7, origin_minute=FIRST_MINUTE, assets=SHORT_ASSETS)
    return {
        asset: [
            f"{one.minute * MINUTE_MS},{one.open},{one.high},{one.low},{one.close},{one.volume}\n"
            for one in (prices.candle(asset, minute) for minute in range(begin, end))
            if one is not None
        ]
        for asset in SHORT_ASSETS
    }


def _make_project(clone: Path, environment: Mapping[str, str]) -> None:
    """Clone this project, and give it a configuration for each strategy of known skill."""
    clone_it = ["git", "clone", "-q", str(ROOT), str(clone)]
    subprocess.run(clone_it, check=True)  # noqa: S603 - no text of a stranger in it
    head, _, _ = (clone / "foresight.toml").read_text(encoding="utf-8").partition("[strategy.5m]")
    head = re.sub(r"edge_min_cents = .*", "edge_min_cents = -100.0\nedge_max_cents = 100.0", head)
    for name, peeks, minute in VARIANTS:
        text = head + SETTINGS.format(peeks=str(peeks).lower(), minute=minute)
        (clone / f"{name}.toml").write_text(text, encoding="utf-8")
    begin = "git checkout -q -B main && git add . && git commit -qm 'Add strategies of known skill'"
    typed(begin, clone, environment)


def _block(step: Step, candles: Candles, place: Path, environment: Mapping[str, str]) -> str:
    """Run a step and return how the page shows it."""
    command = step.command.format(**candles.named)
    real = command.replace("recorded.json", f"{candles.table}.json")
    begun_s = time.monotonic()
    code, output = typed(real, place / "project", environment)
    output = output.replace(f"{place}/state", "~/.local/state").replace(str(place), "..")
    print(f"$ {command}\n{output}({time.monotonic() - begun_s:.1f} s)", flush=True)
    if code != step.code:
        what = f"`{command}` ended with {code}, not with {step.code}"
        raise Failed(what)
    for wanted in step.says:
        if not re.search(wanted, output, flags=re.MULTILINE | re.DOTALL):
            what = f"`{command}` did not say {wanted!r}"
            raise Failed(what)
    lines = output.splitlines()
    shown = "".join(f"{line[:LINE_MAX]}{' ...' * (len(line) > LINE_MAX)}\n" for line in lines)
    words = f"\n{step.words.format(**candles.named)}\n\n" if step.words else ""
    return f"{words}```console\n$ {command}\n{shown}```\n"


if __name__ == "__main__":
    raise SystemExit(main())
