"""What `foresight doctor` looks at: this machine, this home, this project.

Owns the checks and their remedies. Each looks and changes nothing; none takes longer than a
moment. What a running installation guarantees is proven elsewhere (`cycles --check`, `drill`).
"""

from __future__ import annotations

import os
import platform
import stat
import sys
import time
from typing import TYPE_CHECKING, Final

from deploy import gates, hook_files, host, interpreters
from deploy.errors import DeployError
from deploy.git_tree import GitTree
from foresight import home_disk
from foresight.cluster import account_told, configured_cluster, refuse_own_exchange
from foresight.cluster_check import examine_cluster
from foresight.config import CONFIG_FILE
from foresight.errors import ConfigError
from foresight.extras import ExtraMissing, lacking
from foresight.finding import Finding, Verdict
from foresight.login_session import remedy, this_session, why_ended
from foresight.overrides import gathered
from foresight.port_holder import stranger_at
from foresight.project import LOCK, shadowing
from foresight.sound_config import refuse_unsound
from foresight.table_files import check_strategies
from foresight.venues.keys import key_file_of
from handoff import open_files
from handoff.commands.looking import look, standing_of
from handoff.commands.standing import sentence
from handoff.errors import HandoffError, OpenFilesLacking
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.plurals import counted
from handoff.release_files import read_manifest
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.errors import RecordMissing, StateError
from state.journal_reader import verify_chain
from state.local_store import read_only_generation, read_only_snapshot
from state.medium import refuse_unsuitable
from state.premises import refuse_shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from foresight.config import Config

CONFIGURATION: Final = "configuration"
KERNEL_MIN: Final = (5, 4)  # pidfd_open and waitid on a pidfd
CLOCK_STEP_MS_MAX: Final = 50.0  # wall against monotonic clock over the check's own moment
CLOCK_WATCH_S: Final = 0.25
PAGE: Final = "dashboard"  # the companion's name


def examine(config: Config, home: Path, tree: Path, where: str = CONFIG_FILE) -> Iterator[Finding]:
    """Yield what each check finds.

    Args:
        config: The configuration.
        home: The state directory.
        tree: The project.
        where: What to call the configuration.
    """
    yield _configuration(config, tree, where)
    yield _platform()
    yield _interpreter()
    yield _clock()
    yield _home(config, home)
    yield _place(home, tree)
    yield _disk(home, tree)
    yield _memory()
    yield _open_files()
    yield _tree(tree)
    yield _repository(tree)
    yield _hook(config, home, tree)
    yield _lock_file(tree)
    yield _key(config, tree)
    yield _launcher(home)
    yield _page(config, home)
    yield _release(home)
    yield _programs(config, home)
    yield _logout()
    yield _journal(home)
    yield from _etcd(config, tree)


def is_misconfigured(findings: Iterable[Finding]) -> bool:
    """Tell whether the configuration is what has to be mended: `up` would refuse it likewise."""
    return any(each.is_bad for each in findings if each.check == CONFIGURATION)


def _configuration(config: Config, tree: Path, where: str) -> Finding:
    """Whether a worker would take it, as far as that can be told without one."""
    try:
        refuse_unsound(config, {})
        check_strategies(config, tree, replayed=False, where=where)
    except ConfigError as error:
        return Finding(CONFIGURATION, Verdict.BAD, str(error), error.hint)
    slots = len(config.board.assets) * len(config.board.timeframes)
    return _good(CONFIGURATION, counted(slots, "slot"))


def _good(check: str, found: str) -> Finding:
    return Finding(check, Verdict.GOOD, found)


def _platform() -> Finding:
    name, release = platform.system(), platform.release()
    if name == "Darwin":
        return Finding("platform", Verdict.ODD, f"macOS {release}", "for development only")
    numbers = tuple(int(part) for part in release.split(".")[:2] if part.isdecimal())
    if name != "Linux" or numbers < KERNEL_MIN:
        found = f"{name} {release}"
        return Finding("platform", Verdict.BAD, found, "use Linux 5.4 or newer")
    return _good("platform", f"Linux {release} {platform.machine()}")


def _interpreter() -> Finding:
    return _good("python", f"{platform.python_version()} at {sys.executable}")


def _clock() -> Finding:
    """The wall clock and the monotonic one must agree while nobody sets the time."""
    wall_ns, steady_ns = time.time_ns(), time.monotonic_ns()
    time.sleep(CLOCK_WATCH_S)  # noqa: TID251 - two clocks are compared over this moment
    drift_ms = abs((time.time_ns() - wall_ns) - (time.monotonic_ns() - steady_ns)) / 1e6
    if drift_ms > CLOCK_STEP_MS_MAX:
        remedy = "let a time service slew it (chrony, systemd-timesyncd)"
        return Finding("clock", Verdict.ODD, f"it stepped by {drift_ms:.0f} ms just now", remedy)
    return _good("clock", f"steady within {drift_ms:.2f} ms")


