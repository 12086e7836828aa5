"""What the docs say of the code is drawn from it, and what they show runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import build
from handoff.rollout.table import TRANSITIONS

DOCS = Path(build.__file__).parent
GUIDE = DOCS / "guide.md"


@pytest.mark.parametrize("path", sorted(build.generated()), ids=lambda path: str(path.name))
def test_what_is_committed_is_what_make_docs_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == build.generated()[path]


def test_the_example_in_the_guide_is_the_example() -> None:
    """Twice: once by the generator's own way, once by looking."""
    example = build.EXAMPLE.read_text(encoding="utf-8")
    assert f"```python\n{example.rstrip()}\n```" in GUIDE.read_text(encoding="utf-8")


def test_every_rule_of_a_deploy_is_drawn() -> None:
    page = build.rollout_page()
    for (phase, event), target in TRANSITIONS.items():
        arrow = rf"    {phase.value} --> {target.value}: .*\b{event.__name__}\b"
        assert re.search(arrow, page), (phase, event)


def test_ownership_is_drawn_as_it_is_allowed() -> None:
    """A sample by hand: the generator must not be its own proof."""
    page = build.ownership_page()
    assert "    one_owner --> new_owner__in_its_bake: take\n" in page
    assert "    nobody__in_a_bake --> one_owner: seize by the previous" in page
    assert "nobody_yet --> new_owner" not in page, "with nobody before it, nothing bakes"


def test_with_a_cycle_in_hand_only_a_seize_changes_the_owner() -> None:
    moves = {(build.got(before), name) for before, _, name in build.explored()}
    in_hand = {name for got, name in moves if got == "decided"}
    assert in_hand == {
        "seize",
        "seize by the previous",
        "settle",
        "settle (clean)",
        "settle (spoilt from outside)",
    }


def test_every_block_of_python_in_the_guide_runs() -> None:
    """One after another, as a reader would type them."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, object] = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, "guide.md", "exec"), names)  # noqa: S102 - our own guide
    assert "WatcherSince" in names


def test_every_link_of_the_guide_and_the_takeover_leads_somewhere() -> None:
    for page in (GUIDE, DOCS / "takeover.md", *DOCS.glob("diagrams/*.md")):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
