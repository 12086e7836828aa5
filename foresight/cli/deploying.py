"""`deploy`, `rollback` and `deploys`: a new version, the way back, and what became of each.

Owns the request and what is shown while it runs. The deploy itself is a job of the launcher:
closing this terminal changes nothing.
"""

from __future__ import annotations

import secrets
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from deploy import across, history, jobs, requests
from deploy.git_tree import GitTree
from foresight.cli import overriding, promoting
from foresight.cli.deploy_steps import follow, follow_elsewhere
from foresight.cli.deploy_trial import backtest_options, trial_asked
from foresight.cli.installation import Installation, as_text, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import (
    BELOW,
    complain,
    emit_folded,
    emit_json,
    emit_text,
    json_option,
    last_type,
    progress,
)
from foresight.cli.planning import show_plan
from foresight.cli.tables import deploy_lines
from foresight.errors import NeverOwned
from foresight.project import ENTRY
from handoff.commands.kept_releases import kept_releases, named
from handoff.commands.looking import left_out, look
from handoff.commands.promoting import NOTHING_MEANT, Meant
from handoff.errors import ReleaseUnusable
from handoff.exit_codes import ExitCode
from handoff.limits import NS, SHADOW_S_MAX
from handoff.plain_text import storable
from handoff.plurals import counted
from handoff.release_files import read_manifest
from handoff.rollout.launcher_client import LauncherClient
from handoff.standard_streams import text_columns
from handoff.wire import Kind
from handoff.wish import BAKE_NONE, Wish
from state.moments import rfc3339

if TYPE_CHECKING:
    from pathlib import Path

EXIT_OF = {
    history.Outcome.PERMANENT: ExitCode.DONE,
    history.Outcome.RETURNED: ExitCode.RETURNED,
}

wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(1, 86400),
    default=3600.0,
    show_default=True,
    help="Longest wait, seconds.",
)


@click.command()
@click.argument("ref", default="")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would happen, and when.")
@click.option("-d", "--detach", is_flag=True, help="Return once it is accepted.")
@wait_option
@click.option("--bake", type=click.IntRange(0, 10000), help="Clean cycles before it is permanent.")
@click.option(
    "--shadow",
    type=click.IntRange(0, 1000),
    default=0,
    help="Live cycles that it decides beside the owner first, effects off.",
)
@click.option(
    "--allow-differences",
    is_flag=True,
    help="It may decide recorded and live cycles otherwise, as often as it likes.",
)
@click.option(
    "--irreversible",
    is_flag=True,
    help="The running release need not be able to come back: nothing bakes.",
)
@backtest_options
@click.option("--abort", is_flag=True, help="End the deploy under way.")
@click.option("--promote", is_flag=True, help="End the bake under way with its next clean cycle.")
@click.option(
    "--epoch",
    type=click.IntRange(0),
    default=None,
    help="Promote only what owns in this epoch, as `status` shows it.",
)
@json_option
@pass_installation
def deploy(  # noqa: PLR0913 - one for each option of the command
    installation: Installation,
    /,
    *,
    ref: str,
    only_plan: bool,
    detach: bool,
    wait_s: float,
    bake: int | None,
    shadow: int,
    allow_differences: bool,
    irreversible: bool,
    abort: bool,
    promote: bool,
    epoch: int | None,
    as_json: bool,
    **trial: Any,  # noqa: ANN401 - the options of `backtest_options`, by their names
) -> int:
    """Put a commit in charge: build, gate, take over before the next boundary, bake."""
    if promote:
        meant = Meant(release=ref, epoch=NOTHING_MEANT if epoch is None else epoch)
        return promoting.promote(installation, meant)
    if epoch is not None:
        what = "--epoch says which bake --promote means"
        raise click.UsageError(what)
    if abort:
        return _abort(installation)
    if irreversible and bake:
        what = "--irreversible leaves no way back, so that nothing can bake: leave --bake out"
        raise click.UsageError(what)
    repository = GitTree(installation.repository)
    commit = repository.commit(ref or "HEAD")
    engine = installation.engine
    wish = structs.replace(
        engine.wish,
        bake=engine.bake if bake is None else bake,
        allow_differences=allow_differences,
        shadow=shadow,
        irreversible=irreversible,
        trial=trial_asked(installation, **trial),
    )
    if only_plan:
        return show_plan(installation, repository, ref or "HEAD", wish, as_json=as_json)
    commit = repository.commit_to_deploy(ref or None)
    installation.require_shown()
    _require_launcher(installation.home)
    _require_short(installation, shadow)
    request = requests.Request(
        deploy=_deploy_id(),
        repository=as_text(installation.repository),
        ref=storable(ref or "HEAD"),
        commit=commit.commit,
        entry_default=ENTRY,
        by=installation.asker(),
        requested_ns=now_ns(),
        wish=wish,
    )
    return _submit(installation.home, request, detach=detach, wait_s=wait_s, as_json=as_json)


@click.command()
@click.argument("release", default="")
@click.option("-d", "--detach", is_flag=True, help="Return once it is accepted.")
@wait_option
@json_option
@pass_installation
def rollback(
    installation: Installation, *, release: str, detach: bool, wait_s: float, as_json: bool
) -> int:
    """Put the previous release, or another that is kept, in charge again.

    RELEASE is the beginning of its name, or of its commit, as `releases` lists them.
    """
    home = installation.home
    installation.require_shown()
    _require_launcher(home)
    wanted = _wanted(installation, release) if release else _previous_release(installation)
    if history.never_owned(history.read_history(home).entries, wanted):
        raise NeverOwned(wanted)
    for line in overriding.lines_of(overriding.shown(installation, wanted)):
        progress(line)
    request = requests.Request(
        deploy=_deploy_id(),
        release=read_manifest(home, wanted).release,
        by=installation.asker(),
        requested_ns=now_ns(),
        wish=Wish(bake=BAKE_NONE),
    )
    return _submit(home, request, detach=detach, wait_s=wait_s, as_json=as_json)


