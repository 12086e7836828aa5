"""What differs between two configurations, key by key.

Owns the comparison of two TOML texts. A value whose key names something secret is not shown: where
keys go is a file of their own, but nobody stops a project from writing one here.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

CHANGES_MAX: Final = 100  # keys; more than that is another configuration
SECRET: Final = re.compile(
    r"(?:^|[._-])(?:key|secret|token|password|passphrase|mnemonic)$", re.IGNORECASE
)
HIDDEN: Final = "***"
NONE: Final = "—"


class SettingsUnreadable(ValueError):
    """A configuration is no TOML."""


class SettingChange(NamedTuple):
    """One key, with what it said before and after; a dash where it was not there."""

    key: str
    before: str
    after: str


def changes_between(before: str, after: str) -> tuple[SettingChange, ...]:
    """Return the keys that differ, by their names; at most `CHANGES_MAX`.

    Raises:
        SettingsUnreadable: One of the texts is no TOML.
    """
    old, new = dict(_keys(_read(before))), dict(_keys(_read(after)))
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return tuple(
        SettingChange(key, _shown(key, old.get(key)), _shown(key, new.get(key)))
        for key in differing[:CHANGES_MAX]
    )


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsUnreadable(str(error)) from error


def _keys(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        key = f"{above}{name}"
        if isinstance(value, dict):
            yield from _keys(value, f"{key}.")
        else:
            yield key, value


def _shown(key: str, value: Any) -> str:  # noqa: ANN401 - whatever TOML can say
    if value is None:
        return NONE
    if SECRET.search(key):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
