"""What people read in 80 columns: trades, deploys, cycles."""

from pathlib import Path

from deploy.history import Entry
from foresight.cli.cycle_rows import Row
from foresight.cli.tables import cycle_cells, deploy_lines, trade_cells, trade_totals
from handoff.commands.launchers import Launcher, home_in, launchers
from handoff.launcher.process import command
from handoff.plurals import counted

ENTRY = Entry(
    deploy="d1",
    requested_at="2026-11-29T10:05:33.1Z",
    requested_ms=1,
    by="mia",
    release="0123456789ab-aaaaaa",
    subject="Ask for a larger move, and for one that is far too long for a line of a screen",
    outcome="refused",
    reason="warm: no route\nTraceback",
)


def test_a_deploy_is_what_it_brought_how_it_ended_and_why() -> None:
    line, reason = deploy_lines([ENTRY])
    assert line == (
        "11-29 10:05  0123456789ab  refused     Ask for a larger move, and for one that…"
    )
    assert reason == "    warm: no route"
    assert max(len(each) for each in deploy_lines([ENTRY])) <= 80


def test_a_cycle_is_when_it_was_due_when_it_ran_and_how_late() -> None:
    row = Row(
        cycle=29932453,
        scheduled=1_795_950_000_000.0,
        started=1_795_950_001_400.0,
        settled=1.0,
        late_ms=1400.25,
        release=ENTRY.release,
        asked=20,
        answered=19,
    )
    cells = cycle_cells(row)
    assert cells == (
        *(29932453, "11:00:00", "11:00:01", "1400", "0123456789ab", 0, "19 of 20", ""),
    )
    assert sum(len(str(each)) + 2 for each in cells) < 80


def test_trades_are_summed_up_in_a_sentence() -> None:
    row = {"ends": "2026-11-29T10:05:00Z", "slot": "BTC-5m", "side": "up", "shares": 10.0}
    won = row | {"price": 0.81, "result": "up", "profit": 1.9, "fee": 0.1}
    lost = row | {"price": 0.81, "result": "down", "profit": -8.2, "fee": 0.1}
    held = row | {"price": 0.5, "result": "open", "profit": None, "fee": 0.1}
    assert trade_cells(won) == ("11-29 10:05", "BTC-5m", "up", "10", "0.810", "won", "+1.90")
    assert trade_cells(lost)[-2:] == ("lost", "-8.20")
    assert trade_totals([held, won]) == (
        "1 trade decided, 1 won, profit +1.90 after fees of 0.10; 1 position open"
    )


def test_one_is_said_as_one() -> None:
    said = (counted(0, "cycle"), counted(1, "cycle"), counted(2, "entry", "entries"))
    assert said == ("0 cycles", "1 cycle", "2 entries")


def test_launchers_are_found_by_the_command_line_that_they_are_started_with(
    tmp_path: Path,
) -> None:
    """A register would be wrong after the first kill; the kernel's list is not."""
    home = tmp_path / "a home"
    for pid, words in (("7", command(home)), ("8", ["sh", "-c", "launcher", "x"]), ("9", [])):
        (tmp_path / "proc" / pid).mkdir(parents=True)
        line = "".join(f"{word}\0" for word in words)
        (tmp_path / "proc" / pid / "cmdline").write_text(line, encoding="utf-8")
    uid = tmp_path.stat().st_uid
    assert launchers(tmp_path / "proc", uid) == [Launcher(7, home)]
    assert launchers(tmp_path / "proc", uid + 1) == []
    assert home_in([*command(home)[:-1], "--preflight", str(home)]) is None
    # A process may have one word of its own choosing for a command line.
    assert home_in([" ".join(command(home))]) is None
