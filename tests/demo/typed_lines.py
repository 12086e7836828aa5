"""What becomes of each command line that the documents show: run, run elsewhere, or listed.

Owns the scripts of the fresh projects in which they are typed, and the one list of those that are
not, each with its reason. A line stands here as a document shows it, without its comment.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from docs.session import SESSION

TABLE: Final = "--table synthetic.json"  # half of a short recording is too little to fit one on


class Line(NamedTuple):
    """A step of a script.

    Attributes:
        shown: As the documents show it; empty for a step between two of them.
        typed: What is typed in its place: a name for a placeholder, `-d` for a second terminal.
        code: The exit code that it must have.
        serves: It goes on until it is ended, once it has printed something.
    """

    shown: str
    typed: str = ""
    code: int = 0
    serves: bool = False

    @property
    def command(self) -> str:
        """What is typed."""
        return self.typed or self.shown


PROJECT: Final = (
    Line("foresight --version"),
    Line("foresight init my-bot"),
    Line("make run", "cd my-bot && make run ARGS=-d"),
    Line("foresight status"),
    Line("make status"),
    Line('make -C "$PROJECT" status ARGS=--json'),
    Line("foresight doctor"),
    Line("foresight ps"),
    Line("foresight dashboard"),
    Line("foresight dashboard --new-token"),
    Line("foresight logs"),
    Line("foresight trades"),
    Line("foresight trades --by-release"),
    Line("foresight anomalies"),
    Line("foresight lock BTC"),
    Line("foresight locks"),
    Line("foresight unlock BTC"),
    Line("foresight pause"),
    Line("foresight halt"),
    Line("foresight resume"),
    Line("foresight deploy --plan"),
    Line("foresight deploy --abort"),
    Line("foresight deploy --promote", code=3),  # nothing bakes
    Line("make deploy"),  # what is live already ends at once
    Line("make deploy REF=...", "make deploy REF=main"),
    Line("", "git update-ref refs/remotes/origin/main HEAD"),
    Line('make -C "$PROJECT" deploy REF=origin/main ARGS="--wait 900 --json"'),
    # The tutorial: changed while it runs, broken, and back.
    Line("sed -i 's/sigmas = 0.8/sigmas = 1.2/' foresight.toml"),
    Line("git commit -qam 'Ask for a larger move'"),
    Line("foresight deploy --allow-differences"),
    Line("echo 'import nothing_of_that_name' >> strategy.py && git commit -qam 'Break it'"),
    Line("foresight deploy", code=3),
    Line("foresight rollback"),
    Line("foresight deploys"),
    Line("foresight deploys --json"),
    Line("foresight releases"),
    Line("make rollback"),
    Line("foresight report"),
    Line("foresight hook install"),
    Line("foresight unit install"),
    Line("foresight cycles --check"),
    Line("foresight down"),
    Line("foresight state verify"),
    Line("foresight state repair"),
    Line("", "git reset -q --hard HEAD~1"),
    # An idea, judged on history.
    Line("git switch -c larger-move && vi foresight.toml"),
    Line("foresight backtest candles", f"foresight backtest candles {TABLE}"),
    Line("foresight backtest DIR", f"foresight backtest candles {TABLE}"),
    Line("foresight backtest --signals DIR", f"foresight backtest --signals candles {TABLE}"),
    Line(
        "foresight backtest candles --save result.json --json",
        f"foresight backtest candles {TABLE} --save result.json --json",
    ),
    Line("foresight report --backtest result.json --out result.html"),
    Line("make backtest", f"make backtest ARGS='{TABLE}'"),
    Line(
        "foresight compare main . --candles candles",
        f"foresight compare main . --candles candles {TABLE}",
    ),
    Line("git commit -qam 'Ask for a larger move' && git switch main && git merge larger-move"),
    Line("foresight uninstall"),
    Line("make test"),
    Line("foresight init", "foresight init another"),
)
ENGINE: Final = (
    Line("python -m handoff"),
    Line("handoff try news_watcher:create --tree examples --app news"),
    Line("handoff run news_watcher:create --tree examples --app news -d"),
    Line("", 'sed -i \'s/VERSION = "1"/VERSION = "2"/\' examples/news_watcher.py'),
    Line("handoff replace --tree examples --app news"),
    Line("handoff status --app news"),
    Line("handoff status --json", "handoff status --json --app news"),
    Line("handoff logs --app news --since 10m"),
    Line("handoff down --app news"),
    Line("python -m handoff try feed_to_chat:feed_to_chat --tree examples"),
    Line(
        "python -m handoff run feed_to_chat:feed_to_chat --tree examples --app chat "
        "--home ~/.local/state/chat",
        "python -m handoff run feed_to_chat:feed_to_chat --tree examples --app chat "
        "--home ~/.local/state/chat -d",
    ),
    Line("python -m handoff status --home ~/.local/state/chat"),
    Line("python -m handoff down --home ~/.local/state/chat"),
    Line("foresight exchange", "foresight exchange --dir ~/exchange --port 0", serves=True),
    Line(
        "foresight exchange --dir ~/exchange --port 8080",
        "foresight exchange --dir ~/exchange --port 0",
        serves=True,
    ),
)
SCRIPTS: Final = {"project": PROJECT, "engine": ENGINE}

ELSEWHERE: Final = {  # the test that types them, and what of a document it types
    "tests/demo/test_readme_session.py": SESSION,
}
STORY: Final = "docs/story.md"  # its lines are those of docs/story.py, by tests/demo/test_story.py

# Documents that tell what was done or what is called what: nothing in them is a step to take.
TOLD: Final = {
    "docs/ARCHITECTURE.md": "names rooms",
    "docs/decisions.md": "names commands that were decided on",
    "docs/proofs.md": "names what was run, and when",
    "docs/rooms.md": "is made of docstrings",
}

LONG: Final = "over 30 s"
OTHER: Final = "another program"
NETWORK: Final = "another program: what answers is an index or a market, over the network"
LISTED: Final = {
    "make setup": f"{LONG} where it has to install",
    "make test": LONG,
    'make test ARGS="-k take"': LONG,
    ".venv/bin/python -m pytest -n 0 tests/core/test_transitions.py": "it is one of these tests",
    "make lint": LONG,
    "make lock": NETWORK,
    "make mutants": LONG,
    "make mutants-drawn": LONG,
    "make sim": LONG,
    "make sim SEED=n": LONG,
    "make crash": LONG,
    "make world": LONG,
    "make releases-bad": LONG,
    "make soak": LONG,
    'make soak ARGS="--orders 5000"': LONG,
    "make demo": LONG,
    "make demo REPLAY=DIR": LONG,
    "make drill": LONG,
    "make story": LONG,
    "make page": LONG,
    "foresight compare": "`compare main . --candles candles` is run",
    "foresight deploy --backtest DAYS --candles DIR": f"{LONG}: it backtests two releases",
    "make cluster": LONG,
    "make cluster ARGS=--trader": LONG,
    "make cluster-faults": LONG,
    "make sim-etcd SEED=n": LONG,
    "python -m tests.model": "tests/model/test_lease_model.py searches the same",
    "foresight download generated --url": NETWORK,
    "foresight backtest generated --table": "`foresight backtest DIR` is run with a table",
    "foresight state export": "tests/process/test_cli_state.py exports",
    "foresight state export FILE": "as `foresight state export`",
    "foresight uninstall --state": "tests/process/test_project.py removes a state",
    "foresight state restore FILE --force": "as `foresight state restore`",
    "foresight cycles --check --all-hosts": "several hosts: tests/process/test_etcd_host.py",
    "foresight state repair --without": "several hosts: tests/process/test_etcd_repair.py",
    "make clients": f"{LONG}, and it installs",
    "make docs": "tests/core/test_docs_from_code.py compares what it writes",
    "foresight init ../gated && cd ../gated && foresight up -d": "tests/process/test_first_gate.py",
    "git commit --allow-empty -qm 'Say nothing'": "tests/process/test_first_gate.py",
    "echo '- Something.' >> CHANGELOG.md && git add . && git commit -qm 'Say something'": (
        "tests/process/test_first_gate.py"
    ),
    "foresight deploy --bake 1": "tests/process/test_first_gate.py",
    'export PATH="$PWD/.venv/bin:$PATH"': "every line here is typed after it",
    "foresight drill": LONG,
    "foresight up --detach && foresight drill --yes --json": LONG,
    "foresight calibrate DIR --into tables": f"{LONG} over what it needs: days of candles",
    "foresight calibrate --journal --into tables": f"{LONG} over what it needs: days of offers",
    "foresight compare main my-idea --candles DIR": "`compare main . --candles candles` is run",
    "foresight compare HEAD idea --candles candles": "`compare main . --candles candles` is run",
    "foresight compare A B --candles DIR": "`compare main . --candles candles` is run",
    "foresight backtest DIR --check-future": f"{LONG}; tests/process/test_backtest.py",
    "foresight backtest candles --check-future": f"{LONG}; tests/process/test_backtest.py",
    "foresight download DIR --assets BTC,ETH --from 2025-06-01": NETWORK,
    "foresight download candles --assets BTC,ETH --from 2025-05-25": NETWORK,
    "foresight download candles --assets BTC,ETH --from 2025-06-01": NETWORK,
    "foresight calibrate candles --into tables": f"{LONG} over what it needs: days of candles",
    "foresight up --live": "real money",
    "up --replay DIR": f"{LONG}; the story plays recorded candles",
    "foresight up --moved": "another machine: tests/process/test_whose_home.py dies on one",
    'make -C "$PROJECT" rollback': "`make rollback` is run",
    "cd my-bot && foresight up": "`make run` is that command",
    "foresight deploy --allow-differences --shadow 3": (
        "tests/demo/test_story.py types it with --bake 3"
    ),
    "FORESIGHT_RISK_STAKE_WINDOW_USDC=1 foresight up": "tests/process/test_overrides.py",
    "foresight up": "`make run` is that command",
    "up --moved": "as `foresight up --moved`",
    "foresight -q": "names an option: tests/process/test_project.py",
    "foresight state restore": "tests/process/test_state_repair.py restores what it exported",
    "make lock ADD=name==version": NETWORK,
    "make lock ADD=ta==0.11.0": NETWORK,
    "make wheel PACKAGE=name==version": NETWORK,
    "make wheel PACKAGE=ta==0.11.0": NETWORK,
    "python -m pip wheel --no-deps --wheel-dir wheels ta==0.11.0": NETWORK,
    'git add wheels requirements.lock && git commit -m "Measure with ta"': OTHER,
    'git -C "$PROJECT" fetch origin main': OTHER,
    'curl -H "Authorization: Bearer $(cat HOME/metrics.token)" ADDRESS/metrics': OTHER,
    'curl -H "Authorization: Bearer $(cat HOME/page.token)" ADDRESS/api/state': OTHER,
    "ssh -L 9000:127.0.0.1:8642 machine": OTHER,
    "promtool test rules alerts_test.yml": f"{OTHER}; tests/process/test_alert_rules.py runs it",
    "python -m handoff run news:news --tree DIR_OF_NEWS_PY --app news --home ~/.local/state/news": (
        "tests/core/test_docs_from_code.py runs this loop, and the same command runs another"
    ),
    "python -m handoff replace --tree DIR_OF_THE_NEW_VERSION --home ~/.local/state/news": (
        f"{LONG}: its bake is three minutes"
    ),
    "python -m handoff replace --tree examples --app chat --home ~/.local/state/chat": (
        f"{LONG}: its bake is three minutes"
    ),
    "python docs/drill.py": LONG,
    "python -m docs.page_pictures": LONG,
    "python -m bench.trading_soak --deploys 30": LONG,
    "python -m bench.trading_soak --faults --deploys 100": LONG,
    "python -m bench.soak --faults --deploys 1000": LONG,
}
