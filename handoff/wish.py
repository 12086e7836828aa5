"""What is wished of one deploy: one value, from the command line to the worker.

Owns its members, the default of each command with its reason, and its two spellings: the
options of a candidate's command line, and members of a flat JSON object (a request, what an
installation wants of its branch). An engine of another release reads both, so no name in them
changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

# Clean cycles before a release is permanent.
BAKE: Final = 5  # of a commit: what no gate can see mostly shows in the first cycles
BAKE_BY_HAND: Final = 3  # of a plain directory, or a simulation: somebody looks on and waits
BAKE_NONE: Final = 0  # of a rollback: it owned before, and the way back from it is what failed
REPLAY_CYCLES: Final = (
    500  # recorded cycles decided again: eight hours of minutes, decided in seconds
)
REPLAY_DIFFER_MAX: Final = 0.25  # a change on purpose differs now and then; docs/decisions.md
DIFFER_ANY: Final = 1.0  # of a worker that is told nothing: only a deployer knows the limit

# What a configuration can wish.
STANDING: Final = ("bake", "replay", "replay_differ_max", "trial")

KindT = TypeVar("KindT", bound=msgspec.Struct)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A program of the application that tries both releases before the new one is started.

    Attributes:
        program: Its module, run by the interpreter of the installation.
        arguments: What it is told, besides the home and the two releases.
        refuses: What it cannot find out is refused too; else the gate is skipped, and says why.
        words: What it does, for people.
    """

    program: str
    arguments: tuple[str, ...] = ()
    refuses: bool = False
    words: str = ""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wishes of a deploy, whatever release it is about.

    Attributes:
        bake: Clean cycles before it is permanent; 0 means at once.
        replay: How many recorded cycles are decided again first; 0 leaves that out.
        replay_differ_max: Largest share that may be decided otherwise, of them and of those
            that a shadow decides, 0 to 1.
        allow_differences: They may differ as they like: somebody looked.
        shadow: Live cycles to decide beside the owner first; 0 for none.
        irreversible: It may bring what the running release cannot read; then nothing bakes.
        trial: What tries both releases first; None leaves that out.
    """

    bake: int = BAKE
    replay: int = REPLAY_CYCLES
    replay_differ_max: float = REPLAY_DIFFER_MAX
    allow_differences: bool = False
    shadow: int = 0
    irreversible: bool = False
    trial: Trial | None = None

    @property
    def cycles_to_bake(self) -> int:
        """Clean cycles that it will bake: a bake is a way back, and there may be none."""
        return 0 if self.irreversible else self.bake

    @property
    def differ_max(self) -> float:
        """Largest share of cycles that may come out otherwise, 0 to 1."""
        return DIFFER_ANY if self.allow_differences else self.replay_differ_max


def options_of(wish: Wish) -> list[str]:
    """Return what a candidate is started with; an engine that knows no option gets none."""
    shadow = ["--shadow", str(wish.shadow), "--differ-max", str(wish.differ_max)]
    irreversible = ["--irreversible"] if wish.irreversible else []
    return [*(shadow if wish.shadow else []), *irreversible]


def declare_options(parser: argparse.ArgumentParser) -> None:
    """Let a worker's command line take what `options_of` returns."""
    parser.add_argument("--shadow", type=int, default=0)
    parser.add_argument("--differ-max", type=float, default=DIFFER_ANY)
    parser.add_argument("--irreversible", action="store_true")


def wish_of_options(arguments: argparse.Namespace) -> Wish:
    """Return the wish that parsed options spell, as far as a worker has a part in it."""
    return Wish(
        shadow=arguments.shadow,
        replay_differ_max=arguments.differ_max,
        irreversible=arguments.irreversible,
    )


def flat_json(asked: msgspec.Struct, *, members: Collection[str] = Wish.__struct_fields__) -> bytes:
    """Return a struct with a `wish` as one JSON object, the wish's members among its own.

    Args:
        asked: The struct.
        members: Members of the wish that are written.
    """
    plain: dict[str, Any] = msgspec.to_builtins(asked)
    wish: dict[str, Any] = plain.pop("wish")
    if wish["trial"] is None:
        del wish["trial"]  # the very members of release 0.2.0
    return msgspec.json.encode(plain | {name: wish[name] for name in members if name in wish})


def from_flat_json(data: bytes, kind: type[KindT]) -> KindT:
    """Return the struct with a `wish` that a flat JSON object spells; unknown members are ignored.

    Raises:
        MsgspecError: It is no such object.
    """
    plain = msgspec.json.decode(data, type=dict[str, Any])
    return msgspec.convert({**plain, "wish": plain}, type=kind)
