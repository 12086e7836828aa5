"""The account that an application acts for: one, on whichever host it is owned.

Owns what a first record and a change of owner require of the key `APP/account`. It has no lease: it
outlives everybody who owned. Where it is absent, whoever comes to own, or binds the owner's key to
another lease, writes it; where it names another account than one's own, nobody does either. What
it holds names an account, as a digest.
"""

from __future__ import annotations

from state.errors import AccountOther
from state.etcd import wire


class Account:
    """The account that one store's host acts for.

    Args:
        key: Where an etcd says which one it is.
        name: Names it; None for who never owns.

    Attributes:
        mine: The name as it is stored; None likewise.
    """

    def __init__(self, key: bytes, name: str | None) -> None:
        """Keep both."""
        self._key = key
        self.mine = None if name is None else name.encode()

    def claim(self, found: bytes | None) -> wire.Transaction:
        """Return what is compared and written besides by who comes to own.

        Args:
            found: What was read there; None where there is nothing.
        """
        return wire.Transaction() if self.mine is None else claim(self._key, found, self.mine)

    def check(self, found: bytes | None) -> None:
        """Refuse a record of another account.

        Raises:
            AccountOther: It is.
        """
        if self.mine is not None and is_another(found, self.mine):
            raise AccountOther(self._key.decode())


def claim(key: bytes, found: bytes | None, mine: bytes) -> wire.Transaction:
    """Return what is compared and written besides, by who comes to own.

    Args:
        key: Where the account is.
        found: What was read there; None where there is nothing.
        mine: The account that who comes to own acts for.
    """
    if found is None:
        return wire.Transaction(compare=(wire.at_revision(key, 0),), success=(wire.put(key, mine),))
    return wire.Transaction(compare=(wire.of_value(key, mine),))


def is_another(found: bytes | None, mine: bytes) -> bool:
    """Tell whether somebody's account stands there, and it is not one's own."""
    return found is not None and found != mine


def forgetting(key: bytes, owner: bytes) -> wire.Transaction:
    """Return the transaction that forgets the account, unless somebody owns.

    Args:
        key: Where the account is.
        owner: The key of the owner, which goes with its lease.
    """
    return wire.Transaction(compare=(wire.at_revision(owner, 0),), success=(wire.delete(key),))
