"""A token: a file that only its owner can read.

Owns such files. One outlives its server, so that who read it once can go on asking; removed, the
next start makes another. Must never enter: keys of a venue, printing it anywhere.
"""

import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_BYTES: Final = 32
_BYTES_MAX: Final = 256  # of the file: what is longer is not ours
_MODE: Final = 0o600
_OTHERS: Final = 0o077
_SCHEME: Final = "Bearer "


def token_of(path: Path) -> str:
    """Return the token that a file keeps; made where there is none that is secret.

    Raises:
        OSError: It can be neither read nor made.
    """
    return _kept(path) or renewed(path)


def renewed(path: Path) -> str:
    """Return another token, kept from now on.

    Raises:
        OSError: It cannot be made.
    """
    token = secrets.token_urlsafe(_BYTES)
    # Beside it and whole first: who reads an empty one, or none, would make another.
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(fresh, flags, _MODE), "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), _MODE)  # whatever the umask
            file.write(token + "\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return token


def bears(said: str, token: str) -> bool:
    """Tell whether an Authorization header carries a token; how long it takes says nothing."""
    return hmac.compare_digest(said.encode(errors="replace"), (_SCHEME + token).encode())


def _kept(path: Path) -> str:
    """Return what is kept, or an empty string where anybody else may know or choose it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_private = stat.S_ISREG(status.st_mode) and not status.st_mode & _OTHERS
        if not is_private or status.st_uid != os.geteuid():
            return ""
        words = file.read(_BYTES_MAX).decode("ascii", "replace").split()
    return words[0] if len(words) == 1 and len(words[0]) >= _BYTES else ""
