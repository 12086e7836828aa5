"""What a page lets one do, and says of it: on what it showed, by the commands, and nothing else."""

from __future__ import annotations

import sys
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace as changed

from deploy.history import Entry as DeployEntry
from foresight.cli import running
from foresight.cli.addresses import Bound
from foresight.cli.installation import Installation
from foresight.dashboard.acts import ACTS, ActUnknown, request_in, words_of
from foresight.dashboard.acts_markup import acts_html
from foresight.dashboard.deploys import ReleaseName, deploying_of
from foresight.dashboard.markup import REGIONS
from foresight.dashboard.snapshot import Snapshot
from foresight.shown import Asked, Shown, ShownChanged, require, shown_in, under_way
from handoff.rollout.table import Phase as Stage
from state.record import Control, Ownership, Rollout, Timeline
from tests.core.dashboard_values import FIRST, SECOND, book, cycle_lines, record, seen, worker

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.dashboard.view import View

NAMES = {
    FIRST: ReleaseName(commit=FIRST, subject="First", is_kept=True),
    SECOND: ReleaseName(commit=SECOND, subject="Second", is_kept=True),
}


def baking(clean: int = 1, of: int = 5) -> Snapshot:
    held = Ownership(epoch=4, owner=worker(SECOND, 8), last_owner=worker(), previous=worker())
    bake = Rollout(deploy_id="d7", clean_cycles=clean, of=of)
    return Snapshot(
        record=record(ownership=held, rollout=bake),
        book=book(),
        lines=cycle_lines(1, 20),
        names=NAMES,
    )


def view_of(snapshot: Snapshot, *, may_act: bool = True) -> View:
    return replace(seen(snapshot), may_act=may_act)


def acts_in(html: str) -> list[str]:
    return [part.partition('"')[0] for part in html.split(' data-act="')[1:]]


def test_a_page_that_only_reads_has_commands_to_copy_and_no_act() -> None:
    html = acts_html(view_of(baking(), may_act=False))
    assert acts_in(html) == []
    for command in ("foresight deploy --promote", "foresight lock BTC", "foresight halt"):
        assert f'data-copy="{command}"' in html
    assert "this page only reads" in REGIONS["footer"](view_of(baking(), may_act=False))
    assert "only reads" not in REGIONS["footer"](view_of(baking()))


def test_what_can_be_done_is_offered_and_what_was_shown_stands_beside_it() -> None:
    html = acts_html(view_of(baking()))
    assert acts_in(html) == ["pause", "halt", "deploy", "promote", "abort", "lock", "rollback"]
    assert f'data-deploy="d7" data-release="{SECOND}" data-epoch="4"' in html
    assert f'<option value="{FIRST}"' in html
    assert f'<option value="{SECOND}"' not in html, "it owns"
    gone = replace(baking(), names={FIRST: replace(NAMES[FIRST], is_kept=False)})
    assert f'<option value="{FIRST}"' not in acts_html(view_of(gone)), "it was tidied away"
    asked = DeployEntry(deploy="d1", requested_at="", requested_ms=0, by="mia", release=FIRST)
    refused = changed(asked, from_release=SECOND, outcome="refused")
    html = acts_html(view_of(replace(baking(), deploys=(refused,))))
    assert f'<option value="{FIRST}"' not in html, "what only was refused is no way back"
    assert '<option value="BTC"' in html
    paused = changed(record(), control=Control(paused=True))
    calm = acts_html(view_of(replace(baking(), record=paused)))
    assert acts_in(calm)[:3] == ["resume", "halt", "deploy"]
    assert "promote" not in acts_in(calm), "nothing bakes"
    halted = changed(record(), control=Control(paused=True, halted=True))
    assert acts_in(acts_html(view_of(replace(baking(), record=halted))))[:2] == ["resume", "deploy"]


def test_each_act_says_what_will_happen_before_it_does() -> None:
    html = unescape(acts_html(view_of(baking())))
    for name in ("promote", "lock", "rollback", "abort"):
        assert ACTS[name].says in html