def _wanted(installation: Installation, release: str) -> str:
    with suppress(ReleaseUnusable):
        # Its whole name: nobody has to know what else is kept.
        return read_manifest(installation.home, release).release
    kept = [each.manifest for each in kept_releases(installation.home, installation.record())]
    return named(kept, release).release


@click.command()
@click.option("--last", type=last_type, default=20, show_default=True, help="How many.")
@json_option
@pass_installation
def deploys(installation: Installation, *, last: int, as_json: bool) -> int:
    """List deploys: when, what, how each ended and why, and the one under way."""
    found = history.read_history(installation.home)
    entries = found.entries[-last:]
    if found.unreadable:
        progress(f"{counted(found.unreadable, 'line')} of the history cannot be read")
    current = history.read_current(installation.home)
    if not entries and current is None:
        progress("no deploy was made yet: `foresight deploy` makes one of a commit")
    if as_json:
        for entry in entries:
            emit_json(entry)
        return ExitCode.DONE
    # JSON has those that ended; one that ends just now is in both places.
    is_open = current is not None and all(each.deploy != current.deploy for each in entries)
    under_way = [current] if current is not None and is_open else []
    for line in deploy_lines([*entries, *under_way], text_columns()):
        emit_text(line)
    return ExitCode.DONE


@click.command()
@json_option
@pass_installation
def releases(installation: Installation, *, as_json: bool) -> int:
    """List the releases that are kept, the newest first: `rollback` takes each that owned."""
    view = look(installation.home, now_ns())
    entries = history.read_history(installation.home).entries
    found = kept_releases(installation.home, view.record)
    if not found:
        progress("no release is kept yet: `foresight up` builds the first one")
    for each in found:
        manifest, when = each.manifest, rfc3339(round(each.made_s * NS))
        part = "never owned" if history.never_owned(entries, manifest.release) else each.part
        row = {
            "release": manifest.release,
            "commit": manifest.commit,
            "subject": manifest.subject,
            "at": when,
            "part": part,
        }
        if as_json:
            emit_json(row)
        else:
            said = f" ({part})" if part else ""
            text = f"{when[:16].replace('T', ' ')}  {manifest.release}{said}  {manifest.subject}"
            emit_folded(text, later=BELOW)
    return ExitCode.DONE


def _deploy_id() -> str:
    return f"d{secrets.token_hex(4)}"


def _require_launcher(home: Path) -> None:
    with LauncherClient(home) as client:
        client.ask(Kind.STATUS)


def _require_short(installation: Installation, shadow: int) -> None:
    """Refuse a shadow that would take longer than a candidate may live."""
    record = installation.record()
    period_s = installation.schedule(record).bounds.period_ns / NS
    most = int(SHADOW_S_MAX / period_s)
    if shadow > most:
        what = f"--shadow {shadow} takes {shadow * period_s:.0f} s, at most {most} cycles fit"
        raise click.UsageError(what)


def _previous_release(installation: Installation) -> str:
    record = installation.record()
    if record.ownership.previous is not None:
        return record.ownership.previous.release
    for entry in reversed(history.read_history(installation.home).entries):
        if entry.outcome == history.Outcome.PERMANENT and entry.from_release:
            return entry.from_release
    what = "there is no earlier release; name one: `foresight rollback RELEASE`"
    raise click.UsageError(what)


def _abort(installation: Installation) -> int:
    home = installation.home_in_need()
    installation.require_shown()
    by, asked = installation.asker(), installation.asked
    # What the page does not show is nobody's to end from there.
    shown = None if asked is None else requests.deploy_of(asked.shown.deploy)
    found = [each.deploy for each in requests.open_requests(home) if shown in (None, each.deploy)]
    for each in found:
        requests.ask_abort(home, each, by)
    elsewhere = [] if shown == "" else across.ask_aborts(home, by, only=shown or "")
    ended = dict.fromkeys((*found, *elsewhere))
    for each in ended:
        progress(f"asked {each} to end")
    if not ended:
        progress("no deploy is under way")
    return ExitCode.DONE


def _submit(
    home: Path, request: requests.Request, *, detach: bool, wait_s: float, as_json: bool
) -> int:
    for line in left_out(home, now_ns()):
        progress(line)
    deploy_id = jobs.submit(home, request, sys.executable)
    is_ours = deploy_id == request.deploy
    if not is_ours:
        progress(f"deploy {deploy_id} of another host wants the same: nothing new is asked for")
    if detach:
        emit_json({"deploy": deploy_id}) if as_json else emit_text(deploy_id)
        return ExitCode.DONE
    try:
        ended = (follow if is_ours else follow_elsewhere)(home, deploy_id, wait_s)
    except KeyboardInterrupt:
        progress(f"\ndeploy {deploy_id} goes on; end it with `foresight deploy --abort`")
        return ExitCode.INTERRUPTED
    if ended is None:
        what = f"deploy {deploy_id} goes on after {wait_s:g} s"
        complain(what, "`foresight deploys` shows its end; `foresight deploy --abort` ends it")
        return ExitCode.TIMED_OUT
    if as_json:
        emit_json(ended)
    else:
        reason = f": {ended['reason']}" if ended["reason"] else ""
        emit_text(f"{ended['deploy']} {ended['outcome']} {ended['release']}{reason}")
    return EXIT_OF.get(history.Outcome(ended["outcome"]), ExitCode.REFUSED)
