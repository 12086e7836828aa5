"""A wrong command line: one sentence about what was typed, one about where help is, exit code 2.

Owns the parser that says so, for the command itself and for each of its commands.
"""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING, NoReturn

from typing_extensions import override

from handoff.exit_codes import ExitCode
from handoff.standard_streams import remark

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Parser(argparse.ArgumentParser):
    """A parser whose errors are an `error:` and a `hint:` line, without all that could be typed."""

    @override
    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments of this command, and leave."""
        self.refuse(message, f"`{self.prog} --help` says what may be typed")

    def refuse(self, message: str, hint: str) -> NoReturn:
        """Say what is wrong and what to do, and leave."""
        remark(f"error: {message}\nhint: {hint}")
        raise SystemExit(ExitCode.USAGE)


def parsed(
    parser: Parser,
    commands: argparse._SubParsersAction[Parser],
    words: Sequence[str],
    internal: Collection[str],
) -> argparse.Namespace:
    """Return the arguments that a command line says; leave where it says none.

    Args:
        parser: Of the whole command line.
        commands: What its first word may be.
        words: The command line.
        internal: Commands that nobody types; they are not offered.
    """
    first = words[0] if words else ""
    if first and not first.startswith("-") and first not in commands.choices:
        known = [each for each in commands.choices if each not in internal]
        near = difflib.get_close_matches(first, known, n=1)
        ask = f"did you mean `{parser.prog} {near[0]}`?" if near else ""
        where = f"`{parser.prog} --help` lists the commands"
        parser.refuse(f"there is no command {first!r}", ask or where)
    arguments, more = parser.parse_known_args(words)
    if more:
        whose = commands.choices.get(first, parser)  # not the whole one: its help is no help here
        whose.error(f"unrecognized arguments: {' '.join(more)}")
    return arguments
