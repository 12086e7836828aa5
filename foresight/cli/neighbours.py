"""`ps`: all bots of this user on this machine.

Owns what is said of each. They are found among the processes: what is not shown does not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from foresight.cli.moments import now_ns
from foresight.cli.output import emit_json, emit_text, json_option, progress
from foresight.cli.running import PAGE
from handoff.commands.host_words import titled
from handoff.commands.launchers import launchers
from handoff.commands.looking import look, summary_of
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.folding import folded
from handoff.standard_streams import text_columns
from state.errors import StateError

if TYPE_CHECKING:
    from handoff.commands.launchers import Launcher


UNANSWERED: Final = (
    "It runs, and does not answer: it begins or ends, or stands in a container of its own."
)


@click.command()
@json_option
def ps(*, as_json: bool) -> int:
    """List all bots of this user that run here, with their pages."""
    found = launchers()
    for launcher in found:
        row = row_of(launcher)
        if as_json:
            emit_json(row)
        else:
            emit_text("\n".join(lines_of(row)))
    if not found:
        progress("no launcher of this user runs here; `status` says how a single bot stands")
    return ExitCode.DONE


def row_of(launcher: Launcher) -> dict[str, Any]:
    """Return what is known of a bot; one that does not answer is named all the same."""
    row: dict[str, Any] = {"app": "", "pid": launcher.pid, "home": str(launcher.home), "page": ""}
    row["hosts"] = None
    try:
        summary = summary_of(look(launcher.home, now_ns()))
    except (HandoffError, StateError, OSError) as error:
        return row | {"says": f"It runs, and cannot be asked: {error}."}
    if not summary["running"]:
        return row | {"app": summary.get("app", ""), "says": UNANSWERED}
    address = summary.get("listening", {}).get(PAGE, "")
    return row | {
        "app": summary.get("app", ""),
        "says": summary["says"],
        "release": summary.get("release", ""),
        "page": f"http://{address}" if address else "",
        "hosts": summary["hosts"],
    }


def lines_of(row: dict[str, Any]) -> list[str]:
    """Return a bot as text: name and page, how it stands, on which hosts, where it is."""
    name = f"{row['app'] or '?'}  pid {row['pid']}  {row['page']}".rstrip()
    hosts = titled(row["hosts"], title="hosts", warned="clocks", width=10)
    told = [f"    {row['says']}", *(f"    {line}" for line in hosts)]
    told = [part for line in told for part in folded(line, text_columns(), later=4)]
    return [name, *told, f"    {row['home']}"]
