"""What each of these tests leaves behind: no open store."""

from tests.closed_stores import stores_are_closed

__all__ = ["stores_are_closed"]
