"""An etcd in memory: transactions, revisions and leases as the real one has them, and no server.

It knows what a store asks for and nothing else. A copy of it is a snapshot.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from msgspec.structs import replace

from state.etcd import wire

if TYPE_CHECKING:
    from collections.abc import Iterable


class LeaseMissing(Exception):
    """A key was to go with a lease that there is not; nothing changed."""


class KeyMissing(Exception):
    """The lease of a key was to change, and the key is not there; nothing changed."""


class ModelEtcd:
    """One cluster that never fails."""

    def __init__(self) -> None:
        self.revision = 1
        self.kept: dict[bytes, wire.KeyValue] = {}
        self.leases: set[int] = {0}

    def snapshot(self) -> ModelEtcd:
        return copy.deepcopy(self)

    def grant(self) -> int:
        lease = max(self.leases) + 1
        self.leases.add(lease)
        return lease

    def revoke(self, lease: int) -> None:
        self.leases.remove(lease)
        self.kept = {key: kv for key, kv in self.kept.items() if kv.lease != lease}
        self.revision += 1

    def apply(self, transaction: wire.Transaction) -> wire.TransactionAnswer:
        holds = all(map(self._holds, transaction.compare))
        steps = transaction.success if holds else transaction.failure
        for step in steps:
            self._check(step)
        if any(step.request_range is None for step in steps):
            self.revision += 1
        responses = tuple(wire.Response(response_range=self._step(step)) for step in steps)
        header = wire.Header(revision=self.revision)
        return wire.TransactionAnswer(header=header, succeeded=holds, responses=responses)

    def _holds(self, compare: wire.Compare) -> bool:
        kv = self.kept.get(compare.key)
        if compare.target == "MOD":
            return (kv.mod_revision if kv else 0) == compare.mod_revision
        if compare.target == "CREATE":
            created = kv.create_revision if kv else 0
            if compare.result == "GREATER":
                return created > (compare.create_revision or 0)
            return created == compare.create_revision
        return kv is not None and kv.value == compare.value

    def _check(self, step: wire.Operation) -> None:
        put = step.request_put
        if put is None:
            return
        if put.lease not in self.leases:
            raise LeaseMissing
        if put.ignore_value and put.key not in self.kept:
            raise KeyMissing

    def _step(self, step: wire.Operation) -> wire.RangeAnswer | None:
        if step.request_put is not None:
            self._put(step.request_put)
        if step.request_delete_range is not None:
            for key in [kv.key for kv in self._within(step.request_delete_range)]:
                del self.kept[key]
        if step.request_range is None:
            return None
        return wire.RangeAnswer(kvs=tuple(self._within(step.request_range)))

    def _put(self, put: wire.Put) -> None:
        there = self.kept.get(put.key)
        kv = wire.KeyValue(
            key=put.key,
            value=put.value,
            create_revision=there.create_revision if there else self.revision,
            mod_revision=self.revision,
            lease=put.lease,
        )
        self.kept[put.key] = replace(kv, value=self.kept[put.key].value) if put.ignore_value else kv

    def _within(self, wanted: wire.Range) -> Iterable[wire.KeyValue]:
        end = wanted.range_end or wanted.key + b"\0"
        found = [self.kept[key] for key in sorted(self.kept) if wanted.key <= key < end]
        return found[: wanted.limit or None]
