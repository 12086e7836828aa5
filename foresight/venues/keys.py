"""The private key of a real wallet, from a file that nobody else can read.

Owns the check of the file's mode and the shape of the key. The key goes to the client and
nowhere else: no error and no log names it.
"""

import re
import stat
from pathlib import Path
from typing import Final

from foresight.errors import ConfigError

# systemd shows a credential to its service alone, and where that is not root by an access list,
# which looks like a group that may read.
CREDENTIALS: Final = "/run/credentials/"
_KEY: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")


def read_key(path: str) -> str:
    """Return the private key in a file of mode 0600.

    Raises:
        ConfigError: The file cannot be read, others may read it, or it holds no key.
    """
    try:
        mode = Path(path).stat().st_mode
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        what = f"[venue] key_file {path} cannot be read"
        raise ConfigError(what, "name a file with the wallet's private key") from error
    allowed = stat.S_IRGRP if path.startswith(CREDENTIALS) else 0
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO) & ~allowed:
        what = f"[venue] key_file {path} can be read by others"
        raise ConfigError(what, f"chmod 600 {path}")
    if _KEY.fullmatch(text) is None:
        what = f"[venue] key_file {path} holds no private key of 64 hexadecimal digits"
        raise ConfigError(what)
    return text if text.startswith("0x") else f"0x{text}"
