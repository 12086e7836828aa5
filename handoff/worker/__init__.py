"""The worker: owner, candidate or standby, by what the record says."""
