"""What can go wrong in the trading system, split by who has to act next.

Owns every exception of this package outside the exchange. Leaves carry facts; the text is
derived. What a strategy or a guard refuses is a value (`risk.Denial`), never an exception.
"""


class ForesightError(Exception):
    """Base of every error of this package; `hint` says what to do next."""

    hint = ""


class ConfigError(ForesightError):
    """The configuration says something that this code does not know or cannot do.

    Attributes:
        what: What is wrong, with the place.
        hint: What to write instead, or an empty string.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep what is wrong and what to do about it."""
        super().__init__(what)
        self.what = what
        self.hint = hint


class RepositoryUnmade(ForesightError):
    """A new project could not be committed; nothing of it is left."""

    hint = "nothing was made: mend that, or say --no-git and commit yourself"

    def __init__(self, said: str) -> None:
        """Keep what git said."""
        super().__init__(f"git could not make the first commit: {said}")


class NeverOwned(ForesightError):
    """There is no way back to a release that was never in charge."""

    hint = "`foresight deploy` puts a commit in charge, through every gate"

    def __init__(self, release: str) -> None:
        """Keep which one it is."""
        super().__init__(f"{release} never owned: a rollback would pass over what refused it")


class FileInTheWay(ForesightError):
    """A file that would be replaced is there, and nobody said that it may be."""

    hint = "say --force to replace it, or --out with another name"

    def __init__(self, path: str) -> None:
        """Keep its path."""
        super().__init__(f"{path} is there already")


class DeployUndriven(ForesightError):
    """A deploy has not ended, and nobody is left who could end it."""

    hint = (
        "see `foresight logs`; a watcher starts it again soon, without one ask for it again "
        "with `foresight deploy`"
    )

    def __init__(self, deploy: str, said: str) -> None:
        """Keep which one, and the last words of who drove it."""
        words = f": {said}" if said else ""
        super().__init__(f"nobody drives deploy {deploy} any more{words}")


class VenueError(ForesightError):
    """A market place gave no usable answer: whatever was asked for, its outcome is unknown."""


class VenueUnreachable(VenueError):
    """Time-out, broken connection or a failure on the venue's side."""

    hint = "nothing to do: the next cycle asks again"


class VenueThrottled(VenueError):
    """The venue wants fewer requests, or none for a moment (418, 425, 429)."""

    hint = "lower [venue] requests_at_once, or wait"


class AnswerUnreadable(VenueError):
    """The venue answered something that is not what its interface says."""


class VenueRefused(VenueError):
    """The venue understood the request and said no; it was not executed."""


class DownloadStopped(ForesightError):
    """An exchange gave no usable answer, however often it was asked."""

    hint = "what has come is kept: the same command goes on where this one stopped"
