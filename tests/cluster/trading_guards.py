"""What an operator forbade, and whether whoever owned kept it: by the exchange's own counts.

Owns the judgement; a word that no host took over with proves nothing. `judged` is pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOCK: Final = "lock"
WORDS: Final = ("halt", "pause", LOCK)


class Orders(NamedTuple):
    """How many orders had reached the exchange.

    Attributes:
        forbidden: Of what the word is about.
        others: Of everything else.
    """

    forbidden: int
    others: int


class Guard(NamedTuple):
    """An operator's word, while it was in force.

    Attributes:
        word: It.
        host: Who owned.
        took_over: Whether that host came to own while it was in force.
        stands: Whether it stood in that host's record.
        before: The orders when it was in force.
        after: The orders some cycles later.
    """

    word: str
    host: str
    took_over: bool
    stands: bool
    before: Orders
    after: Orders


def counted(ledger: Mapping[str, Any], asset: str = "") -> Orders:
    """Return how many orders reached an exchange.

    Args:
        ledger: Its own account.
        asset: What the word is about; empty for everything.
    """
    if not asset:
        return Orders(int(ledger["requests_received"]), 0)
    slugs = [str(each["slug"]) for each in ledger["orders"]]
    forbidden = sum(slug.startswith(f"{asset.lower()}-") for slug in slugs)
    return Orders(forbidden, len(slugs) - forbidden)


def judged(guards: Sequence[Guard]) -> Iterator[tuple[bool, str]]:
    """Yield for each word whether it was kept, and whether it outlived a change of host."""
    for each in guards:
        orders = each.after.forbidden - each.before.forbidden
        others = each.after.others - each.before.others
        # Where nothing at all was bought, nothing was kept from being bought.
        is_so = each.stands and not orders and (each.word != LOCK or others > 0)
        how = "which took over with it" if each.took_over else "which owned"
        beside = f", {others} of what it leaves" if each.word == LOCK else ""
        stood = "" if each.stands else ", and it did not stand there"
        yield is_so, f"{each.word}: {each.host}, {how}, sent {orders} orders{beside}{stood}"
    kept = {each.word for each in guards if each.took_over}
    missing = [word for word in WORDS if word not in kept]
    yield not missing, f"{len(kept)} words outlived a change of host{_without(missing)}"


def _without(missing: Sequence[str]) -> str:
    return f" (not {', '.join(missing)})" if missing else ""
