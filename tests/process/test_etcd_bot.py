"""A bot whose record is in an etcd, on one host: it lives as on a disk, and outlives an outage."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from bench.installation import is_alive
from handoff.rollout.table import Phase
from handoff.shared_record import ACCOUNT, CREDENTIALS, STATE
from handoff.wire import Kind
from state.hosts_file import read_hosts
from state.journal_reader import unproven_cycles
from tests.process.etcd_door import certificates, with_certificates
from tests.process.etcd_server import ABSENT, PROGRAM, Server
from tests.process.hurt import ENTRY, Hurt, verify_counts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(PROGRAM is None, reason=ABSENT)]
OUTAGE_S = 5.0


class Beside(Hurt):
    """An installation beside an etcd; what a take needs there fits into its period."""

    period_s = 2.5
    budget_s = 0.3

    def restarts(self) -> list[str]:
        """Return the names of the children that there are."""
        return sorted(str(each["name"]) for each in self.children())

    def says_away(self) -> bool:
        """Tell whether the file of all hosts says that etcd does not answer."""
        seen = read_hosts(self.home)
        return seen is not None and seen.away_since_ms > 0

    def away_since_ms(self) -> float:
        """Return since when a worker says that the record is out of its reach; 0 if none does."""
        return max((float(each.get("away_since_ms", 0)) for each in self.children()), default=0.0)


@pytest.fixture
def bot(own_etcd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    own_etcd.start()
    monkeypatch.setenv(STATE, f"etcd://127.0.0.1:{own_etcd.port}/bench")
    with Beside(tmp_path / "bot") as found:
        yield found


def require_whole(bot: Beside) -> None:
    """Stop it and see that nothing was lost or done twice, by the witness and by the journal."""
    assert bot.down() == 0, bot.last_words()
    verify_counts(bot)
    assert bot.lines()[0].kind == "genesis"
    assert unproven_cycles(bot.home / "journal") == ()


def test_a_bot_lives_is_replaced_and_followed_on_an_etcd(bot: Beside) -> None:
    """Its owner is killed: on its own host the process's end is the proof, and no lease's."""
    bot.up()
    assert not (bot.home / "state" / "record.json").exists()
    first = bot.the_owner()
    assert bot.put(bot.release("v1")).phase is Phase.PERMANENT
    second = bot.the_owner()
    assert second.release != first.release
    bot.wait(lambda: not is_alive(first), "the end of the one before")
    killed = bot.kill_owner()
    bot.wait_other_owner(killed)
    bot.wait_cycles(1)
    assert bot.call("pause").returncode == 0
    bot.wait_cycles(1)
    record = bot.record()
    assert record is not None
    assert record.control.paused
    assert bot.call("resume").returncode == 0
    assert "decides" in bot.call("status").stdout
    require_whole(bot)
    seized = bot.kinds("seize")[-1].evidence
    assert (seized["proof"], seized["old_pid"]) == ("dead", killed.pid)


def test_an_outage_kills_restarts_and_returns_nothing(bot: Beside, own_etcd: Server) -> None:
    """Nobody decides while it lasts; afterwards the cycles go on where they were."""
    bot.up("--standby")
    bot.wait(lambda: len([each for each in bot.children() if each["warm"]]) == 2, "a warm standby")
    children, owner = bot.restarts(), bot.the_owner()
    assert own_etcd.process is not None
    own_etcd.process.send_signal(signal.SIGSTOP)
    bot.wait(bot.says_away, "the word of all hosts that it is out of reach")
    soon = bot.call("status").stdout
    bot.wait(lambda: bot.away_since_ms() > 0, "the word that it is out of reach")
    said = bot.call("status").stdout
    time.sleep(OUTAGE_S)
    before = bot.progress()
    own_etcd.process.send_signal(signal.SIGCONT)
    bot.wait(lambda: bot.away_since_ms() == 0, "the word that it is back")
    bot.wait_cycles(2)
    assert "out of reach since" in soon
    assert "out of reach since" in said
    bot.wait(lambda: not bot.says_away(), "the word of all hosts that it is heard again")
    assert before <= bot.progress() - 2
    assert (bot.restarts(), bot.the_owner()) == (children, owner)
    record = bot.record()
    assert record is not None
    assert record.ownership.epoch == 1
    require_whole(bot)


def test_a_bot_that_starts_while_etcd_is_away_waits_and_is_counted_for_nothing(
    bot: Beside, own_etcd: Server
) -> None:
    own_etcd.stop()
    bot.launcher = bot.run(bot.release("v0"), ENTRY)
    bot.wait(lambda: bot.away_since_ms() > 0, "the word that it is out of reach")
    (child,) = bot.restarts()
    assert bot.record() is None, "nobody may create what nobody could ask for"
    own_etcd.start()
    bot.wait_cycles(1)
    assert bot.restarts() == [child], "one worker, from before the outage's end"
    assert bot.ask(Kind.STATUS)["children"][0]["owner"]
    require_whole(bot)


def test_a_second_home_learns_of_the_etcd_which_release_is_wanted(
    bot: Beside, tmp_path: Path
) -> None:
    """It has a release of its own to begin with, and may neither create nor own with it."""
    bot.up()
    with Beside(tmp_path / "other") as other:
        other.witness = bot.witness
        other.launcher = other.run(other.release("v0"), ENTRY)
        wanted = bot.the_owner().release

        def asks_for_it() -> bool:
            return wanted in other.output.read_text("utf-8")

        other.wait(asks_for_it, "the release that owns")
        mirrored = other.record()
        assert mirrored is not None
        assert mirrored.ownership.release == wanted
        assert other.lines()[0].kind == "genesis", "it has the whole journal, from its first line"
    require_whole(bot)


def test_a_host_that_acts_for_another_account_never_owns_not_even_where_nobody_does(
    bot: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One book would be traded with two people's money; the word outlives whoever owned."""
    monkeypatch.setenv(ACCOUNT, "one")
    bot.up()
    first = bot.the_owner()
    with Beside(tmp_path / "other") as other:

        def is_refused() -> bool:
            said = other.call("status").stdout
            return "another account" in said and "Nobody is started here" in said

        def begin() -> None:
            with monkeypatch.context() as there:
                there.setenv(ACCOUNT, "another")
                other.launcher = other.run(other.release("v0"), ENTRY)

        other.witness = bot.witness  # it has the release that owns, and need not fetch it
        begin()
        other.wait(is_refused, "a refusal beside an owner")
        assert other.down() == 0, other.last_words()
        assert bot.down() == 0, bot.last_words()
        begin()
        other.wait(is_refused, "a refusal where nobody owns")
        assert not list((other.home / "logs").glob("worker-*")), "nobody was started, even to try"
        assert other.record() is None, "nor followed what is of no concern here"
        last = bot.progress()
        bot.up()
    assert bot.the_owner().release == first.release
    record = bot.record()
    assert record is not None
    assert record.ownership.epoch == 2, "nobody owned between the two"
    assert bot.progress() > last
    require_whole(bot)


