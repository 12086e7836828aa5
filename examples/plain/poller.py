"""Writes one row a minute into SQLite: a reading and its change, as a plain loop does it."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

SENSOR = "http://127.0.0.1:8000/reading.json"
ROWS = Path.home() / "readings.db"
TABLE = "CREATE TABLE IF NOT EXISTS reading (minute INTEGER PRIMARY KEY, value REAL, change REAL)"
STATE = Path.home() / "poller.json"


def measure() -> float:
    """Return what the sensor shows now."""
    with urlopen(SENSOR, timeout=10) as answer:
        return float(json.load(answer)["value"])


def save(row: list[float | None]) -> None:
    """Write a row, once however often it is tried."""
    with closing(sqlite3.connect(ROWS)) as database, database:
        database.execute(TABLE)
        database.execute("INSERT OR IGNORE INTO reading VALUES (?, ?, ?)", row)


def main() -> None:
    """Measure once a minute, for ever."""
    state = json.loads(STATE.read_text()) if STATE.exists() else {}
    while True:
        last = state.get("last")
        try:
            value = measure()
        except OSError:
            value = None
        change = None if value is None or last is None else value - last
        save([int(time.time()) // 60, value, change])
        state["last"] = last if value is None else value
        STATE.write_text(json.dumps(state))
        time.sleep(60 - time.time() % 60)


if __name__ == "__main__":
    main()
