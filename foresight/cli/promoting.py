"""`deploy --promote`: the bake under way ends with its next clean cycle.

Owns what the command says of it; what is written, and when not, is the engine's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from foresight.cli.output import progress
from handoff.commands import promoting
from handoff.exit_codes import ExitCode

if TYPE_CHECKING:
    from foresight.cli.installation import Installation


def promote(installation: Installation, meant: promoting.Meant) -> int:
    """End a bake early, and say what that leads to.

    Args:
        installation: Whose.
        meant: Which bake.

    Raises:
        NotBaking: No release bakes.
        OtherBake: Another one does than the one that is meant.
        ShownChanged: It was asked of a page that showed another one.
        StateError: There is no record, or it cannot be used.
    """
    home = installation.home
    if installation.asked is not None:
        installation.require_shown()
        meant = promoting.Meant(**msgspec.structs.asdict(installation.asked.shown))
    record = promoting.promote(home, meant, by=installation.asker())
    progress(promoting.words_of(record, lacks=promoting.lacks_inputs(home, record)))
    return ExitCode.DONE
