"""The page's acts as HTML: buttons where it may act, commands to copy where it only reads.

Owns the words around them; what each act does and says is in `acts`. What was shown stands at the
region, so that a button acts on what its reader saw.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from foresight.dashboard.acts import ACTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from foresight.dashboard.view import View

COMMANDS: Final = (
    ("foresight pause", "nothing new is bought"),
    ("foresight resume", "it trades again"),
    ("foresight halt", "nothing at all is sent"),
    ("foresight lock BTC", "nothing of one asset is bought"),
    ("foresight deploy", "the newest commit goes live"),
    ("foresight deploy --promote", "the next clean cycle ends the bake"),
    ("foresight deploy --abort", "the deploy under way is ended"),
    ("foresight rollback", "the release before, or a kept one, takes over again"),
)


def acts_html(view: View) -> str:
    """Return what can be done about what the page shows."""
    return _buttons_html(view) if view.may_act else _commands_html()


def _commands_html() -> str:
    items = "".join(
        f'<li><code>{command}</code> <button type="button" data-copy="{command}" '
        f'aria-label="Copy {command}">Copy</button> <span class="quiet">{words}</span></li>'
        for command, words in COMMANDS
    )
    return (
        '<header><h2>Act</h2></header><details data-key="commands">'
        "<summary>Commands; this page only reads</summary>"
        f'<ul class="commands">{items}</ul></details>'
    )


def _buttons_html(view: View) -> str:
    deploying, version = view.deploying, view.version
    buttons = [_button("resume")] if view.control.paused or view.control.halted else []
    buttons += [] if view.control.paused or view.control.halted else [_button("pause")]
    buttons += [] if view.control.halted else [_button("halt")]
    buttons.append(_button("deploy"))
    if deploying is not None:
        if deploying.bakes:
            buttons.append(_button("promote", about=version.release, name=version.name))
        buttons.append(_button("abort"))
    assets = sorted({slot.asset for slot in view.slots})
    choices = _choice("lock", "Asset", [(asset, asset) for asset in assets])
    choices += _choice("rollback", "Kept release", view.kept)
    shown = (
        f'data-deploy="{escape(deploying.deploy if deploying else "")}" '
        f'data-release="{escape(version.release)}" data-epoch="{view.crew.epoch}" '
        f'data-name="{escape(version.name)}"'
    )
    return (
        f'<header><h2>Act</h2></header><div class="act-row" data-shown="1" {shown}>'
        f"{''.join(buttons)}{choices}</div>"
    )


def _button(act: str, *, about: str = "", name: str = "") -> str:
    known = ACTS[act]
    return (
        f'<button type="button" data-key="{act}" data-act="{act}" data-about="{escape(about)}" '
        f'data-name="{escape(name or about)}" data-says="{escape(known.says)}">'
        f"{known.label}</button>"
    )


def _choice(act: str, label: str, values: Sequence[tuple[str, str]]) -> str:
    if not values:
        return ""
    return (
        f'<span class="choice" data-key="{act}"><label>{label} '
        f'<select data-for="{act}">{_options(values)}</select></label> {_button(act)}</span>'
    )


def _options(values: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<option value="{escape(value)}" data-key="{escape(value)}">{escape(words)}</option>'
        for value, words in values
    )
