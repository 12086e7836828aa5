"""A project's strategy sees the exchange's book and volumes, as a cycle's inputs keep them."""

import msgspec
import pytest
from typing_extensions import override

from foresight.board import Side
from foresight.book import Word
from foresight.market import Market
from foresight.strategies import Opinion, Silence, Strategy, WindowView
from tests.exchange.served import Running
from tests.exchange.traded import demo_config, driven

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


class Reader(Strategy, frozen=True, kw_only=True):
    """Asks for a book, and then says what it read in it."""

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        if view.side_asked is None:
            return self.opinion(Side.DOWN, 0.9)
        depth = view.depth_micro(1_000_000)
        is_traded = bool(view.volumes) and min(view.volumes) > 0
        return Silence(f"{view.side_asked.value} {view.ask_micro} {depth} {is_traded}")


async def test_a_strategy_reads_the_book_that_the_exchange_showed(running: Running) -> None:
    """Through the unmodified clients and the journal's own form of a cycle's inputs."""
    own = {"5m": {"name": f"{__name__}:Reader"}}
    config = msgspec.structs.replace(demo_config(), strategy=own)
    async with driven(running, config) as world:
        said = []
        for _ in range(6):  # of these minutes some are too early or too late to be asked in
            await world.step()
            inputs = world.inputs[-1]
            assert isinstance(inputs, Market)
            for slot_id, offer in inputs.offers.items():
                memory = world.body.slots[slot_id]
                depth = sum(level.size_micro for level in offer.asks)
                assert memory.word is Word.QUIET
                best = offer.asks[0].price_micro if offer.asks else None
                assert memory.reason == f"down {best} {depth} True"
                said.append(best)
        assert any(said), "somebody sold"
        assert world.planned == []
