"""Every bound of the engine, with its unit and its reason, and their relations.

Owns numbers only. Standard library only: the launcher loads it. A number that a test or
a measurement suggested says so; the rest are stated choices. Safety never rests on any of
them: too small costs punctuality or a needless restart, too large costs time to notice.
"""

from __future__ import annotations

from handoff.light_typing import Final, NamedTuple

NS: Final = 1_000_000_000  # nanoseconds in a second
MS: Final = 1_000_000  # nanoseconds in a millisecond

PERIOD_NS_MIN: Final = NS // 2  # below it two fsynced commits and a handoff do not fit

LEASE_S_MIN: Final = 3  # of an owner on several hosts; etcd notices its end half a second later
LEASE_S_MAX: Final = 10  # how late another host follows a host that is gone
SHARED_TRANSACT_NS: Final = 800 * MS  # a change of etcd's leader may cost a take, never a cycle
SHARED_SKEW_NS: Final = 500 * MS  # between the clocks of two hosts
SHARED_SKEW_WARNED_MS: Final = 250.0  # from half of it on an operator is told
SHARED_WAKE_UP_NS: Final = 50 * MS
SHARED_PATIENCE_S: Final = 1.5  # a read or a commit; a killed leader was replaced after 0.98 s
NO_RECORD_STATUS: Final = 8  # exit status of `handoff record`: etcd says that there is none
OLDER_STATUS: Final = 9  # likewise: etcd was put back from a copy
OTHER_STATUS: Final = 10  # likewise: the record acts for another account than this host
BARRED_PAUSE_S: Final = 30.0  # after either of these, which nothing on this host can mend
MAKE_AGAIN_S: Final = 30.0  # after a release could not be made: its remote may be back
LOOK_S_MAX: Final = 10.0  # of `handoff record`; then the mirror has to do
SHARED_LATE_NS: Final = 4 * NS  # two of these and what is asked between them: then it is said
CONFIRMED_NS: Final = 400 * MS  # a write this long ago tells that etcd writes: one request's time
CONFIRM_AGAIN_NS: Final = 200 * MS
LEASE_POLL_S: Final = 0.05  # how often an effect that waits for its owner's lease looks
REGAIN_PAUSE_NS: Final = 200 * MS  # and asks for another one: each try may hold up its worker
AWAY_GRACE_S: Final = 15.0  # after an outage, unless an owner says itself when it is overdue
AWAY_POLL_S: Final = 0.1  # how often who waits for an etcd asks again

BUDGET_NS_MAX: Final = 10 * NS  # a cycle that works longer is better split
TAKE_MARGIN_NS_MAX: Final = 200 * MS  # worst transact seen on a busy ext4 disk was 90 ms
OVERDUE_GRACE_NS_MIN: Final = 2 * NS  # a loaded machine pauses a process for a second

CLOCK_DIFFERENCE_NS_MAX: Final = NS  # a disciplined clock moves by less (ntpd steps from 128 ms)
CLOCK_AGREE_READINGS: Final = 3  # that show the same larger difference
CLOCK_AGREE_NS: Final = 2 * NS  # over at least this long; then it is believed
CLOCK_DOUBT_POLL_S: Final = 0.1  # how often a clock in doubt is read by who waits for it
FRESH_BOOT_NS: Final = 600 * NS  # a time server is reached later than a worker starts
SYNCHRONISE_NS_MAX: Final = 60 * NS  # hosts without a time server stay unsynchronised for good
TICKS_IN_SECOND: Final = 100  # USER_HZ, the unit of start ticks, on every Linux we support

READY_TIMEOUT_S: Final = 120.0  # import, connections and gates of a candidate
CANDIDATE_LIFE_S_MAX: Final = 3600.0  # a candidate nobody approves is stopped
SHADOW_S_MAX: Final = 1500.0  # of it, for cycles decided beside the owner
OBSERVE_S_MAX: Final = 1200.0  # of it, for cycles observed beside the owner: four of 5 minutes
OBSERVE_PERIODS: Final = 4  # three tries, and one cycle in which nothing was learnt
DRIVER_ABSENCE_S_MAX: Final = 60.0  # a deployer may be restarted once in this time
STANDBY_SILENCE_S_MAX: Final = 30.0  # a warm standby seizes at once where nobody owns, or it hangs
ELSEWHERE_EVERY_NS: Final = 10 * NS  # how often a standby says that another host owns
STANDBY_TRIAL_S: Final = 300.0  # to get warm, to see that an owner hangs, and to seize
WEATHER_S_MAX: Final = 90.0  # a standby that cannot get warm for the weather tries for so long
WEATHER_PAUSE_S: Final = (0.5, 1.0, 2.0, 5.0)  # between its tries; the last again and again
RECONCILE_PAUSE_S: Final = (0.5, 1.0)  # before it asks again; 0.3 s are an answer's at 1 s a cycle
COMPANION_READY_S: Final = 30.0  # for a release's companion to serve; then another's goes on
DRAIN_TIMEOUT_S: Final = 30.0  # then an old worker that owns nothing is killed
LAUNCHER_REPLY_S_MAX: Final = 10.0  # a launcher that does not answer is hung

