"""The lease rules as a model without time: who is bound, who binds anew, who seizes, who sends.

Three rules stand beside those of one host (`docs/decisions.md`): an owner whose lease is gone binds
its key to another one, in a write that compares head and the key's absence; a follower on another
host seizes where the key is gone, in a write that compares both, and an overdue owner by the head
alone; either seize makes what is planned doubtful, unproven. The venue can only be asked by id.

A request may be late: a binding that nobody waits for any more arrives at any later moment.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from tests.model.search import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 2
CURRENT = 1
OLDER = -1


class Rules(NamedTuple):
    """The rules; each that is False, or True at the end, is a mutant.

    Attributes:
        binding_compares_head: A binding is refused once anybody wrote.
        binding_compares_key: A binding is refused where a key is bound.
        seize_compares_key: Who saw no key does not seize beside one.
        seize_compares_head: Nobody seizes from a record that was written since.
        seize_marks: A seize makes planned effects doubtful, unproven.
        holder_stops_first: A lease is over for its holder before it is for etcd.
        sends_by_lease: An effect is sent only by who has a lease.
        seize_binds: Who seizes has the key in the same write.
    """

    binding_compares_head: bool = True
    binding_compares_key: bool = True
    seize_compares_key: bool = True
    seize_compares_head: bool = True
    seize_marks: bool = True
    holder_stops_first: bool = True
    sends_by_lease: bool = True
    seize_binds: bool = True


class Worker(NamedTuple):
    """What one worker knows.

    Attributes:
        epoch: Of its ownership; 0 while it follows.
        lease: Its own; 0 for none.
        believes: It counts on that.
        seen: What it read before a write: (head, whether a key was bound, why), or nothing.
        sends: It was allowed to send, and has not yet.
        dead: It is.
    """

    epoch: int = 0
    lease: int = 0
    believes: bool = False
    seen: tuple[int, bool, str] | tuple[()] = ()
    sends: bool = False
    dead: bool = False


class State(NamedTuple):
    """Etcd, venue and workers.

    Attributes:
        epoch: Of the record.
        owner: Who it names.
        head: Number of the last commit.
        key: (worker, epoch, lease) that the owner's key says; empty while there is none.
        alive: Leases that etcd knows.
        fate: Of the one effect: "" before it is planned, planned, doubtful, confirmed or written.
        flying: Requests under way.
        executed: How often it was.
        late: Bindings under way: (worker, epoch, lease, head).
        workers: What each knows.
        left: How often something may yet go wrong: (crash, overdue, early end, late).
    """

    epoch: int
    owner: int
    head: int
    key: tuple[int, int, int] | tuple[()]
    alive: frozenset[int]
    fate: str
    flying: int
    executed: int
    late: tuple[tuple[int, int, int, int], ...]
    workers: tuple[Worker, ...]
    left: tuple[int, int, int, int]


def first(left: tuple[int, int, int, int]) -> State:
    """Return an owner with a lease, and a follower with its own.

    Args:
        left: How often something may go wrong: see `State`.
    """
    workers = tuple(
        Worker(epoch=1 if index == 0 else 0, lease=index + 1, believes=True)
        for index in range(WORKERS)
    )
    return State(
        epoch=CURRENT,
        owner=0,
        head=CURRENT,
        key=(0, 1, 1),
        alive=frozenset(range(1, WORKERS + 1)),
        fate="",
        flying=0,
        executed=0,
        late=(),
        workers=workers,
        left=left,
    )


def is_goal(state: State) -> bool:
    """Tell whether the effect has an end, or is carried as doubtful by an owner that may send."""
    owning = state.workers[state.owner]
    return state.fate in {"confirmed", "doubtful"} and owning.epoch == state.epoch


class _Next(NamedTuple):
    """A step before its numbers are made canonical."""

    words: str
    state: State
    broken: str = ""


class Model:
    """What may happen.

    Args:
        rules: Under which rules.
    """

    def __init__(self, rules: Rules) -> None:
        """Keep them."""
        self._rules = rules

    def steps(self, state: State) -> Iterator[Step]:
        """Yield everything that may happen next."""
        for words, following, broken in self._steps(state):
            yield Step(words, _canonical(following), broken)

    def _steps(self, state: State) -> Iterator[_Next]:
        yield from self._venue(state)
        yield from self._etcd(state)
        for index, worker in enumerate(state.workers):
            if worker.dead:
                yield _Next(f"w{index} starts again", _with(state, index, Worker()))
                continue
            yield from self._any(state, index, worker)
            if worker.epoch:
                yield from self._owner(state, index, worker)
            else:
                yield from self._follower(state, index, worker)

    def _venue(self, state: State) -> Iterator[_Next]:
        if state.flying:
            executed = state.executed + 1
            broken = "executed twice" if executed > 1 else ""
            if state.fate == "written":
                broken = "executed after it was written off"
            after = state._replace(flying=state.flying - 1, executed=min(executed, 2))
            yield _Next("the venue executes it", after, broken)

    def _etcd(self, state: State) -> Iterator[_Next]:
        for lease in sorted(state.alive):
            held = any(each.lease == lease and each.believes for each in state.workers)
            crash, overdue, early, late = state.left
            if not held or not self._rules.holder_stops_first:
                yield _Next(f"lease {lease} ends", _without(state, lease))
            elif early:
                left = (crash, overdue, 0, late)
                gone = _without(state._replace(left=left), lease)
                yield _Next(f"lease {lease} ends early", gone)
        for each in state.late:
            rest = tuple(other for other in state.late if other != each)
            yield self._bound(state._replace(late=rest), each, "a late binding arrives")

    def _any(self, state: State, index: int, worker: Worker) -> Iterator[_Next]:
        crash, overdue, early, late = state.left
        if crash:
            dead = _with(state, index, Worker(dead=True))
            yield _Next(f"w{index} dies", dead._replace(left=(0, overdue, early, late)))
        if worker.believes:
            yield _Next(
                f"w{index} hears nothing for as long as its lease",
                _with(state, index, worker._replace(believes=False)),
            )
        elif worker.lease in state.alive:
            yield _Next(f"w{index} renews", _with(state, index, worker._replace(believes=True)))
        else:
            lease = _unused(state)
            granted = state._replace(alive=state.alive | {lease})
            after = worker._replace(lease=lease, believes=True, seen=())
            yield _Next(f"w{index} gets lease {lease}", _with(granted, index, after))

    # --- an owner ------------------------------------------------------------------

    def _owner(self, state: State, index: int, worker: Worker) -> Iterator[_Next]:
        mine = (state.owner, state.epoch) == (index, worker.epoch)
        if not mine and not worker.sends:
            lost = worker._replace(epoch=0, seen=())
            yield _Next(f"w{index} sees that it owns no more", _with(state, index, lost))
        if worker.sends:
            sent = _with(state, index, worker._replace(sends=False))
            yield _Next(f"w{index} sends", sent._replace(flying=min(2, state.flying + 1)))
            return
        may_send = worker.believes or not self._rules.sends_by_lease
        if mine and state.fate == "" and may_send:
            # Who planned it sends it: a commit and its permission are one step here.
            decided = state._replace(head=state.head + 1, fate="planned")
            after = _with(decided, index, worker._replace(sends=True))
            yield _Next(f"w{index} decides", after, _unleased(state, worker))
        if mine and state.fate in {"planned", "doubtful"}:
            yield from self._asks(state, index, worker, may_send=may_send)
        yield from self._binds(state, index, worker)

    def _asks(self, state: State, index: int, worker: Worker, *, may_send: bool) -> Iterator[_Next]:
        if state.executed:
            confirmed = state._replace(head=state.head + 1, fate="confirmed")
            yield _Next(f"w{index} finds it", confirmed)
        elif state.fate == "planned" and not state.flying and may_send:
            # Nobody else may have sent it: a seize would have made it doubtful.
            after = _with(state, index, worker._replace(sends=True))
            words = f"w{index} finds nothing and may send"
            yield _Next(words, after, _unleased(state, worker))
        elif state.fate == "planned" and not state.flying:
            yield _Next(f"w{index} leaves it in doubt", _committed(state, "doubtful"))

    def _binds(self, state: State, index: int, worker: Worker) -> Iterator[_Next]:
        if (state.owner, state.epoch) != (index, worker.epoch) or worker.lease not in state.alive:
            pass  # what it reads then leads nowhere; what it read before still may
        elif not worker.seen and not state.key:
            seen = (state.head, False, "bind")
            yield _Next(f"w{index} sees no key", _with(state, index, worker._replace(seen=seen)))
        if worker.seen and worker.seen[2] == "bind":
            head = worker.seen[0]
            asked = _with(state, index, worker._replace(seen=()))
            request = (index, worker.epoch, worker.lease, head)
            yield self._bound(asked, request, f"w{index} binds")
            if state.left[3]:
                left = (*state.left[:3], 0)
                later = asked._replace(late=(*state.late, request), left=left)
                yield _Next(f"w{index} binds, and it is late", later)

    def _bound(self, state: State, request: tuple[int, int, int, int], words: str) -> _Next:
        index, epoch, lease, head = request
        refused = lease not in state.alive
        refused |= self._rules.binding_compares_head and head != state.head
        refused |= self._rules.binding_compares_key and bool(state.key)
        if refused:
            return _Next(f"{words}, refused", state)
        broken = ""
        if (state.owner, state.epoch) != (index, epoch):
            broken = "the key of somebody who does not own"
        elif state.key and state.key[2] != lease:
            broken = "a key that was bound goes with an older lease"
        return _Next(words, state._replace(key=(index, epoch, lease)), broken)

    # --- a follower ----------------------------------------------------------------

    def _follower(self, state: State, index: int, worker: Worker) -> Iterator[_Next]:
        crash, overdue, early, late = state.left
        if worker.lease not in state.alive or not worker.believes:
            return
        if not worker.seen:
            if not state.key:
                seen = (state.head, False, "lapsed")
                yield _Next(
                    f"w{index} sees no key", _with(state, index, worker._replace(seen=seen))
                )
            elif overdue:
                seen = (state.head, True, "overdue")
                after = _with(state, index, worker._replace(seen=seen))
                after = after._replace(left=(crash, 0, early, late))
                yield _Next(f"w{index} sees that the owner is overdue", after)
            return
        yield self._seize(state, index, worker)

    def _seize(self, state: State, index: int, worker: Worker) -> _Next:
        head, was_bound, why = worker.seen  # type: ignore[misc] # it has seen something
        follows = _with(state, index, worker._replace(seen=()))
        refused = self._rules.seize_compares_head and head != state.head
        refused |= self._rules.seize_compares_key and not was_bound and bool(state.key)
        if refused or state.owner == index:
            return _Next(f"w{index} seizes, refused", follows)
        broken = ""
        if why == "lapsed" and state.key:
            broken = "seized for want of a key from an owner that has one"
        if head != state.head:
            broken = "seized from a record that was written since"
        epoch = state.epoch + 1
        fate = state.fate
        if fate == "planned" and self._rules.seize_marks:
            fate = "doubtful"
        key = (index, epoch, worker.lease) if self._rules.seize_binds else state.key
        after = follows._replace(epoch=epoch, owner=index, head=state.head + 1, fate=fate, key=key)
        owning = worker._replace(epoch=epoch, seen=())
        if after.key and after.key[0] != index:
            broken = "the key of somebody who does not own"
        return _Next(f"w{index} seizes ({why})", _with(after, index, owning), broken)


def _unleased(state: State, worker: Worker) -> str:
    """Return what is broken where a worker is allowed to send; a lease that ended early is not."""
    lives = worker.lease in state.alive or not state.left[2]
    return "" if lives else "allowed to send without a lease"


def _unused(state: State) -> int:
    """Return the number of a lease of which nobody speaks any more."""
    spoken = {*state.alive, *(each.lease for each in state.workers), *state.key[2:]}
    spoken |= {lease for _, _, lease, _ in state.late}
    return next(number for number in count(1) if number not in spoken)


def _canonical(state: State) -> State:
    """Return a state with the numbers that matter alone: whether they are the record's or older."""

    def epoch(number: int) -> int:
        return number and (CURRENT if number == state.epoch else OLDER)

    def head(number: int) -> int:
        return CURRENT if number == state.head else OLDER

    spoken = [each.lease for each in state.workers if each.lease]
    spoken += [*state.key[2:], *(lease for _, _, lease, _ in state.late)]
    names = {lease: number for number, lease in enumerate(dict.fromkeys(spoken), start=1)} | {0: 0}
    workers = tuple(
        each._replace(
            epoch=epoch(each.epoch),
            lease=names[each.lease],
            seen=(head(each.seen[0]), *each.seen[1:]) if each.seen else (),
        )
        for each in state.workers
    )
    late = tuple((who, epoch(when), names[lease], head(at)) for who, when, lease, at in state.late)
    key = (state.key[0], epoch(state.key[1]), names[state.key[2]]) if state.key else ()
    return state._replace(
        epoch=CURRENT,
        head=CURRENT,
        workers=workers,
        late=late,
        key=key,
        alive=frozenset(names[lease] for lease in state.alive if lease in names),
    )


def _with(state: State, index: int, worker: Worker) -> State:
    workers = (*state.workers[:index], worker, *state.workers[index + 1 :])
    return state._replace(workers=workers)


def _without(state: State, lease: int) -> State:
    key = () if state.key and state.key[2] == lease else state.key
    return state._replace(alive=state.alive - {lease}, key=key)


def _committed(state: State, fate: str) -> State:
    return state._replace(head=state.head + 1, fate=fate)


# Nobody but the owner binds, so the head alone refuses every binding that comes too late.
SPARE = Rules(binding_compares_key=False)
MUTANTS = (
    Rules(binding_compares_head=False),
    Rules(seize_compares_key=False),
    Rules(seize_compares_head=False),
    Rules(seize_marks=False),
    Rules(holder_stops_first=False),
    Rules(sends_by_lease=False),
    Rules(seize_binds=False),
)

# What may go wrong together; all four at once are too many states to see whole.
TROUBLES = ((0, 1, 1, 0), (1, 0, 0, 1), (0, 1, 0, 1), (1, 1, 0, 0))
