"""Bad releases that no gate of old saw, deployed for real: each is refused or comes back, and soon.

What counts is what an outside witness was told: no cycle missed, none doubled, and the next sound
release goes live at once. `make releases-bad` deploys each of them often.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import pytest

from handoff.rollout.table import Deploy, Phase
from tests.process.feeds import ENTRY, Fed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(900)]

LONG: Final = os.environ.get("RELEASES_BAD") == "1"
ROUNDS: Final = 5 if LONG else 1
SLOW_DEPLOYS: Final = 12 if LONG else 2
BAKE: Final = 5
SOON_S: Final = 15.0  # from the start of its worker
BAD: Final = {
    "refused": "Connect call failed",
    "missing": "FileNotFoundError",
    "over budget": "every(1, budget_s=0.75)",
    "name": "perform raised NameError",
    "slow": "3 cycles running took longer than the period",
}


def put(fed: Fed, tree: Path) -> tuple[Deploy, float]:
    """Deploy; return how it ended, and after how many seconds."""
    begun_s = time.monotonic()
    deploy = fed.deploy(tree, ENTRY, bake=BAKE)
    return deploy, time.monotonic() - begun_s


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_release_is_soon_gone_and_the_next_sound_one_goes_live(
    tmp_path: Path, fault: str
) -> None:
    """Each of these stayed live, and every later deploy waited behind it."""
    with Fed(tmp_path) as fed:
        fed.up()
        fed.wait_cycles(2)
        cannot_perform: set[str] = set()
        for number in range(ROUNDS):
            bad, seconds = put(fed, fed.release(f"bad-{number}", fault=fault))
            assert bad.phase in (Phase.REFUSED, Phase.RETURNED), fed.last_words()
            assert BAD[fault] in bad.reason, bad
            assert seconds < SOON_S + BAKE, f"{seconds:.1f} s: {bad}"
            cannot_perform |= {bad.release} if fault == "name" else set()
            good, _ = put(fed, fed.release(f"good-{number}"))
            assert good.phase is Phase.PERMANENT, (good, fed.last_words())
        fed.verify_nothing_lost(bad=cannot_perform)


def test_one_dead_feed_of_sixteen_for_both_returns_nothing(tmp_path: Path) -> None:
    with Fed(tmp_path) as fed:
        fed.up()
        fed.wait_cycles(2)
        fed.feed(15)
        fed.wait(lambda: fed.last_answered() == 15, "the dead feed")
        good, _ = put(fed, fed.release("good"))
        assert good.phase is Phase.PERMANENT, (good, fed.last_words())
        assert fed.last_answered() == 15
        fed.verify_nothing_lost()


def test_an_outage_for_both_releases_is_waited_out(tmp_path: Path) -> None:
    """No return before the limit; the bake ends well once the feeds answer."""
    outage_cycles = 20 if LONG else 6
    with Fed(tmp_path) as fed:
        fed.up()
        fed.wait_cycles(2)
        release = fed.snapshot(fed.release("good"), ENTRY).release
        driver = fed.driver(release, bake=BAKE)
        ended: list[Deploy] = []

        def moved(deploy: Deploy, _event: object, _before: Phase) -> None:
            if deploy.phase is Phase.BAKING and deploy.clean_cycles == 1 and not ended:
                ended.append(deploy)
                fed.feed(0)
                fed.wait_cycles(outage_cycles)
                assert fed.last_answered() == 0
                record = fed.record()
                assert record is not None
                assert record.rollout is not None
                assert record.rollout.clean_cycles <= 2
                fed.feed()

        driver._watcher = driver._watcher._replace(moved=moved)  # noqa: SLF001 - it waits in between
        deploy = driver.run()
        assert deploy.phase is Phase.PERMANENT, (deploy, fed.last_words())
        assert ended
        fed.verify_nothing_lost()


def test_an_outage_beyond_the_limit_returns_as_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDOFF_BAKE_OUTSIDE_S", "5")
    with Fed(tmp_path) as fed:
        fed.up()
        fed.wait_cycles(2)
        fed.feed(0)
        fed.wait(lambda: fed.last_answered() == 0, "the outage")
        deploy, _ = put(fed, fed.release("good"))
        assert deploy.phase is Phase.RETURNED, (deploy, fed.last_words())
        assert deploy.reason.startswith("outside: no inputs in"), deploy
        fed.feed()
        good, _ = put(fed, fed.release("better"))
        assert good.phase is Phase.PERMANENT, (good, fed.last_words())
        fed.verify_nothing_lost()


def test_a_worker_of_three_seconds_at_four_says_so_and_loses_nothing(tmp_path: Path) -> None:
    with Fed(tmp_path, period_s=4.0) as fed:
        fed.up(work_s=3.0, budget_s=3.3)
        fed.wait_cycles(2)
        for number in range(SLOW_DEPLOYS):
            tree = fed.release(f"slow-{number}", work_s=3.0, budget_s=3.3)
            deploy = fed.deploy(tree, ENTRY, bake=1)
            assert deploy.phase is Phase.PERMANENT, (deploy, fed.last_words())
        unsaid = fed.deploy(fed.release("unsaid", work_s=3.0), ENTRY, bake=1)
        assert unsaid.phase is Phase.REFUSED, (unsaid, fed.last_words())
        assert "every(4, budget_s=3)" in unsaid.reason
        fed.verify_nothing_lost()