LIFE_LOCK_ATTEMPTS_MAX: Final = 60  # of a worker on a full disk; then it is started again
LIFE_LOCK_PAUSE_S: Final = 1.0

OPEN_FILES_WANTED: Final = 1024  # what Linux gives a process that nobody limits
OPEN_FILES_MIN: Final = 64  # the exchange has 40 open, a launcher in a deploy 21; 32 once sufficed

CLOSE_S_MAX: Final = 10.0  # for the connections of a worker that leaves

FOLLOW_POLL_S: Final = 0.02  # how often a follower looks at the record's token
OWNER_POLL_S: Final = 0.1  # how often an owner that waits looks at the record's token
WRITE_RETRY_S_MAX: Final = 2.0  # how soon a disk that is free again is noticed
YIELD_NS: Final = 500 * MS  # a busy owner steps aside this long for a waiting candidate
YIELD_CYCLES_MIN: Final = 8  # and not again for this many cycles

BAKE_OUTSIDE_S: Final = 1800.0  # a bake waits so long for inputs that nobody gets
HEALTH_DROP: Final = 0.25  # one feed of four may fail by chance; half of them do not
SLOW_CYCLES_MAX: Final = 2  # in a row longer than the period; one more is a fault in a bake
DECIDE_ATTEMPTS_MAX: Final = 3  # fresh inputs may heal what failed; then the cycle is missed
RESOLVE_ATTEMPTS_MAX: Final = 4  # per effect and cycle; then it is doubtful and carried
RESOLVE_PAUSE_S: Final = 0.05
CARRIED_PART: Final = 0.125  # of the budget, for effects of earlier cycles: own ones go first
LANES_MAX: Final = 16  # effects in flight at once
IN_FLIGHT_NS: Final = 30 * NS  # how long a request of a dead owner may still arrive

BODY_BYTES_MAX: Final = 32 << 20  # every commit writes it, and its fallback, twice at times
BODY_BYTES_NEAR: Final = BODY_BYTES_MAX // 2  # from here on it is said, once an owner

WIRE_LINE_BYTES_MAX: Final = 1 << 20
WIRE_QUEUE_MAX: Final = 1000  # messages to a peer that does not read; then it is dropped
RECONNECT_PAUSE_S: Final = 0.25
COMPANION_DIAL_S: Final = 0.5  # how soon a companion tells the next launcher that it serves
CONNECTIONS_MAX: Final = 64
CONNECTIONS_FOR_WORKERS: Final = 16  # of them; no crowd of clients keeps a worker out
IDLE_S_MAX: Final = 10.0  # for a peer to greet, subscribe or ask, if its place is wanted

ADOPTED_GRACE_S: Final = 2.0  # for an adopted owner to say when it is due; it says hello at once
HELPERS_KILL_S: Final = 5.0  # for what a worker left behind to end by itself
HELPERS_LOOK_S: Final = 0.1

LOGS_OF_A_CHILD_MAX: Final = 20  # files; the oldest go when another is begun
LOG_BYTES_MAX: Final = 10_000_000  # of one file, seen at a program that prints 20 MB a second
LOG_BYTES_CUT: Final = 4_000_000  # cut from here on: it goes on growing until the next look
LOG_BYTES_KEPT: Final = 1_000_000  # the last words
LOG_LOOK_S: Final = 0.25
LOG_LOOK_SOON_S: Final = 0.05  # once one has grown by more than this since the last look
LOG_GROWTH_BYTES: Final = 1_000_000
LOG_AGAIN_S: Final = 10.0  # a log that somebody renamed is opened again by its name

RESTART_BACKOFF_S: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
BAD_WEATHER_PAUSE_S: Final = 1.0  # it has waited already, before it left
RESTART_WINDOW_S: Final = 300.0  # failures older than this are forgotten
COMPANION_ENDS_MAX: Final = 3  # of a release's companion in a row; then another's goes on
STARTS_MAX: Final = 10  # of workers, or of one companion, in any window as long as that
FIRST_STARTS_MAX: Final = 5  # of a release where no cycle was ever decided; then nobody goes on
FIRST_START_S_MAX: Final = 300.0  # nor where it hangs for so long
FAILED_STARTS_MAX: Final = 3  # during a bake; then the previous release is started
SOCKET_PATH_BYTES_MAX: Final = 107  # sun_path of Linux is 108 with its terminator


