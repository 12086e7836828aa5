"""A project's own strategies are looked for before anything is built, and not imported for it."""

from pathlib import Path

import pytest

from foresight.config import parse
from foresight.errors import ConfigError
from foresight.table_files import check_strategies

MODULE = """raise SystemExit("nobody imports the working tree to look at it")
from elsewhere import Other as Bought

class Momentum:
    pass

Chosen = Momentum
"""


def check(tree: Path, name: str) -> None:
    (tree / "strategy.py").write_text(MODULE, encoding="utf-8")
    (tree / "torn.py").write_text("class Torn:\n    def (\n", encoding="utf-8")
    (tree / "wide.py").write_text("from elsewhere import *\n", encoding="utf-8")
    config = parse(f"[strategy.15m]\nname = {name!r}\n", {}, where="t")
    check_strategies(config, tree, replayed=False, where="t")


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("strategi:Momentum", "the project has no strategi.py", "did you mean strategy?"),
        ("a.b:Momentum", "the project has no a/b.py", "known: strategy, torn, wide"),
        ("strategy:Momentun", "strategy.py has no class Momentun", "did you mean Momentum?"),
        ("torn:Torn", "torn.py, line 2: invalid syntax", "correct it"),
        ("../strategy:Momentum", "names no class", "say module:class"),
        ("strategy:", "names no class", "say module:class"),
    ],
)
def test_one_that_is_not_there_is_named_with_its_place(
    tmp_path: Path, name: str, what: str, hint: str
) -> None:
    """`doctor` called it good, and `up` built a release to find out."""
    with pytest.raises(ConfigError, match=what) as caught:
        check(tmp_path, name)
    assert str(caught.value).startswith("t: [strategy.15m] name: ")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "name", ["strategy:Momentum", "strategy:Chosen", "strategy:Bought", "wide:Any", "json:Any"]
)
def test_what_only_running_it_would_tell_is_left_to_the_worker(tmp_path: Path, name: str) -> None:
    check(tmp_path, name)
    assert (tmp_path / "strategy.py").exists()
