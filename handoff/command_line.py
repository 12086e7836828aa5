"""The command line of the engine on its own, for programs that are not under git.

    handoff run module:factory --tree DIR [-d] [--home HOME] [--app NAME]
    handoff replace --tree DIR2 [--home HOME] [--bake N]
    handoff rollback|promote|status|logs|releases|verify|pause|resume|down [--home HOME]
    handoff try module:factory --tree DIR

Owns the way from an error to an exit code, and the commands that the engine starts itself:
`launcher`, `worker`, `record` and the ends of a replay. Those for people are `terminal`'s.
"""

from __future__ import annotations

import argparse
import os
import sys

from handoff import terminal
from handoff.child_signals import take_signals
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.limits import NO_RECORD_STATUS, OLDER_STATUS
from handoff.standard_streams import make_usable, remark
from handoff.wish import declare_options, wish_of_options
from state.errors import EtcdOlder, StateError


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return ExitCode.USAGE
    make_usable()
    take_signals()
    arguments = _parser().parse_args(argv)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="handoff", description=terminal.PURPOSE)
    commands = parser.add_subparsers(metavar="COMMAND")
    parser.set_defaults(run=lambda _: _help(parser))
    terminal.declare(commands)
    _add_internal(commands)
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return ExitCode.DONE


def _add_internal(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    except EtcdOlder as older:
        remark(f"{older}")  # the launcher says it on: this and no more
        return OLDER_STATUS
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
