"""Writes one row a cycle into SQLite: a reading and its change, by a loop that is replaced."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

from handoff import PlainLoopCycle, loop

SENSOR = "http://127.0.0.1:8000/reading.json"
ROWS = Path.home() / "readings.db"
TABLE = "CREATE TABLE IF NOT EXISTS reading (minute INTEGER PRIMARY KEY, value REAL, change REAL)"


def measure() -> float:
    """Return what the sensor shows now."""
    with urlopen(SENSOR, timeout=10) as answer:
        return float(json.load(answer)["value"])


def save(row: list[float | None]) -> None:
    """Write a row, once however often it is tried."""
    with closing(sqlite3.connect(ROWS)) as database, database:
        database.execute(TABLE)
        database.execute("INSERT OR IGNORE INTO reading VALUES (?, ?, ?)", row)


@loop(every=60, acts=[save])
def poller(cycle: PlainLoopCycle, state: dict[str, float | None]) -> None:
    """Measure once a minute, for ever."""
    last = state.get("last")
    try:
        value = cycle.read(measure)
    except OSError:
        value = None
    change = None if value is None or last is None else value - last
    cycle.do(save, [cycle.number, value, change])
    state["last"] = last if value is None else value