class Bounds(NamedTuple):
    """The bounds of one cadence, all in wall-clock nanoseconds.

    Attributes:
        period_ns: Length of a cycle.
        budget_ns: Longest time between two commits of a healthy owner.
        transact_ns: Longest commit that is planned for.
        wake_up_ns: Latest wake-up that is planned for.
        take_margin_ns: A take later than boundary minus this goes for the next one.
        overdue_ns: Record unchanged this long after a due boundary: the owner hangs.
    """

    period_ns: int
    budget_ns: int
    transact_ns: int
    wake_up_ns: int
    take_margin_ns: int
    overdue_ns: int


def overdue_of(budget_ns: int) -> int:
    """Return how long after its boundary an owner with a budget is overdue, nanoseconds."""
    return budget_ns + max(OVERDUE_GRACE_NS_MIN, budget_ns // 2)


def bounds_for(period_ns: int, budget_ns: int | None = None, *, is_shared: bool = False) -> Bounds:
    """Derive the bounds of a cadence and check that they fit together.

    Args:
        period_ns: Wall-clock length of a cycle, at least `PERIOD_NS_MIN`.
        budget_ns: The application's own budget; by default half a period, 10 s at most.
        is_shared: The record is in an etcd that several hosts share.

    Raises:
        ValueError: The period or the budget leaves no room; the text says which.
    """
    if period_ns < PERIOD_NS_MIN:
        message = f"a cycle of {period_ns / MS:.0f} ms is shorter than 500 ms"
        raise ValueError(message)
    if budget_ns is not None and budget_ns <= 0:
        message = f"a budget of {budget_ns / MS:.0f} ms is no time at all"
        raise ValueError(message)
    margin_ns = min(TAKE_MARGIN_NS_MAX, period_ns // 10)
    transact_ns, wake_up_ns = margin_ns // 2, margin_ns // 4
    if is_shared:
        transact_ns, wake_up_ns = SHARED_TRANSACT_NS, SHARED_WAKE_UP_NS
        margin_ns = transact_ns + SHARED_SKEW_NS + wake_up_ns
    budget = budget_ns or min(period_ns // 2, BUDGET_NS_MAX)
    bounds = Bounds(
        period_ns=period_ns,
        budget_ns=budget,
        transact_ns=transact_ns,
        wake_up_ns=wake_up_ns,
        take_margin_ns=margin_ns,
        overdue_ns=overdue_of(budget),
    )
    if budget > period_ns - margin_ns - transact_ns:
        room_ms = (period_ns - margin_ns - transact_ns) / MS
        hosts = " beside an etcd" if is_shared else ""
        message = f"a budget of {budget / MS:.0f} ms exceeds the {room_ms:.0f} ms there are{hosts}"
        raise ValueError(message)
    assert bounds.overdue_ns > bounds.budget_ns + bounds.wake_up_ns
    assert bounds.take_margin_ns >= bounds.transact_ns + bounds.wake_up_ns
    return bounds


def lease_s(bounds: Bounds) -> int:
    """Return how long an owner's lease is, seconds: what a cycle's own requests need fits in it."""
    return min(max(LEASE_S_MIN, -(-bounds.budget_ns // NS)), LEASE_S_MAX)


assert CONFIRM_AGAIN_NS < CONFIRMED_NS
assert 2 * ELSEWHERE_EVERY_NS < STANDBY_SILENCE_S_MAX * NS, "one word of it may be late"
assert OPEN_FILES_MIN < OPEN_FILES_WANTED
assert LIFE_LOCK_ATTEMPTS_MAX * LIFE_LOCK_PAUSE_S < READY_TIMEOUT_S
assert CLOSE_S_MAX < DRAIN_TIMEOUT_S, "a leaving worker is not killed for its connections"
assert 2 * LOG_BYTES_KEPT < LOG_BYTES_CUT, "what is kept is moved to the front of what is cut"
assert LOG_BYTES_CUT < LOG_BYTES_MAX
assert DRIVER_ABSENCE_S_MAX < CANDIDATE_LIFE_S_MAX
assert READY_TIMEOUT_S + SHADOW_S_MAX + OBSERVE_S_MAX < CANDIDATE_LIFE_S_MAX
assert WEATHER_S_MAX < READY_TIMEOUT_S, "a standby in bad weather leaves by itself"
assert CLOCK_DOUBT_POLL_S * NS * (CLOCK_AGREE_READINGS - 1) <= CLOCK_AGREE_NS
assert CLOCK_AGREE_NS < SYNCHRONISE_NS_MAX < FRESH_BOOT_NS
assert YIELD_NS < OVERDUE_GRACE_NS_MIN, "a yielding owner must not look overdue"
