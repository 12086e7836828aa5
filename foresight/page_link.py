"""The link that opens the page: where its token lies, and how it is told; scrapers have their own.

Owns the tokens' files and the words around them. A token is in no argument list, no variable and
no log; a program reads the file and sends it as a header, a browser gets it behind the `#` of a
link, which no browser sends to anybody.
"""

import sys
from pathlib import Path
from typing import Final

from foresight.door.token_file import renewed, token_of

TOKEN_FILE: Final = "page.token"  # noqa: S105 - its name, below the home
METRICS_FILE: Final = "metrics.token"  # the same of scrapers
FRAGMENT: Final = "token"
COMMAND: Final = "foresight dashboard"


def page_token(home: Path) -> str:
    """Return the token of an installation's page; made at the first call.

    Args:
        home: The state directory, which exists.

    Raises:
        OSError: It can be neither read nor made.
    """
    return token_of(home / TOKEN_FILE)


def metrics_token(home: Path) -> str:
    """Return the token of those who scrape an installation's metrics; made at the first call.

    It is copied to where a scraper reads it, so it opens nothing but the metrics.

    Args:
        home: The state directory, which exists.

    Raises:
        OSError: It can be neither read nor made.
    """
    return token_of(home / METRICS_FILE)


def new_page_token(home: Path) -> str:
    """Make other tokens and return the page's: whoever came in with the ones before is out."""
    renewed(home / METRICS_FILE)
    return renewed(home / TOKEN_FILE)


def is_terminal() -> bool:
    """Tell whether standard output is read by a person, and kept by nobody."""
    return sys.stdout is not None and sys.stdout.isatty()


def address_for_people(home: Path, address: str) -> str:
    """Return what is printed of a page: a link that opens it, or where nobody looks its address.

    Args:
        home: The state directory.
        address: As `http://host:port`.
    """
    if not is_terminal():
        return address
    return f"{address.rstrip('/')}/#{FRAGMENT}={page_token(home)}"
