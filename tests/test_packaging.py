"""What is installed is what is in the tree, and nothing more is asked of a machine than it says."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("foresight", "deploy", "handoff", "state")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)
REQUIRED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(.*)$")


def pins(lock: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / lock).read_text(encoding="utf-8")))


def unmet(requirements: list[str], locked: dict[str, str]) -> list[str]:
    """List exact requirements that the lock does not meet, and any it does not know."""
    parts = [found.groups() for found in map(REQUIRED.match, requirements) if found]
    return [
        f"{name}{wanted}, locked {locked.get(name)}"
        for name, wanted in parts
        if name not in locked or (wanted.startswith("==") and wanted != f"=={locked[name]}")
    ]


def unreasoned(toml: str) -> list[str]:
    """List requirements and ignores in pyproject.toml that carry no reason on their line."""
    entry = re.compile(r'^ +"[A-Za-z][\w.-]*[<>=]=[^"]*",$|^ +"[A-Z]+\d*",$')
    return [line.strip() for line in toml.splitlines() if entry.match(line)]


def imported(source: str) -> set[str]:
    """Return the top names of what a module imports from others, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - set(PACKAGES)


def distributions(names: set[str]) -> set[str]:
    """Return which distributions bring these import names; a name that none brings stays."""
    known = packages_distributions()
    return {each.lower().replace("_", "-") for name in names for each in known.get(name, [name])}


def declared() -> set[str]:
    """Return what the project asks for at run time, extras included."""
    asked = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        asked += extra
    return {found.group(1) for found in map(REQUIRED.match, asked) if found}


def wheel_names(folder: Path) -> list[str]:
    """Build the wheel the way an installer does, without a network, and list its files."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = folder.glob("foresight_engine-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_locks_meet_what_the_project_asks_for() -> None:
    """A requirement that was added and not locked fails at a stranger's, not here."""
    assert unmet(["ccxt==1.0"], {"ccxt": "2.0"}) == ["ccxt==1.0, locked 2.0"]
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["install"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        asked += extra
    assert unmet(asked, pins("requirements.lock")) == []
    tools = [tool for tool in PROJECT["dependency-groups"]["dev"] if isinstance(tool, str)]
    assert unmet(tools, pins("requirements-dev.lock")) == []


def test_development_runs_on_the_versions_that_run_live() -> None:
    """Two locks that drift apart would test one thing and trade with another."""
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_requirement_carries_a_hash(lock: str) -> None:
    """One without a hash makes the installer refuse them all."""
    blocks = re.split(
        r"^(?=[a-z0-9])", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert [block.split("==")[0] for block in blocks[1:] if "--hash=sha256:" not in block] == []


def test_every_requirement_and_ignore_has_its_reason_beside_it() -> None:
    """Without its reason nobody dares to drop one."""
    assert unreasoned('    "rich>=1,<2",\n    "S101",\n') == ['"rich>=1,<2",', '"S101",']
    assert unreasoned((ROOT / "pyproject.toml").read_text(encoding="utf-8")) == []


def test_what_the_packages_import_is_what_the_project_asks_for() -> None:
    """What another package happens to bring goes with it; what nobody imports is dead weight."""
    assert imported("import a.b\ndef late():\n    from c import d\n    import os, state") == {
        "a",
        "c",
    }
    assert distributions({"typing_extensions", "nobody"}) == {"typing-extensions", "nobody"}
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            found |= imported(path.read_text(encoding="utf-8"))
    assert distributions(found) == declared()


def test_the_distribution_cannot_be_uploaded_by_accident() -> None:
    """The import names belong to strangers on public indexes; so must not the distribution."""
    assert PROJECT["project"]["name"] == "foresight-engine"
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_nobody_is_told_to_install_by_the_import_name() -> None:
    """Whoever follows such a line installs a stranger's package."""
    wrong = re.compile(r"pip install (?:-\S+ )*(?:foresight|deploy|handoff|state)(?![\w-])")
    assert wrong.search("pip install -U foresight")
    assert not wrong.search("pip install foresight-engine")
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in documents}
    assert [name for name, text in texts.items() if wrong.search(text)] == []


def test_the_wheel_holds_the_four_packages_and_nothing_else(tmp_path: Path) -> None:
    """A hook or a unit file left out of the wheel is missed on the day of the first deploy."""
    names = wheel_names(tmp_path)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard", *PACKAGES],  # noqa: S607 - git from PATH
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    assert {name for name in tracked if name and (ROOT / name).is_file()} <= set(names)


@pytest.mark.skipif(
    not (ROOT / "foresight" / "__main__.py").is_file(), reason="there is no command yet"
)
def test_help_needs_none_of_the_extras() -> None:
    """The launcher and a first look must not cost what trading costs, nor break without it."""
    extras = [
        found.group(1)
        for extra in PROJECT["project"]["optional-dependencies"].values()
        for found in map(REQUIRED.match, extra)
        if found
    ]
    without = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({extras!r}))\n"  # None there makes an import fail
        "sys.argv[1:] = ['--help']\n"
        "runpy.run_module('foresight', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", without], check=False, capture_output=True, cwd=ROOT, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


