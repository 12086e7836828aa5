"""What an operator forbade on a cluster: the story fails where a host that took over ordered it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.trading_guards import LOCK, WORDS, Orders, counted
from tests.core.test_cluster_trading import kept, whole, wrong_in


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_whoever_took_over_did_not_keep_fails_it(word: str) -> None:
    found = whole()
    (index,) = (i for i, each in enumerate(found.guards) if each.word == word and each.took_over)

    def failed(**changes: Any) -> list[str]:  # noqa: ANN401 - members by their names
        guards = list(found.guards)
        guards[index] = guards[index]._replace(**changes)
        return wrong_in(found._replace(guards=guards))

    (words,) = failed(after=Orders(8, 5))
    assert words.startswith(f"{word}: south, which took over with it, sent 1 orders")
    (words,) = failed(stands=False)
    assert words.endswith("it did not stand there")
    (words,) = failed(took_over=False)
    assert words == f"2 words outlived a change of host (not {word})"
    guards = [each for each in found.guards if each.word != word]
    (words,) = wrong_in(found._replace(guards=guards))
    assert words == f"2 words outlived a change of host (not {word})"


def test_a_lock_beside_which_nothing_else_was_bought_proves_nothing() -> None:
    found = whole()
    guards = [*found.guards[:-1], kept(LOCK)._replace(after=Orders(7, 3))]
    (words,) = wrong_in(found._replace(guards=guards))
    assert words == "lock: south, which took over with it, sent 0 orders, 0 of what it leaves"


def test_orders_are_counted_for_everything_or_for_one_asset() -> None:
    slugs = ["btc-updown-5m-1", "eth-updown-5m-1", "btc-updown-15m-1", "btcx-updown-5m-1"]
    said = {"requests_received": 9, "orders": [{"slug": slug} for slug in slugs]}
    assert counted(said) == Orders(9, 0), "also what was refused"
    assert counted(said, "BTC") == Orders(2, 2)
