"""`download` as somebody runs it: killed in the middle, and told what it cannot do."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.process.cli_project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

CANDLES = 4000
GAP = range(2500, 2507)
MINUTES = [at for at in range(10, CANDLES) if at not in GAP]
WHEN = ("--assets", "BTC", "--from")


@contextmanager
def exchange(place: Path, *options: str) -> Iterator[dict[str, int | str]]:
    """Run an exchange that plays a recording; yield what it says of itself."""
    folder = place / "recorded"
    folder.mkdir()
    rows = (f"{at * 60_000},{at},{at + 2},{at - 1},{at + 1},1" for at in MINUTES)
    text = "\n".join(["open_time_ms,open,high,low,close,volume", *rows])
    (folder / "BTC.csv").write_text(f"{text}\n", encoding="ascii")
    command = [sys.executable, "-I", "-m", "foresight.exchange", "--dir", str(place / "exchange")]
    command += ["--replay", str(folder), "--lead-minutes", str(CANDLES - 100), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            yield json.loads(program.stdout.readline())
        finally:
            program.terminate()


def test_a_killed_download_goes_on_and_nothing_is_left_half_written(tmp_path: Path) -> None:
    """Killed between two pages of a slow exchange; the file's name is that of a whole one alone."""
    project = Project(tmp_path)
    into = tmp_path / "candles"
    with exchange(tmp_path, "--fault", "late_answer=1@binance~0.7") as said:
        first = time.gmtime(int(said["first_candle_ms"]) // 1000)
        since = time.strftime("%Y-%m-%dT%H:%M", first)
        words = ("download", str(into), *WHEN, since, "--url", str(said["address"]))
        killed = project.begin(*words)
        part = into / "BTCUSDT-1m.csv.part"
        deadline_s = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 1000):
            assert time.monotonic() < deadline_s
            assert killed.poll() is None, killed.communicate()
            time.sleep(0.02)
        killed.kill()
        killed.communicate()
        kept = part.read_bytes()
        assert not (into / "BTCUSDT-1m.csv.gz").exists()
        done = project.run(*words, "--json")
        again = project.run(*words)
    assert done.returncode == 0, done.stderr
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["candles"] >= CANDLES - 100 - 15 - 10 - len(GAP)
    assert [gap["minutes"] for gap in row["gaps"]] == [len(GAP)]
    named = f"BTC: no candle in {row['gaps'][0]['from']} to {row['gaps'][0]['to']} (7 minutes)"
    assert named in again.stdout
    assert again.stdout.splitlines()[-1].endswith("candles, 1 gap of 7 minutes")
    assert 1 < len(kept.splitlines()) <= row["candles"]
    counted = project.run("backtest", "--signals", str(into), "--json")
    assert counted.returncode == 0, counted.stderr


@pytest.mark.parametrize(
    ("about", "words"),
    {
        "'B/C'": ("--assets", "B/C", "--from", "2025-06-01"),
        "--from": (*WHEN, "yesterday"),
        "not before": (*WHEN, "2025-06-01", "--to", "2025-06-01"),
        "1830 days": (*WHEN, "2001-01-01"),
        "'binanc'": (*WHEN, "2025-06-01", "--exchange", "binanc"),
        "'ftp://x'": (*WHEN, "2025-06-01", "--url", "ftp://x"),
        "not kraken": (*WHEN, "2025-06-01", "--url", "http://x", "--exchange", "kraken"),
    }.items(),
)
def test_a_mistake_of_who_asks_is_said_in_a_line(
    tmp_path: Path, about: str, words: tuple[str, ...]
) -> None:
    """Before anything is asked or written."""
    Project(tmp_path).assert_refused(2, about, "download", str(tmp_path / "into"), *words)


@pytest.mark.parametrize(
    ("about", "text"),
    {
        "header": "time,open\n",
        "holds no candle": "open_time_ms,open,high,low,close,volume\n",
        "line 2": "open_time_ms,open,high,low,close,volume\n60000,1,1,1\n",
        "could not convert": "open_time_ms,open,high,low,close,volume\n60000,1,1,1,one,1\n",
    }.items(),
)
def test_a_damaged_recording_is_said_in_a_line(tmp_path: Path, about: str, text: str) -> None:
    """A program that reads the exit code knows that the input is at fault, not the counting."""
    project = Project(tmp_path)
    (tmp_path / "BTC.csv").write_text(text, encoding="ascii")
    project.assert_refused(2, about, "backtest", "--signals", str(tmp_path), "--json")


@pytest.mark.parametrize(
    "line", ["60000,inf,inf,inf,inf,1", "60000,1,1,1,1,inf", f"{6 * 10**40},1,1,1,1,1"]
)
def test_a_number_beyond_all_is_said_in_a_line(tmp_path: Path, line: str) -> None:
    """An infinite price, or a time that fits into no number of the machine, was a traceback."""
    project = Project(tmp_path)
    header = "open_time_ms,open,high,low,close,volume"
    (tmp_path / "BTC.csv").write_text(f"{header}\n{line}\n", encoding="ascii")
    project.assert_refused(2, "line 2", "backtest", "--signals", str(tmp_path))


@pytest.mark.parametrize("kind", ["no gzip", "cut off", "spoilt"])
def test_a_recording_that_is_no_gzip_is_said_in_a_line(tmp_path: Path, kind: str) -> None:
    """Three kinds of damage raise three kinds of exception; the last one was a traceback."""
    project = Project(tmp_path)
    rows = "".join(f"{at * 60_000},{at},{at},{at},{at},1\n" for at in range(1, 999))
    packed = gzip.compress(f"open_time_ms,open,high,low,close,volume\n{rows}".encode())
    middle = len(packed) // 2
    damaged = {
        "no gzip": b"no gzip",
        "cut off": packed[:middle],
        "spoilt": packed[:10] + b"\xff" * middle + packed[middle:],
    }
    (tmp_path / "BTC.csv.gz").write_bytes(damaged[kind])
    project.assert_refused(2, "BTC.csv.gz", "backtest", "--signals", str(tmp_path))
