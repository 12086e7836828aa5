"""What a market says of its window: asked once, kept, believed, and checked by our own feed."""

from typing import Any

import msgspec
import pytest
from typing_extensions import override

from foresight.board import Method, Rules, Side, Slot, Tie, Window
from foresight.book import Book, SlotMemory
from foresight.closes import Closes
from foresight.decision import decide
from foresight.market import SCHEMA, Detail, Market, WindowFacts
from foresight.orders import Buy
from foresight.risk import Denial
from foresight.strategies import Silence, Strategy
from foresight.window_facts import facts_of, note, own_price_to_beat, price_to_beat, unread
from handoff.workload import payload_of
from tests.trading_values import (
    RISK,
    RULES,
    SLOT,
    START_S,
    WINDOW,
    closes,
    cycle_at,
    facts,
    policy,
    seen,
)

NOW_S = START_S + 180
NEWEST = NOW_S // 60 - 1
BEFORE = START_S // 60 - 1
AVERAGE = msgspec.structs.replace(RULES, method=Method.AVERAGE_60S)
LENIENT = msgspec.structs.replace(RISK, reference_required=False)


def detailed(open_: float, high: float, low: float) -> Closes:
    """Return candles of which all say the same besides their closes."""
    known = closes(NEWEST)
    rest = Detail(open=open_, high=high, low=low, volume=1.0)
    return msgspec.structs.replace(known, details=(rest,) * 32)


def beat(said: WindowFacts | None, **changes: Any) -> float | Denial:  # noqa: ANN401 - by their names
    values: dict[str, Any] = {"closes": closes(NEWEST), "risk": RISK} | changes
    return price_to_beat(said, WINDOW, values["closes"], risk=values["risk"])


def test_a_window_is_asked_about_until_it_has_answered_and_no_longer() -> None:
    """Its event is the largest answer there is: once a window is enough."""
    book, slots = Book(), (SLOT, Slot("BTC", "15m"))
    at: dict[str, Any] = {"risk": RISK, "now_s": NOW_S}
    assert unread(book, slots, **at) == {
        "btc-5m": WINDOW.slug,
        "btc-15m": f"btc-updown-15m-{START_S}",
    }
    note(book, {"btc-5m": facts()})
    assert set(unread(book, slots, **at)) == {"btc-15m"}
    assert set(unread(book, slots, risk=RISK, now_s=START_S + 300)) == {"btc-5m", "btc-15m"}


def test_a_price_to_beat_that_comes_later_is_asked_for_again() -> None:
    """A market may know it only some time after the window began."""
    book = Book()
    note(book, {"btc-5m": facts(reference=0.0)})
    assert set(unread(book, (SLOT,), risk=RISK, now_s=NOW_S)) == {"btc-5m"}
    assert unread(book, (SLOT,), risk=LENIENT, now_s=NOW_S) == {}
    note(book, {"btc-5m": facts(reference=0.0, rules=None, unknown="tie rule")})
    assert unread(book, (SLOT,), risk=RISK, now_s=NOW_S) == {}, "nobody will understand it later"


def test_what_is_known_of_one_window_says_nothing_of_the_next() -> None:
    book = Book()
    note(book, {"btc-5m": facts()})
    assert facts_of(book, WINDOW) == facts()
    assert facts_of(book, Window(SLOT, START_S + 300)) is None


def test_keeping_facts_forgets_nothing_else_of_a_slot() -> None:
    book = Book(slots={"btc-5m": SlotMemory(losses=3, ordered_start_s=7)})
    note(book, {"btc-5m": facts()})
    memory = book.slots["btc-5m"]
    assert (memory.losses, memory.ordered_start_s, memory.facts) == (3, 7, facts())


@pytest.mark.parametrize(
    ("said", "denial"),
    [
        (None, Denial.FACTS_UNREAD),
        (facts(rules=None, unknown="tie rule"), Denial.RULES_UNKNOWN),
        (facts(reference=0.0), Denial.REFERENCE_UNVERIFIED),
        (facts(reference=100.2), Denial.REFERENCE_UNVERIFIED),
        (facts(rules=AVERAGE), Denial.REFERENCE_MISSING),  # of an older release's candles
    ],
)
def test_a_price_to_beat_that_is_not_sure_is_none(said: WindowFacts | None, denial: Denial) -> None:
    assert beat(said) is denial


def test_the_markets_word_comes_before_our_own() -> None:
    assert beat(facts(reference=100.01)) == 100.01
    assert beat(facts(reference=100.01), risk=LENIENT) == 100.01


def test_where_our_feed_alone_has_it_the_price_to_beat_follows_the_markets_rule() -> None:
    """Read by the last price, a market of averages is another question than the one asked."""
    known = detailed(99.0, 102.0, 98.0)
    close = known.at(BEFORE)
    assert close == 100.02
    average = pytest.approx((99.0 + 102.0 + 98.0 + close) / 4)
    assert beat(facts(reference=0.0), closes=known, risk=LENIENT) == close
    assert beat(facts(reference=0.0, rules=AVERAGE), closes=known, risk=LENIENT) == average
    assert own_price_to_beat(Method.AVERAGE_60S, WINDOW, known) == average


def test_the_tolerance_is_counted_from_the_price_by_the_markets_rule() -> None:
    known = detailed(104.0, 104.0, 104.0)
    assert beat(facts(reference=100.0, rules=AVERAGE), closes=known) is Denial.REFERENCE_UNVERIFIED
    assert beat(facts(reference=103.0, rules=AVERAGE), closes=known) == 103.0


