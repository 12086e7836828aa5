"""The commands of `handoff` for people: their arguments, what they print, how they end.

Owns what stands on the command line, and what is printed where: data on stdout, progress and
remarks on stderr. What a command does is the room's that it calls.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handoff.account import user_directory
from handoff.clean_text import cleaned
from handoff.errors import AnotherInCharge, HandoffError, NotRunning
from handoff.exit_codes import ExitCode
from handoff.folding import folded
from handoff.limits import MS
from handoff.standard_streams import print_line, remark, text_columns
from handoff.wish import BAKE_BY_HAND, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.commands.log_words import Said
    from handoff.rollout.table import Deploy
    from handoff.usage import Parser
    from state.errors import StateError

    Commands = argparse._SubParsersAction[Parser]  # noqa: SLF001 - its one name
    Run = Callable[[argparse.Namespace], int]

PURPOSE: Final = "Run a program that works in cycles, and replace it while it runs."
ENTRY: Final = "what runs: news:look is `look` of news.py, a loop or a factory"
LINES: Final = 50  # of the logs
CAUSES: Final = {
    "StartRefused": ExitCode.REFUSED,
    "StartLate": ExitCode.TIMED_OUT,
    "ReleaseUnnamed": ExitCode.USAGE,
    "WorkerUnheard": ExitCode.USAGE,
    "NotBaking": ExitCode.REFUSED,
    "OtherBake": ExitCode.REFUSED,
    "NotThere": ExitCode.USAGE,
}


def exit_code_of(error: HandoffError | StateError) -> ExitCode:
    """Return the documented exit code of an error."""
    match error:
        case AnotherInCharge():
            return ExitCode.ANOTHER
        case NotRunning():
            return ExitCode.NOT_RUNNING
        case _:  # by its name: what only some commands load need not be loaded to ask
            return CAUSES.get(type(error).__name__, ExitCode.FAILED)


def declare(commands: Commands) -> None:
    """Add the commands for people to a command line."""
    _declare_start(commands)
    _declare_replacement(commands)
    _declare_trial(commands)
    status = _command(commands, "status", _status, "how it stands, who owns, how far it got")
    releases = _command(commands, "releases", _releases, "what is kept, and what owns")
    logs = _command(commands, "logs", _logs, "what launcher and workers said")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as lines come")
    logs.add_argument(
        "-n",
        "--lines",
        type=_positive,
        default=LINES,
        metavar="N",
        help="so many of the newest lines; default 50",
    )
    logs.add_argument("--worker", default="", metavar="NAME", help="of one worker: name or pid")
    logs.add_argument("--since", default="", metavar="T", help="a UTC time, or 10m, 2h")
    verify = _command(commands, "verify", _verify, "prove the state: decide every cycle again")
    verify.add_argument("--since", type=int, default=None, metavar="CYCLE", help="from this one on")
    verify.add_argument("--release", default="", help=argparse.SUPPRESS)  # asks one release
    for each in (status, releases, logs, verify):
        each.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    pause = _command(commands, "pause", _pause, "take nothing new on; what is begun goes on")
    resume = _command(commands, "resume", _resume, "go on after a pause or a halt")
    halt = _command(commands, "halt", _halt, "send nothing at all")
    for each in (pause, resume, halt):
        each.add_argument("--note", default="", help="why; kept in the record")
    _command(commands, "down", _down, "finish the cycle under way and stop")


def _declare_start(commands: Commands) -> None:
    run = _command(commands, "run", _run, "start a launcher and the first release", aliases=("up",))
    run.add_argument("entry", metavar="module:name", help=ENTRY)
    run.add_argument("--tree", type=place, required=True, help="directory with the modules")
    run.add_argument("-d", "--detach", action="store_true", help="return once it runs")
    run.add_argument(
        "--speed",
        type=int,
        default=1,
        metavar="N",
        help="seconds of the program in one of the clock",
    )
    run.add_argument(
        "--standby", action="store_true", help="keep a second worker ready, beside the owner"
    )
    run.add_argument(
        "--force-filesystem", action="store_true", help="accept a network or volatile disk"
    )
    run.add_argument("--moved", action="store_true", help="the owner elsewhere is dead: my word")


def _declare_replacement(commands: Commands) -> None:
    replace = _command(
        commands, "replace", _replace, "put a new release in charge", aliases=("deploy",)
    )
    replace.add_argument("--tree", type=place, required=True, help="directory with the modules")
    replace.add_argument(
        "--entry", default="", metavar="module:name", help="what runs, if it changed"
    )
    replace.add_argument(
        "--bake",
        type=int,
        default=None,
        metavar="N",
        help="clean cycles until it is permanent and the way back is given up; default 3",
    )
    replace.add_argument(
        "--shadow", type=int, default=0, metavar="N", help="cycles decided beside the owner first"
    )
    replace.add_argument(
        "--allow-differences", action="store_true", help="its shadow may decide otherwise"
    )
    replace.add_argument(
        "--irreversible", action="store_true", help="no way back is needed: nothing bakes"
    )
    rollback = _command(
        commands, "rollback", _rollback, "put the release before, or a kept one, in charge"
    )
    rollback.add_argument(
        "release", nargs="?", default="", help="the beginning of its name; default: the one before"
    )
    promote = _command(
        commands, "promote", _promote, "end the bake under way with its next clean cycle"
    )
    promote.add_argument("release", nargs="?", default="", help="only if this one bakes")
    promote.add_argument("--epoch", type=int, default=-1, metavar="N", help="only in this epoch")
    for each in (replace, rollback):
        each.add_argument("--json", action="store_true", dest="as_json", help="print JSON")


def _declare_trial(commands: Commands) -> None:
    trial = _command(commands, "try", _try, "observe and decide one cycle; send nothing")
    trial.add_argument("program", metavar="module:name", help=f"{ENTRY}; or FILE.py")
    trial.add_argument("--tree", type=place, default=None, help="directory with the modules")
    trial.add_argument("--json", action="store_true", dest="as_json", help="print JSON")


def _command(
    commands: Commands, name: str, run: Run, words: str, *, aliases: tuple[str, ...] = ()
) -> Parser:
    command = commands.add_parser(name, help=words, description=words, aliases=aliases)
    command.add_argument(
        "--home",
        type=place,
        default=None,
        help="state directory; default: APP below ~/.local/state/handoff",
    )
    command.add_argument("--app", default="app", help="name of the program; default app")
    command.set_defaults(run=run)
    return command


def place(text: str) -> Path:
    """Return the path that an argument names, absolute: those who are told it run elsewhere."""
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, FileNotFoundError) as error:
        message = f"{text}: {error}; name an absolute path"
        raise argparse.ArgumentTypeError(message) from error


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        message = f"{text} is no number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return number


def _home(arguments: argparse.Namespace) -> Path:
    if arguments.home is not None:
        return Path(arguments.home)
    base, user = os.environ.get("XDG_STATE_HOME"), user_directory(os.environ)
    if not base and not user:
        message = "nothing says where home is: this account has no directory; say --home"
        raise HandoffError(message)
    return Path(base or f"{user}/.local/state").absolute() / "handoff" / str(arguments.app)


def _room(name: str) -> Any:  # noqa: ANN401 - a module, loaded once it is needed
    return importlib.import_module(f"handoff.{name}")


def _show(text: str) -> bool:
    return print_line(sys.stdout, cleaned(text))


def _show_json(value: object) -> None:
    print_line(sys.stdout, json.dumps(msgspec.to_builtins(value)))


def _run(arguments: argparse.Namespace) -> int:
    from handoff import entry, open_files, plain  # noqa: PLC0415 - what only talks does not need it

    open_files.permit()
    home = _home(arguments)
    entry.refuse_no_tree(arguments.tree)
    entry.refuse_no_entry(arguments.tree, arguments.entry)
    plain.run(
        home,
        app=arguments.app,
        entry=arguments.entry,
        tree=arguments.tree,
        speed=arguments.speed,
        standby=arguments.standby,
        force_filesystem=arguments.force_filesystem,
        moved=arguments.moved,
        begin=plain.start_detached if arguments.detach else plain.become,
    )
    remark(f"running; home {home}")
    return ExitCode.DONE


def _replace(arguments: argparse.Namespace) -> int:
    from handoff import entry, plain  # noqa: PLC0415 - as above

    if arguments.irreversible and arguments.bake:
        message = "--irreversible leaves no way back, so that nothing can bake: leave --bake out"
        remark(f"error: {message}")
        return ExitCode.USAGE
    wish = Wish(
        bake=BAKE_BY_HAND if arguments.bake is None else arguments.bake,
        shadow=arguments.shadow,
        allow_differences=arguments.allow_differences,
        irreversible=arguments.irreversible,
    )
    home = _home(arguments)
    entry.refuse_no_tree(arguments.tree)
    if arguments.entry:
        entry.refuse_no_entry(arguments.tree, arguments.entry)
    for line in _room("commands.looking").left_out(home, time.time_ns()):
        remark(line)
    return _ended(
        plain.replace(home, entry=arguments.entry, tree=arguments.tree, wish=wish, say=_say),
        as_json=arguments.as_json,
    )


def _rollback(arguments: argparse.Namespace) -> int:
    from handoff import plain  # noqa: PLC0415 - as above

    deploy = plain.rollback(_home(arguments), arguments.release, _say)
    return _ended(deploy, as_json=arguments.as_json)


def _promote(arguments: argparse.Namespace) -> int:
    from handoff.commands import promoting  # noqa: PLC0415 - as above

    home = _home(arguments)
    meant = promoting.Meant(release=arguments.release, epoch=arguments.epoch)
    record = promoting.promote(home, meant)
    remark(promoting.words_of(record, lacks=promoting.lacks_inputs(home, record)))
    return ExitCode.DONE


def _say(text: str) -> None:
    remark(cleaned(text))


def _ended(deploy: Deploy, *, as_json: bool) -> int:
    from handoff.commands.deploy_words import end_of, remedy_of  # noqa: PLC0415 - as above
    from handoff.outside import BAKE_WORDS  # noqa: PLC0415 - as above
    from handoff.rollout.table import Phase  # noqa: PLC0415 - as above

    _say(end_of(deploy))
    if deploy.phase is Phase.RETURNED and deploy.reason.startswith(BAKE_WORDS):
        remark("hint: nobody is to blame, and nothing tries again: replace it once inputs come")
    elif remedy_of(deploy) and deploy.phase is Phase.REFUSED:
        remark(f"hint: {remedy_of(deploy)}")
    if as_json:
        _show_json(deploy)
    else:
        words = f"{deploy.deploy_id} {deploy.phase.value} {deploy.release} {deploy.reason}"
        _show(words.strip())
    codes = {Phase.PERMANENT: ExitCode.DONE, Phase.RETURNED: ExitCode.RETURNED}
    return codes.get(deploy.phase, ExitCode.REFUSED)


def _status(arguments: argparse.Namespace) -> int:
    looking, now_ns = _room("commands.looking"), time.time_ns()
    summary = looking.summary_of(looking.look(_home(arguments), now_ns))
    if arguments.as_json:
        _show_json(summary)
    else:
        says, *facts = looking.lines_of(summary, now_ns / MS)
        for line in folded(says, text_columns()):
            _show(line)
        for fact in facts:  # what goes on stands below what it goes on with
            for line in folded(fact, text_columns(), later=9):
                _show(line)
    return ExitCode.DONE if summary["running"] else ExitCode.NOT_RUNNING


def _releases(arguments: argparse.Namespace) -> int:
    from handoff.commands.kept_releases import kept_releases  # noqa: PLC0415 - as above
    from handoff.commands.looking import look  # noqa: PLC0415 - as above

    home = _home(arguments)
    found = kept_releases(home, look(home, time.time_ns()).record)
    if not found:
        remark("no release is kept yet: `handoff run` makes the first one")
    for each in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(each.made_s))
        if arguments.as_json:
            release, entry = each.manifest.release, each.manifest.entry
            _show_json({"release": release, "entry": entry, "at": when, "part": each.part})
        else:
            _show(f"{when}  {each.manifest.release}  {each.part}".rstrip())
    return ExitCode.DONE


def _logs(arguments: argparse.Namespace) -> int:
    from handoff.commands.log_words import json_of, since_of, words_of  # noqa: PLC0415 - as above
    from handoff.commands.reading import Logs, Wanted, WorkerUnheard  # noqa: PLC0415 - as above

    try:
        since = since_of(arguments.since, time.time_ns()) if arguments.since else ""
    except ValueError:
        what = f"--since {arguments.since} is neither a time nor so long ago"
        remark(f"error: {what}\nhint: say 10m, 2h, or 2026-11-22T18:00:00Z")
        return ExitCode.USAGE
    heard = [True]

    def show(said: Said) -> None:
        heard[0] = _show(json.dumps(json_of(said)) if arguments.as_json else words_of(said))

    wanted = Wanted(lines=arguments.lines, worker=arguments.worker, since=since)
    logs = Logs(_home(arguments), wanted)
    try:
        found = logs.newest()
    except WorkerUnheard as unheard:
        if not arguments.follow:
            raise
        remark(f"{unheard} yet")  # it may come to speak
        found = []
    else:
        if not found:
            remark(logs.why_none())
    for said in found:
        show(said)
    if arguments.follow:
        logs.follow(show, lambda: heard[0])
    return ExitCode.DONE


def _verify(arguments: argparse.Namespace) -> int:
    home = _home(arguments)
    if arguments.release:
        _room("replay.verify").verify_told(home, arguments.release)
        return ExitCode.DONE
    asking, proof = _room("commands.asking"), _room("commands.proof")
    found = proof.prove(
        home,
        arguments.since,
        ask=lambda release, told: asking.ask_to_verify(home, release, told),
        progress=_say,
    )
    if arguments.as_json:
        _show_json(proof.as_json(found))
    else:
        for line in proof.lines_of(found):
            _show(line)
    for fault in found.faults:
        _say(f"error: {fault}")
    return ExitCode.FAILED if found.faults else ExitCode.DONE


def _try(arguments: argparse.Namespace) -> int:
    trial, looking = _room("commands.trial"), _room("commands.looking")
    tree, entry = trial.program_of(arguments.program, arguments.tree)
    home, now_ns = _home(arguments), time.time_ns()
    record = looking.look(home, now_ns).record
    entry, loop = trial.found_in(tree, entry)
    if loop is not None and record is None and not arguments.as_json:
        _show(asyncio.run(_room("loops.trial").try_once(loop, now_ns)))
        return ExitCode.DONE
    tried = trial.try_once(tree, entry, home=home, app=arguments.app, record=record, now_ns=now_ns)
    if arguments.as_json:
        _show_json(tried)
    else:
        for line in trial.lines_of(tried):
            _show(line)
    return ExitCode.DONE


def _pause(arguments: argparse.Namespace) -> int:
    return _wish(arguments, "paused from the next cycle on", paused=True)


def _resume(arguments: argparse.Namespace) -> int:
    return _wish(arguments, "neither paused nor halted from the next cycle on")


def _halt(arguments: argparse.Namespace) -> int:
    return _wish(arguments, "halted from the next cycle on", paused=True, halted=True)


def _wish(
    arguments: argparse.Namespace, words: str, *, paused: bool = False, halted: bool = False
) -> int:
    control = _room("commands.control")
    control.write_control(_home(arguments), paused=paused, halted=halted, note=arguments.note)
    remark(words)
    return ExitCode.DONE


def _down(arguments: argparse.Namespace) -> int:
    from handoff import plain  # noqa: PLC0415 - as above

    if plain.down(_home(arguments)):
        remark("stopped")
        return ExitCode.DONE
    remark("error: it is still stopping\nhint: `handoff logs` shows what it waits for")
    return ExitCode.TIMED_OUT
