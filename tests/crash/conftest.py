"""What each of these tests leaves behind: no open store."""

from collections.abc import Iterator

import pytest

from tests.homes import close_opened


@pytest.fixture(autouse=True)
def _stores_are_closed() -> Iterator[None]:
    """Close the stores of a test: an ordinary user may hold 1024 descriptors for all of them."""
    yield
    close_opened()
