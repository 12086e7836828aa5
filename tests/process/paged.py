"""An installation with a page that its releases bring, each in its own way."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

from bench.installation import ROOT, environment
from handoff.launcher.edition_file import read_editions
from handoff.launcher.edition_rules import Known
from handoff.launcher.engine_config import Companion, EngineConfig, write_engine_config
from handoff.launcher.listeners import address_of, bind
from handoff.launcher.self_replacement import left_to
from handoff.plain import prepare_home
from handoff.rollout.table import Phase
from tests.process.hurt import ENTRY, Hurt

if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from types import TracebackType

PAGE: Final = "dashboard"
START_S_MAX: Final = 120.0  # of a page that yields to everybody on a busy machine
SERVES: Final = "from foresight.dashboard.__main__ import main\n\nraise SystemExit(main())\n"
SLOW: Final = f"import time\n\ntime.sleep(3)\n{SERVES}"
HANGS: Final = "import time\n\ntime.sleep(3600)\n"
ENDS: Final = "raise SystemExit('error: no such library')\n"
OLDER: Final = """import argparse

parser = argparse.ArgumentParser("page")
parser.add_argument("--home")
parser.add_argument("--fd")
parser.parse_args()
"""

# The launcher as it is, with as much patience as the test has.
PROGRAM: Final = """
import sys
import handoff.limits
handoff.limits.COMPANION_READY_S = float(sys.argv[1])
from handoff.launcher.process import main
raise SystemExit(main())
"""


class Paged(Hurt):
    """An installation whose launcher keeps a page; half a second a cycle.

    Attributes:
        port: Where the page is.
    """

    port = 0

    def paged(self, version: str, page: str = SERVES) -> Path:
        """Write the tree of a release with its page; return it."""
        tree = self.release(version)
        (tree / "paged.py").write_text(page, encoding="utf-8")
        return tree

    def begin(self, *, patience_s: float = START_S_MAX) -> str:
        """Start with a first release whose page serves; return that release."""
        prepare_home(self.home)
        first = self.snapshot(self.paged("v0"), ENTRY).release
        with bind("127.0.0.1:0") as listener:
            address = address_of(listener)
            self.port = int(address.rpartition(":")[2])
            words = ["--home", str(self.home), "--fd", "{fd}"]
            page = Companion(
                PAGE,
                (sys.executable, "-I", "-m", "foresight.dashboard", *words),
                listen=address,
                in_release=("paged", *words, "--release", "{release}"),
            )
            config = EngineConfig(app=self.app, first_release=first, companions=(page,))
            write_engine_config(self.home, config)
            self.launch({PAGE: listener}, patience_s=patience_s)
        self.wait_page_of(first)
        return first

    def launch(
        self, handed: dict[str, socket.socket] | None = None, *, patience_s: float = START_S_MAX
    ) -> None:
        """Start a launcher of this home."""
        with self.output.open("ab") as output:
            self.launcher = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(patience_s), str(self.home)],
                cwd=ROOT,
                env={**environment(), **left_to({}, handed or {})},
                pass_fds=[each.fileno() for each in (handed or {}).values()],
                stdout=output,
                stderr=output,
            )
        self._begun.append(self.launcher)

    def put_page(self, version: str, page: str = SERVES) -> str:
        """Deploy a release without a bake; return it."""
        release = self.snapshot(self.paged(version, page), ENTRY).release
        done = self.driver(release, bake=0).run()
        assert done.phase is Phase.PERMANENT, done
        return release

    def pages(self) -> list[dict[str, Any]]:
        """Return the pages that the launcher keeps."""
        return [each for each in self.children() if each["role"] == "companion"]

    def page_pid(self) -> int:
        """Return the pid of the page that serves."""
        return next((int(each["pid"]) for each in self.pages() if each["name"] == PAGE), 0)

    def wait_page_of(self, release: str) -> int:
        """Wait until the page of a release serves, and no other; return its pid."""
        wanted = [(PAGE, release, True)]
        self.wait(
            lambda: [(e["name"], e["release"], e["warm"]) for e in self.pages()] == wanted,
            f"the page of {release}",
            limit_s=START_S_MAX,
        )
        assert self.known() == Known(release, release)
        return self.page_pid()

    def known(self) -> Known:
        """Return what is written of the page."""
        return read_editions(self.home)[PAGE]

    def said(self, *events: str) -> list[dict[str, Any]]:
        """Return what the launchers said of these events."""
        lines = self.output.read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each["event"] in events]

    def ask_page(self) -> bytes:
        """Ask the page over a new connection; return what it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()
        finally:
            connection.close()


class Asking:
    """A plain client that asks fifty times a second, each time over a new connection."""

    def __init__(self, paged: Paged) -> None:
        self._paged = paged
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="asking")
        self.answers = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        due_s = time.monotonic()
        while not self._over.is_set():
            due_s += 0.02
            self._over.wait(max(0.0, due_s - time.monotonic()))
            try:
                self._paged.ask_page()
                self.answers += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
