"""An effect whose outcome is not simply told: it is asked about, never repeated blindly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typing_extensions import override

from handoff.limits import IN_FLIGHT_NS, NS, RESOLVE_ATTEMPTS_MAX
from handoff.virtual_time import VirtualClock, run_virtual
from handoff.worker.effects import Performer
from handoff.workload import Absent, Pending, Unknown, receipt
from state.record import Delivery, Effect, Fate, Outcome, Receipt
from tests.engine_world import START_NS, Answer, Application, LogBook, Venue, order

if TYPE_CHECKING:
    from handoff.worker.requests import Verdict

LIMIT_S = 5.0
LATER_S = IN_FLIGHT_NS / NS + 1.0


def settled(
    venue: Venue,
    *outbox: Effect,
    fresh: bool = True,
    may_send: bool = True,
    waited_s: float = 0.0,
    log: LogBook | None = None,
) -> dict[str, Verdict]:
    """Give the effects their fates, so many seconds after ownership began."""

    async def main() -> dict[str, Verdict]:
        clock = VirtualClock(START_NS)
        performer = Performer(Application(venue), clock, (log or LogBook()).log)
        await clock.pause(waited_s)
        return await performer.settle_all(outbox, fresh=fresh, limit_s=LIMIT_S, may_send=may_send)

    return run_virtual(main())


def outcome(verdicts: dict[str, Verdict], name: str = "order-1") -> Outcome | Fate:
    verdict = verdicts[name]
    return verdict.outcome if isinstance(verdict, Receipt) else verdict


def reason(verdicts: dict[str, Verdict], name: str = "order-1") -> str:
    verdict = verdicts[name]
    assert isinstance(verdict, Receipt)
    return verdict.reason


def failing(*answers: Answer, repeats: bool = True) -> Venue:
    venue = Venue(refuses_repeats=repeats)
    venue.answers["order-1"] = list(answers)
    return venue


def test_an_answer_is_believed_and_nothing_is_asked() -> None:
    venue = Venue()
    assert outcome(settled(venue, order())) is Outcome.CONFIRMED
    assert (venue.sent, venue.asked) == (["order-1"], [])


def test_a_refusal_is_an_answer() -> None:
    refusal = receipt(order(), Outcome.REFUSED, reason="no money")
    venue = failing(refusal)
    assert settled(venue, order()) == {"order-1": refusal}
    assert venue.executed == []


@pytest.mark.parametrize("error", [OSError("reset"), TimeoutError(), ValueError("a bug")])
def test_an_order_that_executed_without_an_answer_is_asked_about_and_not_sent_again(
    error: Exception,
) -> None:
    """The most expensive mistake there is: a second order for the one that went through."""
    venue = failing(error)
    venue.lost = {"order-1"}
    assert outcome(settled(venue, order())) is Outcome.CONFIRMED
    assert (venue.sent, venue.asked, venue.executed) == (["order-1"], ["order-1"], ["order-1"])


def test_what_is_absent_where_repeats_are_refused_is_sent_again_with_the_same_id() -> None:
    venue = failing(OSError("reset"))
    assert outcome(settled(venue, order())) is Outcome.CONFIRMED
    assert (venue.sent, venue.executed) == (["order-1", "order-1"], ["order-1"])
    assert venue.asked == ["order-1"]


def test_what_is_absent_where_repeats_execute_is_not_sent_while_a_request_may_be_under_way() -> (
    None
):
    venue = failing(OSError("reset"), repeats=False)
    assert outcome(settled(venue, order())) is Fate.DOUBTFUL
    assert venue.sent == ["order-1"]
    assert venue.asked == ["order-1"] * RESOLVE_ATTEMPTS_MAX


def test_absence_is_final_only_when_no_request_can_be_under_way() -> None:
    """After a dead owner: its request may still arrive, up to the in-flight bound."""
    venue = Venue(refuses_repeats=False)
    early = settled(venue, order(), fresh=False, waited_s=LATER_S - 10)
    assert outcome(early) is Fate.DOUBTFUL
    assert venue.sent == []
    late = settled(venue, order(), fresh=False, waited_s=LATER_S)
    assert outcome(late) is Outcome.CONFIRMED
    assert venue.sent == ["order-1"]


@pytest.mark.parametrize("fate", [Fate.PLANNED, Fate.DOUBTFUL])
def test_a_question_from_before_all_had_arrived_proves_no_absence(fate: Fate) -> None:
    """What arrives while it is answered, within the bound, was sent again, or written off."""

    async def main() -> tuple[Venue, dict[str, Verdict]]:
        clock = VirtualClock(START_NS)

        class Slow(Venue):
            @override
            async def resolve(self, effect: Effect) -> Receipt | Absent | Unknown:
                answer = await super().resolve(effect)
                if isinstance(answer, Absent):
                    await clock.pause(1.0)
                    self.executed.append(effect.effect_id)  # of the owner that died
                    await clock.pause(1.5)
                return answer

        venue = Slow(refuses_repeats=False)
        performer = Performer(Application(venue), clock, LogBook().log)
        await clock.pause(IN_FLIGHT_NS / NS - 1.5)
        outbox = (msgspec.structs.replace(order(), fate=fate),)
        found = await performer.settle_all(outbox, fresh=False, limit_s=LIMIT_S, may_send=True)
        return venue, found

    venue, found = run_virtual(main())
    assert outcome(found) is Outcome.CONFIRMED
    assert venue.executed == ["order-1"]


def test_a_clock_that_is_set_forward_makes_no_request_arrive() -> None:
    """Safety never rests on a clock that can be set."""
    venue = Venue(refuses_repeats=False)

    async def main() -> dict[str, Verdict]:
        clock = VirtualClock(START_NS)
        performer = Performer(Application(venue), clock, LogBook().log)
        clock.step(3600 * NS)
        return await performer.settle_all((order(),), fresh=False, limit_s=1, may_send=True)

    assert outcome(run_virtual(main())) is Fate.DOUBTFUL
    assert venue.sent == []


def test_a_clock_that_is_set_back_does_not_make_an_attempt_longer() -> None:
    venue = Venue()

    async def main() -> float:
        clock = VirtualClock(START_NS)
        performer = Performer(Application(venue), clock, LogBook().log)

        async def hang() -> None:
            clock.step(-3600 * NS)
            await clock.pause(10_000)

        venue.hooks["order-1"] = hang
        await performer.settle_all((order(),), fresh=True, limit_s=2, may_send=True)
        return clock.monotonic_ns() / NS

    assert run_virtual(main()) < 4


def test_a_doubtful_effect_is_only_ever_asked_about() -> None:
    """Its absence is proven at last: then it is written off, not sent."""
    doubtful = msgspec.structs.replace(order(), fate=Fate.DOUBTFUL)
    for waited_s, expected in [(0.0, Fate.DOUBTFUL), (LATER_S, Outcome.EXPIRED)]:
        venue = Venue()
        assert outcome(settled(venue, doubtful, fresh=True, waited_s=waited_s)) is expected
        assert venue.sent == []


def test_a_doubtful_effect_that_executed_is_confirmed() -> None:
    venue = Venue()
    venue.executed = ["order-1"]
    doubtful = msgspec.structs.replace(order(), fate=Fate.DOUBTFUL)
    assert outcome(settled(venue, doubtful)) is Outcome.CONFIRMED


def test_an_absence_that_the_venue_enforces_is_final_at_once() -> None:
    venue = failing(OSError("reset"))
    venue.resolving["order-1"] = [Absent(enforced=True)]
    assert outcome(settled(venue, order())) is Outcome.EXPIRED
    assert venue.sent == ["order-1"]


def test_an_accepted_effect_is_never_sent_again_even_where_it_is_absent() -> None:
    venue = Venue()
    venue.answers["order-1"] = [Pending("in the queue")]
    venue.resolving["order-1"] = [Absent(repeatable=True)] * RESOLVE_ATTEMPTS_MAX
    assert outcome(settled(venue, order())) is Fate.DOUBTFUL
    assert venue.sent == ["order-1"]


def test_an_effect_that_is_accepted_at_the_second_attempt_is_not_sent_a_third_time() -> None:
    venue = failing(OSError("reset"), Pending("in the queue"))
    venue.resolving["order-1"] = [Absent(repeatable=True)] * RESOLVE_ATTEMPTS_MAX
    assert outcome(settled(venue, order())) is Fate.DOUBTFUL
    assert venue.sent == ["order-1", "order-1"]


def test_a_venue_that_cannot_be_asked_leaves_doubt_and_says_so() -> None:
    venue, log = failing(OSError("reset")), LogBook()
    venue.resolving["order-1"] = [OSError("down")] * RESOLVE_ATTEMPTS_MAX
    assert outcome(settled(venue, order(), log=log)) is Fate.DOUBTFUL
    [line] = log.lines("effect_doubtful")
    assert (line["effect"], line["reason"]) == ("order-1", "OSError: down")
    venue.resolving["order-1"] = [Unknown("busy")] * RESOLVE_ATTEMPTS_MAX
    settled(venue, order(), log=log, fresh=False)
    assert log.lines("effect_doubtful")[1]["reason"] == "busy"


def test_a_venue_that_heals_while_it_is_asked_is_believed() -> None:
    venue = failing(OSError("reset"))
    venue.lost = {"order-1"}
    venue.resolving["order-1"] = [Unknown("busy"), OSError("down"), None]
    assert outcome(settled(venue, order())) is Outcome.CONFIRMED
    assert len(venue.asked) == 3


def test_asking_ends_with_the_time_there_is() -> None:
    """But each effect is asked about once at least, however late it is."""
    venue = Venue()

    async def main() -> tuple[dict[str, Verdict], float]:
        clock = VirtualClock(START_NS)
        performer = Performer(Application(venue), clock, LogBook().log)

        async def hang() -> None:
            await clock.pause(10_000)

        venue.hooks["order-1"] = hang
        venue.resolving["order-1"] = [Unknown("busy")] * RESOLVE_ATTEMPTS_MAX
        verdicts = await performer.settle_all((order(),), fresh=True, limit_s=2, may_send=True)
        return verdicts, clock.monotonic_ns() / NS

    verdicts, took_s = run_virtual(main())
    assert outcome(verdicts) is Fate.DOUBTFUL
    assert venue.asked == ["order-1"]
    assert took_s == pytest.approx(2, abs=0.1)


NONSENSE = [
    None,
    "done",
    receipt(order("other"), Outcome.CONFIRMED),
    Receipt(
        effect_id="order-1", kind="order", outcome=Outcome.CONFIRMED, payload=msgspec.Raw(b"{")
    ),
]


@pytest.mark.parametrize("answer", NONSENSE, ids=["none", "text", "other id", "no JSON"])
def test_an_answer_that_is_none_is_no_proof(answer: Answer) -> None:
    """The code of an application is not trusted with the meaning of an outcome."""

    class Careless(Venue):
        @override
        async def perform(self, effect: Effect) -> Any:
            await super().perform(effect)
            return answer

    venue = Careless()
    assert outcome(settled(venue, order())) is Outcome.CONFIRMED
    assert (venue.sent, venue.asked) == (["order-1"], ["order-1"])


@pytest.mark.parametrize("answer", NONSENSE[1:], ids=["text", "other id", "no JSON"])
def test_an_answer_to_a_question_that_is_none_leaves_doubt(answer: Answer) -> None:
    venue = failing(OSError("reset"))
    venue.resolving["order-1"] = [answer] * RESOLVE_ATTEMPTS_MAX
    assert outcome(settled(venue, order())) is Fate.DOUBTFUL
    assert venue.sent == ["order-1"]


def at_most_once() -> Effect:
    return order(delivery=Delivery.AT_MOST_ONCE)


def at_least_once(**changes: Any) -> Effect:  # noqa: ANN401 - arguments of effect
    return order(delivery=Delivery.AT_LEAST_ONCE, **changes)


@pytest.mark.parametrize("answer", [OSError("reset"), Pending("queued")])
def test_at_most_once_is_sent_once_whatever_becomes_of_it(answer: Answer) -> None:
    venue = failing(answer)
    assert outcome(settled(venue, at_most_once())) is Outcome.UNKNOWN
    assert (venue.sent, venue.asked) == (["order-1"], [])


@pytest.mark.parametrize("fate", list(Fate))
def test_at_most_once_of_a_dead_sender_is_neither_sent_nor_carried_for_ever(fate: Fate) -> None:
    venue = Venue()
    effect = msgspec.structs.replace(at_most_once(), fate=fate)
    assert outcome(settled(venue, effect, fresh=False)) is Outcome.UNKNOWN
    assert (venue.sent, venue.asked) == ([], [])


@pytest.mark.parametrize("fresh", [True, False])
def test_at_least_once_is_sent_until_an_answer_comes(*, fresh: bool) -> None:
    venue = failing(OSError("reset"), OSError("reset"), repeats=False)
    assert outcome(settled(venue, at_least_once(), fresh=fresh)) is Outcome.CONFIRMED
    assert venue.sent == ["order-1"] * 3


def test_at_least_once_is_left_for_later_cycles_after_its_bound() -> None:
    """A message must not be lost to an outage of two seconds."""
    venue, log = failing(*[OSError("reset")] * 99), LogBook()
    assert outcome(settled(venue, at_least_once(), log=log)) is Fate.DOUBTFUL
    [line] = log.lines("effect_doubtful")
    assert line["reason"] == "OSError: reset"
    assert len(venue.sent) == 1 + RESOLVE_ATTEMPTS_MAX


def test_at_least_once_is_not_repeated_after_its_time() -> None:
    venue = failing(*[OSError("reset")] * 99)
    soon = at_least_once(not_after_ns=START_NS + NS // 20)
    assert outcome(settled(venue, soon)) is Outcome.UNKNOWN
    assert len(venue.sent) == 1


def test_at_least_once_that_may_not_be_repeated_is_not_called_refused() -> None:
    """Its dead sender may have sent it: to say that it never executed would be a lie."""
    venue = Venue()
    halted = settled(venue, at_least_once(), fresh=False, may_send=False)
    assert outcome(halted) is Fate.DOUBTFUL, "it is sent when nothing is halted any more"
    late = settled(venue, at_least_once(not_after_ns=START_NS), fresh=False)
    assert outcome(late) is Outcome.UNKNOWN
    assert venue.sent == []


def test_what_is_too_late_is_never_sent() -> None:
    venue = Venue()
    verdicts = settled(venue, order(not_after_ns=START_NS))
    assert outcome(verdicts) is Outcome.EXPIRED
    assert (venue.sent, venue.asked) == ([], [])
    assert outcome(settled(venue, order(not_after_ns=START_NS + 1))) is Outcome.CONFIRMED


def test_too_late_by_the_senders_clock_is_no_proof_that_it_never_executed() -> None:
    """A dead owner may have sent it in time: only the venue, or time, can tell."""
    late = order(not_after_ns=START_NS)
    early = settled(Venue(), late, fresh=False)
    assert outcome(early) is Fate.DOUBTFUL
    venue = Venue()
    assert outcome(settled(venue, late, fresh=False, waited_s=LATER_S)) is Outcome.EXPIRED
    assert venue.sent == []


def test_what_was_absent_and_is_too_late_now_is_not_sent_again() -> None:
    venue = failing(OSError("reset"))
    venue.resolving["order-1"] = [Unknown("busy")]  # until it is too late, 100 ms later
    soon = order(not_after_ns=START_NS + NS // 20)
    assert outcome(settled(venue, soon)) is Fate.DOUBTFUL
    assert venue.sent == ["order-1"]


def test_while_halted_nothing_is_sent() -> None:
    venue = Venue()
    verdicts = settled(venue, order(), at_least_once(effect_id="order-2"), may_send=False)
    assert [outcome(verdicts, name) for name in ("order-1", "order-2")] == [Outcome.REFUSED] * 2
    assert reason(verdicts) == "not sent: halted"
    assert venue.sent == []


def test_while_halted_outcomes_are_still_asked_for() -> None:
    venue = Venue()
    venue.executed = ["order-1"]
    assert outcome(settled(venue, order(), fresh=False, may_send=False)) is Outcome.CONFIRMED
    absent = Venue()
    verdicts = settled(absent, order(), fresh=False, may_send=False, waited_s=LATER_S)
    assert outcome(verdicts) is Outcome.EXPIRED
    assert absent.sent == []


def test_what_was_found_out_counts_until_it_is_in_the_record() -> None:
    """A settle that cannot be written is tried again; its effects are not."""
    venue = Venue()
    venue.answers["order-2"] = [OSError("reset")]
    venue.resolving["order-2"] = [Unknown("busy")] * RESOLVE_ATTEMPTS_MAX
    outbox = (at_most_once(), order("order-2"))

    async def main() -> list[dict[str, Verdict]]:
        clock = VirtualClock(START_NS)
        performer = Performer(Application(venue), clock, LogBook().log)
        first = await performer.settle_all(outbox, fresh=True, limit_s=5, may_send=True)
        again = await performer.settle_all(outbox, fresh=False, limit_s=5, may_send=True)
        performer.settled()
        later = await performer.settle_all(outbox[:1], fresh=False, limit_s=5, may_send=True)
        return [first, again, later]

    first, again, later = run_virtual(main())
    assert [outcome(first), outcome(first, "order-2")] == [Outcome.CONFIRMED, Fate.DOUBTFUL]
    assert [outcome(again), outcome(again, "order-2")] == [Outcome.CONFIRMED, Fate.DOUBTFUL]
    assert outcome(later) is Outcome.UNKNOWN
    assert venue.sent == ["order-1", "order-2"]
    assert len(venue.asked) == 2 * RESOLVE_ATTEMPTS_MAX, "what is in doubt is asked about again"