def without(known: Closes, *places: int) -> Closes:
    """Return candles of which some minutes are missing."""
    kept = [at for at, minute in enumerate(known.minutes) if minute not in places]
    first = len(known.minutes) - len(known.details)
    return Closes(
        minutes=tuple(known.minutes[at] for at in kept),
        prices=tuple(known.prices[at] for at in kept),
        details=tuple(known.details[at - first] for at in kept if at >= first),
    )


SIGMA = 2e-4  # of a minute, as these closes swing


@pytest.mark.parametrize("rules", [RULES, AVERAGE])
def test_a_candle_that_is_missing_does_not_cost_its_asset_the_window(rules: Rules) -> None:
    """The market says the price to beat: it is checked by the nearest price there is instead."""
    known = without(detailed(100.0, 100.0, 100.0), BEFORE)
    for off, is_believed in ((1.9, True), (-1.9, True), (2.1, False), (-2.1, False)):
        said = facts(reference=100.0 * (1 + off * SIGMA), rules=rules)
        answer = said.reference if is_believed else Denial.REFERENCE_UNVERIFIED
        assert beat(said, closes=known) == answer, off
    early = without(closes(BEFORE), BEFORE)  # the first cycle: nothing of the window closed yet
    for off, is_believed in ((2.9, True), (3.1, False)):
        said = facts(reference=100.0 * (1 + off * SIGMA), rules=rules)
        answer = said.reference if is_believed else Denial.REFERENCE_UNVERIFIED
        assert beat(said, closes=early) == answer, off


def test_a_window_with_no_price_near_its_start_has_none_to_check_by() -> None:
    gap = without(closes(NEWEST), BEFORE, BEFORE - 1)
    assert beat(facts(), closes=gap) is Denial.REFERENCE_MISSING
    one = without(detailed(100.0, 100.0, 100.0), BEFORE)
    assert beat(facts(reference=0.0), closes=one) is Denial.REFERENCE_MISSING
    assert beat(facts(reference=0.0), closes=one, risk=LENIENT) is Denial.REFERENCE_MISSING


class Reading(Strategy, frozen=True, kw_only=True):
    """Says nothing, and in saying so what it was shown of the market's rules."""

    @override
    def judge(self, view: Any) -> Any:
        rules = view.rules
        shown = "none" if rules is None else f"{rules.method} {rules.tie} {rules.tick_micro}"
        return Silence(f"{view.reference} {shown}")


def decided(inputs: Market, body: Book | None = None, **by: Any) -> Any:  # noqa: ANN401 - by name
    return decide(
        by.get("policy", policy()),
        cycle=cycle_at(NOW_S),
        body=body or Book(),
        inputs=inputs,
        receipts=(),
    )


def test_a_strategy_sees_the_markets_rules_and_its_price_to_beat() -> None:
    """Whether a tie pays, and by which price it ends, is part of the question."""
    half = msgspec.structs.replace(RULES, tie=Tie.HALF, tick_micro=1_000)
    inputs = seen(NOW_S, facts={"btc-5m": facts(rules=half, reference=100.01)})
    body = decided(inputs, policy=policy(Reading())).body
    assert body.slots["btc-5m"].reason == "100.01 Method.LAST_PRICE Tie.HALF 1000"
    assert body.slots["btc-5m"].reference == 100.01


def test_facts_are_kept_from_the_first_cycle_to_the_last_of_a_window() -> None:
    body = decided(seen(NOW_S, offers={})).body
    later = seen(NOW_S, facts={})
    assert len(decided(later, body).effects) == 1
    assert decided(later).effects == ()


def test_a_market_that_said_nothing_denies_with_its_reason() -> None:
    unanswered = {"btc-5m": "VenueThrottled: 429"}
    body = decided(seen(NOW_S, facts={}, facts_unread=unanswered)).body
    assert body.slots["btc-5m"].reason == "facts_unread: VenueThrottled: 429"
    assert (body.signals, body.unbought) == (0, {}), "no strategy was asked"
    not_asked = decided(seen(NOW_S, facts={})).body
    assert not_asked.slots["btc-5m"].reason == "facts_unread"
    strange = {"btc-5m": facts(rules=None, unknown="tie rule")}
    body = decided(seen(NOW_S, facts=strange)).body
    assert body.slots["btc-5m"].reason == "rules_unknown: tie rule"


def test_a_cycle_of_an_older_release_is_decided_as_it_was() -> None:
    """It was recorded without facts: its own price to beat, and the rules that its offer said."""
    older = msgspec.structs.replace(seen(NOW_S, facts={}), edition=1)
    (effect,) = decided(older).effects
    assert payload_of(effect, Buy).slug == WINDOW.slug
    body = decided(older, policy=policy(Reading())).body
    assert body.slots["btc-5m"].reason == "100.02 none"
    known = Book(slots={"btc-5m": SlotMemory(facts=facts(rules=None))})
    assert len(decided(older, known).effects) == 1, "what was not seen then is not known then"


def test_an_older_release_reads_what_it_knows_of_todays_inputs() -> None:
    """Offers say again what it needs: it decides beside the owner on the owner's inputs."""
    inputs = seen(NOW_S, facts_unread={"btc-15m": "no"})
    first = msgspec.structs.replace(SCHEMA.schema_id, version=1)
    down = SCHEMA.encode_down(inputs, first)
    known = msgspec.json.decode(down)
    assert not {"facts", "facts_unread", "clock", "edition"} & set(known)
    assert known["offers"]["btc-5m"]["rules"]["method"] == "last_price"
    assert known["offers"]["btc-5m"]["side"] == Side.UP.value
