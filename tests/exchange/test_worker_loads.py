"""What a worker has in memory is what its release decides with, and no market of our own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from foresight.overrides import EXCHANGE_URL
from foresight.project import ENTRY
from handoff.release_files import Manifest

ROOT = Path(__file__).parents[2]
# Everything that a worker does before it asks who owns; what it has loaded by then is printed.
WORKER = """
import json, sys
from pathlib import Path
from handoff.release_files import Manifest
from handoff.worker import process
from state.record import Timeline

manifest = Manifest(*json.loads(sys.argv[1]))
process.load_workload(
    manifest, home=Path(sys.argv[2]), app="foresight", timeline=Timeline(speed=60)
)
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by_a_worker(tree: Path, home: Path) -> set[str]:
    """Return the modules of a process that made its workload from a tree as a worker does."""
    manifest = Manifest(release="r1", entry=ENTRY, python=sys.executable, tree=str(tree))
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-I", "-c", WORKER, json.dumps(manifest), str(home)],
        check=True,
        capture_output=True,
        env=os.environ | {EXCHANGE_URL: "http://127.0.0.1:1"},
    )
    return set(json.loads(done.stdout))


def test_a_worker_of_the_demonstration_loads_no_exchange(tmp_path: Path) -> None:
    """The exchange is the other side: a trader that had it inside could look at its cards."""
    loaded = loaded_by_a_worker(ROOT, tmp_path)
    assert {"foresight.trader", "foresight.venues.local"} <= loaded
    assert {name for name in loaded if name.startswith("foresight.exchange")} == set()
