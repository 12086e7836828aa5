"""Which venue a configuration means, and what it refuses to mean by accident."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from foresight.board import Side
from foresight.config import Config, parse
from foresight.errors import AnswerUnreadable, ConfigError, VenueError
from foresight.orders import Bought, Buy
from foresight.overrides import EXCHANGE_URL, LIVE, PROJECT
from foresight.scoring import scores_of
from foresight.trader import Trader, create, create_with
from foresight.venues.base import Missing, NotBought
from foresight.venues.ccxt_calls import Requests
from foresight.venues.local import polymarket_options
from foresight.venues.paper import Paper
from foresight.venues.polymarket import Polymarket
from handoff.worker.boundary_clock import SystemClock
from handoff.workload import Context, Reconciliation, payload_of
from state.record import Timeline
from tests.exchange.served import Running
from tests.exchange.test_trader_outcomes import first_order
from tests.exchange.traded import driven
from tests.process.proxying import PASSWORD, Proxy

FAST = "[engine]\nspeed = 60"  # no real market is
CONTEXT = Context(app="app", release="r1", tree=".", home=".", timeline=Timeline())


def made(text: str, **environment: str) -> Trader:
    config: Config = parse(text, {}, where="foresight.toml")
    return create_with(config, CONTEXT, environment, clock=SystemClock())


def live(tmp_path: Path) -> str:
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    return f'[venue]\nkind = "live"\nlive = true\nwallet = "0x1"\nkey_file = "{key}"'


def test_a_local_exchange_needs_its_address() -> None:
    with pytest.raises(ConfigError, match="address of the local exchange"):
        made("")
    assert isinstance(made("", **{EXCHANGE_URL: "http://127.0.0.1:1/"}), Trader)
    assert isinstance(made('[venue]\nurl = "http://127.0.0.1:1"'), Trader)


def test_real_money_needs_the_command_to_say_so_as_well(tmp_path: Path) -> None:
    """A configuration alone must never start to trade with real money."""
    text = live(tmp_path)
    with pytest.raises(ConfigError, match="real money"):
        made(text)
    assert isinstance(made(text, **{LIVE: "1"}), Trader)


def test_a_key_is_read_by_nobody_but_a_venue_that_is_opened(tmp_path: Path) -> None:
    """A replay and a verification make the same trader, and have no business with the key."""
    text = live(tmp_path)
    (tmp_path / "key").chmod(0o644)
    trader = made(text, **{LIVE: "1"})
    with pytest.raises(ConfigError, match="read by others"):
        asyncio.run(trader._venue.open())  # noqa: SLF001 - what `warm` does first of all


@pytest.mark.asyncio
async def test_no_error_repeats_what_the_venue_was_told_in_confidence() -> None:
    """A venue, or a proxy before it, may answer with the request itself."""
    from ccxt.base.errors import ExchangeError  # noqa: PLC0415 - slow to import

    requests = Requests(1, timeout_s=2.0)
    requests.hide("0x" + "ab" * 32, "pass-phrase", None, "")

    async def told() -> None:
        raise ExchangeError("x" * 250 + "0x" + "AB" * 32 + " with pass-phrase")

    with pytest.raises(VenueError) as refused:
        await requests.once(told)
    assert "*** with" in str(refused.value)
    assert "abab" not in str(refused.value).lower()
    assert refused.value.__cause__ is None
    assert requests.cleaned("pass-phrase " + "ab" * 32) == "*** ***"


@pytest.mark.parametrize("project", ["", "project"])
def test_a_relative_key_is_looked_for_in_the_project_and_not_in_the_releases_tree(
    tmp_path: Path, project: str
) -> None:
    """A worker runs in its release's tree, where no key is: it is no part of a commit."""
    (tmp_path / "project").mkdir()
    text = live(tmp_path).replace(f"{tmp_path}/key", "key")
    (tmp_path / "key").unlink()
    named = {PROJECT: str(tmp_path / project)} if project else {}
    config: Config = parse(text, {}, where="foresight.toml")
    context = msgspec.structs.replace(CONTEXT, tree=str(tmp_path))
    trader = create_with(config, context, {LIVE: "1", **named}, clock=SystemClock())
    # Nobody named the project where a release runs by itself: then its tree is what there is.
    expected = tmp_path / project / "key"
    with pytest.raises(ConfigError, match=f"key_file {re.escape(str(expected))} cannot be read"):
        asyncio.run(trader._venue.open())  # noqa: SLF001 - what `warm` does first of all


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["paper", "live"])
async def test_a_real_venue_is_reached_through_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The proxy reaches nobody: what is wrong is said without the password in its address."""
    text = live(tmp_path) if kind == "live" else '[venue]\nkind = "paper"'
    trader = made(text.replace('"0x1"', f'"0x{1:040x}"'), **{LIVE: "1"})
    venue = trader._venue  # noqa: SLF001 - a trader has it for itself
    with Proxy() as proxy:
        for name, value in proxy.variables().items():
            monkeypatch.setenv(name, value)
        try:
            await venue.open()
            offers = await venue.offers({"slot": ("btc-updown-5m-1795938300", Side.UP)})
            said = offers["slot"].failure
        except VenueError as error:
            said = str(error)
        finally:
            await trader.close()
    assert {f"{host}.polymarket.com" for host in ("clob", "gamma-api")} & proxy.hosts
    assert all(host.endswith(".polymarket.com") for host in proxy.hosts)
    assert "polymarket.com" in said
    assert PASSWORD not in said


def test_paper_is_made_without_a_key() -> None:
    assert isinstance(made('[venue]\nkind = "paper"'), Trader)


def test_paper_watches_an_exchange_in_the_place_of_the_real_markets_and_has_no_wallet() -> None:
    """The remote addresses could not be replaced: paper was never seen to work from end to end."""
    trader = made(f'[venue]\nkind = "paper"\nurl = "http://127.0.0.1:1/"\n{FAST}')
    paper = trader._venue  # noqa: SLF001 - a trader has it for itself
    assert isinstance(paper, Paper)
    options = paper._real._options  # type: ignore[attr-defined] # noqa: SLF001 - as above
    assert options["urls"] == polymarket_options("http://127.0.0.1:1")["urls"]
    assert (options["privateKey"], options["walletAddress"]) == ("", "")


def test_the_factory_reads_the_releases_own_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foresight.toml").write_text("[engine]\nperiod_s = 30.0\ncatch_up_s = 0")
    monkeypatch.setenv(EXCHANGE_URL, "http://127.0.0.1:1")
    context = Context(
        app="app", release="r1", tree=str(tmp_path), home=".", timeline=Timeline(speed=60)
    )
    cadence = create(context).cadence
    assert (cadence.period_ns, cadence.catch_up_ns) == (30_000_000_000, None)


@pytest.mark.asyncio
async def test_paper_buys_from_the_real_book_and_sends_nothing(running: Running) -> None:
    async with driven(running) as world:
        options = polymarket_options(running.url) | {"privateKey": "", "enableRateLimit": False}
        paper = Paper(Polymarket(options, requests=Requests(8, timeout_s=2.0)))
        await paper.open()
        await world.trader._venue.close()  # noqa: SLF001 - the same trader on another venue
        world.trader._venue = paper  # noqa: SLF001 - as above
        await world.run(12)
        assert scores_of(world.body).overall.trades >= 3
        assert (await world.ledger())["requests_received"] == 0
        assert await world.trader.reconcile(world.body, ()) == Reconciliation()


@pytest.mark.asyncio
async def test_paper_pays_what_the_book_asks(running: Running) -> None:
    """The simulation and the venue itself agree on price and fee at the same moment."""
    async with driven(running) as world:
        order = payload_of(await first_order(world), Buy)
        venue = world.trader._venue  # noqa: SLF001 - both venues get the same order
        paper = Paper(venue)
        simulated, said = await paper.buy(order), await venue.buy(order)
        assert isinstance(simulated, Bought)
        assert isinstance(said, Bought)
        ours = (simulated.shares_micro, simulated.cost_micro, simulated.fee_micro)
        assert ours == (said.shares_micro, said.cost_micro, said.fee_micro)
        assert await paper.find(order) == Missing(is_final=False)
        await running.control("faults", {"outage": {"seconds": 5.0}})
        with pytest.raises(AnswerUnreadable):
            await paper.buy(order)


@pytest.mark.asyncio
async def test_paper_buys_nothing_of_a_closed_market(running: Running) -> None:
    async with driven(running) as world:
        effect = await first_order(world)
        assert effect.not_after_ns is not None
        running.clock.now_ns = effect.not_after_ns
        paper = Paper(world.trader._venue)  # noqa: SLF001 - the adapter itself is asked
        refusal = await paper.buy(payload_of(effect, Buy))
        assert isinstance(refusal, NotBought)
        assert refusal.reason.startswith("refused_by_venue")


@pytest.mark.asyncio
async def test_an_order_is_hashed_once_however_often_it_is_asked_about(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hash takes milliseconds of signing: a few doubtful orders would starve their answers."""
    async with driven(running) as world:
        sent = payload_of(await first_order(world), Buy)
        order, other = (msgspec.structs.replace(sent, salt=sent.salt + by) for by in (1, 2))
        venue = world.trader._venue  # noqa: SLF001 - the adapter itself is asked
        assert isinstance(venue, Polymarket)
        hashed: list[Buy] = []
        hash_one = venue._hashed  # noqa: SLF001 - the work that is counted

        def counted(asked: Buy) -> str:
            hashed.append(asked)
            return hash_one(asked)

        monkeypatch.setattr(venue, "_hashed", counted)
        first = venue.order_id(order)
        assert {venue.order_id(order) for _ in range(10)} == {first}
        assert venue.order_id(other) != first
        assert hashed == [order, other]
