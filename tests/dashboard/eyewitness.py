"""What a browser that looks at the page sees change, and when, noted within the page itself.

Owns the notes: each version that was shown, each time the page began or ceased to look old, and
the first word that the launcher is gone. A page that is loaded anew has none of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dashboard.chromium import Chromium

LOOK_S: Final = 0.05
_WATCH: Final = """
(() => {
  const root = document.documentElement;
  const seen = (window.seen = { versions: [], old: [], gone: 0 });
  const look = () => {
    const release = document.querySelector("[data-release]")?.dataset.release;
    if (release && seen.versions.at(-1)?.[0] !== release) {
      seen.versions.push([release, Date.now()]);
    }
    const isOld = root.classList.contains("old");
    if (isOld !== (seen.old.length % 2 === 1)) seen.old.push(Date.now());
    const banner = document.querySelector(".banner").textContent;
    const isGone = banner.includes("The launcher is gone");
    if (!isGone) seen.gone = 0;
    else if (!seen.gone) seen.gone = Date.now();
  };
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(look).observe(root, all);
  look();
})()
"""


class Seen(NamedTuple):
    """The notes; times are wall-clock milliseconds.

    Attributes:
        versions: Each release that was shown, and since when.
        old: When the page began to look old, ceased to, began again.
        gone: Since when it says that the launcher is gone; 0 if it does not.
    """

    versions: tuple[tuple[str, float], ...] = ()
    old: tuple[float, ...] = ()
    gone: float = 0.0


class Eyewitness:
    """Watches the page that a browser shows.

    Args:
        browser: It shows the page already.
    """

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        browser.value(_WATCH)

    def seen(self) -> Seen | None:
        """Return the notes; None if the page was loaded anew."""
        found = self._browser.value("window.seen")
        if found is None:
            return None
        return Seen(
            tuple((r, at) for r, at in found["versions"]), tuple(found["old"]), found["gone"]
        )

    def wait_old(self, *, is_old: bool, limit_s: float) -> float | None:
        """Wait until the page looks old, or no longer; return when that was, None if never."""

        def at_ms(seen: Seen) -> float:
            return seen.old[-1] if len(seen.old) % 2 == is_old and seen.old else 0.0

        return self._wait(at_ms, limit_s)

    def wait_gone(self, *, limit_s: float) -> float | None:
        """Wait until the page says that the launcher is gone; return when, None if never."""
        return self._wait(lambda seen: seen.gone, limit_s)

    def wait_version(self, release: str, *, limit_s: float) -> float | None:
        """Wait until a release is shown; return when, None if never."""
        return self._wait(lambda seen: dict(seen.versions).get(release, 0.0), limit_s)

    def _wait(self, when: Callable[[Seen], float], limit_s: float) -> float | None:
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            seen = self.seen()
            at_ms = when(seen) if seen is not None else 0.0
            if at_ms:
                return at_ms
            time.sleep(LOOK_S)
        return None