def _home(config: Config, home: Path) -> Finding:
    trusted = config.engine.trusted_group
    try:
        refuse_shared(home, trusted)
        if not home.exists():
            return Finding(
                "home", Verdict.ODD, f"{home} is not there yet", "`foresight up` makes it"
            )
        refuse_unsuitable(home)
    except StateError as error:
        return Finding("home", Verdict.BAD, str(error), error.hint)
    if not os.access(home, os.W_OK):
        return Finding("home", Verdict.BAD, f"{home} cannot be written", "check who may write")
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        found = f"{home} has mode {mode:o}: others can look in"
        return Finding(
            "home", Verdict.ODD, found, f"`foresight up` narrows it, as chmod 700 {home}"
        )
    trusting = f", group {trusted} is trusted above it" if trusted != "" else ""
    return _good("home", f"{home}{trusting}")


def _place(home: Path, tree: Path) -> Finding:
    """Whether tidying the project would take the state along."""
    if home.resolve().is_relative_to(tree.resolve()):
        found = f"{home} lies in the project: `git clean -xdf` there deletes it, while it runs"
        remedy = "`foresight down`, move it out, and name its new place: [engine] home"
        return Finding("place", Verdict.ODD, found, remedy)
    return _good("place", "the home lies outside of the project")


def _disk(home: Path, tree: Path) -> Finding:
    disk = home_disk.look(home, tree)
    gate, remedy = gates.disk_gate(disk), home_disk.remedy_of(disk)
    if not gate.allows:
        return Finding("disk", Verdict.BAD, gate.reason, remedy)
    verdict = Verdict.ODD if remedy else Verdict.GOOD
    return Finding("disk", verdict, gate.evidence, remedy)


def _memory() -> Finding:
    available = host.memory_available_bytes()
    gate = gates.memory_gate(available_bytes=available, worker_bytes=0)
    if not gate.allows:
        remedy = "a deploy runs two workers side by side: free memory"
        return Finding("memory", Verdict.BAD, gate.reason, remedy)
    return _good("memory", gate.evidence)


def _open_files() -> Finding:
    allowed = open_files.permitted()
    try:
        open_files.require()
    except OpenFilesLacking as error:
        return Finding("open files", Verdict.BAD, str(error), error.hint)
    return _good("open files", f"{allowed} at once are permitted")


def _tree(tree: Path) -> Finding:
    hidden = [] if (tree / "handoff" / "__init__.py").exists() else shadowing(tree)
    if hidden:
        remedy = "rename them: the engine's packages have these names"
        return Finding("names", Verdict.BAD, f"{tree} holds {', '.join(hidden)}", remedy)
    return _good("names", "the project hides no package of the engine")


def _repository(tree: Path) -> Finding:
    try:
        repository = GitTree(tree)
        commit = repository.commit("HEAD")
        changed = repository.working_tree().changed
    except DeployError as error:
        return Finding("repository", Verdict.BAD, str(error), error.hint)
    if changed:
        found = counted(len(changed), "uncommitted change")
        return Finding("repository", Verdict.ODD, found, "commit them: deploys take commits")
    return _good("repository", f"{commit.commit[:12]} {commit.subject}")


def _hook(config: Config, home: Path, tree: Path) -> Finding:
    """Whether a merge would go live by itself, where that is wanted."""
    follows = f"the watcher looks every {config.engine.watch_s:g} s"
    try:
        repository = GitTree(tree)
        is_wanted = hook_files.wanted(repository, home) is not None
        silent = hook_files.silent(repository, home)
    except DeployError as error:
        return Finding("hook", Verdict.ODD, str(error), error.hint)
    if not is_wanted:
        found = follows if config.engine.watch else "none: merges go live by `foresight deploy`"
        return _good("hook", found)
    if not silent:
        return _good("hook", "merges go live by themselves")
    found = f"a merge does not call {silent[0]}: it is not there, or another's"
    remedy = "`foresight hook install`, or `foresight up`, puts it back"
    if config.engine.watch is False:
        return Finding("hook", Verdict.BAD, f"{found}; no merge goes live", remedy)
    return Finding("hook", Verdict.ODD, f"{found}; {follows}, while it runs", remedy)


def _lock_file(tree: Path) -> Finding:
    if not (tree / LOCK).is_file():
        remedy = "pin what a release runs with: uv pip compile --generate-hashes"
        return Finding("lock file", Verdict.BAD, f"{tree} has no {LOCK}", remedy)
    return _good("lock file", LOCK)


