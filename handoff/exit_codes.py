"""Exit codes of every command of this project; scripts and CI rely on them."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """One number for each way a command can end."""

    DONE = 0  # done; with `-d`: accepted
    FAILED = 1  # an error; the message says which
    USAGE = 2  # the arguments or the configuration are wrong
    REFUSED = 3  # a gate or a rule refused; the old release goes on
    RETURNED = 4  # the previous release owns again
    TIMED_OUT = 5  # waited as long as was allowed
    NOT_RUNNING = 6  # no launcher answers
    ANOTHER = 7  # another is in charge
    INTERRUPTED = 130  # Ctrl-C
