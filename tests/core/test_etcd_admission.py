"""With which words a client is let in: those of their file, and no refused ones in a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from state.etcd import admission
from state.etcd.address import Cluster, Credentials, Endpoint, Source
from state.etcd.admission import Admission

if TYPE_CHECKING:
    from pathlib import Path

HELD = Credentials(user="bot", password="old")  # noqa: S106 - of nobody
NEW = HELD._replace(password="new")  # noqa: S106 - likewise


@pytest.fixture
def file(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "cluster.toml"


def written(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def opened(file: Path) -> Admission:
    return Admission(Cluster((Endpoint("127.0.0.1"),), "app", HELD, Source(str(file))))


def test_what_the_file_says_now_is_used_and_what_it_does_not_say_is_not(file: Path) -> None:
    found = opened(file)
    assert found.read_again() == HELD, "there is no file any more"
    half = (
        'user = "bot"\npassword = "ne',
        'user = "bot"',
        'ca = "a"\ncertificate = "b"\nkey = "c"',
    )
    for text in half:
        written(file, text)
        assert found.read_again() == HELD
    whole = 'user = "bot"\npassword = "new"'
    written(file, whole, 0o644)
    assert found.read_again() == HELD, "anybody could have written it"
    written(file, whole)
    assert found.read_again() == NEW
    assert found.cluster.credentials == NEW
    assert Admission(Cluster((Endpoint("127.0.0.1"),), "app", HELD)).read_again() == HELD


def test_words_that_were_refused_are_not_tried_again_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try costs a member a good part of a second of a processor."""
    found = opened(file)
    assert not found.why_not()
    found.note_refused("no such user")
    found.read_again()
    assert found.why_not() == "no such user"
    written(file, 'user = "bot"\npassword = "new"')
    found.read_again()
    assert not found.why_not(), "they are others by now"
    monkeypatch.setattr(admission, "TRY_AGAIN_S", 0.0)
    found.note_refused("no such user")
    assert not found.why_not(), "etcd may have learnt them"
