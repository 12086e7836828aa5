"""A running bot acted on from its page: deploy, promotion, rollback and abort, by HTTP."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deploy import history
from foresight.page_link import page_token
from handoff.release_files import read_manifest, release_directory, write_manifest
from tests.dashboard.serving import Served
from tests.process.bot import Bot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(400)  # seven commands and three deploys on a busy machine

PATIENCE_S = 150.0


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with Bot(tmp_path) as running:
        running.up()
        yield running


@pytest.fixture
def page(bot: Bot, tmp_path: Path) -> Iterator[Served]:
    config = bot.project.path / "foresight.toml"
    config.write_text(f'[engine]\napp = "counted"\nhome = "{bot.home}"\nbake = 5000\n')
    with Served(bot.home, log=tmp_path / "log", words=("--control", str(config))) as served:
        yield served


def seen(page: Served) -> dict[str, Any]:
    view: dict[str, Any] = json.loads(page.get("/api/state")[1])
    return view


def act(page: Served, bot: Bot, name: str, about: str = "", **other: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
    """Ask for an act as a program does that shows what `/api/state` says."""
    view = seen(page)
    shown = {
        "deploy": view["deploying"]["deploy"] if view["deploying"] else "",
        "release": view["version"]["release"],
        "epoch": view["crew"]["epoch"],
    }
    host = page.address.removeprefix("http://").rstrip("/")
    headers = {"Authorization": f"Bearer {page_token(bot.home)}"}
    headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(host, timeout=100)
    try:
        body = json.dumps({"act": name, "about": about, "shown": shown | other})
        connection.request("POST", "/act", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def wait(met: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline_s, f"never came: {what}"
        time.sleep(0.1)


def owner(bot: Bot) -> str:
    record = bot.record()
    return record.ownership.release if record is not None else ""


def bakes(bot: Bot, page: Served) -> bool:
    """Tell whether a release bakes, and the page shows it."""
    record, shown = bot.record(), seen(page)["deploying"]
    return record is not None and record.rollout is not None and shown is not None


def wait_ended(bot: Bot, page: Served, number: int) -> None:
    """Wait until so many deploys have ended, and the page shows none under way."""
    wait(lambda: len(bot.deploys()) == number, "its line in the history")
    wait(lambda: seen(page)["deploying"] is None, "it is shown")


def test_a_running_bot_is_deployed_promoted_rolled_back_and_aborted(bot: Bot, page: Served) -> None:
    first = owner(bot)
    bot.project.version("2")
    status, said = act(page, bot, "deploy")
    assert (status, said.get("done", said)[:1]) == (200, "d"), "its id"
    wait(lambda: bakes(bot, page), "a bake")
    second = owner(bot)
    status, said = act(page, bot, "promote", second, epoch=1)
    assert (status, said["error"].startswith("the page showed ")) == (409, True)
    status, said = act(page, bot, "promote", second)
    assert (status, "the next clean cycle makes" in said["done"]) == (200, True), said
    wait_ended(bot, page, 1)
    assert owner(bot) == second, "it is permanent long before its 5000 cycles"
    status, said = act(page, bot, "promote", second)
    assert (status, said["error"].startswith("no release bakes")) == (409, True)
    assert act(page, bot, "rollback", first)[0] == 200
    wait_ended(bot, page, 2)
    assert owner(bot) == first
    bot.project.version("3")
    assert act(page, bot, "deploy")[0] == 200
    wait(lambda: bakes(bot, page), "a bake")
    assert act(page, bot, "abort")[0] == 200
    wait_ended(bot, page, 3)
    assert owner(bot) == first
    assert [each.outcome for each in bot.deploys()] == ["permanent", "permanent", "returned"]
    assert all(each.by.startswith("page, ") and ", 127.0.0.1:" in each.by for each in bot.deploys())
    never = f"{'0' * 12}-{'0' * 6}"
    release_directory(bot.home, never).mkdir()
    write_manifest(bot.home, read_manifest(bot.home, first)._replace(release=never))
    ended = {"release": never, "outcome": "refused", "boundary_ms": None, "cycle": None}
    history.finish(bot.home, replace(bot.deploys()[0], deploy="d0", **ended))
    status, said = act(page, bot, "rollback", never)
    assert (status, f"{never} never owned" in said["error"]) == (409, True), "no gate would look"
