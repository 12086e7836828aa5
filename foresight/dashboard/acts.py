"""What the page can do: each act's command, and what its confirmation says. Text in, words out.

Owns the list. An act is the command that a person would type, run by the installation's own
interpreter: there is no second way to do anything. Nothing is run from here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from foresight.shown import Shown


class ActUnknown(Exception):
    """What was asked for is no act, or lacks what it is about."""


class Act(NamedTuple):
    """One act.

    Attributes:
        label: On its button.
        says: What will happen, as its confirmation says it; `{}` stands for what it is about.
        words: The command, from what it is about.
        about: Whether it is about something that is named: an asset, or a release.
    """

    label: str
    says: str
    words: Callable[[str], tuple[str, ...]]
    about: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a browser or a program asks for.

    Attributes:
        act: One of `ACTS`.
        about: What it is about; empty where that is nothing.
        shown: What the page showed.
    """

    act: Annotated[str, Meta(max_length=20)]
    shown: Shown
    about: Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9._-]*\Z")] = ""


ACTS: Final[Mapping[str, Act]] = {
    "pause": Act(
        "Pause",
        "From the next cycle on nothing new is bought. What is open runs to its end.",
        lambda _: ("pause", "--note", "from the page"),
    ),
    "resume": Act(
        "Resume",
        "From the next cycle on it trades again.",
        lambda _: ("resume", "--note", "from the page"),
    ),
    "halt": Act(
        "Halt",
        "From the next cycle on nothing at all is sent. Nothing is closed either: what is open "
        "stays open.",
        lambda _: ("halt", "--note", "from the page"),
    ),
    "lock": Act(
        "Lock",
        "Nothing of {} is bought until somebody unlocks it. What is held runs to its end.",
        lambda asset: ("lock", "--note", "from the page", "--", asset),
        about=True,
    ),
    "deploy": Act(
        "Deploy",
        "The newest commit of the project's checked-out branch is built, has to pass every gate, "
        "takes over before a boundary and bakes.",
        lambda _: ("deploy", "--detach"),
    ),
    "promote": Act(
        "Promote now",
        "The next clean cycle makes {} permanent and ends the way back. While inputs fail no "
        "cycle is clean, and it is not made permanent.",
        lambda release: ("deploy", "--promote", "--", release),
        about=True,
    ),
    "abort": Act(
        "Abort",
        "The deploy under way is ended. Where the new release owns already, the one before it "
        "takes the next boundary back.",
        lambda _: ("deploy", "--abort"),
    ),
    "rollback": Act(
        "Roll back",
        "{} takes over before the next boundary that it can make, and does not bake.",
        lambda release: ("rollback", "--detach", "--", release),
        about=True,
    ),
}


def request_in(body: bytes) -> Request:
    """Return what is asked for.

    Raises:
        ActUnknown: It is nothing that the page can do.
    """
    try:
        request = msgspec.json.decode(body, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"this is no request: {error}"
        raise ActUnknown(message) from error
    act = ACTS.get(request.act)
    if act is None:
        message = f"no act is called {request.act!r}: {', '.join(ACTS)}"
        raise ActUnknown(message)
    if act.about != bool(request.about):
        what = "says what it is about" if act.about else "is about nothing that is named"
        message = f"{request.act} {what}"
        raise ActUnknown(message)
    return request


def words_of(request: Request) -> tuple[str, ...]:
    """Return the command of a request, without the program and its options."""
    return ACTS[request.act].words(request.about)
