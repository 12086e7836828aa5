"""The page with every key of `foresight.toml`, made from the structs that read it.

Owns how type, range, unit, default and meaning are said. What a key means stands in the docstring
of its section; `docs/build.py` writes the page, and a test compares.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as types

from foresight.config import Board, Engine, Risk, Venue
from foresight.strategies.registry import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "engine": Engine,
    "board": Board,
    "venue": Venue,
    "risk": Risk,
}
INTRODUCTION: Final = """\
# Every key of `foresight.toml`

Drawn by `make docs` from [foresight/config.py](../foresight/config.py) and
[foresight/strategies](../foresight/strategies); changes belong there. Words are those of the
[glossary](glossary.md).

`[engine]` belongs to the running installation and is read at `foresight up`; everything else is
part of each release, so it is changed by a commit and a deploy. A key that is left out has its
default; one that nobody knows is refused, with the nearest name. What ran before comes up again
by its own release's file, however wrong this one is outside of `[engine]`; orders that want less
of a bot, such as `halt` and `down`, need no more of it than where the home is. `foresight doctor`
checks the file. Any key but `kind`, `live` and `wallet` of `[venue]` can be overridden by a
variable ([how](runbook.md#overriding-the-configuration)).
"""
STRATEGIES_BEGIN: Final = """\
## `[strategy.5m]`, `[strategy.15m]`, `[strategy.btc-5m]`

`name` chooses the strategy of a timeframe, or of one slot in the place of its timeframe's: one of
those below, or `module:Class` of your own project. A timeframe without a section stands aside. The
other keys are the strategy's parameters. Beside `tables` there may be `replay_tables`: the names
that are read in their place where the local exchange plays recorded candles.
"""
UNITS: Final = (  # by the end of a name: the unit comes last
    (r"_usdc$", "USDC"),
    (r"^backtest$", "days"),
    (r"^backtest_limit_cents$", "cents a window"),
    (r"_cents$", "cents a share"),
    (r"_s$|_seconds$", "seconds"),
    (r"_minutes(_min)?$", "minutes"),
    (r"_sigmas$", "standard deviations"),
    (r"_losses$", "losses"),
    (r"_fraction$|^health_drop$|_differ_max$", "share of 1"),
    (r"^bake$|^replay$|_every$", "cycles"),
    (r"^speed$", "times the clock"),
    (r"^requests_at_once$", "requests"),
    (r"^minute(_last)?$", "minutes of the window"),
    (r"_max_cents$", "cents a share"),
)


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for name, section in SECTIONS.items():
        parts += [f"## `[{name}]`\n", _purpose(section), table(section)]
    parts.append(STRATEGIES_BEGIN)
    for name, strategy in STRATEGIES.items():
        parts += [f"### `{name}`\n", _purpose_of_strategy(strategy), table(strategy)]
    return "\n".join(part for part in parts if part)


def table(section: type[msgspec.Struct]) -> str:
    """Return the keys of a section as a table, or nothing where it has none.

    Raises:
        KeyError: The docstrings do not say what a key means.
    """
    rows = list(_rows(section))
    if not rows:
        return ""
    head = ["| key | type | unit | default | meaning |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def _rows(section: type[msgspec.Struct]) -> Iterable[str]:
    known = meanings(section)
    info = types.type_info(section)
    assert isinstance(info, types.StructType)
    for field in info.fields:
        cells = (
            f"`{field.name}`",
            _type(field.type),
            unit_of(field.name) if _is_number(field.type) else "",
            _default(field.default),
            known[field.name],
        )
        yield f"| {' | '.join(cells)} |"


def meanings(section: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the docstrings of a struct and of its bases say of each attribute."""
    found: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        text = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")[2]
        for name, words in re.findall(r"^    (\w+): ((?:.|\n(?=     ))+)", text, re.MULTILINE):
            found[name] = " ".join(words.split()).replace("|", "\\|")
    return found


def unit_of(name: str) -> str:
    """Return the unit of a number by its name; empty for one that has none."""
    return next((unit for pattern, unit in UNITS if re.search(pattern, name)), "")


def _purpose(section: type) -> str:
    first = inspect.cleandoc(section.__doc__ or "").partition("\n\nAttributes:")[0]
    words = " ".join(first.partition(": ")[2].split())
    return f"{words[0].upper()}{words[1:]}\n"


def _purpose_of_strategy(strategy: type) -> str:
    module = inspect.getmodule(strategy)
    assert module is not None
    first = inspect.cleandoc(module.__doc__ or "").partition("\n")[0]
    return f"{first}\n"


def _is_number(kind: types.Type) -> bool:
    parts = kind.types if isinstance(kind, types.UnionType) else (kind,)
    return any(isinstance(each, types.IntType | types.FloatType) for each in parts)


def _type(kind: types.Type) -> str:
    words: str
    match kind:
        case types.BoolType():
            words = "`true` or `false`"
        case types.IntType():
            words = f"whole number{_range(kind)}"
        case types.FloatType():
            words = f"number{_range(kind)}"
        case types.StrType():
            words = "text"
        case types.LiteralType():
            words = " or ".join(f"`{_toml(value)}`" for value in kind.values)
        case types.UnionType():
            kinds = [each for each in kind.types if not isinstance(each, types.NoneType)]
            words = " or ".join(_type(each) for each in kinds)
        case types.VarTupleType(item_type=types.StructType()):
            words = "names of files"  # a table of probabilities
        case types.VarTupleType():
            words = f"list of {_type(kind.item_type)}"
        case types.TupleType():
            words = "pairs of two numbers"
        case _:
            message = f"no words for {kind}"
            raise TypeError(message)
    return words


def _range(kind: types.IntType | types.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f", {_plain(kind.ge)} to {_plain(kind.le)}"
    if kind.gt is not None and kind.le is not None:
        return f", above {_plain(kind.gt)}, up to {_plain(kind.le)}"
    return ""


def _plain(number: float) -> str:
    """Return a number without a needless point or exponent."""
    return f"{number:,.0f}".replace(",", " ") if number == int(number) else str(number)


def _default(value: Any) -> str:  # noqa: ANN401 - whatever a field has
    if value is None:
        return "depends"
    return "none" if value is msgspec.NODEFAULT else f"`{_toml(value)}`"


def _toml(value: Any) -> str:  # noqa: ANN401 - whatever a field has
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple() | list():
            return f"[{', '.join(_toml(each) for each in value)}]"
        case _:
            return str(value)
