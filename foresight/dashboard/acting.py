"""Acting by way of the page: a request goes in, the command runs, its own words come out.

Owns when nobody may act, that one act runs at a time, and how an exit code becomes an answer. The
command checks under the record's lock that all is as it was shown, and says who asked; what it does
is its own matter.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from aiohttp import web

from foresight.dashboard.acts import ActUnknown, Request, request_in, words_of
from foresight.shown import Asked
from handoff.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACT: Final = "/act"
COMMAND_S_MAX: Final = 60.0  # none of them waits for a cycle; a busy machine starts one in seconds
SAID_CHARS_MAX: Final = 2000
READS_ONLY: Final = "this page only reads; `[engine] page_control = true` lets it act after `up`"
STATUS: Final[Mapping[int, int]] = {
    ExitCode.DONE: 200,
    ExitCode.USAGE: 400,
    ExitCode.REFUSED: 409,
    ExitCode.ANOTHER: 409,
    ExitCode.NOT_RUNNING: 503,
}


class Controls(NamedTuple):
    """By what a page acts.

    Attributes:
        config: Configuration of the installation.
        program: The interpreter that has the installation's own commands.
    """

    config: Path
    program: str


class Acting:
    """What acts for one page.

    Args:
        controls: By what; None for a page that only reads.
    """

    def __init__(self, controls: Controls | None) -> None:
        """Keep by what it acts."""
        self._controls = controls
        self._turn = asyncio.Lock()

    @property
    def is_on(self) -> bool:
        """Whether whoever brings the token may act."""
        return self._controls is not None

    async def answer(self, request: web.Request) -> web.Response:
        """Do what a request asks for, if it may; whose it is was checked before."""
        if self._controls is None:
            return said(403, READS_ONLY)
        if request.content_type != "application/json":
            return said(415, "an act is asked for in JSON")
        if self._turn.locked():
            return said(409, "another act is under way; nothing was done")
        try:
            asked = request_in(await request.read())
        except ActUnknown as error:
            return said(400, str(error))
        async with self._turn:
            code, words = await self._run(self._controls, asked, _peer_of(request))
        if code == ExitCode.DONE:
            return web.json_response({"done": words})
        return said(STATUS.get(code, 500), words or f"the command ended with {code}")

    @staticmethod
    async def _run(controls: Controls, request: Request, peer: str) -> tuple[int, str]:
        told = msgspec.json.encode(Asked(peer=peer, shown=request.shown)).decode()
        words = (controls.program, "-I", "-m", "foresight", "-c", str(controls.config))
        # Where the configuration lies is where the project is, whatever this process stands in.
        process = await asyncio.create_subprocess_exec(
            *words,
            *("--for-page", told),
            *words_of(request),
            cwd=controls.config.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(COMMAND_S_MAX):
                output, _ = await process.communicate()
        except TimeoutError:
            return ExitCode.TIMED_OUT, "the command did not end: see `foresight status`"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode(errors="replace").strip().removeprefix("error: ")
        return process.returncode or 0, text[-SAID_CHARS_MAX:]


def said(status: int, text: str) -> web.Response:
    """Return an answer that says why nothing was done."""
    return web.json_response({"error": text}, status=status)


def _peer_of(request: web.Request) -> str:
    name = request.transport.get_extra_info("peername") if request.transport is not None else None
    return f"{name[0]}:{name[1]}" if name else ""
