"""A short form of `make page`: three deploys before a browser, and a standstill of each kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Final

import pytest

from tests.dashboard.chromium import PROGRAM
from tests.dashboard.serving import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_S: Final = 380.0
DEPLOYS: Final = 3
# What a machine with other work may make late; `make page` holds it to its times.
TIMES: Final = {"in time", "looked old", "page stopped", "all stopped", "launcher killed"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(LIMIT_S + 20),
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no git checkout"),
]


@pytest.fixture
def work() -> Iterator[str]:
    """A place with a short name: the browser has a socket there."""
    with tempfile.TemporaryDirectory(prefix="page") as place:
        yield place


def test_a_browser_sees_each_deploy_and_nobody_who_asks_is_refused(
    tmp_path: Path, work: str
) -> None:
    numbers = tmp_path / "numbers.json"
    words = ["--deploys", str(DEPLOYS), "--rounds", "1", "--json", str(numbers)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.dashboard.deploying", *words],
        check=False,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": work},
        text=True,
        timeout=LIMIT_S,
    )
    assert numbers.exists(), done.stdout + done.stderr
    found = json.loads(numbers.read_text(encoding="utf-8"))
    assert set(found["failed"]) <= TIMES, done.stdout
    assert len(found["shown_after_ms"]) == DEPLOYS
    assert found["asked"]["sent"] > 0
    assert found["loads"] == 0
    assert sorted(found["stood_ms"]) == ["all stopped", "launcher killed", "page stopped"]
    assert None not in [each for times in found["stood_ms"].values() for each in times]
