"""Forgetting for whose account an application acts, once it is left or begins anew.

Owns that one transaction: it is refused while anybody owns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.etcd import account
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