@pytest.mark.parametrize(
    ("clean", "of", "lacks", "words"),
    [
        (1, 5, False, "baking 1 of 5"),
        (1, 1, False, "promoted: the next clean cycle makes it permanent"),
        (0, 0, True, "its inputs fail: no cycle is clean, and it is not made permanent"),
    ],
)
def test_a_promoted_bake_says_what_it_waits_for(
    clean: int, of: int, words: str, *, lacks: bool
) -> None:
    view = view_of(replace(baking(clean, of), lacks_inputs=lacks))
    assert words in REGIONS["deploy"](view)


def said(**members: Any) -> bytes:  # noqa: ANN401 - JSON members
    known = {"act": "pause", "shown": {"deploy": "", "release": FIRST, "epoch": 1}}
    return msgspec.json.encode(known | members)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"\xff"',
        said(act="buy"),
        said(act="lock"),
        said(about="BTC"),
        said(act="rollback", about="x y"),
        said(act="lock", about="BTC\n"),
        said(shown={"deploy": "$(x)", "release": "", "epoch": 1}),
        said(shown={"deploy": "", "release": "", "epoch": -1}),
        said(other=1),
        msgspec.json.encode({"act": "pause", "about": ""}),
    ],
)
def test_what_is_no_act_is_refused_before_anything_runs(body: bytes) -> None:
    with pytest.raises(ActUnknown):
        request_in(body)


def test_an_act_is_a_command_and_what_it_is_about_never_an_option() -> None:
    assert words_of(request_in(said())) == ("pause", "--note", "from the page")
    words = words_of(request_in(said(act="rollback", about="--help")))
    assert words[-2:] == ("--", "--help")
    assert set(ACTS) == {
        *("pause", "resume", "halt", "lock"),
        *("deploy", "promote", "abort", "rollback"),
    }


@pytest.mark.parametrize("other", [{"deploy": "d8"}, {"release": SECOND}, {"epoch": 2}])
def test_each_part_of_what_was_shown_counts(other: dict[str, Any]) -> None:
    shown = Shown(deploy="d7", release=FIRST, epoch=1)
    require(shown, shown)
    with pytest.raises(ShownChanged, match="the page showed deploy d7") as caught:
        require(shown, changed(shown, **other))
    assert caught.value.hint


def test_the_page_and_the_command_mean_the_same_deploy() -> None:
    """Otherwise each act would be refused, or land on a deploy that nobody was shown."""
    entry = DeployEntry(deploy="d9", requested_at="", requested_ms=1, by="mia", ref="main")
    found = baking().record
    assert found is not None
    assert shown_in(found, entry) == Shown(deploy="d7", release=SECOND, epoch=4)
    for phase in ("", "waiting", *(stage.value for stage in Stage)):
        for outcome in ("", "refused"):
            now = changed(entry, phase=phase, outcome=outcome)
            shown = deploying_of(now, record(), NAMES)
            assert under_way(record(), now) == (shown.deploy if shown else "")


def test_who_asked_travels_as_text_without_a_way_to_say_more() -> None:
    asked = Asked(peer="127.0.0.1:5", shown=Shown())
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Asked) == asked
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"peer":"somebody else","shown":{}}', type=Asked)


@pytest.mark.parametrize("said", ["", "page_control = false\n", "page_control = true\n"])
def test_only_the_installation_lets_its_page_act(tmp_path: Path, said: str) -> None:
    """What the page is started with is decided at `up`; no release is asked, now or later."""
    config = tmp_path / "foresight.toml"
    text = f'[engine]\nhome = "{tmp_path / "home"}"\n{said}[venue]\nkind = "paper"\n'
    config.write_text(text, encoding="utf-8")
    page, *_ = running._companions(  # noqa: SLF001 - what `up` writes for the launcher
        Installation(config),
        Timeline(),
        {running.PAGE: Bound("127.0.0.1:1")},
        (),
        replay=None,
        rule=None,
    )
    assert ("--control" in page.argv) == said.endswith("true\n")
    if said.endswith("true\n"):
        assert page.argv[-4:] == ("--control", str(config), "--commands", sys.executable)