def _key(config: Config, tree: Path) -> Finding:
    if not config.venue.key_file:
        return _good("key", "none is configured")
    file = key_file_of(config, gathered(os.environ), tree)
    try:
        file.check()
    except ConfigError as error:
        return Finding("key", Verdict.BAD, str(error), error.hint or "see [venue] key_file")
    return _good("key", f"{file.path}, ours alone")


def _launcher(home: Path) -> Finding:
    try:
        with LauncherClient(home) as client:
            status = client.ask(Kind.STATUS)
    except HandoffError:
        return Finding("launcher", Verdict.ODD, _standing(home), "`foresight up`")
    owners = [child for child in status["children"] if child["owner"]]
    if not owners:
        return Finding("launcher", Verdict.BAD, "it runs, but nobody owns", "`foresight logs`")
    return _good("launcher", f"pid {status['pid']}, owner pid {owners[0]['pid']}")


def _standing(home: Path) -> str:
    """How it stands without a launcher: an owner may go on all the same."""
    try:
        return sentence(standing_of(look(home, time.time_ns())))
    except (HandoffError, StateError):  # what is wrong with the record says a check of its own
        return "none answers"


def _page(config: Config, home: Path) -> Finding:
    """Where the page is, or will be: another port is taken where somebody has the wished one."""
    wished = config.engine.page
    try:
        companions = read_engine_config(home).companions
    except EngineConfigInvalid:
        companions = ()
    found = next((each.listen for each in companions if each.name == PAGE), "")
    who = stranger_at(found or wished, home)
    if who:
        remedy = "`foresight up` takes a free port; or name one that stays: [engine] page"
        return Finding("page", Verdict.ODD, f"{found or wished} is taken by {who}", remedy)
    if not companions:
        return _good("page", f"http://{wished}, from the first start on")
    if not found or found == wished or wished.endswith(":0"):
        return _good("page", f"http://{found or wished}")
    what = f"http://{found}; {wished} was taken, or wished since"
    return Finding("page", Verdict.ODD, what, "free the wished port, or name another; then `up`")


def _release(home: Path) -> Finding:
    """Whether the release that owns could be started again, as after a crash or a reboot."""
    try:
        release = read_only_snapshot(home / "state").ownership.release
        manifest = read_manifest(home, release) if release else None
    except RecordMissing:
        manifest = None
    except (StateError, HandoffError) as error:
        return Finding("release", Verdict.BAD, str(error), "`foresight up` builds or mends it")
    if manifest is None:
        return _good("release", "none ever owned")
    why = interpreters.fault(manifest)
    if not why:
        return _good("release", f"{manifest.release} runs with its own interpreter")
    minor = interpreters.made_for(manifest)
    if minor and interpreters.find(minor) is None:
        remedy = f"install Python {minor}, then `foresight down` and `foresight up`"
        return Finding("release", Verdict.BAD, why, remedy)
    return Finding("release", Verdict.BAD, why, "`foresight down` and `foresight up` mend it")


def _programs(config: Config, home: Path) -> Finding:
    """Whether what the launcher starts beside the owner could be started, or started again."""
    lacks = lacking(config)
    if lacks:
        return Finding("programs", Verdict.BAD, lacks, ExtraMissing.hint)
    try:
        companions = read_engine_config(home).companions
    except EngineConfigInvalid:
        companions = ()
    gone = sorted({each.argv[0] for each in companions if not os.access(each.argv[0], os.X_OK)})
    if gone:
        found = f"{gone[0]} is gone: the page and deploys are not started again by the launcher"
        remedy = "make it again (`make setup`); what trades goes on"
        return Finding("programs", Verdict.BAD, found, remedy)
    return _good("programs", "whatever the launcher starts again is there")


def _logout() -> Finding:
    session = this_session(os.environ)
    why = why_ended(session)
    if why:
        found = f"one ends what `up -d` starts from here: {why}"
        return Finding("logout", Verdict.ODD, found, remedy(session))
    return _good("logout", "what is started from here goes on after one")


def _journal(home: Path) -> Finding:
    try:
        found = read_only_generation(home / "state")
        verify_chain(home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
    except RecordMissing:
        return Finding("journal", Verdict.ODD, "there is no record yet", "`foresight up` makes it")
    except StateError as error:
        return Finding("journal", Verdict.BAD, str(error), error.hint)
    return _good("journal", "the chain leads to the record")


def _etcd(config: Config, tree: Path) -> Iterator[Finding]:
    """What is wrong with the etcd that is named; nothing where none is."""
    try:
        cluster = configured_cluster(config, gathered(os.environ), tree)
    except ConfigError as error:
        yield Finding("etcd", Verdict.BAD, str(error), error.hint or "see [engine] state")
        return
    if cluster is not None:
        try:
            refuse_own_exchange(config)
        except ConfigError as error:
            yield Finding("exchange", Verdict.BAD, str(error), error.hint)
        yield from examine_cluster(cluster, account_told(config))
