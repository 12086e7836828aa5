"""What a page showed when somebody acted on it, and whether it still is: deploy, release, epoch.

Owns the value, how it travels to a command, and the refusal where it is another one by now. No file
enters here.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from deploy.history import Entry
from foresight.errors import ForesightError
from handoff.rollout.table import ENDED
from state.record import Record

Name = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9._-]*\Z")]


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page showed.

    Attributes:
        deploy: The deploy under way; empty for none.
        release: The release that owned.
        epoch: The epoch in which it did.
    """

    deploy: Name = ""
    release: Name = ""
    epoch: Annotated[int, Meta(ge=0)] = 0


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asked for a command by way of the page.

    Attributes:
        peer: Address and port of the browser's connection, as the page saw it.
        shown: What the page showed.
    """

    peer: Annotated[str, Meta(max_length=100, pattern=r"^[0-9A-Fa-f.:\[\]]*\Z")]
    shown: Shown


class ShownChanged(ForesightError):
    """It is not what the page showed any more; nothing was done."""

    hint = "look at what the page shows now, and act on that"

    def __init__(self, shown: Shown, now: Shown) -> None:
        """Keep what was shown, and what is."""
        super().__init__(f"the page showed {_words(shown)}; now it is {_words(now)}")


def under_way(record: Record | None, current: Entry | None) -> str:
    """Return the deploy under way, or an empty string.

    Args:
        record: The record; its bake comes first.
        current: What a deployer wrote down last, or None.
    """
    if record is not None and record.rollout is not None:
        return record.rollout.deploy_id
    if current is None or current.outcome or current.phase in {phase.value for phase in ENDED}:
        return ""
    return current.deploy


def shown_in(record: Record, current: Entry | None) -> Shown:
    """Return what a page would show of a record and the deploy under way."""
    held = record.ownership
    return Shown(deploy=under_way(record, current), release=held.release, epoch=held.epoch)


def require(shown: Shown, now: Shown) -> None:
    """Refuse to act on something else than was shown.

    Raises:
        ShownChanged: It is another deploy, release or epoch by now.
    """
    if shown != now:
        raise ShownChanged(shown, now)


def _words(shown: Shown) -> str:
    deploy = f"deploy {shown.deploy}" if shown.deploy else "no deploy"
    return f"{deploy}, release {shown.release or 'none'} in epoch {shown.epoch}"
