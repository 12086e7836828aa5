"""A headless Chromium spoken to over a pipe: pages, pictures, what the page asked for.

The DevTools protocol over two pipes needs no driver and no dependency: JSON objects, each ended
by a zero byte (chromium.googlesource.com, --remote-debugging-pipe: read on 3, write on 4).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# What a browser does to a tab that is hidden, told to the page by hand: a headless one shows all.
HIDE: Final = """
Object.defineProperty(document, "hidden", { configurable: true, get: () => %s });
document.dispatchEvent(new Event("visibilitychange"));
"""
ANSWER_S: Final = 60.0  # on a busy machine, with a look at every element of a page


class Chromium:
    """One browser with one page; use it as a context manager.

    Attributes:
        asked: Addresses that the page asked for.
        complaints: Errors on its console, and scripts that failed.
        failed: Requests that failed, but for those that the page gave up itself.
        loads: How many documents were loaded.
    """

    def __init__(self, profile: Path) -> None:
        """Start it with a fresh profile."""
        assert PROGRAM is not None, "the caller has looked"
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]

        # The shell puts the pipes where the browser looks for them, and becomes the browser; by
        # way of numbers that neither of them can have yet.
        shell = f'exec 90<&{theirs_in} 91>&{theirs_out}; exec "$@" 3<&90 4>&91 90<&- 91>&-'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", shell, "sh", *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest = b""
        self._number = 0
        self._session = ""
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.failed: list[str] = []
        self.loads = 0

    def __enter__(self) -> Self:
        self._attach()
        return self

    def _attach(self) -> str:
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self._session

    @property
    def tab(self) -> str:
        """The tab that is spoken to; `go_to` comes back to it."""
        return self._session

    def add_tab(self) -> str:
        """Open another tab of the same browser, and speak to that one."""
        self._session = ""
        return self._attach()

    def go_to(self, tab: str) -> None:
        """Speak to a tab from now on."""
        self._session = tab

    def close_tab(self) -> None:
        """Close the tab that is spoken to."""
        self.call("Page.close")

    def __exit__(self, *_: object) -> None:
        os.close(self._out)  # it ends with its pipe
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def call(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON members
        """Ask the browser something and return its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            answer = self._hear(deadline_s)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def screen(self, width: int, height: int, *, calm: bool = False, scheme: str = "dark") -> None:
        """Pretend to be a screen of that size; below 600 pixels a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=width < 600,
        )
        wishes = {
            "prefers-reduced-motion": "reduce" if calm else "",
            "prefers-color-scheme": scheme,
        }
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, address: str) -> None:
        """Go to an address and wait until the page is connected."""
        self.call("Page.navigate", url="about:blank")  # what follows a `#` alone loads nothing
        self.call("Page.navigate", url=address)
        self.expect_that("window.foresight && document.querySelector('[data-region=footer] a')")

    def value(self, script: str) -> Any:  # noqa: ANN401 - whatever the script returns
        """Return what a script evaluates to."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def promised(self, script: str) -> Any:  # noqa: ANN401 - whatever the promise gives
        """Return what a script's promise gives."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def expect_that(self, script: str, *, limit_s: float = 10.0) -> None:
        """Wait until a script gives something true."""
        deadline_s = time.monotonic() + limit_s
        while not self.value(f"Boolean({script})"):
            assert time.monotonic() < deadline_s, f"never true: {script}"
            time.sleep(0.05)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def _hear(self, deadline_s: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline_s - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser is gone"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.asked.append(params["url"])
            case "Network.loadingFailed" if not params.get("canceled"):
                self.failed.append(f"{params['type']}: {params['errorText']}")
            case "Page.loadEventFired":
                self.loads += 1
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"])[:600])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                entry = params["entry"]
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}".rstrip())
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.complaints.append(json.dumps(params["args"])[:600])
