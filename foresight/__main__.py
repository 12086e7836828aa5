"""`python -m foresight` and the `foresight` command."""

from __future__ import annotations


def main() -> int:
    """Run the command that was typed; return its exit code."""
    try:
        from foresight.cli.main import main as run  # noqa: PLC0415 - it takes its time: Ctrl-C may come

        return run()
    except KeyboardInterrupt:
        return 130  # as `ExitCode.INTERRUPTED`, which was perhaps not loaded yet


if __name__ == "__main__":
    raise SystemExit(main())
