"""Starting workers and jobs, and adopting those of a launcher before this one.

Owns the command line of a worker and which release is started when none is alive. The
record is read as plain JSON and never written. Standard library only.
"""

from __future__ import annotations

import time

from handoff.errors import HandoffError, ReleaseUnusable
from handoff.launcher.adoption import owner_found, why_not
from handoff.launcher.children import Children, Running, child_environment
from handoff.launcher.first_start import Failed, FirstReleaseBroken, has_begun, is_given_up
from handoff.launcher.making import JOB as MAKE_JOB
from handoff.launcher.making import Making, command_for
from handoff.launcher.newest_line import counted_record
from handoff.launcher.record_asked import JOB, Answer, RecordAsked, is_shared, origin_ns
from handoff.launcher.record_at_rest import read_record
from handoff.launcher.restart_policy import Failures, Starts, choose_release
from handoff.launcher.supervision import Child, Role
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Any, Final
from handoff.limits import BARRED_PAUSE_S, FIRST_START_S_MAX, FIRST_STARTS_MAX
from handoff.liveness import Verdict
from handoff.log_events import LogEvent
from handoff.processes import KILL, identity_of
from handoff.release_files import is_here, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from handoff.launcher.engine_config import EngineConfig
    from handoff.liveness import Judgement
    from handoff.logs import Log
    from handoff.processes import Exit, Identity
    from handoff.wire import Message

JOB_ATTEMPTS: Final = 3  # a deployer that is killed goes on where it was
_FAULTY_STATUS: Final = 4  # `Leaving.FAULTY` of a worker
_OUTSIDE_STATUS: Final = 5  # `Leaving.OUTSIDE` of a worker
_NO_ENTRY_STATUS: Final = 7  # `Leaving.NO_ENTRY` of a worker


