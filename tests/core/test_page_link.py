"""The link that opens the page is told to people at a terminal, and to nobody else."""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING

from typing_extensions import override

from foresight.page_link import (
    METRICS_FILE,
    TOKEN_FILE,
    address_for_people,
    new_page_token,
    page_token,
)

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


def test_a_new_token_is_never_half_there_for_whoever_reads_it(tmp_path: Path) -> None:
    """A page that saw an empty file would make a token of its own, and the link would be a lie."""
    page_token(tmp_path)
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            page_token(tmp_path)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        made = [(new_page_token(tmp_path), page_token(tmp_path)) for _ in range(40)]
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert all(told == kept for told, kept in made)
    assert {path.name for path in tmp_path.iterdir()} == {METRICS_FILE, TOKEN_FILE}
