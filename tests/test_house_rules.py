"""The rules of the house that no linter knows.

Each rule is a function from text to complaints, so that it is tried on a bad example beside the
real tree: a rule that cannot fail proves nothing.
"""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("state", "handoff", "deploy", "foresight")

MODULE_LINES_MAX = 600
# Above this a module needs a reason here; a reader's patience, not a machine's limit.
MODULE_LINES_ASK = 450
LONG_MODULES: dict[str, str] = {
    "foresight/config.py": "each key of the configuration, with its meaning, stands in one place",
}
FUNCTION_LINES_MAX = 70

VAGUE_NAMES = {"common", "helper", "helpers", "misc", "util", "utilities", "utils"}
# Absolute paths that exist on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home/[a-z][\w-]*|Users/[A-Za-z][\w.-]*)/")
LEFTOVER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
ADDRESS = re.compile(r"(?:https?|file)://|--(?:extra-)?index-url|--find-links")
TARGETS = {
    *("setup", "run", "demo", "test", "lint", "sim", "crash", "soak"),
    *("drill", "bench", "fairness", "docs", "deploy", "rollback", "status", "mutants", "world"),
    *("page", "cluster", "cluster-faults", "sim-etcd"),
}
# What the floors below the trader do not speak of. File names, and commands that a user types
# (`foresight deploy`), are no modules of it.
TRADING = re.compile(
    r"\b(?:trad(?:e[drs]?|ing)|venues?|strateg(?:y|ies)|wallets?|usdc|polymarket|binance)\b"
    r"|\bforesight\.(?!service\b|toml\b)\w",
    re.IGNORECASE,
)
RECORD_NAME = re.compile(r"\b(record|mirror)\.json\b")
NAMES_THE_RECORD = {
    "handoff/launcher/record_at_rest.py": "plain JSON: the launcher loads no store",
}
SWALLOWED = {"", "Exception", "BaseException"}


def tracked_files() -> list[Path]:
    """List what git keeps or would keep: ignored files are nobody's work."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed words
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text file as (path in the tree, text)."""
    for path in tracked_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an archive


def modules() -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in texts() if name.endswith(".py"))


def lines_matching(pattern: re.Pattern[str], name: str, text: str) -> list[str]:
    """Say where a pattern stands, as file:line: what stands there."""
    numbered = enumerate(text.splitlines(), start=1)
    hits = ((number, pattern.search(line)) for number, line in numbered)
    return [f"{name}:{number}: {hit.group()}" for number, hit in hits if hit]


def long_functions(name: str, text: str) -> list[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, functions)]
    sized = [(node, (node.end_lineno or node.lineno) - node.lineno + 1) for node in found]
    return [
        f"{name}:{node.lineno}: {node.name} has {size} lines"
        for node, size in sized
        if size > FUNCTION_LINES_MAX
    ]


def swallowed_exceptions(name: str, text: str) -> list[str]:
    """Find handlers that catch everything and do nothing, whatever way they spell it."""
    return [
        f"{name}:{node.lineno}: swallows every error"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler)
        and SWALLOWED & _caught(node.type)
        and all(_does_nothing(statement) for statement in node.body)
    ]


def _caught(kind: ast.expr | None) -> set[str]:
    if kind is None:
        return {""}
    return {ast.unparse(part) for part in (kind.elts if isinstance(kind, ast.Tuple) else [kind])}


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Continue)


def clock_readings(name: str, text: str) -> list[str]:
    """Find where a date reads the clock; ruff finds it under another name as well."""
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [
        f"{name}:{call.lineno}: {ast.unparse(call)} reads the clock"
        for call in calls
        if isinstance(call, ast.Attribute)
        and (call.attr in {"utcnow", "today"} or _is_now_of_a_date(call))
    ]


def _is_now_of_a_date(call: ast.Attribute) -> bool:
    return call.attr == "now" and ast.unparse(call.value).split(".")[-1].lower() == "datetime"


def silent_tests(name: str, text: str) -> list[str]:
    """Find tests that assert nothing, by themselves or through a named check."""
    tests = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    return [f"{name}:{node.lineno}: {node.name} asserts nothing" for node in tests if _silent(node)]


def _silent(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    checks = ("assert", "check_", "expect_", "raises", "run_", "verify_", "warns")
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return False
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1].startswith(checks):
            return False
    return True


def imports_of(source: str, known: Collection[str]) -> set[str]:
    """Return which of the known modules a text imports, for its types alone as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner.intersection(known) or {node.module}
    return found.intersection(known)


def circles(imports: Mapping[str, set[str]]) -> set[str]:
    """Return the modules from which imports lead back to themselves."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            new = imports[ahead.pop()] - seen
            seen |= new
            ahead += new
        return seen

    return {name for name in imports if name in reached(name)}


def vague_name(name: str) -> bool:
    return not VAGUE_NAMES.isdisjoint(part.removesuffix(".py") for part in name.split("/"))


def documented_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## \S", makefile, flags=re.MULTILINE))


