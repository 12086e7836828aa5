"""Most of the exchange takes values and returns values; the rest is listed here by name."""

import ast
from pathlib import Path

import foresight.exchange

FOLDER = Path(foresight.exchange.__file__).parent
SHELL = {
    "__main__",
    "binance.access",
    "binance.account_api",
    "binance.listings_api",
    "binance.market_api",
    "binance.streams_api",
    "control_api",
    "error_answers",
    "fault_gate",
    "guard",
    "ledger.file",
    "log_file",
    "market.table_files",
    "polymarket.access",
    "polymarket.clob_books_api",
    "polymarket.clob_markets_api",
    "polymarket.clob_orders_api",
    "polymarket.data_api",
    "polymarket.gamma_api",
    "polymarket.wire_numbers",  # datetime, to write a time as text and for nothing else
    "prices.recordings",
    "server",
    "venue",
}
OUTSIDE = {
    *("aiohttp", "asyncio", "ccxt", "click", "datetime", "fcntl", "logging", "os", "pathlib"),
    *("psutil", "random", "secrets", "shutil", "signal", "socket", "subprocess", "tempfile"),
    *("threading", "time", "uuid"),
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def modules() -> dict[str, Path]:
    """Return the exchange's modules in all its rooms, by their names below it."""
    paths = [path for path in sorted(FOLDER.rglob("*.py")) if path.stem != "__init__"]
    return {".".join(path.relative_to(FOLDER).with_suffix("").parts): path for path in paths}


def test_pure_modules_know_no_outside_world() -> None:
    """A market that only takes and returns values can be played again at any moment."""
    assert modules().keys() >= SHELL, "a name of the list that no module has hides nothing"
    shell = {f"foresight.exchange.{name}" for name in SHELL - {"polymarket.wire_numbers"}}
    for module, path in modules().items():
        names = imported(path)
        assert not any(name.startswith("ccxt") for name in names), module
        if module not in SHELL:
            assert not {name.partition(".")[0] for name in names} & OUTSIDE, module
            assert not names & shell, module


def test_a_folders_own_file_imports_nothing() -> None:
    """Whoever imports one module of the exchange gets that one, not the whole program."""
    for path in FOLDER.rglob("__init__.py"):
        assert not imported(path), path
        assert len(path.read_text().splitlines()) == 1, path


def test_every_module_says_what_must_never_enter_it() -> None:
    """The line that keeps a module small; a room's own file says what the room is."""
    for module, path in modules().items():
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert "never enter" in " ".join(said.lower().split()), module
