"""What `foresight.toml` may say: sections, keys, types and ranges.

Owns the meaning of the configuration file and of the `FORESIGHT_SECTION_KEY` variables that
override it. `[engine]` belongs to the running installation, everything else to the release.
Parameters of strategies are typed beside each strategy. No environment is read here: it is an
argument; `load` alone reads the one file it is given.
"""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from foresight import overrides
from foresight.errors import ConfigError
from handoff.limits import BAKE_OUTSIDE_S, HEALTH_DROP
from handoff.wish import BAKE, REPLAY_CYCLES, REPLAY_DIFFER_MAX, Wish

TIMEFRAMES: Final = ("5m", "15m")
CONFIG_FILE: Final = "foresight.toml"
ASSETS: Final = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "HYPE", "ZEC")

Usdc = Annotated[float, Meta(ge=0, le=1e9)]
Minutes = Annotated[float, Meta(ge=0, le=1e6)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Loopback = Annotated[str, Meta(pattern=r"^(127\.0\.0\.1|localhost):\d{1,5}$")]
GroupName = Annotated[str, Meta(pattern=r"^([a-z0-9_][a-z0-9_.-]{0,31})?$")]
HostName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:\[\]-]{1,253}$")]
Asset = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,8}$")]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every section."""


class Engine(_Section, frozen=True, kw_only=True):
    """`[engine]`: how this installation runs.

    Attributes:
        app: Name of the application; part of the record's identity.
        home: State directory; empty means `$XDG_STATE_HOME/foresight/<app>`. As every path here,
            it may begin with `~`; what is relative begins at the project.
        standby: Whether a second, warm worker follows the owner.
        bake: Cycles after a take in which the way back stays warm.
        replay: How many recorded cycles a new release decides again before it is started; 0
            leaves that out.
        replay_differ_max: Largest share of them that it may decide otherwise, 0 to 1.
        backtest: On how many days of a recording a release is tried beside the one that runs.
        backtest_limit_cents: It is refused if it is shown to earn more than that a window less.
        candles: Folder of that recording, as `backtest` reads it.
        bake_outside_s: A bake waits so long, wall-clock seconds, for inputs that nobody gets; then
            the previous release owns again, with a reason that begins with "outside".
        health_drop: How far the part of its questions that a release gets answers to may lie
            below another release's, 0 to 1.
        speed: Application seconds per wall-clock second; above 1 for the local exchange only.
        period_s: Length of a cycle in application seconds.
        catch_up_s: A cycle that is later than so many application seconds is missed; 0 runs all.
        account: Name of the venue account; two installations must not share one.
        accounts: Directory with the lock files of accounts; empty means one below the home
            directory of the account database. Containers name a volume that they share.
        exchange_hosts: Host names that the local exchange answers to beside those of the loopback,
            as a proxy or a tunnel in front of it sends them; ports do not matter.
        page: Address of the dashboard, host:port, on this host only. Port 0 takes a free one, and
            where the wished one is taken another is said. From elsewhere, use a tunnel or a proxy.
        page_hosts: Host names that the page answers to beside those of the loopback, and that
            requests may come from, as a proxy in front of it is called; ports do not matter.
        page_control: Whether whoever has the page's token may also act there: pause, resume, halt,
            lock, deploy, promote, roll back, abort. Read at `up`; a deploy cannot switch it on.
        branch: The branch whose merges go live by themselves, once `foresight hook install` was
            said; empty means the one that is checked out then.
        watch: Whether a companion looks for merges that the hook missed; not given, it does
            where the hook is installed.
        watch_s: How often it looks, and how long a commit must have been the newest, seconds.
        signed: What a merge needs to go live by itself: `commits`, a signed commit; `tags`, a
            signed tag on it; empty, nothing. A deploy by hand never needs one.
        documentation: Files whose merge needs no deploy; a star stands for slashes, too.
        volume: `exclusive` promises that one machine at a time has this home, as a volume that
            follows its container does; empty, another machine's home needs a word (`up --moved`).
        trusted_group: A group, by name or number, whose members may write to the home or above it;
            empty means that only root and this account may.
        secrets: Directories made for secrets, absolute: a key that others may read is taken from
            them, as from `/run/credentials` and `/run/secrets`.
        state: `etcd://h1,h2,h3/app` names the etcd in which the state of several hosts is, each of
            which runs the bot by the same file; empty means the home of this one.
        cluster_credentials: File of mode 0600, TOML: `ca`, `certificate` and `key`, paths that
            begin at its directory, `user` and `password` where etcd wants them; a change counts.
        remote: Where a host fetches commits that another one has put in charge, as git takes it;
            empty means that the project's repository has them.
        notify: File of mode 0600 with the addresses that are told of deploys and of trouble.
    """

    app: Name = "foresight"
    home: str = ""
    standby: bool = True
    bake: Annotated[int, Meta(ge=0, le=10_000)] = BAKE
    replay: Annotated[int, Meta(ge=0, le=10_000)] = REPLAY_CYCLES
    replay_differ_max: Annotated[float, Meta(ge=0, le=1)] = REPLAY_DIFFER_MAX
    backtest: Annotated[int, Meta(ge=0, le=31)] = 0
    backtest_limit_cents: Annotated[float, Meta(ge=0, le=200)] | None = None
    candles: str = ""
    bake_outside_s: Annotated[float, Meta(ge=1, le=604_800)] = BAKE_OUTSIDE_S
    health_drop: Annotated[float, Meta(ge=0, le=1)] = HEALTH_DROP
    speed: Annotated[int, Meta(ge=1, le=600)] = 1
    period_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    catch_up_s: Annotated[float, Meta(ge=0, le=1e6)] = 900.0
    account: str = ""
    accounts: str = ""
    exchange_hosts: tuple[HostName, ...] = ()
    page: Loopback = "127.0.0.1:8642"
    page_hosts: tuple[HostName, ...] = ()
    page_control: bool = False
    branch: str = ""
    watch: bool | None = None
    watch_s: Annotated[float, Meta(ge=0.1, le=3600)] = 15.0
    signed: Literal["", "commits", "tags"] = ""
    documentation: tuple[str, ...] = ("docs/**", "*.md")
    notify: str = ""
    trusted_group: GroupName | int = ""
    secrets: tuple[str, ...] = ()
    volume: Literal["", "exclusive"] = ""
    state: str = ""
    cluster_credentials: str = ""
    remote: str = ""

    @property
    def wish(self) -> Wish:
        """What this installation wishes of every deploy."""
        return Wish(bake=self.bake, replay=self.replay, replay_differ_max=self.replay_differ_max)


