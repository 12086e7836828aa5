"""`make cluster ARGS=--trader`: the trader on three hosts that share an etcd and an exchange.

Owns the course: bought on one host and settled on another, a deploy across, words of an operator
where nobody owns, a host stopped and two that lose their power. What it adds up to is
`trading_evidence`'s matter.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from foresight.evidence.waiting import wait_for
from tests.cluster.hosts import NAMES
from tests.cluster.market import BEGUN_MICRO
from tests.cluster.trading_doubt import known
from tests.cluster.trading_evidence import Found, judge, lines_of, said_on, seen_by
from tests.cluster.trading_guards import LOCK, Guard
from tests.cluster.trading_hosts import MEANT, PERIOD_S
from tests.cluster.trading_stage import BOOKED_S_MAX, CLOSED_S_MAX, LOCKED, UP_S_MAX, TradingStage

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.evidence.narration import Narrator
    from tests.cluster.trading_hosts import TradingHome


class TradingStory:
    """The course of it.

    Args:
        narrator: Tells it.
        place: A directory for what is written.
    """

    def __init__(self, narrator: Narrator, place: Path) -> None:
        """Nothing runs yet."""
        self._narrator = narrator
        self._place = place

    def tell(self) -> bool:
        """Run the whole course; return whether the proof holds."""
        self._narrator.heading(f"three members of an etcd, one exchange, {len(NAMES)} hosts")
        with ExitStack() as leaving:
            self._stage = leaving.enter_context(TradingStage(self._narrator, self._place))
            self._up()
            self._speak()
            self._deploy_across()
            self._stop_and_start()
            self._cut_unanswered()
            self._cut_power()
            found = self._end()
        self._narrator.heading("the proof: the exchange's ledger, the book, and all journals")
        lines = judge(found)
        for is_so, text in lines:
            sign = self._narrator.tick if is_so else self._narrator.cross
            self._narrator.say(f"{sign} {text}")
        return all(is_so for is_so, _ in lines)

    # --- the acts ------------------------------------------------------------------

    def _up(self) -> None:
        stage = self._stage
        first, *others = stage.homes
        first.up()
        first.wait(lambda: first.owner() is not None, "an owner", limit_s=UP_S_MAX)
        # Counted from the first one that was due while somebody owned.
        self._first = first.wait_cycles(1) + 1
        self._narrator.say(f"foresight up on {first.name}: it owns, a cycle every {PERIOD_S:g} s")
        for each in others:
            each.up()
            stage.wait_standby(each)
            self._narrator.say(f"foresight up on {each.name}, with the same file: it follows")
        stage.wait_open()

    def _speak(self) -> None:
        """Say an operator's words where nobody owns; they hold where somebody does."""
        stage = self._stage
        owning, other, _ = stage.in_turn()
        self._narrator.heading(f"words said on {other.name}, which does not own")
        stage.lock(other)
        other.typed("unlock", LOCKED)
        self._narrator.detail(f"lock, heard by {owning.name}")
        for word in ("halt", "pause"):
            stage.forbid(other, word)
            stage.keep(word, owning, took_over=False)
            stage.allow(other)

    def _deploy_across(self) -> None:
        stage = self._stage
        owning, other, third = stage.in_turn()
        stage.wait_open()
        self._narrator.heading(f"a changed strategy, deployed on {other.name}")
        stage.origin.change_strategy("5m", "0.4")
        other.pull_commits()
        done = other.objects("deploy", MEANT, "--wait", "150")[-1]
        self._deployed = str(done["outcome"])
        self._narrator.say(f"{done['outcome']} {done['reason']}".rstrip())
        for each in (owning, third):
            stage.wait_standby(each, str(done["release"]))
            self._narrator.detail(f"{each.name} fetched and built it, and follows with it")

    def _stop_and_start(self) -> None:
        """Stop who owns while it is halted; from here on an asset is locked, until the end."""
        stage = self._stage
        owning, other, _ = stage.in_turn()
        stage.wait_open()
        self._narrator.heading(f"foresight down on {owning.name}, which is halted")
        stage.lock(other)
        stage.forbid(other, "halt")
        self._locked_at = stage.orders(LOCKED)
        owning.typed("down")
        follower = stage.wait_follower(owning)
        stage.keep("halt", follower, took_over=True)
        stage.allow(other)
        owning.again()
        stage.wait_standby(owning)

    def _cut_unanswered(self) -> None:
        """End who owns while the exchange has carried out an order of which nobody knows yet."""
        stage = self._stage
        owning, *_ = stage.in_turn()
        stage.market.answer(late=True)
        self._unanswered = stage.wait_unanswered(owning)
        owning.cut_power()
        stage.market.answer(late=False)
        count = len(self._unanswered)
        self._narrator.heading(f"{owning.name} loses its power, {count} orders without an answer")
        follower = stage.wait_follower(owning)
        wait_for(
            "what they bought", lambda: self._unanswered <= known(follower.book()), BOOKED_S_MAX
        )
        self._narrator.detail(f"{follower.name} has found out what they bought")
        owning.up()
        stage.wait_standby(owning)

    def _cut_power(self) -> None:
        """End who owns while it is paused and positions are open."""
        stage = self._stage
        owning, other, _ = stage.in_turn()
        stage.wait_open_long()
        stage.forbid(other, "pause")
        open_before = {each.entry.effect_id for each in owning.book().positions.values()}
        count = len(open_before)
        self._narrator.heading(f"{owning.name} loses its power, paused, {count} positions open")
        owning.cut_power()
        follower = stage.wait_follower(owning)
        stage.keep("pause", follower, took_over=True)

        def are_decided() -> bool:
            return open_before <= {each.entry.effect_id for each in follower.book().decided}

        wait_for("the end of what was open", are_decided, CLOSED_S_MAX)
        self._narrator.detail(f"what {owning.name} had bought, {follower.name} settled")
        stage.allow(other)
        owning.up()
        stage.wait_standby(owning)
        self._narrator.say(f"{owning.name} is back as another boot, and follows")
        stage.wait_open()

    def _end(self) -> Found:
        stage = self._stage
        owning, other, _ = stage.in_turn()
        self._narrator.heading("no new positions, then the count")
        locked = Guard(
            word=LOCK,
            host=owning.name,
            took_over=True,
            stands=LOCKED in owning.typed("locks"),
            before=self._locked_at,
            after=stage.orders(LOCKED),
        )
        stage.forbid(other, "pause")
        last = self._wait_over(owning)
        stage.wait_redeemed()
        return Found(
            first=self._first,
            last=last,
            journals={each.name: lines_of(each) for each in stage.homes},
            ledger=stage.market.ledger(),
            begun_micro=BEGUN_MICRO,
            book=owning.book(),
            seen=seen_by(stage.watches),
            deployed=self._deployed,
            guards=[*stage.guards, locked],
            unanswered=self._unanswered,
            said={each.name: said_on(each) for each in stage.homes},
        )

    def _wait_over(self, owning: TradingHome) -> int:
        """Wait until nothing is open; return a cycle that every host has heard of then."""
        calm = owning.progress() + 2

        def is_over() -> bool:
            record, book = owning.record(), owning.book()
            assert record is not None, "it runs"
            still = record.outbox or record.receipts or book.orders or book.positions
            return record.progress.cycle >= calm and not still

        owning.wait(is_over, "the end of every position", limit_s=CLOSED_S_MAX)
        last = owning.progress()
        for each in self._stage.homes:
            each.wait(lambda each=each: each.progress() >= last, "its mirror")  # type: ignore[misc]
        return last
