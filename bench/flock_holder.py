"""One of two processes that hand a lock over, and nothing else.

    python -m bench.flock_holder DIRECTORY BYTES...

Owns the least that a takeover could be: wait for the lock in the kernel, write and fsync as
much as a seize does, say when that was done (nanoseconds, one line), hold the lock.
"""

import fcntl
import os
import sys
import time
from pathlib import Path

from bench.counted_files import Bare


def main(directory: Path, writes: list[int]) -> None:
    """Wait for the lock, write, say when, and hold it until killed."""
    bare = Bare(directory / str(os.getpid()), writes)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    print("waiting", flush=True)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    bare.write()
    print(time.time_ns(), flush=True)
    time.sleep(3600)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]])
