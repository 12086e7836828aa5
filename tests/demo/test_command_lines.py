"""Every command line of the documents is typed in a fresh project, or listed with its reason.

Who follows a document types what stands in it. A line that ends with an error, or names an option
that is gone, stops a reader at the worst place.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from docs.command_lines import ROOT, command_lines, documents, of_text
from docs.typed import environment_of, typed
from foresight.cli.main import cli
from foresight.exchange.market.table_files import TABLES
from handoff.__main__ import main as handoff_main
from tests.demo.typed_lines import ELSEWHERE, LISTED, SCRIPTS, STORY, TOLD
from tests.recordings import write_recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.demo.typed_lines import Line

pytestmark = pytest.mark.timeout(400)
LINE_S_MAX: Final = 120.0
WHERE: Final = "where.txt"
STEP: Final = '{{ {command}\n}}; code=$?; pwd > "$WHERE"; exit $code'


# --- each line has its place -------------------------------------------------------


def typed_here() -> set[str]:
    return {line.shown for script in SCRIPTS.values() for line in script if line.shown}


def told() -> dict[str, list[str]]:
    """Return the documents that show each line, but for those that only tell."""
    found: dict[str, list[str]] = {}
    for document, text in command_lines():
        if document != STORY and document not in TOLD:
            found.setdefault(text, []).append(document)
    return found


def test_every_line_is_typed_here_or_elsewhere_or_listed() -> None:
    known = typed_here() | set(LISTED) | {line for lines in ELSEWHERE.values() for line in lines}
    assert {text: where for text, where in told().items() if text not in known} == {}


def test_no_line_stands_here_that_no_document_shows() -> None:
    assert typed_here() - told().keys() == set()
    assert LISTED.keys() - told().keys() == set()
    assert LISTED.keys() & typed_here() <= {"make test"}, (
        "ours takes long, a new project's does not"
    )
    assert [name for name in (*ELSEWHERE, STORY, *TOLD) if not (ROOT / name).exists()] == []


def test_what_is_a_line_is_found_wherever_it_stands() -> None:
    page = (
        "`foresight status` is not `foresight`.\n\n    make run      # says\n\n"
        "```console\n$ cd x && y   # z\nout\n```\n```yaml\n    - run: make -C a b\n```\n"
        "foresight -> deploy, `FORESIGHT_A_B=1 foresight up` and `deploy`\n"
    )
    assert of_text(page) == [
        "foresight status",
        "make run",
        "cd x && y",
        "make -C a b",
        "FORESIGHT_A_B=1 foresight up",
    ]
    assert {"README.md", "docs/ci.md", "foresight/template/README.md"} <= {
        path.relative_to(ROOT).as_posix() for path in documents()
    }


# --- typed in a fresh project ------------------------------------------------------


def fresh(place: Path) -> dict[str, str]:
    """Prepare a reader's place; return the variables of the reader's shell."""
    place.mkdir()
    vi = place / "bin" / "vi"  # an editor that adds a comment
    vi.parent.mkdir()
    vi.write_text('#!/bin/sh\necho "# edited" >> "$1"\n', encoding="utf-8")
    vi.chmod(0o755)
    (place / ".gitconfig").write_text("[init]\ndefaultBranch = main\n", encoding="utf-8")
    shutil.copytree(ROOT / "examples", place / "examples")
    (place / WHERE).write_text(str(place), encoding="utf-8")
    environment = environment_of(place)
    return environment | {
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place / "config"),
        "PATH": f"{vi.parent}:{environment['PATH']}",
        "PROJECT": str(place / "my-bot"),
        "WHERE": str(place / WHERE),
    }


def where(place: Path) -> Path:
    return Path((place / WHERE).read_text(encoding="utf-8").strip())


def wrong(line: Line, place: Path, environment: dict[str, str]) -> str:
    """Type a line where the one before ended; return what is wrong with how it went."""
    if line.serves:
        return served(line, where(place), environment)
    code, said = typed(STEP.format(command=line.command), where(place), environment)
    return "" if code == line.code else f"$ {line.command}\n{said}exit code {code}"


def served(line: Line, directory: Path, environment: dict[str, str]) -> str:
    """Start what goes on; end it once it has said something."""
    shell = ["/bin/sh", "-c", f"exec {line.command}"]
    with subprocess.Popen(  # noqa: S603, TID251 - our own program, and it is ended here
        shell, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.terminate()
        code = process.wait(LINE_S_MAX)
    return "" if said and code in {0, -signal.SIGTERM} else f"$ {line.command}\n{said!r}: {code}"


def followed(script: Sequence[Line], place: Path) -> str:
    """Type a script in a fresh place; return what went wrong first, and stop what runs."""
    environment = fresh(place)
    try:
        for line in script:
            if line.shown.startswith("git switch -c"):
                recorded(place / "my-bot")
            said = wrong(line, place, environment)
            if said:
                return said
        return ""
    finally:
        for command in ("foresight down", "handoff down --app news", "handoff down --app chat"):
            typed(command, where(place), environment)


def recorded(project: Path) -> None:
    """Put what a download would have brought where the project looks for it."""
    write_recording(project / "candles", minutes=240)
    shutil.copy(TABLES / "synthetic.json", project)


def test_every_line_ends_as_a_reader_expects(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(SCRIPTS)) as readers:
        begun = {
            name: readers.submit(followed, script, tmp_path / f"a {name}")
            for name, script in SCRIPTS.items()
        }
        assert {name: each.result() for name, each in begun.items() if each.result()} == {}


# --- and where it is not typed, it is understood -----------------------------------


OURS: Final = {"bench", "docs", "tests"}  # programs of this tree: their options stand in the code


def help_of(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the called program says of itself."""
    match words:
        case ["foresight", *rest]:
            said = of_click(rest)
        case ["python", "-m", "handoff"]:
            said = ""
        case ["handoff", command, *_] | ["python", "-m", "handoff", command, *_]:
            with pytest.raises(SystemExit) as ended:
                handoff_main([command, "--help"])
            assert ended.value.code == 0
            said = capsys.readouterr().out
        case ["make", *rest]:
            said = of_make(rest)
        case ["python", "-m", module, *_]:
            path = ROOT / module.replace(".", "/")
            file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
            said = file.read_text(encoding="utf-8")
        case _:
            pytest.fail(f"what is {words}?")
    return said