class Board(_Section, frozen=True, kw_only=True):
    """`[board]`: which slots are traded: every asset in every timeframe.

    Attributes:
        assets: What is bet on; the venue must have windows for each.
        timeframes: How long their windows are.
    """

    assets: Annotated[tuple[Asset, ...], Meta(min_length=1, max_length=32)] = ASSETS
    timeframes: Annotated[tuple[Literal["5m", "15m"], ...], Meta(min_length=1)] = ("5m", "15m")


class Venue(_Section, frozen=True, kw_only=True):
    """`[venue]`: where orders go and prices come from.

    Attributes:
        kind: `local` (our exchange server), `paper` (real prices, simulated fills) or `live`.
        url: Address of an exchange that runs already: `local` trades there, `paper` watches it in
            the place of the real markets. Empty lets `up` start one for `local`.
        live: Must be true for kind `live`; the command has to say `--live` as well.
        quote: Quote currency of the spot pairs that prices are read from.
        wallet: Address that holds the funds (`live`).
        key_file: File of mode 0600 with the private key (`live`); a relative path begins at the
            project's directory.
        signature_type: Kind of wallet (`live`): 0 key, 1 proxy, 2 safe, 3 deposit wallet.
        timeout_s: Longest wait for one answer, wall-clock seconds; 0 derives it from the period.
        requests_at_once: Requests under way at one time, at each of feed and venue.
        positions_every: The venue's positions are compared with the book every so many cycles.
        stream: Whether candles are listened to over WebSocket; what was not heard is asked for.
        stream_stale_s: A stream that is silent for so many seconds of the wall is stale: that is
            said, it counts against the cycle's health, and the connection is begun again.
    """

    kind: Literal["local", "paper", "live"] = "local"
    url: str = ""
    live: bool = False
    quote: str = "USDT"
    wallet: str = ""
    key_file: str = ""
    signature_type: Annotated[int, Meta(ge=0, le=3)] = 3
    timeout_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    requests_at_once: Annotated[int, Meta(ge=1, le=64)] = 8
    positions_every: Annotated[int, Meta(ge=1, le=1440)] = 5
    stream: bool = False
    stream_stale_s: Annotated[float, Meta(ge=2, le=600)] = 30.0


