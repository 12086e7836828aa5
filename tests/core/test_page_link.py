"""The link that opens the page is told to people at a terminal, and to nobody else."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from typing_extensions import override

from foresight.page_link import address_for_people, new_page_token, page_token

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ADDRESS = "http://127.0.0.1:8642"


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


def test_the_link_is_told_at_a_terminal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes into a pipe is kept: in a log of cron, of CI, of a container."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert address_for_people(tmp_path, ADDRESS) == ADDRESS
    monkeypatch.setattr(sys, "stdout", Terminal())
    token = page_token(tmp_path)
    assert address_for_people(tmp_path, ADDRESS) == f"{ADDRESS}/#token={token}"
    assert page_token(tmp_path) == token, "it is kept"
    new_page_token(tmp_path)
    assert page_token(tmp_path) != token
