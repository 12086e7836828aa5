"""Most of the exchange takes values and returns values; the rest is listed here by name."""

import ast
from pathlib import Path

import foresight.exchange

FOLDER = Path(foresight.exchange.__file__).parent
SHELL = {
    "__main__",
    "binance_access",
    "binance_account_api",
    "binance_market_api",
    "clob_books_api",
    "clob_orders_api",
    "control_api",
    "data_api",
    "fault_gate",
    "gamma_api",
    "ledger_file",
    "polymarket_access",
    "recordings",
    "server",
    "venue",
    "wire_numbers",  # datetime, to write a time as text and for nothing else
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


def test_pure_modules_know_no_outside_world() -> None:
    shell = {f"foresight.exchange.{name}" for name in SHELL - {"wire_numbers"}}
    for path in sorted(FOLDER.glob("*.py")):
        names = imported(path)
        assert not any(name.startswith("ccxt") for name in names), path.name
        if path.stem not in SHELL:
            assert not {name.partition(".")[0] for name in names} & OUTSIDE, path.name
            assert not names & shell, path.name


def test_a_folders_own_file_imports_nothing() -> None:
    """Whoever imports one module of the exchange gets that one, not the whole program."""
    for path in FOLDER.rglob("__init__.py"):
        assert not imported(path), path
        assert len(path.read_text().splitlines()) == 1, path


def test_every_module_says_what_must_never_enter_it() -> None:
    for path in FOLDER.glob("*.py"):
        if path.stem == "__init__":
            continue  # one line: it says what the folder is
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert "never enter" in " ".join(said.lower().split()), path.name