class Risk(_Section, frozen=True, kw_only=True):
    """`[risk]`: what is denied before it is sent. Amounts in USDC, fees included.

    Attributes:
        capital_usdc: What Kelly's rule takes as the whole.
        kelly_fraction: Part of Kelly's stake that is taken.
        stake_floor_usdc: Smallest stake of an accepted signal; 0 leaves it to Kelly.
        stake_window_usdc: Most in one window.
        stake_asset_usdc: Most in all windows of one asset at a time.
        stake_board_usdc: Most in all windows at a time, ended ones without a result among them.
        stake_day_usdc: Most spent on one UTC day.
        edge_min_cents: Least expectation per share after price and fee, in cents; negative
            values trade at a loss on purpose and belong in demonstrations only.
        edge_max_cents: An expectation per share above this is not believed, and nothing is
            bought: a market that gives so much away is misread.
        slippage_cents: How far above the best offer an order may still buy.
        cooldown_losses: So many losses of a slot in a row silence it; 0 never does.
        cooldown_minutes: For so long, application time.
        stop_guard_losses: So many losses of an asset within `stop_guard_lookback_minutes` lock it;
            0 never does.
        stop_guard_lookback_minutes: How far back they are counted.
        stop_guard_minutes: How long it is locked then.
        drawdown_usdc: A loss of so much within `drawdown_lookback_minutes` stops the board; 0
            never does.
        drawdown_lookback_minutes: How far back the loss is summed up.
        drawdown_stop_minutes: How long the board stands still then.
        feed_stale_minutes: A newest candle older than this silences the asset.
        late_s: A cycle whose market was seen so many application seconds after its time buys
            nothing: it is being caught up.
        order_seconds: An order is sent no later than so many seconds of the wall after its cycle's
            time, and never after its window.
        clock_skew_s: A feed whose clock is so many seconds of the wall from ours silences the
            board; up to that, an unfinished candle is waited for.
        price_age_s: A newest close longer ago than this, in seconds of the wall by the feed's
            clock, is not bought by.
        book_stale_s: An order book older than this, in application seconds by the feed's clock,
            is not bought from.
        history_minutes_min: Fewer candles than this silence the asset.
        jump_max_sigmas: A newest close that moved further than this in its minute, in standard
            deviations of the minutes before, is not bought by; 0 for off.
        reference_tolerance_sigmas: How far the market's price to beat may lie from our feed's,
            in standard deviations of a minute.
        reference_required: Whether a market that does not say its price to beat is refused.
    """

    capital_usdc: Usdc = 1000.0
    kelly_fraction: Annotated[float, Meta(ge=0, le=1)] = 0.25
    stake_floor_usdc: Usdc = 0.0
    stake_window_usdc: Usdc = 25.0
    stake_asset_usdc: Usdc = 50.0
    stake_board_usdc: Usdc = 250.0
    stake_day_usdc: Usdc = 2500.0
    edge_min_cents: Annotated[float, Meta(ge=-100, le=100)] = 0.5
    edge_max_cents: Annotated[float, Meta(gt=0, le=100)] = 2.0
    slippage_cents: Annotated[float, Meta(ge=0, le=50)] = 2.0
    cooldown_losses: Annotated[int, Meta(ge=0, le=1000)] = 4
    cooldown_minutes: Minutes = 60.0
    stop_guard_losses: Annotated[int, Meta(ge=0, le=100)] = 10
    stop_guard_lookback_minutes: Minutes = 120.0
    stop_guard_minutes: Minutes = 60.0
    drawdown_usdc: Usdc = 150.0
    drawdown_lookback_minutes: Minutes = 720.0
    drawdown_stop_minutes: Minutes = 120.0
    feed_stale_minutes: Annotated[int, Meta(ge=0, le=60)] = 1
    late_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    order_seconds: Annotated[float, Meta(gt=0, le=900)] = 10.0
    clock_skew_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    price_age_s: Annotated[float, Meta(gt=0, le=3600)] = 20.0
    book_stale_s: Annotated[int, Meta(ge=0, le=3600)] = 30
    history_minutes_min: Annotated[int, Meta(ge=2, le=100)] = 20
    jump_max_sigmas: Annotated[float, Meta(ge=0, le=1000)] = 5.0
    reference_tolerance_sigmas: Annotated[float, Meta(gt=0, le=100)] = 1.0
    reference_required: bool = True


