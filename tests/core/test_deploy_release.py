"""Names of releases and environments, and what a tree says of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import errors
from deploy.release import (
    Pin,
    PythonFacts,
    absent,
    entry_of,
    environment_hash,
    pins_of,
    release_id,
    releases_to_keep,
)

DEFAULT = "bot.worker:create"
PYTHON = PythonFacts("3.11.7", "cpython", "linux-x86_64")
LOCK = b"""# made by hand
Rich_Text==15.0.0 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via foresight
winloop==0.6.3 ; sys_platform == 'win32' \\
    --hash=sha256:02
"""


def test_a_release_is_named_by_its_commit_and_its_environment() -> None:
    commit, environment = "0123456789abcdef" * 2, "fedcba9876543210"
    assert release_id(commit, environment) == "0123456789ab-fedcba"
    beside = {release_id(commit, environment, engine) for engine in ("", "one", "other")}
    assert len(beside) == 3
    assert {name[:13] for name in beside} == {"0123456789ab-"}


@pytest.mark.parametrize(
    "python",
    [
        PYTHON._replace(version="3.11.8"),
        PYTHON._replace(implementation="pypy"),
        PYTHON._replace(platform="linux-aarch64"),
    ],
)
def test_another_interpreter_needs_another_environment(python: PythonFacts) -> None:
    """Compiled requirements of one do not load in the other."""
    assert environment_hash(LOCK, python) != environment_hash(LOCK, PYTHON)


@given(
    st.tuples(st.binary(), st.text(), st.text(), st.text()),
    st.tuples(st.binary(), st.text(), st.text(), st.text()),
)
def test_environments_differ_whenever_one_of_their_facts_does(
    one: tuple[bytes, str, str, str], other: tuple[bytes, str, str, str]
) -> None:
    """No part may run over into the next: `ab` + `c` is not `a` + `bc`."""
    first = environment_hash(one[0], PythonFacts(*one[1:]))
    second = environment_hash(other[0], PythonFacts(*other[1:]))
    assert (first == second) == (one == other)


def test_the_hash_of_an_environment_stays_what_it_was() -> None:
    """Another value would install every environment again, silently, after an update."""
    assert environment_hash(LOCK, PYTHON) == "a0fc8aa1cf96e175"
    assert environment_hash(LOCK + b"\n", PYTHON) != environment_hash(LOCK, PYTHON)


@pytest.mark.parametrize(
    ("project", "entry"),
    [
        (None, DEFAULT),
        (b"", DEFAULT),
        (b'tool = "strange"', DEFAULT),
        (b"[tool.foresight]\n", DEFAULT),
        (b'[tool.foresight]\nentry = "news.tracker:make"\n', "news.tracker:make"),
    ],
)
def test_a_tree_names_its_entry_or_gets_the_default(project: bytes | None, entry: str) -> None:
    assert entry_of(project, DEFAULT) == entry


@pytest.mark.parametrize(
    "project",
    [
        None,
        b"[tool.foresight]\nentry = 3\n",
        b'[tool.foresight]\nentry = "no_factory"\n',
        b'[tool.foresight]\nentry = "os:system; rm"\n',
        b'[tool]\nforesight = "x"\n',
        b"[tool.foresight\n",
        b"\xff",
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(project: bytes | None) -> None:
    """Found when the commit is read, not when its worker does not start."""
    with pytest.raises(errors.EntryInvalid) as caught:
        entry_of(project)
    assert "entry" in caught.value.hint


def test_a_lock_is_read_as_pins_with_their_conditions() -> None:
    assert pins_of(LOCK) == [
        Pin("rich-text", "15.0.0"),
        Pin("winloop", "0.6.3", "sys_platform == 'win32'"),
    ]


def test_what_is_no_pin_is_kept_as_something_nobody_has() -> None:
    """A requirement that was overlooked would be missing in the environment."""
    assert pins_of(b"-r other.txt\ngit+https://example.invalid/x\n") == [
        Pin("-r other.txt", ""),
        Pin("git+https://example.invalid/x", ""),
    ]


def test_an_empty_lock_asks_for_nothing() -> None:
    assert pins_of(b"# nothing\n\n") == []


def test_what_the_record_names_and_the_newest_spares_are_kept() -> None:
    """A rollback has to find the tree, and a running worker its late imports."""
    deployed = ["a", "b", "c", "b", "d"]
    assert releases_to_keep({"x", "d"}, deployed, spare=2) == {"x", "d", "b"}
    assert releases_to_keep({"x"}, deployed, spare=0) == {"x"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.TreeDirty([f"f{n}" for n in range(7)]), "f4 and 2 more"),
        (errors.TreeDirty(["a.py"]), "commit or stash a.py;"),
        (errors.UnknownRef("v9", "here"), "git log"),
        (errors.NotARepository("here"), "-C"),
        (errors.RepositoryForeign("here", owner=1, user=2), "user"),
        (errors.SubmodulesPresent(["lib"]), "locked requirement"),
        (errors.LargeFilesPresent(["big"]), "git"),
        (errors.PathUnsafe("link", "it leads out"), "inside"),
        (errors.LockFileMissing("requirements.lock", "0" * 40), "--generate-hashes"),
        (errors.GitFailed("log", ""), "fsck"),
        (errors.ProgramMissing("git"), "install git"),
        (errors.EnvironmentFailed("uv failed", log="some.log", tail="why"), "some.log"),
        (errors.BuildBusy("lock", 3.0), "--abort"),
        (errors.ReleaseConflict("r", field="entry", found="a:b", wanted="c:d"), "entry"),
        (errors.HistoryBusy("lock"), "again"),
        (errors.HistoryUnreadable("file", "why"), "remove"),
        (errors.RequestMissing("d1"), "deploys"),
        (errors.TurnTimeout(3.0), "--abort"),
        (errors.DiskLacking("here", free_bytes=1 << 20, needed_bytes=2 << 20), "disk"),
    ],
)
def test_every_error_says_what_to_do_next(error: errors.DeployError, words: str) -> None:
    assert str(error)
    assert words in error.hint


def test_errors_carry_their_facts_in_their_text() -> None:
    assert "1 MiB free, a build needs 2 MiB" in str(
        errors.DiskLacking("here", free_bytes=1 << 20, needed_bytes=2 << 20)
    )
    assert "it said nothing" in str(errors.GitFailed("log", " \n"))
    assert str(errors.EnvironmentFailed("no", log="l", tail="last words")).endswith("last words")


def test_what_a_lock_pins_and_nobody_installed_is_named() -> None:
    """An installer's end says that it succeeded; what lies there proves it."""
    lock = LOCK + b"https://example.invalid/other.whl\n"
    assert absent(lock, ["Rich_Text-15.0.0.dist-info", "rich_text"]) == []
    assert absent(lock, ["rich.text-15.0.0.dist-info"]) == []
    assert absent(lock, ["rich_text", "rich-1.0.dist-info"]) == ["rich-text"]
    assert absent(lock, []) == ["rich-text"], "the condition of the other one may not hold here"
