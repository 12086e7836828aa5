"""What can go wrong in the local exchange, by who is at fault.

Owns the exceptions of this package. Must never enter: texts of a wire format (those belong to the
`*_messages` modules), HTTP status codes, anything that performs I/O.
"""


class LocalExchangeError(Exception):
    """Base of every error this package raises on purpose."""


class TimelineMismatchError(LocalExchangeError):
    """The directory belongs to another timeline than the one asked for.

    Attributes:
        field: Name of the setting that differs, for example ``speed``.
        kept: Value the directory was created with.
        asked: Value this start asked for.
    """

    def __init__(self, field: str, *, kept: object, asked: object) -> None:
        """Carry the facts; the text is derived from them."""
        super().__init__(f"this directory was created with {field}={kept}, not {field}={asked}")
        self.field = field
        self.kept = kept
        self.asked = asked


class DirectoryInUseError(LocalExchangeError):
    """Another running exchange holds the directory.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: str) -> None:
        """Carry the path."""
        super().__init__(f"another exchange is running on {path}")
        self.path = path


class LedgerDamagedError(LocalExchangeError):
    """A line of the ledger that is not the last one cannot be read: refuse to start.

    Attributes:
        line: Number of the damaged line, from 1.
        reason: What is wrong with it.
    """

    def __init__(self, line: int, reason: str) -> None:
        """Carry the place and the reason."""
        super().__init__(f"ledger line {line}: {reason}")
        self.line = line
        self.reason = reason


class RecordingError(LocalExchangeError):
    """A folder of recorded candles cannot be used.

    Attributes:
        source: File or folder at fault.
        reason: What is wrong with it.
    """

    def __init__(self, source: str, reason: str) -> None:
        """Carry the file and the reason."""
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class TableError(LocalExchangeError):
    """A table of calibrated probabilities cannot be used."""

    def __init__(self, reason: str) -> None:
        """Carry the reason."""
        super().__init__(f"table of probabilities: {reason}")


class OptionError(LocalExchangeError):
    """An option or a fault switch is not understood."""
