"""Stand aside: trade nothing. The rule to compare every other one with."""

from typing import ClassVar

from typing_extensions import override

from foresight.strategies.base import Opinion, Silence, Strategy, WindowView


class StandAside(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`stand_aside`."""

    name: ClassVar[str] = "stand_aside"

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        del view
        return Silence("stands aside")
