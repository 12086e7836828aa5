"""An application, loaded from its release.

Owns the way from a release's manifest to its workload: where it runs, what can be imported, and
what its factory is told. The process that loads one is a worker, or one end of a replay.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

from handoff.errors import EntryMissing, ReleaseUnusable
from handoff.workload import Context, Workload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from handoff.release_files import Manifest
    from state.record import Timeline


def load_workload(
    manifest: Manifest, *, home: Path, app: str, timeline: Timeline
) -> Workload[object, object]:
    """Import the application's factory from its release and call it.

    From here on this process runs in the release's tree and imports from it.

    Args:
        manifest: The release.
        home: The state directory.
        app: Name of the application, as in the record.
        timeline: How wall-clock time maps to application time.

    Raises:
        ReleaseUnusable: The entry is not `module:factory`.
        EntryMissing: That module has no such factory.
    """
    os.chdir(manifest.tree)
    sys.path[:] = [*manifest.paths, *(path for path in sys.path if path not in manifest.paths)]
    module_name, separator, factory_name = manifest.entry.partition(":")
    if not separator:
        message = f"entry {manifest.entry!r} is not module:factory"
        raise ReleaseUnusable(message)
    factory = _factory_of(importlib.import_module(module_name), factory_name, manifest.entry)
    return factory(
        Context(
            app=app,
            release=manifest.release,
            tree=manifest.tree,
            home=str(home),
            timeline=timeline,
        )
    )


def _factory_of(
    module: ModuleType, name: str, entry: str
) -> Callable[[Context], Workload[object, object]]:
    if not hasattr(module, name):
        import difflib  # noqa: PLC0415 - no worker that comes up needs it

        own = [each for each in vars(module) if not each.startswith("_")]
        near = difflib.get_close_matches(name, own, n=1)
        raise EntryMissing(entry, near=near[0] if near else "")
    factory: Callable[[Context], Workload[object, object]] = getattr(module, name)
    return factory
