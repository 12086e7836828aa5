"""The command line of the engine on its own, for programs that are not under git.

    handoff run module:name --tree DIR [-d] [--home HOME] [--app NAME]
    handoff replace --tree DIR2 [--home HOME] [--bake N]
    handoff rollback|promote|status|logs|releases|verify|pause|resume|down [--home HOME]
    handoff try module:name|FILE.py [--tree DIR]

Owns the way from an error to an exit code, and the commands that the engine starts itself:
`launcher`, `worker`, `record` and the ends of a replay. Those for people are `terminal`'s.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from handoff import terminal
from handoff.child_signals import take_signals
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.limits import NO_RECORD_STATUS, OLDER_STATUS, OTHER_STATUS
from handoff.standard_streams import make_usable, remark
from handoff.usage import Parser, parsed
from handoff.wish import declare_options, wish_of_options
from state.errors import AccountOther, EtcdOlder, StateError

if TYPE_CHECKING:
    import argparse

DISTRIBUTION: Final = "foresight-engine"
INTERNAL: Final = (
    "launcher",
    "worker",
    "record",
    "recorded",
    "redecide",
    "knowledge",
    "repair",
)  # nobody types them


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return ExitCode.USAGE
    make_usable()
    take_signals()
    parser, commands = _parser()
    words = sys.argv[1:] if argv is None else argv
    arguments = parsed(parser, commands, words, INTERNAL)
    try:
        return int(arguments.run(arguments))
    except (HandoffError, StateError) as error:
        return _fail(error, terminal.exit_code_of(error))
    except OSError as error:
        # A home that cannot be written, a full disk: the operating system's own words.
        remark(f"error: {error}")
        return ExitCode.FAILED


def _fail(error: HandoffError | StateError, code: ExitCode) -> int:
    remark(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))
    return code


def _parser() -> tuple[Parser, terminal.Commands]:
    """Return the parser of the whole command line, and its commands."""
    parser = Parser(prog="handoff", description=terminal.PURPOSE)
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    parser.set_defaults(run=lambda arguments: _help(parser, arguments))
    terminal.declare(commands)
    _add_internal(commands)
    return parser, commands


def _help(parser: Parser, arguments: argparse.Namespace) -> int:
    if arguments.version:
        from importlib.metadata import version  # noqa: PLC0415 - readers of mails and archives come with it

        sys.stdout.write(f"handoff, version {version(DISTRIBUTION)}\n")
    else:
        parser.print_help()
    return ExitCode.DONE


def _add_internal(commands: terminal.Commands) -> None:
    launcher = commands.add_parser("launcher")
    launcher.add_argument("--home", type=terminal.place, required=True)
    launcher.set_defaults(run=_launcher)
    worker = commands.add_parser("worker")
    worker.add_argument("--home", type=terminal.place, required=True)
    for name in ("--app", "--release"):
        worker.add_argument(name, required=True)
    for name in ("--origin-ns", "--speed"):
        worker.add_argument(name, type=int, required=True)
    worker.add_argument("--deploy", default="")
    worker.add_argument("--create", action="store_true")
    worker.add_argument("--force-filesystem", action="store_true")
    worker.set_defaults(run=_worker)
    declare_options(worker)
    record = commands.add_parser("record")
    record.add_argument("--home", type=terminal.place, required=True)
    record.add_argument("--app", required=True)
    record.set_defaults(run=_record)
    recorded = commands.add_parser("recorded")
    recorded.add_argument("--last", type=int, required=True)
    recorded.set_defaults(run=_recorded)
    replay = commands.add_parser("redecide")  # a deployer of another release asks by this name
    replay.set_defaults(run=_replay)
    knowledge = commands.add_parser("knowledge")
    knowledge.set_defaults(run=_knowledge)
    repair = commands.add_parser("repair")
    repair.set_defaults(run=_repair)
    for command in (recorded, replay, knowledge, repair):
        command.add_argument("--home", type=terminal.place, required=True)
        command.add_argument("--release", required=True)


def _launcher(arguments: argparse.Namespace) -> int:
    from handoff.launcher import loop as launcher  # noqa: PLC0415 - nothing else may load what it needs

    return launcher.main(arguments.home)


def _worker(arguments: argparse.Namespace) -> int:
    from handoff.worker.process import WorkerOptions, run_worker  # noqa: PLC0415 - as above
    from state.record import Timeline  # noqa: PLC0415 - as above

    return run_worker(
        WorkerOptions(
            home=arguments.home,
            app=arguments.app,
            release=arguments.release,
            timeline=Timeline(origin_ns=arguments.origin_ns, speed=arguments.speed),
            deploy_id=arguments.deploy,
            create=arguments.create,
            force_filesystem=arguments.force_filesystem,
            wish=wish_of_options(arguments),
        )
    )


def _record(arguments: argparse.Namespace) -> int:
    """Let the home follow an etcd; say which release is wanted, to the launcher by the status."""
    from handoff.shared_record import look_up  # noqa: PLC0415 - as above

    try:
        wanted = look_up(arguments.home, os.environ, app=arguments.app)
    except (EtcdOlder, AccountOther) as error:
        remark(f"{error}")  # the launcher says it on: this and no more
        return OLDER_STATUS if isinstance(error, EtcdOlder) else OTHER_STATUS
    if wanted is None:
        return NO_RECORD_STATUS
    sys.stdout.write(f"{wanted}\n")
    return ExitCode.DONE


def _recorded(arguments: argparse.Namespace) -> int:
    from handoff.replay import process as replay_process  # noqa: PLC0415 - as above

    replay_process.tell_recorded(arguments.home, arguments.release, last=arguments.last)
    return ExitCode.DONE


def _replay(arguments: argparse.Namespace) -> int:
    from handoff.replay import process as replay_process  # noqa: PLC0415 - as above

    replay_process.replay_told(arguments.home, arguments.release)
    return ExitCode.DONE


def _knowledge(arguments: argparse.Namespace) -> int:
    from handoff.replay import verify as verify_process  # noqa: PLC0415 - as above

    verify_process.tell_knowledge(arguments.home, arguments.release)
    return ExitCode.DONE


def _repair(arguments: argparse.Namespace) -> int:
    from handoff.replay import repair  # noqa: PLC0415 - as above

    repair.tell_repaired(arguments.home, arguments.release)
    return ExitCode.DONE
