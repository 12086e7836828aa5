"""What an account holds: its cash, its shares, and what a trade does to both.

Owns the arithmetic of buying, selling, being paid, and of a trade that is taken back. All amounts
are whole micro-USDC and micro-shares.

Must never enter: orders, entries of any file, decisions.
"""

import msgspec

from foresight.exchange.ledger.prediction_entries import Fill, Terms


class Position(msgspec.Struct):
    """Shares of one token in one account.

    `cost_micro` is what the shares still held were bought for, without fees; `paid_micro` and
    `fee_micro` are totals since the position began; `realized_micro` is profit without fees.
    """

    token: str
    slug: str
    outcome: str
    wallet: str
    size_micro: int = 0
    cost_micro: int = 0
    bought_micro: int = 0
    fee_micro: int = 0
    realized_micro: int = 0
    closed_ns: int = 0


class Account(msgspec.Struct):
    """One owner: cash, open positions by token, and closed ones."""

    id: str
    balance_micro: int
    positions: dict[str, Position]
    closed: list[Position]


def trade(account: Account, terms: Terms, fill: Fill) -> int:
    """Take a trade in.

    Args:
        account: Changed.
        terms: What was asked for.
        fill: What was got.

    Returns:
        What the shares that were sold had cost; 0 for a buy.
    """
    position = account.positions.get(terms.token)
    if position is None:
        position = Position(terms.token, terms.slug, terms.outcome, terms.wallet)
        account.positions[terms.token] = position
    position.fee_micro += fill.fee_micro
    sold_micro = 0
    if terms.is_buy:
        account.balance_micro -= fill.cash_micro + fill.fee_micro
        position.size_micro += fill.size_micro
        position.cost_micro += fill.cash_micro
        position.bought_micro += fill.size_micro
    else:
        account.balance_micro += fill.cash_micro - fill.fee_micro
        sold_micro = _reduce(position, size_micro=fill.size_micro, income_micro=fill.cash_micro)
    _close_empty(account, position, fill.wall_ns)
    return sold_micro


def take_back(account: Account, terms: Terms, fill: Fill, *, sold_micro: int, wall_ns: int) -> None:
    """Undo a trade, whatever was bought and sold since.

    Args:
        account: Changed.
        terms: As for `trade`.
        fill: As for `trade`.
        sold_micro: What `trade` returned.
        wall_ns: When.
    """
    position = _reopened(account, terms.token)
    position.fee_micro -= fill.fee_micro
    if terms.is_buy:
        account.balance_micro += fill.cash_micro + fill.fee_micro
        position.size_micro -= fill.size_micro
        position.bought_micro -= fill.size_micro
        position.cost_micro -= fill.cash_micro
    else:
        account.balance_micro -= fill.cash_micro - fill.fee_micro
        position.size_micro += fill.size_micro
        position.cost_micro += sold_micro
        position.realized_micro -= fill.cash_micro - sold_micro
    if position.cost_micro < 0 or not position.size_micro:
        # Others of its shares were sold meanwhile, at the mean cost of all: it was wrong by this.
        position.realized_micro -= position.cost_micro
        position.cost_micro = 0
    _close_empty(account, position, wall_ns)


def pay(account: Account, token: str, *, payout_micro: int, wall_ns: int) -> None:
    """Give an account what its shares of a token turned out to be worth; the shares are gone."""
    position = account.positions[token]
    account.balance_micro += payout_micro
    _reduce(position, size_micro=position.size_micro, income_micro=payout_micro)
    _close_empty(account, position, wall_ns)


def _reduce(position: Position, *, size_micro: int, income_micro: int) -> int:
    cost = position.cost_micro * size_micro // position.size_micro
    position.size_micro -= size_micro
    position.cost_micro -= cost
    position.realized_micro += income_micro - cost
    return cost


def _reopened(account: Account, token: str) -> Position:
    position = account.positions.get(token)
    if position is None:  # the sale that is taken back was of the last shares
        position = next(one for one in reversed(account.closed) if one.token == token)
        account.closed.remove(position)
        account.positions[token] = position
        position.closed_ns = 0
    return position


def _close_empty(account: Account, position: Position, wall_ns: int) -> None:
    if position.size_micro:
        return
    position.closed_ns = wall_ns
    if position.bought_micro:  # otherwise nothing that was bought held: there never was one
        account.closed.append(position)
    del account.positions[position.token]
