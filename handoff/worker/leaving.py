"""How a worker can leave, and the exit status that says so to its launcher."""

import enum

from state.errors import AccountOther, EtcdOlder, EtcdRefuses, StateError


class Leaving(enum.Enum):
    """Why a worker leaves; the value is its exit status."""

    DRAINED = 0  # asked to, or no part left
    FAILED = 1  # an error that it cannot go on with
    REFUSED = 3  # a gate refused it
    FAULTY = 4  # a bad cycle in its bake: the previous release goes on
    OUTSIDE = 5  # the outside world keeps it from getting warm: no fault of the release
    OLDER = 6  # the etcd was put back from a copy: nobody may decide until it is repaired
    OTHER = 8  # the record acts for another account than this host: nobody may be started here
    NO_ENTRY = 7  # its module has no such factory: no further start can do better


def leaving_for(error: StateError) -> Leaving:
    """Return why a worker leaves that cannot go on with its record."""
    match error:
        case EtcdOlder():
            return Leaving.OLDER
        case AccountOther():
            return Leaving.OTHER
        case EtcdRefuses():
            return Leaving.OUTSIDE  # what etcd allows whom is no matter of a release
        case _:
            return Leaving.FAILED
