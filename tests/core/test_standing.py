"""How an installation stands, in one sentence; whoever reads only that one must not be misled."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from handoff.commands.looking import View, standing_of
from handoff.commands.standing import Standing, bake_words, sentence
from handoff.limits import NS
from state.record import Cadence
from tests.records import owned

OWNED = Standing(
    running=True, started=True, release="r2", worker=7, lives=True, cycle=41, settled=True
)

NOBODY = (
    "Nobody owns: the launcher runs, and no worker decides. Cycle 41, settled, was the last, by r2."
)

PUT_BACK = (
    "The etcd at h1:2379 was put back to an earlier state. Nothing is decided or started until it "
    "is repaired: stop the launchers of all hosts, then run `state repair` on each of them."
)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "r2 decides: cycle 41 is settled."),
        ({"settled": False}, "r2 decides: cycle 41 is under way."),
        ({"clean": 1, "of": 5}, "r2 decides and bakes: 1 of 5 clean cycles, the way back is kept."),
        ({"of": 1}, "r2 decides and bakes: 0 of 1 clean cycle, the way back is kept."),
        (
            {"clean": 1, "of": 1, "promoted": True},
            "r2 decides and bakes: it was promoted, and its next clean cycle makes it permanent.",
        ),
        (
            {"promoted": True, "lacks": True},
            "r2 decides and bakes: it was promoted, but its inputs fail: no cycle is clean.",
        ),
        ({"late_s": 40.0}, "r2 owns and is late: cycle 42 should have begun 40 s ago."),
        (
            {"late_s": 40.0, "catches_up": True},
            "r2 owns and catches up: cycle 42 should have begun 40 s ago.",
        ),
        ({"stopping": True}, "It is stopping: r2 finishes cycle 41."),
        (
            {"worker": 0},
            NOBODY,
        ),
        (
            {"lives": False, "clean": 1, "of": 5},
            NOBODY,
        ),
        ({"cycle": None}, "It is starting: nobody has decided a cycle yet."),
        (
            {"running": False},
            "No launcher runs; r2 goes on without one as pid 7, and nobody starts it again.",
        ),
        (
            {"running": False, "lives": False, "settled": False},
            "It is stopped. Cycle 41, under way, was the last, by r2.",
        ),
        ({"running": False, "started": False}, "It was never started: there is no record."),
        ({"host": "alpha"}, "r2 on alpha decides: cycle 41 is settled."),
        (
            {"host": "alpha", "running": False},
            "No launcher runs here. r2 on alpha decided last, as far as this host knows.",
        ),
        ({"host": "alpha", "stopping": True}, "It is stopping: r2 on alpha is at cycle 41."),
        (
            {"away": "T", "late_s": 40.0},
            (
                "The etcd with its record is out of reach since T: this host decides nothing. "
                "As last known: cycle 41 is settled, r2 owns."
            ),
        ),
        (
            {"away": "T", "stopping": True, "worker": 0},
            (
                "It is stopping. The etcd with its record is out of reach since T: this host "
                "decides nothing. As last known: cycle 41 is settled, nobody owns."
            ),
        ),
        (
            {"away": "T", "started": False},
            (
                "The etcd with its record is out of reach since T: this host decides nothing. "
                "As last known: no cycle was decided yet."
            ),
        ),
        (
            {"paused": True},
            "r2 decides: cycle 41 is settled. It is paused: nothing new is taken on.",
        ),
        (
            {"worker": 0, "put_back": "etcd at h1:2379 was put back to an earlier state"},
            f"{NOBODY} {PUT_BACK}",
        ),
        (
            {"worker": 0, "other_account": "app/account in the etcd names another account"},
            (
                f"{NOBODY} Nobody is started here, for app/account in the etcd names another "
                "account: name the same account on every host, or `etcdctl del` that key while "
                "nobody owns."
            ),
        ),
        (
            {"paused": True, "halted": True},
            "r2 decides: cycle 41 is settled. It is halted: nothing at all is sent.",
        ),
    ],
)
def test_each_way_of_standing_has_a_sentence_of_its_own(
    changes: dict[str, object], wanted: str
) -> None:
    """A process that is dead decides nothing, whatever the record still says of it."""
    facts = {name: getattr(OWNED, name) for name in OWNED.__struct_fields__}
    assert sentence(Standing(**(facts | changes))) == wanted


def test_how_far_a_bake_came_has_words_once_an_operator_ended_it() -> None:
    """Of 1 of 1 nobody would see that another one is wanted."""
    assert bake_words(1, 5) == "1 of 5 clean cycles"
    assert bake_words(2, 2) == "2 clean cycles, promoted: the next one is the last"
    assert bake_words(0, 0) == "0 clean cycles, promoted: the next one is the last"


@pytest.mark.parametrize(
    ("behind_s", "left_s", "wanted"),
    [
        (600.0, 3.0, True),
        (600.0, -1.0, False),  # it had its time, and hangs
        (4.0, 0.5, False),  # its limit began with the boundary, as always
        (600.0, None, False),  # as a launcher before this one says
    ],
)
def test_an_owner_that_came_late_catches_up_until_its_own_limit(
    tmp_path: Path, behind_s: float, left_s: float | None, *, wanted: bool
) -> None:
    """After a stop of ten minutes the next cycle is ten minutes old, and nobody is late with it."""
    record = replace(owned(cycle=41), cadence=Cadence(period_ns=NS, offset_ns=0))
    children = [{"owner": True, "overdue_in_s": left_s}, {"owner": False, "overdue_in_s": None}]
    if left_s is None:
        children = [{"owner": True}]
    now_ns = round((42 + behind_s) * NS)
    standing = standing_of(View(tmp_path, {"children": children}, record, now_ns))
    assert standing.catches_up is wanted
    assert standing.late_s == behind_s
