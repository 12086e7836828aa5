"""`up` and `down`: starting the launcher with its companions, and stopping it.

Owns what an installation of Foresight consists of: launcher, workers, the page and, for the
local venue, the exchange. From the moment the launcher runs, this command is not needed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy import gates, jobs
from deploy.notifications import read_addresses
from foresight import home_disk
from foresight.cli.addresses import Bound, bound_for
from foresight.cli.exchange_asked import origin_ns_of
from foresight.cli.first_release import (
    ask_for_another,
    assets_at_start,
    release_to_start,
)
from foresight.cli.hooks import put_back, watcher_of
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.local_exchange import EXCHANGE, exchange_words, has_exchange, refuse_other_rule
from foresight.cli.moments import now_ns, pause
from foresight.cli.output import complain, detail, emit_text, progress
from foresight.cli.overriding import refuse_contradictions, refuse_unknown, say_changes
from foresight.cli.repairing import counted_header, repair_for_start
from foresight.cli.serving import control_words
from foresight.cli.start_basis import (
    Basis,
    basis_of,
    require_key,
    require_open_files,
    require_sound,
    unless_it_ran,
)
from foresight.cli.worker_environment import PASSED, kept_variables
from foresight.cluster import account_of, refuse_put_back, require_usable
from foresight.errors import ConfigError
from foresight.exchange.prices.recordings import recorded_assets
from foresight.extras import refuse_lacking
from foresight.login_session import remedy, this_session, why_ended
from foresight.overrides import EXCHANGE_URL, gathered
from foresight.page_link import COMMAND, address_for_people, is_terminal, metrics_token, page_token
from foresight.project import ENTRY
from foresight.venues.keys import key_file_of
from handoff.commands import background
from handoff.commands.log_lines import LogLines
from handoff.commands.looking import ask_to_stop, has_stopped
from handoff.exit_codes import ExitCode
from handoff.launcher import process as launcher_process
from handoff.launcher.account_lock import require_directory
from handoff.launcher.engine_config import (
    Companion,
    EngineConfig,
    EngineConfigInvalid,
    read_engine_config,
    write_engine_config,
)
from handoff.launcher.making import RELEASE
from handoff.launcher.self_replacement import left_to
from handoff.logs import open_log
from handoff.plain import launcher_lock_free, prepare_home, vouched_in
from state.errors import HomeUnsuitable, RecordMissing
from state.premises import narrow, refuse_shared
from state.record import Timeline, check_identity

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from foresight.config import Config

PAGE = "dashboard"
APP = "foresight"  # whom the page is about, where nobody says
DOWN_S_MAX = 90.0
POLL_S = 0.2


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return once it runs.")
@click.option("--speed", type=click.IntRange(1, 600), help="Market seconds per second.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Recorded candles for the local exchange.",
)
@click.option(
    "--rule",
    type=click.Choice(["last", "average"]),
    help="What settles the local exchange's windows; it stays so. By default average.",
)
@click.option("--live", is_flag=True, help="Real money, if the configuration says so too.")
@click.option("--force-filesystem", is_flag=True, help="Accept a network or volatile disk.")
@click.option(
    "--moved", is_flag=True, help="My word: the owner that ran this home elsewhere is dead."
)
@pass_installation
def up(
    installation: Installation,
    *,
    detach: bool,
    speed: int | None,
    replay: Path | None,
    rule: str | None,
    live: bool,
    force_filesystem: bool,
    moved: bool,
) -> int:
    """Start trading: launcher, owner, page and, for the local venue, the exchange."""
    refuse_contradictions(installation)
    basis = basis_of(installation)
    home, config, own = installation.home, basis.here, basis.own
    require_open_files(installation)
    require_usable(own, gathered(os.environ), installation.repository, home)
    refuse_other_rule(home, basis.exchanged, rule)
    refuse_lacking(own)
    say_changes(home)
    _check_live(basis, live=live)
    require_sound(installation, replayed=replay is not None)
    if own.venue.kind == "live":  # what every worker would refuse is refused now
        require_key(installation, key_file_of(own, gathered(os.environ), installation.repository))
    _make_home(home, config)
    home_disk.refuse_noexec(home)
    _say_disk(home, installation.repository)
    account, accounts = account_of(basis.accounted), _accounts(installation, own)
    doubt = launcher_lock_free(home, account, accounts)
    if doubt:
        complain(f"another launcher may have this account: {doubt}")
    vouched = vouched_in(home, volume=config.engine.volume, moved=moved)
    timeline = _timeline(installation, speed or config.engine.speed)  # refuses before a build
    first_release = release_to_start(installation)  # whose code a repair may need
    refuse_unknown(installation, first_release)
    places = _places(home, basis)
    traded = assets_at_start(installation, first_release)
    told = _told(
        installation, basis, places, traded, replay, live=live
    )  # may refuse: before a repair
    if config.engine.state:
        refuse_put_back(home, told, config.engine.app)
    else:
        repair_for_start(home, config.engine.app)
    put_back(installation)
    ask_for_another(installation, first_release)
    engine = EngineConfig(
        app=config.engine.app,
        first_release=first_release,
        origin_ns=timeline.origin_ns,
        speed=timeline.speed,
        standby=config.engine.standby,
        companions=_companions(installation, timeline, places, traded, replay=replay, rule=rule),
        environment=(*told, *vouched),
        passed=PASSED,
        force_filesystem=force_filesystem,
        account=account,
        accounts=accounts,
        jobs=jobs.jobs_to_resume(home, sys.executable),
        make=_maker(installation),
    )
    _narrow(home)
    page_token(home)  # the page's first request would race with whoever prints its link
    metrics_token(home)  # and a scraper's configuration can name it from now on
    write_engine_config(home, engine)
    if not detach:
        _say_page(home, places)
        progress(f"home {home}; Ctrl-C drains and stops; `foresight status` in another terminal")
        _become_launcher(home, places)
    return _run_detached(home, places)


@click.command()
@pass_installation
def down(installation: Installation) -> int:
    """Finish the cycle under way and stop; what is held stays held."""
    home = installation.home_in_need()
    lines = LogLines()
    lines.skip(background.log_of(home))
    ask_to_stop(home, now_ns())
    deadline_s = time.monotonic() + DOWN_S_MAX
    while time.monotonic() < deadline_s:
        _tell(lines, home)
        if has_stopped(home, now_ns()):
            _tell(lines, home)
            progress("stopped")
            return ExitCode.DONE
        pause(POLL_S)
    complain(f"still stopping after {DOWN_S_MAX:g} s", "`foresight logs` shows what it waits for")
    return ExitCode.TIMED_OUT


def _check_live(basis: Basis, *, live: bool) -> None:
    if live and not basis.is_live:
        what = "--live was said, but the configuration does not say [venue] live = true"
        raise ConfigError(what, "real money needs both")


def _accounts(installation: Installation, own: Config) -> str:
    """Return the configured directory of account locks; real money needs one that can be used."""
    engine = installation.engine
    named = str(installation.place_of(engine.accounts)) if engine.accounts else ""
    if own.venue.live:
        refuse_shared(Path(require_directory(named)), engine.trusted_group)
    return named


def _make_home(home: Path, config: Config) -> None:
    try:
        prepare_home(home, trusted_group=config.engine.trusted_group)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HomeUnsuitable(str(home), reason, "choose another [engine] home") from error


def _say_disk(home: Path, tree: Path) -> None:
    disk = home_disk.look(home, tree)
    remedy = home_disk.remedy_of(disk)
    if remedy:
        gate = gates.disk_gate(disk)
        progress(f"the disk beneath the home: {gate.reason or gate.evidence}; {remedy}")


def _narrow(home: Path) -> None:
    narrowed = narrow(home)
    if narrowed:
        more = f" and {len(narrowed) - 1} more" if len(narrowed) > 1 else ""
        progress(f"others could look into {narrowed[0]}{more}; now they cannot")


def _timeline(installation: Installation, speed: int) -> Timeline:
    """Return the record's timeline; where there is no record, one that began or begins now."""
    try:
        record = counted_header(installation.home)
    except RecordMissing:
        return Timeline(origin_ns=_origin_ns(installation, speed), speed=speed)
    wanted = Timeline(origin_ns=record.timeline.origin_ns, speed=speed)
    check_identity(record, app=installation.config.engine.app, timeline=wanted)
    return wanted


