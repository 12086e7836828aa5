"""Tells a chat what is new in a feed, as a plain loop does it."""

import json
import time
from pathlib import Path
from urllib.request import Request, urlopen

FEED = "http://127.0.0.1:8000/feed.json"
CHAT = "http://127.0.0.1:8000/chat"
KNOWN = Path.home() / "feed_to_chat.json"


def fetch() -> list[str]:
    """Return the headlines that the feed shows now."""
    with urlopen(FEED, timeout=10) as answer:
        return list(json.load(answer))


def tell(line: str) -> None:
    """Send one line to the chat."""
    with urlopen(Request(CHAT, json.dumps({"text": line}).encode()), timeout=10):
        pass


def main() -> None:
    """Look once a minute, for ever."""
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else []
    while True:
        try:
            lines = fetch()
        except OSError:
            lines = []
        for line in lines:
            if line not in known:
                tell(line)
                known.append(line)
        del known[:-100]
        KNOWN.write_text(json.dumps(known))
        time.sleep(60 - time.time() % 60)


if __name__ == "__main__":
    main()
