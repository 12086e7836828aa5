"""What a new head of the followed branch leads to: the rules that hook and watcher share."""

import pytest

from deploy.branch import SKIP_MARK, Known, Policy, why_left_alone, why_skipped

OLD, NEW, OTHER = "a" * 40, "b" * 40, "c" * 40
POLICY = Policy(repository="/r", shared="/r/.git", branch="main")


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (Known(live=NEW), "is live"),
        (Known(live=OLD, requested=[NEW]), "asked for already"),
        (Known(live=OLD, requested=[OTHER, NEW]), "asked for already"),
        (Known(live=OLD, handled=NEW), "dealt with before"),
        (Known(live=OLD, outcomes={NEW: "refused"}), "`foresight deploy` tries it again"),
        (Known(live=OLD, outcomes={NEW: "returned"}), "was returned"),
        (Known(live=OLD, outcomes={NEW: "aborted"}), "was aborted"),
        (Known(live=OLD, outcomes={NEW: "permanent"}), "was permanent before"),
        (Known(live=OLD, outcomes={NEW: "skipped"}), "was skipped before"),
    ],
)
def test_a_head_is_left_alone(known: Known, reason: str) -> None:
    assert reason in why_left_alone(NEW, known)


@pytest.mark.parametrize(
    "known",
    [
        Known(live=OLD),
        Known(live=OLD, handled=OLD),
        # Asked for and then overtaken: the newest request is for something else.
        Known(live=OLD, requested=[NEW, OTHER]),
        # What runs is about to be replaced by what the branch has left behind.
        Known(live=NEW, requested=[OTHER]),
        # A kept release is about to come back: whoever merged after that wants the merge.
        Known(live=OLD, requested=[""], handled=OLD),
        # The branch was put back to what ran before.
        Known(live=OTHER, outcomes={NEW: "permanent"}, handled=OTHER),
    ],
)
def test_a_head_is_wanted(known: Known) -> None:
    assert why_left_alone(NEW, known) == ""


def test_a_head_is_compared_with_what_will_run() -> None:
    """What runs is about to go: a revert of what was merged last is no change of words alone."""
    assert Known(live=OLD).target == OLD
    assert Known(live=OLD, requested=[OTHER, NEW]).target == NEW
    assert Known(live=OLD, requested=[""]).target == "", "then nothing is said of the difference"


def test_a_rollback_is_not_undone() -> None:
    """The branch still has the bad release: following it again would fight the operator."""
    known = Known(live=OLD, outcomes={NEW: "permanent", OLD: "permanent"}, handled=NEW)
    assert why_left_alone(NEW, known) != ""
    assert why_left_alone(NEW, Known(live=OLD, outcomes={NEW: "permanent"})) != ""


def skipped(
    message: str = "Fix",
    files: list[str] | None = None,
    *,
    signed: bool = False,
    policy: Policy = POLICY,
) -> str:
    return why_skipped(policy, message=message, files=files, is_signed=signed)


def test_a_message_can_say_no() -> None:
    assert SKIP_MARK in skipped(f"Fix\n\n{SKIP_MARK}\n", ["app/worker.py"])


@pytest.mark.parametrize("files", [["docs/a/b.png", "README.md"], ["app/notes.md"]])
def test_documentation_needs_no_deploy(files: list[str]) -> None:
    assert "only documentation" in skipped(files=files)


@pytest.mark.parametrize("files", [["README.md", "app/worker.py"], [], None, ["docsx/a.py"]])
def test_anything_else_does(files: list[str] | None) -> None:
    assert skipped(files=files) == ""


def test_the_paths_of_documentation_are_the_installations() -> None:
    policy = Policy(repository="/r", shared="/r/.git", branch="main", documentation=("*.txt",))
    assert skipped(files=["a/b.txt"], policy=policy) != ""
    assert skipped(files=["README.md"], policy=policy) == ""


@pytest.mark.parametrize(("signed", "what"), [("commits", "commit"), ("tags", "tag")])
def test_only_what_is_signed_goes_live_where_that_is_asked_for(signed: str, what: str) -> None:
    assert signed in ("commits", "tags")
    policy = Policy(
        repository="/r",
        shared="/r/.git",
        branch="main",
        signed="commits" if signed == "commits" else "tags",
    )
    assert what in skipped(policy=policy)
    assert skipped(policy=policy, signed=True) == ""
