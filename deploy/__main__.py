"""`python -m deploy run --home DIR --deploy ID`: the job that runs one deploy.

Owns the arguments and the exit code of the job. The launcher starts it, and starts it
again if it dies; exit status 0 says that the deploy has ended, however it ended.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from deploy import requests
from deploy.deployer import NICENESS, Deployer, json_line
from deploy.errors import DeployError, RequestMissing
from state.errors import StateError

_USAGE = 2


def main(argv: list[str] | None = None) -> int:
    """Run one deploy to its end."""
    if not __debug__:
        sys.stderr.write("error: this program relies on its assertions\nhint: run without -O\n")
        return _USAGE
    parser = argparse.ArgumentParser(prog="python -m deploy")
    parser.add_argument("command", choices=["run"])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--deploy", required=True)
    arguments = parser.parse_args(argv)
    os.nice(NICENESS)  # the owner beside it has the first word
    try:
        request = requests.read_request(arguments.home, arguments.deploy)
    except RequestMissing:
        return 0  # it ended before this process was started again
    try:
        Deployer(arguments.home, request, now_ns=time.time_ns, say=_say).run()
    except (DeployError, StateError) as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        return 1
    return 0


def _say(members: dict[str, object]) -> None:
    sys.stdout.write(json_line(members) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