def test_a_bot_shows_its_certificate_and_a_warm_standby_follows_a_killed_owner_by_its_end(
    own_etcd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its own host nobody waits for a lease: the standby that was there owns, by that proof."""
    folder = tmp_path / "certificates"
    folder.mkdir(mode=0o700)
    with_certificates(own_etcd, certificates(folder))
    own_etcd.start()
    named = folder / "cluster.toml"
    named.write_text('ca = "ca"\ncertificate = "certificate"\nkey = "key"\n', encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o600)
    monkeypatch.setenv(STATE, f"etcd://127.0.0.1:{own_etcd.port}/bench")
    monkeypatch.setenv(CREDENTIALS, str(named))
    with Beside(tmp_path / "bot") as bot:
        bot.up("--standby")
        bot.wait(lambda: len([each for each in bot.children() if each["warm"]]) == 2, "a standby")
        (standby,) = (int(each["pid"]) for each in bot.children() if not each["owner"])
        killed = bot.kill_owner()
        follower = bot.wait_other_owner(killed)
        bot.wait_cycles(1)
        require_whole(bot)
    seized = bot.kinds("seize")[-1]
    assert follower.pid == int(standby)
    assert (seized.evidence["proof"], seized.evidence["old_pid"]) == ("dead", killed.pid)
