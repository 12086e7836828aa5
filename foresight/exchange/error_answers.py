"""An answer in the venue's own words to whatever no handler answered.

Owns what becomes of unknown paths, unknown methods, bodies that are too long, and errors of ours.
Must never enter: what a handler refuses by itself, faults that are asked for.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from foresight.exchange.error_bodies import error_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_UNKNOWN: Final = -1000
_NOT_SERVED: Final = -1020
_ILL_FORMED: Final = -1100
_FAILED: Final = 500
_NO_SUCH: Final = frozenset({404, 405})

_log = logging.getLogger(__name__)


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return what a handler answers, or an error object where it does not."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return in_words(request, error)
    except ConnectionError:
        raise  # nobody is there to be answered
    except Exception:  # noqa: BLE001 - whatever it is, a client gets an answer it can read
        _log.exception("%s %s was not answered", request.method, request.path)
        text = "An unknown error occurred while processing the request."
        return web.json_response(error_body(request.path, _UNKNOWN, text), status=_FAILED)


def in_words(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return the answer to what no handler took: an unknown path, a body that is too long."""
    code = _NOT_SERVED if error.status in _NO_SUCH else _ILL_FORMED
    text = "This operation is not supported." if code == _NOT_SERVED else error.reason
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    body = error_body(request.path, code, text)
    return web.json_response(body, status=error.status, headers=headers)
