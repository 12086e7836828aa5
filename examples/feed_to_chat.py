"""Tells a chat what is new in a feed, by a loop that is replaced while it runs."""

import json
from urllib.request import Request, urlopen

from handoff import PlainLoopCycle, loop

FEED = "http://127.0.0.1:8000/feed.json"
CHAT = "http://127.0.0.1:8000/chat"


def fetch() -> list[str]:
    """Return the headlines that the feed shows now."""
    with urlopen(FEED, timeout=10) as answer:
        return list(json.load(answer))


def tell(line: str) -> None:
    """Send one line to the chat."""
    with urlopen(Request(CHAT, json.dumps({"text": line}).encode()), timeout=10):
        pass


@loop(every=60, state=list, acts=[tell])
def feed_to_chat(cycle: PlainLoopCycle, known: list[str]) -> None:
    """Look once a minute, for ever."""
    try:
        lines = cycle.read(fetch)
    except OSError:
        lines = []
    for line in lines:
        if line not in known:
            cycle.do(tell, line)
            known.append(line)
    del known[:-100]
