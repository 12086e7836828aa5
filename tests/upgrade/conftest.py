"""Both engines, laid out once."""

import pytest

from tests.upgrade.engines import NO_PREVIOUS, PREVIOUS, Engines, is_in_this_clone, lay_out


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """Return the trees of both engines; without the old one there is nothing to compare."""
    if not is_in_this_clone(PREVIOUS.commit):
        pytest.skip(NO_PREVIOUS)
    return lay_out(tmp_path_factory.mktemp("engines"))
