"""A timer in a fresh process and nothing else: what this machine gives anybody.

    python -m bench.bare_timer PERIOD_NS OFFSET_NS SKIP COUNT

Owns the comparison for the lateness of cycles: it starts as a new worker does, lets `SKIP`
instants pass, then waits for `COUNT` instants and prints how late it woke for each, one
number of nanoseconds a line. The first line is a fresh process's first, the others are its
ordinary ones.
"""

import sys
import time


def main(period_ns: int, offset_ns: int, skip: int, count: int) -> None:
    """Wait for the instants and print the lateness of each."""
    number = (time.time_ns() - offset_ns) // period_ns + 1 + skip
    late = []
    for each in range(number, number + count):
        instant_ns = each * period_ns + offset_ns
        while (left_ns := instant_ns - time.time_ns()) > 0:
            time.sleep(left_ns / 1e9)
        late.append(time.time_ns() - instant_ns)
    print("\n".join(map(str, late)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
