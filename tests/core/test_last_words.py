"""What a program said last before it failed, as a reason quotes it.

It is all that a user sees of a program that ran elsewhere: a gate, a trial run of the launcher.
"""

from handoff.logs import WORDS_MAX, last_words


def test_an_error_is_quoted_without_its_mark_and_without_the_hint_below_it() -> None:
    """The hint is for who called that program; the reason is what went wrong."""
    said = b"Starting.\nerror: the record is damaged\nhint: restore it\n\n"
    assert last_words(said) == "the record is damaged"


def test_a_traceback_is_quoted_by_its_last_line() -> None:
    said = b"Traceback (most recent call last):\n  ...\nModuleNotFoundError: No module named 'x'\n"
    assert last_words(said) == "ModuleNotFoundError: No module named 'x'"


def test_silence_is_quoted_as_nothing() -> None:
    assert last_words(b"") == last_words(b"\n \n") == last_words(b"hint: look\n") == ""


def test_a_long_line_and_bytes_that_are_no_text_still_fit_into_a_reason() -> None:
    """A program that fails may write anything; the reason goes into files and tables."""
    assert len(last_words(b"x" * 10_000)) == WORDS_MAX
    assert last_words(b"error: \xff broke") == "� broke"


def test_of_a_traceback_the_line_of_the_release_is_named() -> None:
    """ "invalid syntax" alone sends its reader through every file that changed."""
    said = b"""Traceback (most recent call last):
  File "/usr/lib/python3.11/runpy.py", line 88, in run
  File "/var/lib/bot/releases/r1/tree/pack/strategy.py", line 12, in decide
    return json.loads("")
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
ValueError: Expecting value
"""
    assert last_words(said) == "ValueError: Expecting value (pack/strategy.py, line 12)"


def test_a_syntax_error_is_named_with_its_file() -> None:
    said = b"""Traceback (most recent call last):
  File "<string>", line 1, in <module>
  File "/var/lib/bot/releases/r1/tree/strategy.py", line 3
    def (
        ^
SyntaxError: invalid syntax
"""
    assert last_words(said) == "SyntaxError: invalid syntax (strategy.py, line 3)"


def test_of_a_long_path_the_folders_at_its_end_are_said_whole() -> None:
    """It began within a name, and looked like a place that is nowhere."""
    path = "/srv/" + "a-folder/" * 20 + "engine/strategies.py"
    said = f'Traceback (most recent call last):\n  File "{path}", line 4, in load\nValueError: x\n'
    words = last_words(said.encode())
    assert words.startswith("ValueError: x (.../a-folder/a-folder/")
    assert words.endswith("/engine/strategies.py, line 4)")


def test_an_error_that_says_its_own_line_is_given_no_other() -> None:
    """It was raised anew by whoever loads: that one's line is nobody's to mend."""
    said = b"""Traceback (most recent call last):
  File "/srv/engine/own_strategies.py", line 48, in _load
ConfigError: m:S cannot be loaded: NameError: x (m.py, line 3)
"""
    assert last_words(said) == "ConfigError: m:S cannot be loaded: NameError: x (m.py, line 3)"
