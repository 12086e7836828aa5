"""Lines of a log as the page may show them: without what opens something.

Owns what counts as a secret in a line: what the home keeps in files of its own, words that follow
the name of a key, whole private keys, logins in addresses. It would rather hide too much: the
file itself shows all of it to whoever may read it.
"""

import re
from collections.abc import Collection
from typing import Final

from handoff.clean_text import HIDDEN, cleaned_line, without_passwords

HEX_SHOWN: Final = 8  # of a long number in hexadecimal: enough to know it again
_NAMES: Final = r"api[_-]?key|authorization|bearer|mnemonic|pass(?:word|phrase)|private[_-]?key"
_NAMED: Final = re.compile(
    rf"((?:{_NAMES}|secret|token|signature|cookie)\w*[\"']?\s*[:=]\s*[\"']?"
    r"(?:(?:bearer|basic)\s+[\"']?)?)"
    r"[^\s\"',;}&]+",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(bearer\s+[\"']?)[^\s\"',;]+", re.IGNORECASE)
# 32 bytes are a private key, and a digest too: neither is needed whole.
_LONG_HEX: Final = re.compile(r"\b(?:0x)?[0-9a-f]{64,}\b", re.IGNORECASE)


def hidden(line: str, known: Collection[str]) -> str:
    """Return a line without secrets and without characters that steer.

    Args:
        line: As it stands in the log.
        known: Secrets of this home, as they are.
    """
    line = without_passwords(cleaned_line(line))
    for secret in known:
        if secret:
            line = line.replace(secret, HIDDEN)
    line = _BEARER.sub(rf"\1{HIDDEN}", line)
    line = _NAMED.sub(rf"\1{HIDDEN}", line)
    return _LONG_HEX.sub(lambda found: f"{found.group()[:HEX_SHOWN]}…", line)
