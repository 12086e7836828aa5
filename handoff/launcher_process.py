"""The name under which a launcher of the release before this one starts, and comes back to.

Owns nothing: a launcher that replaces itself runs the command line that it was started with. The
program is `handoff.launcher.process`. Standard library only.
"""

from __future__ import annotations

from handoff.launcher.process import command, main

__all__ = ["command", "main"]