def all_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", makefile, flags=re.MULTILINE))


def test_no_file_names_a_path_of_one_machine() -> None:
    """What works in one place only is found out by a stranger otherwise."""
    place = f"{Path('/work')}/"
    assert lines_matching(MACHINE_PATH, "bad", f"cd {place}main") == [f"bad:1: {place}"]
    assert [hit for name, text in texts() for hit in lines_matching(MACHINE_PATH, name, text)] == []


def test_no_lock_file_names_an_address() -> None:
    """A lock with an address installs from that index only, or from nowhere."""
    assert lines_matching(ADDRESS, "bad", "--index-url https://index.example/simple") != []
    locks = [(name, text) for name, text in texts() if name.endswith(".lock")]
    assert {"requirements.lock", "requirements-dev.lock"} <= {name for name, _ in locks}
    assert [hit for name, text in locks for hit in lines_matching(ADDRESS, name, text)] == []


def test_no_leftover_marks() -> None:
    """A mark for later belongs into the tracker, where somebody looks."""
    assert lines_matching(LEFTOVER, "bad", "# TO" + "DO: later") != []
    code = [(name, text) for name, text in modules() if name != "tests/test_house_rules.py"]
    assert [hit for name, text in code for hit in lines_matching(LEFTOVER, name, text)] == []


def test_modules_stay_readable() -> None:
    """Past 600 lines a module is two; past 450 somebody says why it is not."""
    sizes = {name: text.count("\n") for name, text in modules()}
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES_MAX} == {}
    assert {name for name, size in sizes.items() if size > MODULE_LINES_ASK} == set(LONG_MODULES)


def test_functions_fit_on_a_page() -> None:
    """What does not fit on a page is not read as a whole."""
    body = "\n".join(f"    a{number} = {number}" for number in range(FUNCTION_LINES_MAX))
    assert long_functions("bad", f"def long() -> None:\n{body}\n") == ["bad:1: long has 71 lines"]
    assert [hit for name, text in modules() for hit in long_functions(name, text)] == []


@pytest.mark.parametrize(
    "handler",
    [
        "except Exception:\n    pass",
        "except:\n    ...",
        "except (OSError, BaseException):\n    pass",
    ],
)
def test_an_empty_handler_of_everything_is_noticed(handler: str) -> None:
    assert swallowed_exceptions("bad", f"try:\n    work()\n{handler}\n") != []


def test_no_error_is_swallowed() -> None:
    """An error nobody hears of is the one that costs money."""
    assert [hit for name, text in modules() for hit in swallowed_exceptions(name, text)] == []


@pytest.mark.parametrize(
    "call", ["datetime.now(UTC)", "dt.datetime.now()", "DateTime.utcnow()", "dt.date.today()"]
)
def test_a_date_that_reads_the_clock_is_noticed(call: str) -> None:
    assert clock_readings("bad", f"at = {call}\n") == [
        f"bad:1: {call.partition('(')[0]} reads the clock"
    ]


def test_dates_are_formatted_and_never_read() -> None:
    """A pure module may import `datetime`; a clock in it would make a replay decide otherwise."""
    pure = "moment = datetime.fromtimestamp(seconds, UTC)\nheld = clock.now()\n"
    assert clock_readings("good", pure) == []
    own = [(name, text) for name, text in modules() if name.split("/")[0] in PACKAGES]
    assert [hit for name, text in own for hit in clock_readings(name, text)] == []


def test_every_test_asserts_something() -> None:
    """A test that only runs code is green whatever the code does."""
    assert silent_tests("bad", "def test_x() -> None:\n    work()\n") != []
    tests = [(name, text) for name, text in modules() if Path(name).name.startswith("test_")]
    assert [hit for name, text in tests for hit in silent_tests(name, text)] == []


def test_no_module_has_a_vague_name() -> None:
    """A name that fits everything finds nothing."""
    assert vague_name("state/utils.py")
    assert vague_name("foresight/helpers/clock.py")
    assert [name for name, _ in modules() if vague_name(name)] == []


def test_the_lower_floors_know_nothing_of_trading() -> None:
    """The engine runs whatever has cycles; what only a trader needs comes in from above."""
    said = "# a Trader's venue\nENTRY = 'foresight.trader:create'\n# `foresight deploy` is typed"
    assert lines_matching(TRADING, "bad", said) == ["bad:1: Trader", "bad:2: foresight.t"]
    lower = [(name, text) for name, text in texts() if name.split("/")[0] in PACKAGES[:3]]
    assert [hit for name, text in lower for hit in lines_matching(TRADING, name, text)] == []


