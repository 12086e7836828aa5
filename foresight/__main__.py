"""`python -m foresight` and the `foresight` command."""

from __future__ import annotations

from foresight.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
