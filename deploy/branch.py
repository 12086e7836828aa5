"""The followed branch: what a new head of it leads to.

Owns the rules by which hook and watcher act, the same for both: a head is dealt with once;
what runs, is asked for or has failed is left alone; what the policy does not want is written
down as skipped. Facts in, an answer out.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from handoff.plurals import counted
from handoff.wish import Wish

SKIP_MARK: Final = "[skip deploy]"
DOCUMENTATION: Final = ("docs/**", "*.md")
SHOWN_DIGITS: Final = 12  # of a commit's hash, in a sentence

# How a deploy of a commit may have ended that nobody may try again but by hand.
FAILED: Final = frozenset({"refused", "returned", "aborted"})
OVER: Final = FAILED | {"permanent", "skipped"}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What this installation wants of its branch.

    It is kept outside the tree: a merge must not decide by itself whether it may go live.

    Attributes:
        repository: Absolute path of the repository.
        shared: Absolute path of the git directory that all its working trees share.
        branch: Name of the branch.
        wish: What is wished of every deploy; in the file its members stand beside the others.
        signed: What must be signed: `commits`, `tags` or nothing.
        documentation: Patterns of files that need no deploy.
        entry_default: `module:factory` for a tree that names none.
    """

    repository: str
    shared: str
    branch: str
    wish: Wish = Wish()
    signed: Literal["", "commits", "tags"] = ""
    documentation: tuple[str, ...] = DOCUMENTATION
    entry_default: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a head is judged.

    Attributes:
        live: Commit that owns, or an empty string.
        requested: Commits of the requests that have not ended, oldest first; of one for a kept
            release the commit that it was made of, or an empty string where nobody knows.
        outcomes: How the newest deploy of each commit ended.
        handled: The head that was dealt with last, or an empty string.
    """

    live: str = ""
    requested: Sequence[str] = ()
    outcomes: Mapping[str, str] = {}
    handled: str = ""

    @property
    def target(self) -> str:
        """What will run once everything asked for has ended well; empty where nobody knows.

        What runs at the moment may be about to go: a head that differs from it by words alone
        differs from what replaces it by more.
        """
        return self.requested[-1] if self.requested else self.live


def why_left_alone(commit: str, known: Known) -> str:
    """Return why nothing is to be done about a head, or an empty string."""
    shown = commit[:SHOWN_DIGITS]
    outcome = known.outcomes.get(commit, "")
    if commit == known.handled:
        return f"{shown} was dealt with before"
    if known.requested and known.requested[-1] == commit:
        return f"{shown} is asked for already"
    if not known.requested and known.live == commit:
        return f"{shown} is live"
    if outcome in FAILED:
        return f"{shown} was {outcome}: `foresight deploy` tries it again"
    # Nobody remembers a head: a release that was rolled back must not come again by itself.
    if not known.handled and outcome in OVER:
        return f"{shown} was {outcome} before"
    return ""


def why_skipped(
    policy: Policy, *, message: str, files: Sequence[str] | None, is_signed: bool
) -> str:
    """Return why the policy wants no deploy of a head, or an empty string.

    Args:
        policy: What this installation wants.
        message: The head's whole commit message.
        files: What differs between the head and what runs; None where that is not known.
        is_signed: Whether a signature of the kind that the policy asks for was accepted.
    """
    if SKIP_MARK in message:
        return f"its message says {SKIP_MARK}"
    if files and all(_is_documentation(policy, name) for name in files):
        return f"only documentation changed ({counted(len(files), 'file')})"
    if policy.signed and not is_signed:
        what = "commit" if policy.signed == "commits" else "tag"
        return f"no valid signature on the {what}"
    return ""


def _is_documentation(policy: Policy, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in policy.documentation)
