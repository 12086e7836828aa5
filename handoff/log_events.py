"""The closed list of log events; each line of a log names one of them.

Owns names and constant messages. A log line is a constant message, a named event and
fields; tests and alarms go by event and fields, never by prose. Standard library only.
"""

from __future__ import annotations

import enum


class LogEvent(enum.Enum):
    """Event name and its constant message."""

    LAUNCHER_STARTED = "launcher_started"
    LAUNCHER_STOPPING = "launcher_stopping"
    LAUNCHER_STOPPED = "launcher_stopped"
    LAUNCHER_RELOADED = "launcher_reloaded"
    LAUNCHER_REPLACED = "launcher_replaced"
    ACCOUNT_UNLOCKED = "account_unlocked"
    RELOAD_REFUSED = "reload_refused"
    REPLACEMENT_REFUSED = "replacement_refused"
    CHILD_STARTED = "child_started"
    CHILD_ADOPTED = "child_adopted"
    CHILD_NOT_ADOPTED = "child_not_adopted"
    CHILD_EXITED = "child_exited"
    CHILD_KILLED = "child_killed"
    COMPANION_STARTED = "companion_started"
    COMPANION_READY = "companion_ready"
    COMPANION_REFUSED = "companion_refused"
    FIRST_START_GIVEN_UP = "first_start_given_up"
    START_FAILED = "start_failed"
    PORT_BOUND = "port_bound"
    PORT_MOVED = "port_moved"
    PORT_TAKEN = "port_taken"
    PEER_REFUSED = "peer_refused"
    WORKER_WARM = "worker_warm"
    WORKER_LEAVING = "worker_leaving"
    GATE_FAILED = "gate_failed"
    TAKE_REFUSED = "take_refused"
    OWNERSHIP_TAKEN = "ownership_taken"
    OWNERSHIP_SEIZED = "ownership_seized"
    OWNER_UNPROVEN = "owner_unproven"
    OWNERSHIP_LOST = "ownership_lost"
    CYCLE_FAULTY = "cycle_faulty"
    CYCLE_MISSED = "cycle_missed"
    BODY_NEAR_LIMIT = "body_near_limit"
    OBSERVE_OVER_BUDGET = "observe_over_budget"
    INPUTS_UNAVAILABLE = "inputs_unavailable"
    EFFECT_DOUBTFUL = "effect_doubtful"
    LIFE_LOCK_REFUSED = "life_lock_refused"
    COMMIT_FAILED = "commit_failed"
    RELEASE_MISSING = "release_missing"
    RECORD_ASKED = "record_asked"
    RECORD_AWAY = "record_away"
    RECORD_BACK = "record_back"
    HOME_BEHIND = "home_behind"
    LEASE_LOST = "lease_lost"
