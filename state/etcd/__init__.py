"""The parts of a store in etcd: address, messages, keys, client, watch and lease.

Owns nothing itself; the store that puts them together is `state.etcd_store`.
"""
