"""The example does what its own words say, tried as the guide tells its readers to try theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from examples.news_watcher import Seen, Watcher
from handoff import Context, simulate
from handoff.workload import Unavailable
from state import Outcome, Schema, Timeline

if TYPE_CHECKING:
    import pytest


class Scripted(Watcher):
    """The example with a script in the place of the news."""

    def __init__(self, *script: list[str] | Exception | None) -> None:
        self._script = list(script)
        self.printed: list[str] = []

    @override
    async def observe(self, cycle: Any, body: Seen) -> list[str] | Unavailable:
        lines = self._script.pop(0) if self._script else []
        if isinstance(lines, Exception):
            raise lines
        return Unavailable("no news today") if lines is None else lines


def test_each_headline_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    simulation = simulate(Scripted(["a"], ["a", "b"], ["b", "a"], ["c"]), cycles=5)
    assert capsys.readouterr().out.splitlines() == ["[1] a", "[1] b", "[1] c"]
    assert simulation.body == Seen(headlines=["a", "b", "c"], reported=3)
    assert {each.outcome for each in simulation.receipts} == {Outcome.CONFIRMED}


def test_as_it_comes_it_reports_a_headline_every_third_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulation = simulate(Watcher(), cycles=9)
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert simulation.body.reported == 3


def test_without_news_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    simulation = simulate(Scripted(["a"], None, OSError("down"), ["a", "b"]), cycles=5)
    assert capsys.readouterr().out.splitlines() == ["[1] a", "[1] b"]
    assert simulation.body.reported == 2


def test_while_halted_nothing_is_reported_and_afterwards_nothing_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulation = simulate(Scripted(["a"], ["b"], ["b"]), cycles=1)
    simulation.command(halted=True).run(1)
    assert capsys.readouterr().out.splitlines() == ["[1] a"]
    simulation.command().run(1)
    assert capsys.readouterr().out.splitlines() == ["[1] b"]


def test_it_remembers_a_hundred_headlines() -> None:
    simulation = simulate(Scripted(*([str(number)] for number in range(150))), cycles=150)
    assert simulation.body.headlines == [str(number) for number in range(50, 150)]


def test_its_factory_makes_one() -> None:
    context = Context(app="news", release="r1", tree="/", home="/", timeline=Timeline())
    from examples.news_watcher import create  # noqa: PLC0415 - as the engine imports it

    assert isinstance(create(context), Watcher)


class SeenWithTimes(msgspec.Struct):
    """A later body: each headline with the cycle in which it was seen."""

    seen: dict[str, int] = {}
    reported: int = 0


def test_a_later_version_with_another_body_takes_over_and_can_be_taken_back() -> None:
    """As in the guide: two steps between the versions, and the way back is tried as well."""

    class WithTimes(Watcher):
        body: Schema[Any] = Schema(
            "news.seen",
            2,
            SeenWithTimes,
            up={1: lambda old: {"seen": dict.fromkeys(old["headlines"], 0)} | counts(old)},
            down={2: lambda new: {"headlines": list(new["seen"])} | counts(new)},
        )

        @override
        def decide(self, cycle: Any, body: Any, inputs: Any, receipts: Any) -> Any:
            decision = super().decide(cycle, Seen(list(body.seen), body.reported), inputs, receipts)
            seen = {name: body.seen.get(name, cycle.number) for name in decision.body.headlines}
            later = SeenWithTimes(seen, decision.body.reported)
            return msgspec.structs.replace(decision, body=later)

    def counts(plain: dict[str, int]) -> dict[str, int]:
        return {"reported": plain["reported"]}

    simulation = simulate(Watcher(), cycles=3).deploy(WithTimes(), bake=5).run(3)
    assert next(iter(simulation.body.seen.values())) == 0
    assert simulation.record.fallback is not None
    back = simulation.give_back().run(3)
    assert isinstance(back.body, Seen)
    assert len(back.body.headlines) == 3
    assert len({each.effect_id for each in back.effects}) == len(back.effects) == 3
