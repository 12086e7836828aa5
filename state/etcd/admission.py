"""With which words an etcd lets a client in: those that their file says now.

Owns when the file is read again, and that words which etcd has refused are not tried in a loop: a
try costs a member some 70 ms of a processor, and each worker has several clients. What can be read
no more, or names other things than it did, changes nothing: an operator may be writing it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from state.errors import StateError
from state.etcd.credentials import read_credentials

if TYPE_CHECKING:
    from state.etcd.address import Cluster, Credentials

TRY_AGAIN_S: Final = 5.0  # with words that were refused: etcd may have learnt them meanwhile


class Admission:
    """The words of one client.

    Args:
        cluster: Where the etcd is; its words are those of the beginning.

    Attributes:
        cluster: The same with the words of now.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Begin with words that were not refused."""
        self.cluster = cluster
        self._refused: Credentials | None = None
        self._reason = ""
        self._again_s = 0.0

    def read_again(self) -> Credentials:
        """Return the words that the file says now; those of before where it says none."""
        held, source = self.cluster.credentials, self.cluster.source
        if source is None:
            return held
        try:
            found = read_credentials(source)
        except StateError:
            return held
        is_like = bool(found.ca) == bool(held.ca) and bool(found.user) == bool(held.user)
        if is_like:
            self.cluster = self.cluster._replace(credentials=found)
        return self.cluster.credentials

    def why_not(self) -> str:
        """Return why the words of now are not tried yet; empty where they may be."""
        is_refused = self.cluster.credentials == self._refused
        return self._reason if is_refused and time.monotonic() < self._again_s else ""

    def note_refused(self, reason: str) -> None:
        """Note that etcd refused the words of now, and why."""
        self._refused, self._reason = self.cluster.credentials, reason
        self._again_s = time.monotonic() + TRY_AGAIN_S