class Config(_Section, frozen=True, kw_only=True):
    """The whole file.

    `strategy` maps a timeframe, or a slot as `btc-5m`, to its table: `name` and parameters. A slot
    without a table of its own has that of its timeframe.
    """

    engine: Engine = Engine()
    board: Board = Board()
    venue: Venue = Venue()
    risk: Risk = Risk()
    strategy: dict[str, dict[str, Any]] = {}


_SLOT: Final = re.compile(r"[a-z0-9]{1,8}-(?:5m|15m)")
_SECTIONS: Final[Mapping[str, type[_Section]]] = {
    "engine": Engine,
    "board": Board,
    "venue": Venue,
    "risk": Risk,
}


def load(path: str, environment: Mapping[str, str], *, only: str = "") -> Config:
    """Read a configuration file; a file that does not exist means the defaults.

    Args:
        path: Path of the TOML file.
        environment: Variables. Those named `FORESIGHT_SECTION_KEY` override the file, as do the
            overrides that travelled here; of these, a key that nobody knows is left out.
        only: The one section that is read; empty for all.

    Raises:
        ConfigError: It cannot be read, or says something unknown or out of range.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a pure module has no pathlib
            text = file.read()
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        what = f"{path} cannot be read: {error}"
        raise ConfigError(what) from error
    return parse(text, environment, where=path, only=only)


def parse(text: str, environment: Mapping[str, str], *, where: str, only: str = "") -> Config:
    """Return what a configuration text means.

    Args:
        text: TOML.
        environment: As for `load`.
        where: What to call the text in an error.
        only: As for `load`.

    Raises:
        ConfigError: It says something unknown or out of range.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what = f"{where} is not TOML: {error}"
        raise ConfigError(what) from error
    if only:
        tables = {only: tables.get(only, {})}
        environment = overrides.of_section(environment, only)
    _refuse_unknown(tables, where)
    board = tables.get("board")
    named = board.get("assets", ASSETS) if isinstance(board, dict) else ASSETS
    _override(tables, environment)
    try:
        config = msgspec.convert(tables, type=Config)
    except msgspec.ValidationError as error:
        what = f"{where}: {error}"
        raise ConfigError(what, "see foresight.toml for every key") from error
    # Of a board that a variable makes smaller, the file's own slots are still no mistake.
    assets = (*config.board.assets, *(named if isinstance(named, list) else ASSETS))
    _check_strategies(config, assets, where)
    _check(config, where)
    return config


def nearest(name: str, known: Collection[str]) -> str:
    """Return a hint that names the nearest known name, or all of them; nothing where none is."""
    if not known:
        return ""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "known: " + ", ".join(sorted(known))


def is_strategy_key(key: str) -> bool:
    """Tell whether `[strategy.KEY]` may be: a timeframe or a slot, on whichever board."""
    return key in TIMEFRAMES or _SLOT.fullmatch(key) is not None


def timeframe_of(key: str) -> str:
    """Return the timeframe of a timeframe's or a slot's table, as `5m` of `btc-5m`."""
    return key.rpartition("-")[2]


