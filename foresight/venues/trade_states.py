"""A venue's listing of trades, page by page: how far each has got, as soon as a page says it.

Owns how much of the listing is read. What a row says is `polymarket_answers`' matter.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing

from foresight.market import Stage
from foresight.venues import pages
from foresight.venues.polymarket_answers import read_stages


async def stages_of(
    wanted: Collection[str], ask: pages.AskByCursor
) -> AsyncIterator[dict[str, Stage]]:
    """Yield what each page says of trades; none is asked for once each of them was on one.

    Args:
        wanted: Their ids.
        ask: Asks for the page of a cursor; empty for the first, which has the newest.

    Raises:
        AnswerUnreadable: A page is none, or they do not end.
    """
    missing = set(wanted)
    async with aclosing(pages.each_by_cursor(ask, what="trades")) as listing:
        async for rows in listing:
            stages = read_stages(rows, wanted)
            yield stages
            missing -= stages.keys()
            if not missing:
                return