def test_nobody_but_the_store_names_the_files_of_a_record() -> None:
    """Who opened them could not tell a record from the mirror of one that went on elsewhere."""
    assert lines_matching(RECORD_NAME, "bad", 'home / "record.json"') == ["bad:1: record.json"]
    above = [(name, text) for name, text in modules() if name.split("/")[0] in PACKAGES[1:]]
    assert {name for name, text in above if lines_matching(RECORD_NAME, name, text)} == set(
        NAMES_THE_RECORD
    )


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Whoever reads one of a circle has to read them all, and none can go elsewhere alone."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == {"b", "c"}
    assert imports_of("from p import q\nimport p.r\nimport s", {"p", "p.q", "p.r"}) == {
        "p.q",
        "p.r",
    }
    own = {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): text
        for name, text in modules()
        if name.split("/")[0] in (*PACKAGES, "bench")
    }
    assert circles({name: imports_of(text, own) for name, text in own.items()}) == set()


def test_every_module_of_a_package_opens_with_what_it_owns() -> None:
    """The first lines say whether this is the right file."""
    own = [(name, text) for name, text in modules() if name.split("/")[0] in PACKAGES]
    assert [name for name, text in own if not ast.get_docstring(ast.parse(text))] == []


def test_every_make_target_has_a_line_of_help() -> None:
    """`make` alone is the first thing a stranger types."""
    assert all_targets("run: setup\n\ttrue\n") - documented_targets("run: setup\n\ttrue\n") == {
        "run"
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all_targets(makefile) - documented_targets(makefile) == set()
    assert documented_targets(makefile) >= TARGETS


@pytest.mark.parametrize(
    "program", [name for name in PACKAGES if (ROOT / name / "__main__.py").is_file()]
)
def test_programs_refuse_to_run_without_asserts(program: str) -> None:
    """Our asserts hold the rules of ownership; `python -O` would drop them in silence."""
    command = [sys.executable, "-O", "-m", program, "--help"]
    done = subprocess.run(command, check=False, capture_output=True, cwd=ROOT, text=True)  # noqa: S603 - our own program
    assert done.returncode != 0
    assert "-O" in done.stderr


# --- layers -----------------------------------------------------------------------------

IMPORT_RULES = configparser.ConfigParser(allow_no_value=True)
IMPORT_RULES.read(ROOT / ".importlinter")
# Not in the list of pure modules, although nothing impure is imported: each with its reason.
DOES_IO_UNSEEN = {
    "foresight.backtest.prepared": "it reads the tables of the tree that it is given",
    "foresight.download.fetching": "it asks the exchange and fills the files that it is given",
    "foresight.extras": "it looks for what is installed",
    "foresight.own_strategies": "it imports a project's own modules",
    "foresight.table_files": "it reads below the tree that it is given",
    "foresight.venues.paper": "it asks the venue that it is given",
    "state.etcd.lines": "it asks through the session that it is given",
    "state.heard": "it reads through the paths that it is given",
    "state.journal_reader": "it reads through the paths that it is given",
}


def names_in(contract: str, key: str) -> set[str]:
    """Return the modules that a contract of .importlinter lists under a key."""
    lines = IMPORT_RULES[f"importlinter:contract:{contract}"][key].splitlines()
    return {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}


def graph_of(*packages: str) -> grimp.ImportGraph:
    return grimp.build_graph(
        *packages, include_external_packages=True, exclude_type_checking_imports=True
    )


def pure_in_fact(graph: grimp.ImportGraph, forbidden: set[str]) -> set[str]:
    """Return our modules from which no chain of imports leads to a forbidden one."""
    ours = {name for name in graph.modules if name.partition(".")[0] in PACKAGES}
    folders = {name for name in ours if graph.find_children(name)}
    reach = (graph.find_downstream_modules(name) for name in forbidden & graph.modules)
    return ours - folders - set().union(*reach)


def test_every_module_is_listed_as_pure_or_is_not() -> None:
    """A list that is not kept up holds nothing: whatever could be pure has to say so."""
    graph = graph_of(*PACKAGES)
    fact = pure_in_fact(graph, names_in("pure", "forbidden_modules"))
    listed = names_in("pure", "source_modules")
    assert "state.transitions" in listed
    assert fact - listed - set(DOES_IO_UNSEEN) == set()
    assert DOES_IO_UNSEEN.keys() <= fact
    assert listed.isdisjoint(DOES_IO_UNSEEN)


def test_the_launcher_is_kept_from_every_room_that_it_does_not_share() -> None:
    """A room that is added must be shut to it, or be named as one that it loads."""
    graph = grimp.build_graph("handoff", exclude_type_checking_imports=True)
    rooms = graph.find_children("handoff") - {"handoff.launcher", "handoff.engine_config"}
    shared = names_in("launcher-alone", "source_modules")
    shut = names_in("launcher-alone", "forbidden_modules")
    assert rooms - shared - shut == set()
    assert "handoff.worker" in shut


@pytest.mark.parametrize("wing", ["launcher", "worker", "rollout", "replay"])
def test_a_wing_loads_nothing_by_its_name_alone(wing: str) -> None:
    """Whoever wants one room of it gets that room."""
    folder = ROOT / "handoff" / wing / "__init__.py"
    assert [type(node) for node in ast.parse(folder.read_text()).body] == [ast.Expr]
