"""What the docs say of the code is drawn from it, and what they show runs."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from docs import build, pictures
from foresight.config import Config
from foresight.strategies.registry import STRATEGIES
from handoff import simulate
from handoff.rollout.table import TRANSITIONS

DOCS = Path(build.__file__).parent
GUIDE = DOCS / "guide.md"
README = DOCS.parent / "README.md"
WRITTEN = build.generated()  # once: it reads all of the code


@pytest.mark.parametrize("path", sorted(WRITTEN), ids=lambda path: str(path.name))
def test_what_is_committed_is_what_make_docs_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == WRITTEN[path]


@pytest.mark.parametrize("example", build.EXAMPLES, ids=lambda path: str(path.name))
def test_an_example_in_the_guide_is_the_example(example: Path) -> None:
    """Twice: once by the generator's own way, once by looking."""
    text = example.read_text(encoding="utf-8")
    assert f"```python\n{text.rstrip()}\n```" in GUIDE.read_text(encoding="utf-8")


def test_every_key_of_the_configuration_has_a_row_and_every_number_its_unit() -> None:
    """By the structs that read the file, not by the generator's own list of sections."""
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    sections = [kind for kind in Config.__annotations__ if kind != "strategy"]
    structs = [type(getattr(Config(), name)) for name in sections] + [*STRATEGIES.values()]
    keys = [key for struct in structs for key in struct.__struct_fields__]
    assert [key for key in keys if f"\n| `{key}` | " not in text] == []
    assert [name for name in sections if f"\n## `[{name}]`\n" not in text] == []
    rows = re.findall(r"^\| `(\w+)` \| (?:whole )?number[^|]*\| (.*?) ?\|", text, re.MULTILINE)
    assert {key for key, unit in rows if not unit} == {"signature_type", "pull"}
    assert ("stake_window_usdc", "USDC") in rows


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_is_whole_and_for_light_and_dark(name: str) -> None:
    picture = pictures.PICTURES[name]()
    root = ET.fromstring(picture)  # noqa: S314 - our own picture
    assert root.get("aria-label")
    style = re.search(r"<style>(.*)</style>", picture, re.DOTALL)
    assert style is not None
    light, dark = style[1].split("@media (prefers-color-scheme: dark)")
    kinds = {kind for each in root.iter() for kind in (each.get("class") or "").split()}
    assert [kind for kind in kinds - {"small", "head", "warm"} if f".{kind} " not in dark] == []
    assert [kind for kind in kinds if f".{kind} " not in light] == []


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


def blocks_of(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def run_blocks(page: Path) -> dict[str, Any]:
    """Run the blocks of a page one after another, as a reader would type them."""
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks_of(page):
        exec(compile(block, page.name, "exec"), names)  # noqa: S102 - our own pages
    return names


def test_every_block_of_python_in_the_guide_runs() -> None:
    assert len(blocks_of(GUIDE)) == 6
    assert {"feed_to_chat", "news_since", "WatcherSince"} <= run_blocks(GUIDE).keys()


def test_the_loop_in_the_readme_runs_and_tells_each_headline_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = run_blocks(README)
    assert len(blocks_of(README)) == 1
    pages = iter([b"a\nb", b"b\nc"])
    names["urlopen"] = lambda _address, timeout: BytesIO(next(pages) if timeout else b"")
    simulation = simulate(names["news"](), cycles=2)
    assert capsys.readouterr().out.splitlines() == ["a", "b", "c"]
    assert simulation.body.state == {"known": ["a", "b", "c"]}


def test_every_link_of_the_guide_and_the_takeover_leads_somewhere() -> None:
    for page in (GUIDE, DOCS / "takeover.md", *DOCS.glob("diagrams/*.md")):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