def test_the_list_of_licences_is_complete() -> None:
    """Who passes Foresight on has to know what else he passes on."""
    listing = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([a-z0-9._-]+) \| [a-z, ]+ \| (.+) \|$", listing, re.MULTILINE))
    assert set(listed) - {"package"} == set(pins("requirements.lock"))


def goes_in(path: str) -> bool:
    """Tell whether .dockerignore lets a file into an image; its last word on it counts."""
    included = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        rule = line.removeprefix("!").removeprefix("**/")
        parts = path.split("/") if "**/" in line else path.split("/")[:1]
        if rule and not rule.startswith("#") and any(fnmatch(part, rule) for part in parts):
            included = line.startswith("!")
    return included


def test_an_image_gets_what_setup_needs_and_nothing_that_lies_about() -> None:
    """A key or a record that is copied into an image is everybody's who has the image."""
    needed = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock", "LICENSE")
    assert all(map(goes_in, (*needed, *(f"{package}/__init__.py" for package in PACKAGES))))
    stray = (".env", ".git/config", ".venv/bin/python", "venue.key", "foresight/venue.key")
    assert [path for path in (*stray, "foresight.toml", "deploy/.env") if goes_in(path)] == []


def test_an_image_starts_from_what_is_named_exactly_and_runs_without_root() -> None:
    text = (ROOT / "deploy" / "units" / "Containerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) for base in bases), bases
    *_, user = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert int(user) > 0
    assert text.index(f"USER {user}") < text.index("ENTRYPOINT")


@pytest.mark.parametrize("makefile", ["Makefile", "foresight/template/Makefile"])
def test_whatever_is_installed_is_a_wheel_with_its_hash(makefile: str) -> None:
    """Our own editable install is the one exception: a source distribution runs its own program."""
    text = (ROOT / makefile).read_text(encoding="utf-8")
    assert re.search(r"^WHEELS := --only-binary :all: --require-hashes( |$)", text, re.MULTILINE)
    lines = [line for line in text.splitlines() if re.search(r"\bpip install\b", line)]
    assert lines
    assert [line for line in lines if "$(WHEELS)" not in line and "--editable ." not in line] == []


@pytest.mark.parametrize("target", ["run", "deploy", "rollback", "status"])
def test_a_new_projects_makefile_takes_what_ours_takes(target: str) -> None:
    """A pipeline is written once: docs/ci.md names targets and variables of both."""
    found = []
    for place in ("Makefile", "foresight/template/Makefile"):
        text = (ROOT / place).read_text(encoding="utf-8")
        recipe = re.search(rf"^{target}:.*\n\t@\S+ (.*)$", text, re.MULTILINE)
        assert recipe is not None, place
        found.append(recipe.group(1))
    assert found[0] == found[1]
