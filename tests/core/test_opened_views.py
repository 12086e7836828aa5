"""What is opened from the page: a slot, a deploy, the logs, and what must not be in them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from deploy.history import Entry as DeployEntry
from foresight.board import Result, Side
from foresight.dashboard.neighbours import Neighbours
from foresight.dashboard.opened import log_tails
from foresight.dashboard.opened.deploy_story import found, story_of
from foresight.dashboard.opened.secrets_hidden import hidden
from foresight.dashboard.opened.settings_changes import (
    SettingChange,
    SettingsUnreadable,
    changes_between,
)
from foresight.dashboard.opened.slot_history import Clock, slot_history
from foresight.dashboard.opened.views import is_opened
from foresight.dashboard.snapshot import Child, Neighbour
from foresight.dashboard.span import Span
from handoff.gate_verdict import failed, passed
from state.record import Cadence, Timeline
from tests.core.dashboard_values import (
    FIRST,
    NOW_MS,
    SECOND,
    START_S,
    book,
    decided,
    entry,
    position,
)

CLOCK = Clock(timeline=Timeline(), cadence=None, now_ms=NOW_MS, names={FIRST: "3f2a91c"})
SLUG_BEFORE = f"btc-updown-5m-{START_S - 300}"


def test_a_slot_shows_what_was_bought_when_why_and_what_it_came_to() -> None:
    """The book knows the cycle that decided; the moment is where that cycle began."""
    before = replace(entry(SLUG_BEFORE), cycle=START_S // 60 - 2)
    lost = replace(decided(Result.DOWN), entry=before)
    now = replace(entry(side=Side.DOWN), cycle=START_S // 60 + 1)
    known = book(decided=[lost], positions={"t": position(entry=now)})
    history = slot_history(known, "btc-5m", CLOCK, Span().holds)
    assert history is not None
    held, over = history.bets
    assert (held.state, held.side, held.profit) == ("open", "down", None)
    assert (over.state, over.ends_ms, over.name) == ("lost", START_S * 1000, "3f2a91c")
    assert over.bought_ms == (START_S - 120) * 1000
    assert over.profit == pytest.approx(-9.05)
    assert over.why == "Up seemed 93.0% likely: 2.5 ¢ a share more than price and fee."
    assert history.window_ms == 300_000


def test_a_close_stands_at_the_end_of_its_minute() -> None:
    history = slot_history(book(), "btc-5m", CLOCK, Span().holds)
    assert history is not None
    assert len(history.at_ms) == len(history.prices) == 32
    assert history.at_ms[-1] == (START_S + 120) * 1000


def test_a_range_cuts_a_slots_price_and_its_trades() -> None:
    trades = [replace(decided(Result.UP), entry=entry(SLUG_BEFORE)), decided(Result.UP)]
    span = Span("own", START_S * 1000 + 1, (START_S + 300) * 1000)
    history = slot_history(book(decided=trades), "btc-5m", CLOCK, span.holds)
    assert history is not None
    assert [bet.ends_ms for bet in history.bets] == [(START_S + 300) * 1000]
    assert min(history.at_ms) > START_S * 1000


def test_the_cadence_says_when_a_cycle_began() -> None:
    """Without it a market minute is a cycle; the wall clock may be slower than the market's."""
    cadence = Cadence(period_ns=30_000_000_000)
    fast = Clock(timeline=Timeline(speed=60), cadence=cadence, now_ms=NOW_MS)
    assert fast.began_ms(120) == 60_000
    assert CLOCK.began_ms(2) == 120_000


def test_a_slot_that_nobody_trades_is_none() -> None:
    assert slot_history(book(), "doge-5m", CLOCK, Span().holds) is None
    assert slot_history(book(), "../etc", CLOCK, Span().holds) is None


def test_a_found_position_has_no_reason_of_ours() -> None:
    adopted = position(entry=replace(entry(), is_adopted=True, release=""))
    history = slot_history(book(positions={"t": adopted}), "btc-5m", CLOCK, Span().holds)
    assert history is not None
    assert history.bets[0].probability is None
    assert "not bought by this bot" in history.bets[0].why


# --- a deploy ------------------------------------------------------------------------------------


def deploy_entry(**changes: object) -> DeployEntry:
    words: dict[str, object] = {
        "deploy": "d1",
        "requested_at": "",
        "requested_ms": 5,
        "by": "ann",
        "release": SECOND,
        "commit": "a81c4e5520fb",
        "from_release": FIRST,
        "outcome": "permanent",
    }
    return DeployEntry(**(words | changes))  # type: ignore[arg-type]  # members of an entry


def told(entry: DeployEntry, before: str | None = "a = 1", after: str | None = "a = 1") -> str:
    story = story_of(entry, before=before, after=after, before_name="3f2a91c", output=())
    return f"{story.changes} {story.unchanged} {story.schema}"


def test_a_deploy_says_which_keys_it_changes() -> None:
    before = '[strategy.5m]\nname = "late"\nminute = 3\n[venue]\nlive = false'
    after = '[strategy.5m]\nname = "late"\nminute = 4\n[risk]\nassets = ["BTC", "ETH"]'
    assert changes_between(before, after) == (
        SettingChange("risk.assets", "—", "BTC, ETH"),
        SettingChange("strategy.5m.minute", "3", "4"),
        SettingChange("venue.live", "false", "—"),
    )


