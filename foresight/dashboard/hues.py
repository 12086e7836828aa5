"""The hue of a release: its own from the first cycle to the last, in every window and every chart.

Owns how a release's id becomes a colour. It depends on nothing else: neither on what was shown
before nor on when the page was started. Names stand beside it, as two hues may be alike.
"""

import hashlib
from typing import Final

CIRCLE: Final = 360  # degrees of the colour circle


def hue_of(release: str) -> int:
    """Return the hue of a release, degrees.

    Args:
        release: Its id.
    """
    digest = hashlib.sha256(release.encode(errors="replace")).digest()
    return int.from_bytes(digest[:4]) % CIRCLE
