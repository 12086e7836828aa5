"""`python -m handoff`: the engine on its own, for programs that are not under git.

    python -m handoff run module:factory --tree DIR [--home HOME] [--app NAME]
    python -m handoff replace --tree DIR2 [--home HOME] [--bake N]
    python -m handoff status|down [--home HOME]

Owns the arguments of these commands and their exit codes. `launcher` and `worker` are what
the engine starts itself.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from handoff.child_signals import take_signals
from handoff.errors import AnotherInCharge, HandoffError, NotRunning
from handoff.exit_codes import ExitCode
from handoff.standard_streams import make_usable, print_line, remark
from handoff.wish import BAKE_BY_HAND, Wish, declare_options, wish_of_options
from state.errors import StateError


def main(argv: list[str] | None = None) -> int:  # noqa: PLR0911 - one exit code per error
    """Run one command; return its exit code."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return ExitCode.USAGE
    make_usable()
    take_signals()
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except AnotherInCharge as error:
        return _fail(error, ExitCode.ANOTHER)
    except NotRunning as error:
        return _fail(error, ExitCode.NOT_RUNNING)
    except (HandoffError, StateError) as error:
        return _fail(error, ExitCode.FAILED)
    except OSError as error:
        # A home that cannot be written, a full disk: the operating system's own words.
        remark(f"error: {error}")
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _fail(error: HandoffError | StateError, code: ExitCode) -> int:
    remark(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handoff")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="start a launcher and the first release")
    run.add_argument("entry", help="module:factory")
    run.add_argument("--tree", type=_place, required=True, help="directory with the modules")
    run.add_argument("--speed", type=int, default=1, help="application seconds per second")
    run.add_argument("--standby", action="store_true", help="keep a warm standby")
    run.add_argument("--force-filesystem", action="store_true", help="accept a volatile disk")
    run.add_argument("--moved", action="store_true", help="the owner elsewhere is dead: my word")
    run.set_defaults(run=_run)
    replace = commands.add_parser("replace", help="put a new release in charge")
    replace.add_argument("--tree", type=_place, required=True, help="directory with the modules")
    replace.add_argument("--entry", default="", help="module:factory, if it changed")
    replace.add_argument(
        "--bake", type=int, default=BAKE_BY_HAND, help="clean cycles before permanent"
    )
    replace.set_defaults(run=_replace)
    status = commands.add_parser("status", help="who owns, and how far it got")
    status.set_defaults(run=_status)
    down = commands.add_parser("down", help="drain at the end of the cycle and stop")
    down.set_defaults(run=_down)
    for command in (run, replace, status, down):
        command.add_argument("--home", type=_place, default=None, help="state directory")
        command.add_argument("--app", default="app", help="name of the application")
    _add_internal(commands)
    return parser


def _add_internal(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    launcher = commands.add_parser("launcher")
    launcher.add_argument("--home", type=_place, required=True)
    launcher.set_defaults(run=_launcher)
    worker = commands.add_parser("worker")
    worker.add_argument("--home", type=_place, required=True)
    for name in ("--app", "--release"):
        worker.add_argument(name, required=True)
    for name in ("--origin-ns", "--speed"):
        worker.add_argument(name, type=int, required=True)
    worker.add_argument("--deploy", default="")
    worker.add_argument("--create", action="store_true")
    worker.add_argument("--force-filesystem", action="store_true")
    worker.set_defaults(run=_worker)
    declare_options(worker)
    recorded = commands.add_parser("recorded")
    recorded.add_argument("--last", type=int, required=True)
    recorded.set_defaults(run=_recorded)
    replay = commands.add_parser("redecide")  # a deployer of another release asks by this name
    replay.set_defaults(run=_replay)
    verify = commands.add_parser("verify")
    verify.set_defaults(run=_verify)
    knowledge = commands.add_parser("knowledge")
    knowledge.set_defaults(run=_knowledge)
    repair = commands.add_parser("repair")
    repair.set_defaults(run=_repair)
    for command in (recorded, replay, verify, knowledge, repair):
        command.add_argument("--home", type=_place, required=True)
        command.add_argument("--release", required=True)


def _place(text: str) -> Path:
    """Return the path that an argument names, absolute: those who are told it run elsewhere."""
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, FileNotFoundError) as error:
        message = f"{text}: {error}; name an absolute path"
        raise argparse.ArgumentTypeError(message) from error


def _home(arguments: argparse.Namespace) -> Path:
    if arguments.home is not None:
        return Path(arguments.home)
    base = os.environ.get("XDG_STATE_HOME") or _user_directory() / ".local" / "state"
    return Path(base).absolute() / "handoff" / str(arguments.app)


def _user_directory() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        message = "nothing says where home is: this account has no directory; say --home"
        raise HandoffError(message) from error


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


def _recorded(arguments: argparse.Namespace) -> int:
    from handoff.replay import process as replay_process  # noqa: PLC0415 - as above

    replay_process.tell_recorded(arguments.home, arguments.release, last=arguments.last)
    return ExitCode.DONE


def _replay(arguments: argparse.Namespace) -> int:
    from handoff.replay import process as replay_process  # noqa: PLC0415 - as above

    replay_process.replay_told(arguments.home, arguments.release)
    return ExitCode.DONE


def _verify(arguments: argparse.Namespace) -> int:
    from handoff.replay import verify as verify_process  # noqa: PLC0415 - as above

    verify_process.verify_told(arguments.home, arguments.release)
    return ExitCode.DONE


def _knowledge(arguments: argparse.Namespace) -> int:
    from handoff.replay import verify as verify_process  # noqa: PLC0415 - as above

    verify_process.tell_knowledge(arguments.home, arguments.release)
    return ExitCode.DONE


def _repair(arguments: argparse.Namespace) -> int:
    from handoff.replay import repair  # noqa: PLC0415 - as above

    repair.tell_repaired(arguments.home, arguments.release)
    return ExitCode.DONE


def _run(arguments: argparse.Namespace) -> int:
    from handoff import open_files, plain  # noqa: PLC0415 - as above

    open_files.permit()
    return plain.run(
        _home(arguments),
        app=arguments.app,
        entry=arguments.entry,
        tree=arguments.tree,
        speed=arguments.speed,
        standby=arguments.standby,
        force_filesystem=arguments.force_filesystem,
        moved=arguments.moved,
    )


def _replace(arguments: argparse.Namespace) -> int:
    from handoff import plain  # noqa: PLC0415 - as above
    from handoff.outside import BAKE_WORDS  # noqa: PLC0415 - as above
    from handoff.rollout.table import Phase  # noqa: PLC0415 - as above

    deploy = plain.replace(
        _home(arguments),
        entry=arguments.entry,
        tree=arguments.tree,
        wish=Wish(bake=arguments.bake),
        say=remark,
    )
    print_line(
        sys.stdout,
        f"{deploy.deploy_id} {deploy.phase.value} {deploy.release} {deploy.reason}".strip(),
    )
    if deploy.phase is Phase.RETURNED and deploy.reason.startswith(BAKE_WORDS):
        remark("hint: nobody is to blame, and nothing tries again: replace it once inputs come")
    codes = {Phase.PERMANENT: ExitCode.DONE, Phase.RETURNED: ExitCode.RETURNED}
    return codes.get(deploy.phase, ExitCode.REFUSED)


def _status(arguments: argparse.Namespace) -> int:
    from handoff import plain  # noqa: PLC0415 - as above

    print_line(sys.stdout, plain.status(_home(arguments)))
    return ExitCode.DONE


def _down(arguments: argparse.Namespace) -> int:
    from handoff import plain  # noqa: PLC0415 - as above

    return ExitCode.DONE if plain.down(_home(arguments)) else ExitCode.TIMED_OUT


if __name__ == "__main__":
    raise SystemExit(main())
