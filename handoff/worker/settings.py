"""What an installation tells its workers: a few numbers, in variables of the environment.

Owns their names, defaults and ranges. They travel in the environment and not as options, because
a worker of an older release ignores a variable and refuses an option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handoff.errors import HandoffError
from handoff.limits import BAKE_OUTSIDE_S, HEALTH_DROP

if TYPE_CHECKING:
    from collections.abc import Mapping

BAKE_OUTSIDE: Final = "HANDOFF_BAKE_OUTSIDE_S"
DROP: Final = "HANDOFF_HEALTH_DROP"
_BAKE_OUTSIDE_S_MAX: Final = 7 * 86_400.0


class SettingInvalid(HandoffError):
    """A variable of the environment says what no worker can follow."""

    hint = "correct [engine] in foresight.toml, or `environment` in run/engine.json"


class Settings(NamedTuple):
    """What an installation tells its workers.

    Attributes:
        bake_outside_s: Longest wait of a bake whose inputs fail although nobody else gets more.
        health_drop: How far a release's share of answers may lie below another's, 0 to 1.
    """

    bake_outside_s: float = BAKE_OUTSIDE_S
    health_drop: float = HEALTH_DROP


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Return what the environment says; what it does not say has its default.

    Raises:
        SettingInvalid: A value is no number, or out of range.
    """
    return Settings(
        bake_outside_s=_number(environment, BAKE_OUTSIDE, BAKE_OUTSIDE_S, _BAKE_OUTSIDE_S_MAX),
        health_drop=_number(environment, DROP, HEALTH_DROP, 1.0),
    )


def variables_of(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return the variables that say this."""
    return (
        (BAKE_OUTSIDE, f"{settings.bake_outside_s:g}"),
        (DROP, f"{settings.health_drop:g}"),
    )


def _number(environment: Mapping[str, str], name: str, default: float, most: float) -> float:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        message = f"{name} is {text!r}: it must be a number from 0 to {most:g}"
        raise SettingInvalid(message)
    return value