def config_hash(config: Config, files: Mapping[str, bytes] | None = None) -> str:
    """Return 12 hex digits that change with everything but `[engine]`.

    Args:
        config: The configuration.
        files: What the files hold that strategies read, by name.
    """
    plain = msgspec.to_builtins(config)
    del plain["engine"]
    if files:  # without any, the digits stay what earlier releases wrote
        plain["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    data = msgspec.json.encode(plain, order="sorted")
    return hashlib.sha256(data).hexdigest()[:12]


def home_of(config: Config, environment: Mapping[str, str]) -> str:
    """Return the state directory: as configured, or `$XDG_STATE_HOME/foresight/<app>`.

    Raises:
        ConfigError: Nothing says where home is.
    """
    if config.engine.home:
        return config.engine.home
    state = environment.get("XDG_STATE_HOME", "")
    if not state:
        user = environment.get("HOME", "")
        if not user:
            what = "no home directory is known"
            raise ConfigError(what, "set [engine] home, XDG_STATE_HOME or HOME")
        state = f"{user}/.local/state"
    return f"{state}/foresight/{config.engine.app}"


def _refuse_unknown(tables: Mapping[str, Any], where: str) -> None:
    known = (*_SECTIONS, "strategy")
    for section, table in tables.items():
        if section not in known:
            what = f"{where}: unknown section [{section}]"
            raise ConfigError(what, nearest(section, known))
        if section in _SECTIONS and isinstance(table, dict):
            _refuse_unknown_keys(table, section, where)


def _refuse_unknown_keys(table: Mapping[str, Any], section: str, where: str) -> None:
    fields = _SECTIONS[section].__struct_fields__
    for key in table:
        if key not in fields:
            what = f"{where}: unknown key {key} in [{section}]"
            raise ConfigError(what, nearest(key, fields))


def unknown(told: Iterable[str]) -> tuple[str, ...]:
    """Return the keys that no section of a release has, of those that overrides name.

    Parameters of strategies are judged beside the strategies.
    """
    return tuple(key for key in told if not _is_known(key))


def keys_of(section: str) -> tuple[str, ...]:
    """Return the keys of a section; none for one that is not ours."""
    return _SECTIONS[section].__struct_fields__ if section in _SECTIONS else ()


def _is_known(key: str) -> bool:
    section, _, name = key.partition(".")
    if section == overrides.STRATEGY:
        timeframe, _, parameter = name.partition(".")
        return is_strategy_key(timeframe) and bool(parameter)
    return section in _SECTIONS and name in _SECTIONS[section].__struct_fields__


def _override(tables: dict[str, Any], environment: Mapping[str, str]) -> None:
    travelled = overrides.kept(environment)
    for key in unknown(travelled):
        del travelled[key]  # another release's; whoever runs us says so
    told = overrides.told_by(environment)
    for key in told:
        section, _, name = key.partition(".")
        if section in _SECTIONS:
            _refuse_unknown_keys({name: None}, section, overrides.variable_of(key))
    for key, text in (travelled | told).items():
        overrides.put_into(tables, key, text)


def _check_strategies(config: Config, assets: Iterable[str], where: str) -> None:
    slots = [f"{asset.lower()}-{timeframe}" for asset in assets for timeframe in TIMEFRAMES]
    known = dict.fromkeys((*TIMEFRAMES, *slots))
    for key, table in config.strategy.items():
        if key not in known:
            what = f"{where}: unknown section [strategy.{key}]"
            raise ConfigError(what, f"a timeframe or a slot of the board; {nearest(key, known)}")
        if not isinstance(table.get("name", ""), str):
            what = f"{where}: [strategy.{key}] name = {table['name']!r} is no name"
            raise ConfigError(what, 'as name = "late_entry", or "module:class" of the project')


def _check(config: Config, where: str) -> None:
    for name, values in (("assets", config.board.assets), ("timeframes", config.board.timeframes)):
        if len(set(values)) != len(values):
            what = f"{where}: [board] {name} names something twice"
            raise ConfigError(what)
    venue, engine = config.venue, config.engine
    if (venue.kind == "live") != venue.live:
        hint = 'live trading needs both kind = "live" and live = true'
        what = f"{where}: [venue] kind and live disagree"
        raise ConfigError(what, hint)
    if engine.speed > 1 and venue.kind != "local" and not venue.url:
        hint = 'speed above 1 needs [venue] kind = "local", or a local exchange as its url'
        what = f"{where}: a real market cannot run {engine.speed} times faster"
        raise ConfigError(what, hint)
