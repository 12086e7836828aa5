"""Owner and launcher that do nothing although the record says that somebody works, in words.

Owns the sentences, with what to do. What cannot be seen, as of another host, is no trouble here.
"""

from foresight.dashboard.snapshot import Sign, Snapshot, Trouble


def silent_troubles(snapshot: Snapshot, *, pid: int) -> list[Trouble]:
    """Return who does nothing although the record says that somebody works.

    Args:
        snapshot: What was read.
        pid: The owner's process; 0 where nobody owns.
    """
    if not pid:
        return []
    restart = "foresight up"
    found: list[Trouble] = []
    match snapshot.owner, snapshot.launcher:
        case Sign.GONE, Sign.GONE:
            text = "Owner and launcher are gone: the system is stopped."
            return [Trouble(level="stop", text=text, hint=restart)]
        case Sign.GONE, _:
            text = "The owner is gone; the launcher has another one take over."
            found.append(Trouble(level="stop", text=text, hint="foresight status"))
        case Sign.STOPPED, _:
            text = f"The owner is stopped by a signal: pid {pid} does nothing."
            found.append(Trouble(level="stop", text=text, hint=f"kill -CONT {pid}"))
        case _:
            pass
    match snapshot.launcher:
        case Sign.GONE:
            text = "The launcher is gone: the owner goes on, and nobody would replace it."
            found.append(Trouble(level="stop", text=text, hint=restart))
        case Sign.STOPPED:
            text = "The launcher is stopped by a signal: nobody would replace the owner."
            found.append(Trouble(level="stop", text=text, hint="foresight status"))
        case _:
            pass
    return found
