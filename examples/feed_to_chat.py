"""Tells a chat what is new in a feed, by a loop that is replaced while it runs."""

import json
from urllib.request import Request, urlopen

import msgspec

from handoff import PlainLoopCycle, loop

FEED = "http://127.0.0.1:8000/feed.json"
CHAT = "http://127.0.0.1:8000/chat"


class Seen(msgspec.Struct):
    """What survives a restart and a new version."""

    known: list[str] = []


def fetch() -> list[str]:
    """Return the headlines that the feed shows now."""
    with urlopen(FEED, timeout=10) as answer:
        return list(json.load(answer))


def tell(line: str) -> None:
    """Send one line to the chat."""
    with urlopen(Request(CHAT, json.dumps({"text": line}).encode()), timeout=10):
        pass


@loop(every=60, state=Seen, acts=[tell])
def feed_to_chat(cycle: PlainLoopCycle, state: Seen) -> None:
    """Look once a minute, for ever."""
    for line in cycle.read(fetch, default=[]):
        if line not in state.known:
            cycle.do(tell, line)
            state.known = [*state.known, line][-100:]
