"""What a message says is text wherever it goes: a commit's subject is no markup."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.notices import Notice
from deploy.notifications import _sender

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own
TELEGRAM = "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/12315544/"


@pytest.mark.parametrize(
    ("address", "shown"),
    [(TELEGRAM, "Use a &lt; b &amp; c"), ("json://localhost/", "Use a < b & c")],
)
def test_a_subject_is_escaped_for_where_it_goes(address: str, shown: str) -> None:
    """Telegram refuses a message with half a tag in it, and nobody hears of the deploy."""
    sent: list[str] = []

    def send(**message: Any) -> bool:  # noqa: ANN401 - whatever the library hands to its plugin
        sent.append(f"{message['title']} {message['body']}")
        return True

    apprise = pytest.importorskip("apprise")
    service = apprise.Apprise.instantiate(address)
    service.send = send
    notice = Notice(title="mine: live, x < y", body="Use a < b & c")
    assert _sender(apprise, service)(notice)
    assert shown in sent[0]
    assert ("&lt;" in shown) == ("x &lt; y" in sent[0])