def _origin_ns(installation: Installation, speed: int) -> int:
    """Return where a market begins that runs faster than the wall, or runs already.

    A start that came to no record had begun: the exchange of the home has that origin.
    """
    url = installation.config.venue.url
    if url and speed > 1:
        return origin_ns_of(url, speed)
    with contextlib.suppress(EngineConfigInvalid):
        begun = read_engine_config(installation.home)
        if begun.speed == speed and begun.origin_ns:
            return begun.origin_ns
    return now_ns()


def _places(home: Path, basis: Basis) -> dict[str, Bound]:
    """Bind where companions listen, before anybody is told; return it by companion."""
    places = {PAGE: bound_for(home, PAGE, basis.here.engine.page, elsewhere=True)}
    if has_exchange(basis.exchanged):
        places[EXCHANGE] = bound_for(home, EXCHANGE, "127.0.0.1:0", stays=True)
    return places


def _told(
    installation: Installation,
    basis: Basis,
    places: Mapping[str, Bound],
    traded: Sequence[str],
    replay: Path | None,
    *,
    live: bool,
) -> tuple[tuple[str, str], ...]:
    """Return the variables of workers that are kept with the installation."""
    exchange = places[EXCHANGE].address if EXCHANGE in places else ""
    recorded = recorded_assets(replay) if replay is not None else ()
    return kept_variables(
        installation,
        basis,
        exchange=exchange,
        traded=traded,
        recorded=recorded,
        folder=replay,
        live=live,
    )