class Workforce:
    """Starts workers and jobs.

    Args:
        home: The state directory.
        children: The table that they are started in.
        log: Where trouble is reported.
    """

    def __init__(self, home: Path, children: Children, log: Log) -> None:
        """Start without failures."""
        self._home = home
        self._children = children
        self._log = log
        self._failures = Failures()
        self._starts = Starts()
        self._settled_s = 0.0  # when a cycle settled last
        self._bad_cycle = False
        self._asked = RecordAsked()
        self._making = Making()
        self._begun_s = time.monotonic()
        self._has_begun = False  # that a cycle was decided is never undone
        self._was_ready = False
        self._outside = False  # the world kept a worker from getting ready
        self._last_failed = Failed("", "")

    def adopt(self) -> None:
        """Adopt the recorded children, and the owner that the record names.

        Raises:
            HomeCopied: The owner lives, and has another home.
        """
        owner = ((read_record(self._home) or {}).get("ownership") or {}).get("owner")
        # First of all: in a copy nothing is anybody's.
        looked = owner_found(self._home, owner) if owner else None
        adopted, left = self._children.adopt_recorded()
        for running in adopted:
            self._log.write(LogEvent.CHILD_ADOPTED, child=running.child.name)
        for name, reason in left.items():
            self._log.write(LogEvent.CHILD_NOT_ADOPTED, child=name, reason=reason)
        if owner and looked is not None:
            self._adopt_owner(owner, *looked)

    def _adopt_owner(self, owner: dict[str, Any], identity: Identity, found: Judgement) -> None:
        known = self._children.by_pid(identity.pid)
        if known is not None:
            self.note_owner(known)
        if found.is_dead or known is not None:
            return
        if found.verdict is not Verdict.HERE:
            name = owner["worker"]
            self._log.write(LogEvent.CHILD_NOT_ADOPTED, child=name, reason=found.reason)
            return
        name = self._children.fresh_name("adopted")
        child = Child(name, Role.STANDBY, release=owner["release"], owner=True)
        child = child._replace(started_s=time.monotonic())
        if self._children.adopt(child, identity) is not None:
            self._log.write(LogEvent.CHILD_ADOPTED, child=name)

    @property
    def barred(self) -> dict[str, str]:
        """Why nobody may be started beside the etcd; empty words where it is not for that."""
        return {"put_back": self._asked.put_back, "other_account": self._asked.other_account}

    def permanent_release(self) -> str:
        """Return the release that the record would go back to, or an empty string."""
        record = counted_record(self._home, read_record(self._home)) or {}
        ownership = record.get("ownership") or {}
        baking = record.get("rollout") and ownership.get("previous")
        worker = baking or ownership.get("owner") or ownership.get("last_owner")
        return str(worker["release"]) if worker else ""

    def any_lives(self) -> bool:
        """Tell whether a worker of this home lives, also one that could not be adopted."""
        roles = [each.role for each in self._children.values()]
        if Role.STANDBY in roles or Role.CANDIDATE in roles:
            return True
        owner = ((read_record(self._home) or {}).get("ownership") or {}).get("owner")
        if not owner:
            return False
        _, found = owner_found(self._home, owner)
        return found.verdict in (Verdict.HERE, Verdict.UNSEEN)

    def adopt_peer(self, hello: Message) -> Running | None:
        """Adopt a worker that greets and that another launcher started, or return None.

        Args:
            hello: What it said of itself; the pid is its own.
        """
        pid = hello["pid"]
        identity = identity_of(pid)
        # A worker of the release before this one does not say that it holds a lock.
        named = None if "lock" not in hello else False
        if identity is None or why_not(self._home, pid, is_worker=True, named=named):
            return None
        child = Child(
            self._children.fresh_name("adopted"),
            Role.CANDIDATE if hello.get("deploy") else Role.STANDBY,
            release=hello["release"],
            deploy_id=hello.get("deploy", ""),
            started_s=time.monotonic(),
        )
        return self._children.adopt(child, identity)

    def note_owner(self, running: Running) -> None:
        """Note that a child owns, whatever was known or written down of it and of others."""
        for other in self._children:
            if other is not running and other.child.owner:
                self._children.update(other, owner=False, overdue_s=None)
        self._children.update(running, owner=True, role=Role.STANDBY)

    def start_standby(
        self, config: EngineConfig, reason: str, *, owner_hangs: bool, beside_owner: bool
    ) -> None:
        """Start a worker of the release that the record calls for.

        Beside an etcd it is asked first what the record is, if nobody lives who follows it.
        """
        is_making = self._children.get(MAKE_JOB) is not None
        if is_making or self._making.waits(time.monotonic()) or self._has_to_ask(config):
            return
        record = counted_record(self._home, read_record(self._home))
        choice = choose_release(
            record,
            first=config.first_release,
            failed_starts=self._failures.in_a_row,
            bad_cycle=self._bad_cycle or owner_hangs,
            beside_owner=beside_owner,
        )
        if self._makes(config, choice.release):
            return
        self._log.write(LogEvent.CHILD_STARTED, reason=reason, release=choice.release)
        self._start_or_note(config, choice.release, create=record is None)

    def _makes(self, config: EngineConfig, release: str) -> bool:
        """Tell whether a release is made first that another host runs and this one lacks."""
        if not config.make or not is_shared(config.environment) or is_here(self._home, release):
            return False
        self._making.begin(release)
        self._log.write(LogEvent.RELEASE_MISSING, release=release)
        try:
            argv = command_for(config.make, release)
            self.start_job(config, Child(MAKE_JOB, Role.JOB), argv, attempts_left=0)
        except OSError as error:
            self._log.write(LogEvent.START_FAILED, child=MAKE_JOB, reason=str(error))
            self._making.ended(None, time.monotonic())
        return True

    def _made(self, how: Exit | None) -> None:
        if not self._making.ended(how, time.monotonic()):
            reason = self._making.words()
            self._log.write(LogEvent.START_FAILED, child=MAKE_JOB, reason=reason)

    def why_no_standby(self) -> str:
        """Return why this host has no standby yet; empty where nothing is missing."""
        return self._making.words()

    def _has_to_ask(self, config: EngineConfig) -> bool:
        """Ask an etcd what its record is; tell whether nobody may be started yet.

        Its answer is still to come, or bars them; whoever lives beside it finds that out, too.
        """
        roles = {each.role for each in self._children.values()}
        follows = roles & {Role.STANDBY, Role.CANDIDATE} and not self._asked.is_barred
        if not is_shared(config.environment) or follows:
            return False
        now_s, job = time.monotonic(), self._children.get(JOB)
        if job is None and self._asked.answer in (Answer.UNASKED, Answer.ASKED):
            self._asked.begin(now_s)
            self._ask_record(config)
        if job is not None and self._asked.is_late(now_s):
            self._children.kill(job)
        if self._asked.answer is Answer.ASKED:
            return True
        self._asked.take()
        if self._asked.is_barred:
            self._wait_barred()
        return self._asked.is_barred

    def _ask_record(self, config: EngineConfig) -> None:
        record = counted_record(self._home, read_record(self._home))
        release = choose_release(
            record, first=config.first_release, failed_starts=0, bad_cycle=False
        ).release
        try:
            manifest = read_manifest(self._home, release)
            argv = manifest.program(JOB, "--home", str(self._home), "--app", config.app)
            extra = [*config.environment, *manifest.variables().items()]
            told = config._replace(environment=tuple(extra))
            self.start_job(told, Child(JOB, Role.JOB), tuple(argv), attempts_left=0)
        except (HandoffError, OSError) as error:
            self._log.write(LogEvent.START_FAILED, child=JOB, reason=str(error))
            self._asked.told(None)

    def has_ended(self, running: Running, how: Exit | None) -> bool:
        """Note how a job of the launcher's own ended; tell whether it was one."""
        name = running.child.name
        if name == JOB:
            self._record_told(running, how)
        if name == MAKE_JOB:
            self._made(how)
        return name in (JOB, MAKE_JOB)

    def _record_told(self, running: Running, how: Exit | None) -> None:
        status = how.status if how is not None and not how.signal else None
        self._asked.told(status, _last_line(running.tail()))
        answer = self._asked.answer.value
        self._log.write(LogEvent.RECORD_ASKED, answer=answer, **self.barred)

    def start_previous(self, config: EngineConfig, deploy_id: str) -> None:
        """Start a worker of the release that a bake shall return to, where none lives."""
        record = counted_record(self._home, read_record(self._home)) or {}
        rollout, previous = record.get("rollout"), (record.get("ownership") or {}).get("previous")
        if not rollout or previous is None or rollout.get("deploy_id") != deploy_id:
            return
        release = previous["release"]
        alive = any(
            (each.role, each.release, each.stopping_s) == (Role.STANDBY, release, None)
            for each in self._children.values()
        )
        if alive or time.monotonic() < self.next_start_s():
            return
        reason = f"deploy {deploy_id} is to be undone"
        self._log.write(LogEvent.CHILD_STARTED, reason=reason, release=release)
        self._start_or_note(config, release, create=False)

    def _start_or_note(self, config: EngineConfig, release: str, *, create: bool) -> None:
        if self._last_failed.release != release:
            self._last_failed = Failed(release, "it ends before it is ready")
        try:
            running = self.start_worker(config, Role.STANDBY, release, create=create)
            self._starts = self._starts.after_start(running.child.started_s)
        except (HandoffError, OSError) as error:
            self._log.write(LogEvent.START_FAILED, release=release, reason=str(error))
            self._last_failed = Failed(release, str(error))
            self._failures = self._failures.after_failure(time.monotonic())

    def start_worker(
        self,
        config: EngineConfig,
        role: Role,
        release: str,
        *,
        deploy_id: str = "",
        create: bool = False,
        options: tuple[str, ...] = (),
    ) -> Running:
        """Start a worker of a release; a candidate gets further options of its deployer's.

        Raises:
            ReleaseUnusable: There is no such release.
            OSError: It cannot be started.
        """
        manifest = read_manifest(self._home, release)
        argv = manifest.program("worker", "--home", str(self._home), "--app", config.app)
        origin = config.origin_ns
        if is_shared(config.environment):
            origin = origin_ns(read_record(self._home), origin)
        argv += ["--release", release, "--origin-ns", str(origin)]
        argv += ["--speed", str(config.speed), "--deploy", deploy_id]
        argv += options
        argv += ["--create"] if create else []
        argv += ["--force-filesystem"] if config.force_filesystem else []
        extra = [*config.environment, *manifest.variables().items()]
        child = Child(
            self._children.fresh_name("worker"),
            role,
            release=release,
            deploy_id=deploy_id,
            started_s=time.monotonic(),
        )
        try:
            return self._children.start(child, argv, child_environment(extra, config.passed))
        except FileNotFoundError as error:
            if LightPath(manifest.python).exists():
                raise
            message = f"{manifest.python} is gone: `down` and `up` look for another one"
            raise ReleaseUnusable(message) from error

    def start_job(
        self,
        config: EngineConfig,
        child: Child,
        argv: tuple[str, ...],
        *,
        attempts_left: int = JOB_ATTEMPTS - 1,
    ) -> None:
        """Start a job; one that dies is started again as often as there are attempts.

        Raises:
            OSError: It cannot be started.
        """
        child = child._replace(started_s=time.monotonic(), stopping_s=None)
        running = self._children.start(child, argv, child_environment(config.environment))
        running.attempts_left = attempts_left
        self._children.write_down()

    def resume_jobs(self, config: EngineConfig) -> None:
        """Start the jobs that were under way when the launcher before this one ended."""
        for job in config.jobs:
            if self._children.get(job.name) is not None:
                continue  # it outlived that launcher
            try:
                self.start_job(config, Child(job.name, Role.JOB), job.argv)
            except OSError as error:
                self._log.write(LogEvent.START_FAILED, child=job.name, reason=str(error))

    def start_job_again(self, config: EngineConfig, running: Running) -> None:
        """Start a job that died once more, if it may."""
        if running.attempts_left == 0:
            return
        left = running.attempts_left - 1
        try:
            self.start_job(config, running.child, running.argv, attempts_left=left)
        except OSError as error:
            self._log.write(LogEvent.START_FAILED, child=running.child.name, reason=str(error))

    def standby_failed(self, running: Running, how: Exit | None) -> None:
        """Note that a standby ended although nobody asked it to, or hangs."""
        words = how.words() if how is not None else running.leaving
        final = how is not None and how.status == _NO_ENTRY_STATUS
        release, tail = running.child.release, running.tail()
        self._last_failed = Failed(release, words, running.reason, tail, final)
        if self._asked.left(running.leaving, how.status if how else None, running.reason):
            self._wait_barred()
            return
        if running.leaving == "OUTSIDE" or (how is not None and how.status == _OUTSIDE_STATUS):
            # Nothing is held against its release: it waits for the world, as a worker does.
            self._failures = self._failures.after_bad_weather(time.monotonic())
            self._outside = True
            return
        faulty = how is not None and how.status == _FAULTY_STATUS
        self._bad_cycle = faulty or running.leaving == "FAULTY"
        self._failures = self._failures.after_failure(time.monotonic(), warm=running.child.warm)

    def away(self) -> None:
        """Note that the record is out of reach: what does not come up has no fault of its own."""
        self._outside = True

    def _wait_barred(self) -> None:
        """Let a while pass before etcd is asked again whether somebody may be started."""
        self._failures = self._failures.after_bad_weather(time.monotonic(), BARRED_PAUSE_S)
        self._outside = True

    def ended_away(self) -> None:
        """Note the end of a worker that could not reach the record."""
        self._failures = self._failures.after_bad_weather(time.monotonic())

    def ended(self, running: Running, how: Exit | None) -> None:
        """Note the end of a standby: one that worked until somebody ended it is no failed start.

        Whoever ends by itself counts, whatever it did before: the rate is there for it.
        """
        ended_by_others = running.asked or (how is not None and how.signal == KILL)
        if ended_by_others and self._settled_s > running.child.started_s:
            self._starts = self._starts.without(running.child.started_s)

    def owned(self) -> None:
        """Note that a worker became owner: what was bad before is over."""
        self._bad_cycle = False

    def settled(self) -> None:
        """Note that a cycle settled: failures before it are forgotten."""
        self._failures = Failures()
        self._settled_s = time.monotonic()
        self._has_begun = True

    def ready(self) -> None:
        """Note that a worker is warm."""
        self._was_ready = True

    def why_given_up(self, hanging: Running | None) -> FirstReleaseBroken | None:
        """Return why the first release of this home is started no more, or None to go on.

        Args:
            hanging: A living worker that is not ready yet, if there is one.
        """
        given_up = not self._has_begun and is_given_up(
            failures=self._failures.in_a_row,
            waited_s=time.monotonic() - self._begun_s,
            ready=self._was_ready,
            outside=self._outside,
            final=self._last_failed.final,
        )
        if not given_up:
            return None
        self._has_begun = has_begun(self._home)  # the files are looked at only now
        if self._has_begun:
            return None
        failed = self._last_failed
        if hanging is not None and not failed.final and self._failures.in_a_row < FIRST_STARTS_MAX:
            how = f"it is not ready after {FIRST_START_S_MAX:g} s"
            failed = Failed(hanging.child.release, how, tail=hanging.tail())
        ownership = (read_record(self._home) or {}).get("ownership") or {}
        owned = bool(ownership.get("owner") or ownership.get("last_owner"))
        return FirstReleaseBroken(failed, owned=owned, home=str(self._home))

    def next_start_s(self) -> float:
        """Return the earliest monotonic time of the next start of a standby."""
        return max(self._failures.next_start_s, self._starts.next_start_s)


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else ""