def is_ours(words: Sequence[str]) -> bool:
    if words[:2] == ["python", "-m"]:
        return words[2].partition(".")[0] in {"handoff", *OURS}
    return words[0] in {"foresight", "handoff", "make"}


def of_click(words: Sequence[str]) -> str:
    command: click.Command = cli
    said = [click.Context(cli).get_help()]
    for before, word in pairwise(["", *words]):
        if isinstance(command, click.Group) and not f"{before} {word}".lstrip().startswith("-"):
            assert word in command.commands, word
            command = command.commands[word]
            said.append(click.Context(command, info_name=word).get_help())
    return "\n".join(said)


def of_make(words: Sequence[str]) -> str:
    """Return the Makefiles that have the target; what is set must be used in them."""
    target, *settings = words[2:] if words[0] == "-C" else words
    texts = [(ROOT / place / "Makefile").read_text(encoding="utf-8") for place in MAKEFILES]
    having = [text for text in texts if re.search(rf"^{target}:", text, re.MULTILINE)]
    assert having, f"no target {target}"
    for setting in settings:
        name = setting.partition("=")[0]
        assert any(f"$({name})" in text or f"$(if $({name})" in text for text in having), name
    return "\n".join(having)


MAKEFILES: Final = (".", "foresight/template")
OPTION: Final = re.compile(r"--[a-z][a-z-]+|-[a-zA-Z]")
TO_PARSE: Final = sorted({text for _, text in command_lines()} - typed_here())


@pytest.mark.parametrize("text", TO_PARSE)
def test_what_is_not_typed_is_understood_by_its_program(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its command exists, and each of its options stands in what the command says of itself."""
    for part in re.split(r" && | \| ", text.replace("2>/dev/null", "")):
        words = shlex.split(part)
        while re.match(r"[A-Z][A-Z0-9_]*=", words[0]):
            del words[0]
        words = ["foresight", *words] if words[0] == "up" else words
        if is_ours(words):
            said = help_of(words, capsys)
            options = words[3:] if words[0] == "python" else words[1:]
            options = [] if words[0] == "make" else options
            assert [
                each for each in options if OPTION.fullmatch(each) and each not in said
            ] == [], part
