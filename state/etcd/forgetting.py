"""For whose account an application acts, asked and forgotten by an operator: it is left, or anew.

Owns that the account is forgotten in one transaction, which is refused while anybody owns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.etcd import account, wire
from state.etcd.keys import Keys
from state.etcd.session import Session

if TYPE_CHECKING:
    from state.etcd.address import Cluster


def forget_account(cluster: Cluster) -> bool:
    """Forget the account that an etcd names, unless somebody owns; tell whether it is forgotten.

    Raises:
        OutOfReach: Etcd did not answer.
    """
    keys, session = Keys(cluster.prefix), Session(cluster)
    transaction = account.forgetting(keys.account, keys.owner)
    try:
        return session.settle(transaction, session.patience_s).succeeded
    finally:
        session.close()


def require_account(cluster: Cluster, name: str) -> None:
    """Refuse an etcd whose record acts for another account; one of nobody's will do.

    Args:
        cluster: Where it is.
        name: Names the account of this host, perhaps empty.

    Raises:
        AccountOther: It does.
        OutOfReach: Etcd did not answer.
        EtcdRefuses: It does not let us ask.
    """
    keys, session = Keys(cluster.prefix), Session(cluster)
    try:
        found = session.read(wire.get(keys.account)).get(keys.account)
    finally:
        session.close()
    account.Account(keys.account, name).check(None if found is None else found.value)
