"""The signals that whoever starts other programs relies on.

Owns what a parent may have left us: a program whose parent ignores SIGCHLD is never told how a
child ended, and the standard library then reports success for each of them. Standard library only.
"""

from __future__ import annotations

import signal

from handoff.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff.light_typing import Final

_NEEDED: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})


def see_children_end() -> None:
    """Let the kernel keep for us how a child ended, whatever the parent of this process ignores.

    Raises:
        ValueError: It is ignored, and this is not the main thread, where it can be mended.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def take_signals() -> None:
    """Begin as a program expects it: children are waited for, and it can be stopped."""
    see_children_end()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _NEEDED)