def test_a_key_that_opens_something_is_not_shown() -> None:
    """Keys belong into files of their own; nobody stops a strategy from having one in its table."""
    changes = changes_between('api_key = "abc"', 'api_key = "def"\nkey_file = "k"')
    assert [(each.key, each.before, each.after) for each in changes] == [
        ("api_key", "***", "***"),
        ("key_file", "—", "k"),
    ]


def test_a_configuration_that_cannot_be_compared_says_why() -> None:
    assert "not kept" in told(deploy_entry(), before=None)
    assert FIRST in told(deploy_entry(), before=None)
    assert SECOND in told(deploy_entry(), after=None)
    assert "no release before it" in told(deploy_entry(from_release=""))
    assert "cannot be read" in told(deploy_entry(), after="a =")
    assert "Nothing: both say the same" in told(deploy_entry())
    with pytest.raises(SettingsUnreadable):
        changes_between("", "= 1")


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ((), "was not asked"),
        ((passed("schema", "version 2"),), "Unchanged: version 2."),
        ((passed("schema", "version 1 goes up to 2 and down again"),), "Version 1 goes up to 2"),
        ((failed("schema", "version 3 is newer"),), "It was refused: version 3 is newer"),
    ],
)
def test_a_deploy_says_what_it_does_to_the_stored_book(gates: tuple[object], words: str) -> None:
    assert words in told(deploy_entry(gates=gates))


def test_a_deploy_is_found_by_its_id_the_one_under_way_first() -> None:
    current = deploy_entry(deploy="d2", outcome="")
    known = [deploy_entry(), deploy_entry(reason="again")]
    assert found("d2", known, current) is current
    assert found("d1", known, current) is known[1]
    assert found("d3", known, None) is None


# --- logs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("the token is abcdefgh", "abcdefgh"),
        ('Authorization: Bearer "eyJhb.x-y"', "eyJhb"),
        ("sent bearer eyJhb.x-y now", "eyJhb"),
        ("api_key=ABC123 and more", "ABC123"),
        ('{"secret": "s3cr3t", "x": 1}', "s3cr3t"),
        ("private key: 0x" + "4f" * 32, "4f4f4f4f4f"),
        ("GET https://ann:pass@host/x", "pass"),
        ("POLY_PASSPHRASE=hush", "hush"),
    ],
)
def test_a_log_on_the_page_holds_nothing_that_opens_anything(line: str, secret: str) -> None:
    shown = hidden(line, {"abcdefgh"})
    assert secret not in shown
    assert shown.strip()


def test_what_opens_nothing_stays() -> None:
    line = "cycle 29384 decided, release 3f2a91c07d5e-9b41d2, tokens listed: 12"
    assert hidden(line, {""}) == line
    assert "\x1b" not in hidden("\x1b[31mred", set())


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    """A log may be of many megabytes, and a page is asked for by whoever has the token."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "page.token").write_text("tok-123\n")
    lines = [json.dumps({"at": "2026-11-29T14:52:55Z", "event": f"e{n}"}) for n in range(5000)]
    (tmp_path / "logs" / "worker-1.log").write_text("\n".join([*lines, "said tok-123"]) + "\n")
    children = [
        Child(name="worker-1", role="heir", pid=7, release=FIRST),
        Child(name="worker-2", role="candidate", pid=8, release=SECOND),
        Child(name="../x", role="candidate", pid=9),
        Child(name="exchange", role="companion", pid=10),
    ]
    owner, candidate, odd = log_tails.tails(tmp_path, children, 7)
    assert (owner.part, len(owner.lines), owner.is_cut) == ("owner", 200, True)
    assert owner.lines[-1].endswith("said ***")
    assert "e4999" in owner.lines[-2]
    assert (candidate.part, candidate.lines) == ("candidate", ())
    assert "cannot be read" in candidate.trouble
    assert odd.trouble
    assert log_tails.tails(tmp_path, children[:1], 0) == []


# --- who may see them, and who else runs ---------------------------------------------------------


def test_every_opened_address_is_closed() -> None:
    """One that was forgotten would show figures to every account of the host."""
    for path in ("/slots/btc-5m", "/deploys", "/deploys/d1", "/charts/equity", "/logs", "/logs/"):
        assert is_opened(path), path
    for path in ("/", "/healthz", "/assets/charts.js", "/metrics", "/login", "/slotsx"):
        assert not is_opened(path), path


@pytest.mark.asyncio
async def test_nobody_waits_for_the_other_bots_but_who_asks() -> None:
    """A launcher that hangs must not hold the page up, and it is not asked at every beat."""
    asked = []

    def look(home: Path) -> tuple[Neighbour, ...]:
        asked.append(home)
        return (Neighbour(name="b", port=2),)

    beside = Neighbours(Path("/nowhere"), look)
    beside.look()
    assert beside.known == ()
    assert [each.name for each in await beside.wait_fresh()] == ["b"]
    beside.look()
    await asyncio.gather(beside.wait_fresh(), beside.wait_fresh())
    assert len(asked) == 1
    await beside.end()