def _companions(
    installation: Installation,
    timeline: Timeline,
    places: Mapping[str, Bound],
    traded: Sequence[str],
    *,
    replay: Path | None,
    rule: str | None,
) -> tuple[Companion, ...]:
    home, config = installation.home, installation.config
    shown = ["foresight.dashboard", "--home", str(home), "--fd", "{fd}"]
    if config.engine.app != APP:  # an engine before this one has no such option
        shown += ["--app", config.engine.app]
    shown += [word for host in config.engine.page_hosts for word in ("--host", host)]
    if config.engine.page_control:  # of the installation as it is now; no release's tree says it
        shown += control_words(installation.config_path)
    found = [
        Companion(
            PAGE,
            (sys.executable, "-I", "-m", *shown),
            listen=places[PAGE].address,
            in_release=(*shown, "--release", "{release}"),
        )
    ]
    if EXCHANGE in places:
        words = exchange_words(home, config, timeline, replay, traded, rule=rule)
        argv = (sys.executable, "-I", "-m", "foresight.exchange", "--fd", "{fd}", *words)
        address = places[EXCHANGE].address
        found.insert(0, Companion(EXCHANGE, argv, listen=address, told=EXCHANGE_URL))
    followers = (_watcher(installation), _notifier(installation), _hosts(installation))
    return (*found, *(each for each in followers if each is not None))


def _watcher(installation: Installation) -> Companion | None:
    """Return the companion that follows the branch, if this installation wants one.

    Raises:
        DeployError: It does, and nobody can: nothing ran before.
        ConfigError: As above.
    """
    with unless_it_ran(installation, "no merge goes live by itself"):
        return watcher_of(installation)
    return None


