"""What people read in 80 columns: trades, deploys, cycles."""

from pathlib import Path

from msgspec.structs import replace

from deploy.history import Entry
from foresight.cli.cycle_rows import Row
from foresight.cli.layout import laid_out
from foresight.cli.output import plain
from foresight.cli.tables import (
    cycle_cells,
    cycle_note,
    deploy_lines,
    earned_cells,
    figure_lines,
    trade_cells,
    trade_totals,
)
from foresight.cli.trading import EARNED_COLUMNS
from foresight.scoring import score_of
from foresight.trades import Tally
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
    assert deploy_lines([ENTRY], 80) == [
        "11-29 10:05  0123456789ab  refused     Ask for a larger move, and for one that",
        "                                       is far too long for a line of a screen",
        "    warm: no route",
        "    and 1 more line (`foresight deploys --json`)",
    ]


def test_why_a_deploy_was_refused_is_read_whole_in_any_width() -> None:
    """It was cut at the edge of 80 columns, in a terminal of 200 and in a file, too."""
    reason = "replay: 43 of 200 cycles are decided otherwise, at most 50 may be: " + "why " * 30
    long = replace(ENTRY, reason=reason.strip())
    for width in (40, 80, 200):
        lines = deploy_lines([long], width)
        assert max(map(len, lines)) <= width
        assert " ".join(" ".join(lines).split()).endswith(f"{ENTRY.subject} {reason.strip()}")


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
    assert cells == (*(29932453, "11:00:00", "11:00:01", "1400", "0123456789ab", 0, "19 of 20"),)
    assert cycle_note(row) == ""
    assert cycle_note(Row(cycle=1, scheduled=None, started=None, unavailable="silence")) == (
        "no inputs: silence; in hand"
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
    assert trade_totals([held]) == "no trade is decided yet; 1 position open"
    assert trade_totals([]) == "no trade was made yet"


def test_what_a_release_earned_fits_into_80_columns() -> None:
    """Six digits of a cent, and the whole name of a release, pushed the verdict out of sight."""
    row = {"release": ENTRY.release, "venue": "local", "trades": 102, "won": 84}
    earned = row | {"profit": -1306.784408, "expectation": -0.264797, "interval": [-0.6, 0.0423]}
    cells = earned_cells(earned | {"says": "no evidence of an edge"})
    assert cells[:4] == ("0123456789ab", "local", 102, 84)
    assert cells[4:] == ("-1306.78", "-0.2648", "[-0.6000, +0.0423]", "no evidence of an edge")
    idle = dict.fromkeys(earned) | {"release": "r1", "trades": 0, "says": "decided no trade"}
    assert earned_cells(idle)[2:] == (0, None, "", "", "", "decided no trade")
    _, lines = laid_out(EARNED_COLUMNS, [[str(each or "") for each in cells]], 80)
    assert max(map(len, lines[0])) <= 80


def test_what_has_no_trade_has_no_win_rate() -> None:
    """It said 0 % of 0, and a mean price of nothing: as if all had been lost."""
    assert figure_lines(plain(score_of(Tally()))) == ["win rate  none: no trade is decided yet"]
    void = Tally(trades=2, void=2, share_cost_micro=1_600_000)
    rate, worth = figure_lines(plain(score_of(void)))
    assert rate == "win rate  none: 2 trades without a result, mean price 0.800"
    assert worth.startswith("          expectation ")
    half = Tally(trades=3, won=1, void=1, share_cost_micro=2_400_000)
    assert figure_lines(plain(score_of(half)))[0].startswith("win rate  50% of 2 (95 %: ")


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
