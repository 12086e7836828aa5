"""The demonstration: deploys and faults under load, and a proof counted from outside.

    python -m foresight.demo [--replay DIR] [--quick] [--json FILE]

It clones the project, lets the real `foresight` command run it on the local exchange, changes
its strategy, deploys releases that fail, kills the owner, and counts what came of it. The
production code knows nothing of it: whatever reports or fails is committed to the clone.
"""