def _notifier(installation: Installation) -> Companion | None:
    """Return the companion that tells people, if the configuration names a file of addresses.

    Raises:
        AddressesUnusable: The file cannot be used, and nothing ran before.
    """
    named = installation.engine.notify
    if not named:
        return None
    path = installation.place_of(named)
    with unless_it_ran(installation, "nobody is told of anything until it can be used"):
        read_addresses(path)  # what is wrong is said now, not in a log
    argv = [sys.executable, "-I", "-m", "deploy", "notify", "--home", str(installation.home)]
    return Companion("notifier", (*argv, "--config", str(path)))


def _hosts(installation: Installation) -> Companion | None:
    """Return the companion that looks at the deploys of other hosts, where they share the state."""
    engine = installation.config.engine
    if not engine.state:
        return None
    argv = (sys.executable, "-I", "-m", "deploy", "hosts", "--home", str(installation.home))
    return Companion("hosts", (*argv, "--app", engine.app))


def _maker(installation: Installation) -> tuple[str, ...]:
    """Return what makes a release that another host runs; empty where no host shares the state."""
    engine = installation.config.engine
    if not engine.state:
        return ()
    argv = (sys.executable, "-I", "-m", "deploy", "make", "--home", str(installation.home))
    source = ("--repository", str(installation.repository), "--remote", engine.remote)
    return (*argv, *source, "--entry", ENTRY, "--release", RELEASE)


def _launcher_argv(home: Path) -> list[str]:
    # Isolated: a project's directory may hold modules with the names of ours.
    program, *arguments = launcher_process.command(home)
    return [program, "-I", *(each for each in arguments if each != "-I")]


def _listeners(places: Mapping[str, Bound]) -> dict[str, socket.socket]:
    return {name: each.listener for name, each in places.items() if each.listener is not None}


def _become_launcher(home: Path, places: Mapping[str, Bound]) -> None:
    """Replace this process by the launcher: it is what an init system watches."""
    listeners = _listeners(places)
    detail(f"becomes {shlex.join(_launcher_argv(home))}")
    log = open_log(background.log_of(home))
    sys.stdout.flush()
    os.dup2(log, 2)
    for listener in listeners.values():
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - taken by position only
    environment = os.environ | left_to({}, listeners)
    os.execve(sys.executable, _launcher_argv(home), environment)  # noqa: S606 - no shell is wanted


def _start_launcher(home: Path, places: Mapping[str, Bound]) -> int:
    listeners = _listeners(places)
    with os.fdopen(open_log(background.log_of(home)), "ab") as log:
        child = subprocess.Popen(  # noqa: S603, TID251 - detached: it outlives this command
            _launcher_argv(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | left_to({}, listeners),
            pass_fds=[each.fileno() for each in listeners.values()],
        )
    for listener in listeners.values():
        listener.close()  # it is the launcher's now
    return child.pid


def _run_detached(home: Path, places: Mapping[str, Bound]) -> int:
    """Start the launcher, and return once it owns, or follows another host."""
    start = background.Start(home, detail)
    part = start.await_part(_start_launcher(home, places))
    _say_page(home, places)
    follows = ", and follows another host" if part is background.Part.FOLLOWS else ""
    progress(f"running{follows}; home {home}")
    _say_what_a_logout_ends()
    return ExitCode.DONE


def _say_page(home: Path, places: Mapping[str, Bound]) -> None:
    emit_text(f"page {address_for_people(home, f'http://{places[PAGE].address}')}")
    if not is_terminal():
        progress(f"`{COMMAND}` at a terminal prints the link that opens it")


def _say_what_a_logout_ends() -> None:
    session = this_session(os.environ)
    why = why_ended(session)
    if why:
        progress(f"a logout ends it: {why}; {remedy(session)}")


def _tell(lines: LogLines, home: Path) -> None:
    """Pass on what the launcher wrote since the last look."""
    for line in lines.new(background.log_of(home)):
        detail(line)
