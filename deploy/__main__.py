"""`python -m deploy run|watch|notify|hosts|make`: what the launcher starts for deploys.

Owns the arguments and exit codes of the job that runs one deploy, of the one that makes a release
which another host runs, and of the companions that follow the branch, tell people and look at the
deploys of other hosts. The job of a deploy is started again if it dies; its exit status 0
says that the deploy has ended, however it ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path

from deploy import across, convergence, making, notifications, others, requests
from deploy.deployer import NICENESS, Deployer
from deploy.errors import DeployError, RequestMissing
from deploy.watcher import BranchWatcher
from handoff.child_signals import take_signals
from handoff.errors import HandoffError
from handoff.launcher.engine_config import read_engine_config
from handoff.log_watch import watch_own_log
from handoff.open_files import permit
from handoff.rollout.launcher_client import LauncherClient
from handoff.shared_record import look_up
from handoff.wire import Kind
from state.errors import StateError

_USAGE = 2


def main(argv: list[str] | None = None) -> int:
    """Run one command to its end."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return _USAGE
    take_signals()
    permit()  # the launcher may have been started where hardly a file could be opened
    arguments = _parser().parse_args(argv)
    watch_own_log()
    os.nice(NICENESS)  # the owner beside it has the first word
    try:
        return int(arguments.run(arguments))
    except (DeployError, HandoffError, StateError) as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error}\nhint: see to the disk; it goes on when started again\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run one deploy to its end")
    run.add_argument("--deploy", required=True, help="its id")
    run.set_defaults(run=_run)
    watch = commands.add_parser("watch", help="let what runs follow a branch")
    watch.add_argument("--repository", required=True, help="directory of the repository")
    watch.add_argument("--branch", required=True, help="the branch to follow")
    watch.add_argument("--interval", type=float, required=True, help="seconds between two looks")
    watch.set_defaults(run=_watch)
    notify = commands.add_parser("notify", help="tell people what happens")
    notify.add_argument("--config", type=Path, required=True, help="file of addresses, mode 0600")
    notify.set_defaults(run=_notify)
    hosts = commands.add_parser("hosts", help="keep what the deploys of other hosts came to")
    hosts.add_argument("--app", required=True, help="name of the application")
    hosts.set_defaults(run=_hosts)
    make = commands.add_parser("make", help="make a release that another host runs")
    make.add_argument("--release", required=True, help="its id")
    make.add_argument("--repository", required=True, help="directory of the repository")
    make.add_argument("--remote", default="", help="where commits are fetched from")
    make.add_argument("--entry", default="", help="module:factory of a tree that names none")
    make.set_defaults(run=_make)
    for command in (run, watch, notify, hosts, make):
        command.add_argument("--home", type=Path, required=True, help="the state directory")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    try:
        request = requests.read_request(arguments.home, arguments.deploy)
    except RequestMissing:
        return 0  # it ended before this process was started again
    Deployer(arguments.home, request, now_ns=time.time_ns, say=_say).run()
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    policy = convergence.read_policy(arguments.home)
    follower = convergence.Follower(
        arguments.home,
        convergence.of_branch(policy, arguments.repository, arguments.branch),
        by="watcher",
        python=sys.executable,
        now_ns=time.time_ns,
    )
    watcher = BranchWatcher(
        arguments.home,
        follower,
        python=sys.executable,
        say=lambda words: _say({"at_ms": time.time_ns() // 1_000_000, "watch": words}),
    )
    watcher.run(arguments.interval)
    return 0


def _notify(arguments: argparse.Namespace) -> int:
    notifications.read_cursor(arguments.home)  # before the library takes its seconds to load
    addresses = notifications.read_addresses(arguments.config)
    notifications.Notifier(
        arguments.home,
        notifications.targets_of(addresses, str(arguments.config)),
        say=lambda words: _say({"at_ms": time.time_ns() // 1_000_000, "notify": words}),
    ).run()
    return 0


def _hosts(arguments: argparse.Namespace) -> int:
    home, desk = arguments.home, across.desk_of(arguments.home)
    if desk is None:
        return 0  # no other host has a part
    told = dict(read_engine_config(home).environment)

    def follow() -> None:
        look_up(home, told, app=arguments.app)

    def give_back(deploy: str) -> None:
        with contextlib.suppress(HandoffError), LauncherClient(home) as client:
            client.ask(Kind.GIVE_BACK, deploy=deploy)

    others.Others(
        home,
        desk,
        follow=follow,
        give_back=give_back,
        say=lambda words: _say({"at_ms": time.time_ns() // 1_000_000, "hosts": words}),
    ).run()
    desk.close()
    return 0


def _make(arguments: argparse.Namespace) -> int:
    source = making.Source(arguments.repository, arguments.remote, arguments.entry)
    making.make(
        arguments.home,
        arguments.release,
        source,
        lambda words: _say({"at_ms": time.time_ns() // 1_000_000, "make": words}),
    )
    return 0


def _say(members: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(members, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
