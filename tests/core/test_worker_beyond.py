"""A worker's line on several hosts: deploys of all of them speak on it as its launcher does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from handoff.wire import Kind
from handoff.worker.beyond import LineBeyond, messages_of
from state.errors import DeployClosed
from state.etcd import deploys
from state.etcd.deploys import Held, UnderWay
from state.etcd.wire import KeyValue
from state.open_struct import encode_open
from tests.worker_world import LauncherLine

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = UnderWay(request="d1", attempt="d1.2", host="one")
APPROVED = deploys.approved(VALUE, epoch=4, candidate="r2")


class Watch:
    """What was heard, as a test says it."""

    def __init__(self) -> None:
        self.revision: int | None = None
        self.told: KeyValue | None = None

    def hear(self, value: UnderWay | None, revision: int, *, created: int = 7) -> None:
        self.revision = revision
        self.told = None
        if value is not None:
            self.told = KeyValue(
                key=b"k", value=encode_open(value), create_revision=created, mod_revision=revision
            )


class Desk:
    """Takes what is said, unless its deploy is closed."""

    def __init__(self) -> None:
        self.value: UnderWay | None = APPROVED

    def change(self, request: str, step: Callable[[UnderWay], UnderWay]) -> Held | None:
        if self.value is None:
            raise DeployClosed(request)
        self.value = step(self.value)
        return None


class Beyond:
    """A line, and the three that it speaks for."""

    def __init__(self) -> None:
        self.launcher, self.watch, self.desk = LauncherLine(), Watch(), Desk()
        self.epoch = 4
        self.line = LineBeyond(self.launcher, self.watch, self.desk, epoch=lambda: self.epoch)

    def heard(self) -> list[str]:
        return [str(each["kind"]) for each in self.line.received_nowait()]


def test_wishes_are_said_to_the_workers_of_the_epoch_that_they_name() -> None:
    held = Held(value=APPROVED, revision=8, created=7, lease=1)
    assert messages_of(held, epoch=4) == [{"kind": "waiting"}]
    assert messages_of(held, epoch=5) == messages_of(None, epoch=4) == []
    back = replace(held, value=deploys.asked_back(APPROVED, epoch=5))
    assert messages_of(back, epoch=5) == [{"kind": "return", "deploy": "d1.2"}]
    aside = replace(held, value=deploys.yielding(APPROVED, epoch=4, until_ns=9))
    assert messages_of(aside, epoch=4)[1:] == [{"kind": "yielding", "until_ns": 9}]


def test_each_wish_is_said_once_and_again_once_its_epoch_has_come() -> None:
    beyond = Beyond()
    assert beyond.heard() == []
    beyond.epoch = 3
    beyond.watch.hear(APPROVED, 8)
    beyond.launcher.say(Kind.DRAIN)
    assert beyond.heard() == ["drain"]
    beyond.epoch = 4
    assert (beyond.heard(), beyond.heard()) == (["waiting"], [])


def test_an_owner_that_steps_aside_says_so_where_the_candidate_hears_it() -> None:
    beyond = Beyond()
    beyond.watch.hear(APPROVED, 8)
    beyond.line.tell(Kind.YIELDING, cycle=3, until_ns=9)
    assert beyond.desk.value is not None
    assert deploys.gap_until_ns(beyond.desk.value, epoch=4) == 9
    beyond.line.tell(Kind.LOST)
    beyond.desk.value = None
    beyond.line.tell(Kind.YIELDING, cycle=4, until_ns=10)
    assert [each["kind"] for each in beyond.launcher.told] == ["yielding", "lost", "yielding"]


def test_an_approval_is_void_once_its_deploy_is_over_and_that_is_said_once() -> None:
    beyond = Beyond()
    beyond.launcher.say(Kind.GO, bake=2, approval=7)
    assert beyond.heard() == ["go"], "the watch may be behind the launcher"
    beyond.watch.hear(APPROVED, 8)
    assert beyond.heard() == ["waiting"]
    beyond.watch.hear(None, 9)
    assert (beyond.heard(), beyond.heard()) == (["void"], [])
    beyond.launcher.say(Kind.GO, bake=2, approval=10)
    beyond.watch.hear(APPROVED, 12, created=11)
    assert "void" in beyond.heard(), "another one is under way"
    beyond.launcher.say(Kind.GO, bake=2)
    assert beyond.heard() == ["go"], "a launcher of one host, or an older one, names none"
