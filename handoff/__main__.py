"""`handoff`, or `python -m handoff`: the engine on its own, for programs that are not under git.

Owns that Ctrl-C has an exit code from the first moment on, also while the rest is being loaded.
What may be typed, and what becomes of an error, is in `command_line`.
"""

from __future__ import annotations


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    try:
        from handoff.command_line import main as run  # noqa: PLC0415 - it takes its time: Ctrl-C may come

        return run(argv)
    except KeyboardInterrupt:
        return 130  # as `ExitCode.INTERRUPTED`, which was perhaps not loaded yet


if __name__ == "__main__":
    raise SystemExit(main())
