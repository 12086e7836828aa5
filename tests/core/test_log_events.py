"""The names of log events: alarms are set on them."""

from __future__ import annotations

import re

from handoff.log_events import LogEvent


def test_every_event_is_named_as_it_is_spelt() -> None:
    for event in LogEvent:
        assert event.value == event.name.lower()
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", event.value)


def test_every_event_says_what_happened_to_whom() -> None:
    assert all("_" in event.value for event in LogEvent)
