"""Every page of a listing is read, and a listing that never ends is not."""

import pytest

from foresight.errors import AnswerUnreadable
from foresight.venues.pages import PAGES_MAX, by_cursor, by_offset

pytestmark = pytest.mark.asyncio


def rows(first: int, last: int) -> list[dict[str, str]]:
    return [{"id": str(number)} for number in range(first, last)]


async def test_pages_are_read_to_the_last_and_rows_of_two_pages_count_once() -> None:
    """A row that came in meanwhile moves the others on: they are seen again, not twice."""
    answers = {
        "": {"data": rows(0, 3), "next_cursor": "b"},
        "b": {"data": rows(2, 5), "next_cursor": "LTE="},
    }

    async def ask(cursor: str) -> object:
        return answers[cursor]

    assert await by_cursor(ask, what="trades") == rows(0, 5)


@pytest.mark.parametrize("last", [{"data": []}, {"data": [], "next_cursor": None}])
async def test_a_page_without_a_cursor_is_the_last(last: object) -> None:
    async def ask(cursor: str) -> object:
        assert cursor == ""
        return last

    assert await by_cursor(ask, what="trades") == []


async def test_a_listing_without_pages_is_taken_as_it_is() -> None:
    async def ask(cursor: str) -> object:
        assert cursor == ""
        return rows(0, 2)

    assert await by_cursor(ask, what="trades") == rows(0, 2)


async def test_rows_that_have_no_name_are_all_kept() -> None:
    """Whether they are rows at all is for the reader to say, who refuses them by name."""

    async def ask(cursor: str) -> object:
        assert cursor == ""
        return {"data": ["noise", {}, {}]}

    assert await by_cursor(ask, what="trades") == ["noise", {}, {}]


async def test_offsets_go_on_until_a_page_is_not_full() -> None:
    asked: list[int] = []

    async def ask(offset: int) -> object:
        asked.append(offset)
        return rows(offset, min(offset + 2, 4))

    assert await by_offset(ask, rows=2, name="id", what="positions") == rows(0, 4)
    assert asked == [0, 2, 4]


async def test_a_listing_that_never_ends_is_unreadable() -> None:
    """A cursor that leads back would keep a cycle busy for ever."""
    asked: list[object] = []

    async def ask(cursor: str) -> object:
        asked.append(cursor)
        return {"data": rows(0, 1), "next_cursor": "MA=="}

    async def ask_at(offset: int) -> object:
        return rows(offset, offset + 1)

    with pytest.raises(AnswerUnreadable, match="trades: more than 64 pages"):
        await by_cursor(ask, what="trades")
    assert len(asked) == PAGES_MAX
    with pytest.raises(AnswerUnreadable, match="positions: more than 64 pages"):
        await by_offset(ask_at, rows=1, name="id", what="positions")


@pytest.mark.parametrize("page", ["soon", {"data": "soon"}, None, {"next_cursor": "LTE="}])
async def test_a_page_that_is_none_is_unreadable(page: object) -> None:
    async def ask(cursor: str) -> object:
        assert cursor == ""
        return page

    async def ask_at(offset: int) -> object:
        assert offset == 0
        return page

    with pytest.raises(AnswerUnreadable):
        await by_cursor(ask, what="trades")
    with pytest.raises(AnswerUnreadable):
        await by_offset(ask_at, rows=2, name="id", what="positions")
