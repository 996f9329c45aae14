"""Whose fault it is and what happens next.

::

    BalanceBusError
    ├── SettingsError            ours, before the start        exit 2
    ├── VenueError
    │   ├── VenueUnavailable     passes; maybe after a time     back off, connect again
    │   ├── VenueRefused         credentials or request, final  exit 3
    │   ├── FrameInvalid         a frame that cannot be read    dead letter, new picture
    │   └── PictureNeeded        the balances are in doubt      new picture
    │       └── SequenceGap      we missed something            new picture
    ├── BusInterrupted           the bus failed us, passes      new picture when back
    ├── PublishError             the bus is lost for good       exit 4
    ├── RecordInvalid            a consumer cannot read it      dead letter, go on
    └── NotDelivered             a route did not take an alert  back off, tell it again

`classify` is the one place that decides; anything outside the tree is a bug and ends
the process with exit code 1. The first line of a class's docstring is its default
message.
"""

from enum import Enum, IntEnum

MESSAGE_CHARS_MAX = 1000
"""Longer messages are cut: what a venue sends is no reason for a log of megabytes."""


class BalanceBusError(Exception):
    """Balance bus failed."""

    def __init__(self, message: str | None = None) -> None:
        """Take the first line of the class docstring where no message is given."""
        text = message or (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(text[:MESSAGE_CHARS_MAX])


class SettingsError(BalanceBusError):
    """The settings cannot be used."""


class VenueError(BalanceBusError):
    """The venue did not do what its documentation says."""


class VenueUnavailable(VenueError):  # noqa: N818 — says what is, as asyncio does
    """The venue cannot serve us now.

    Attributes:
        retry_after_s: seconds to wait at least before the next try; 0 if it did not
            say.
        maintenance: the venue says that it is being maintained.
        fresh_nonce: the nonce was not accepted: try once more with a new one.
        credentials: it may be for good, because of the credentials: told so again and
            again, it is.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_s: float = 0.0,
        maintenance: bool = False,
        fresh_nonce: bool = False,
        credentials: bool = False,
    ) -> None:
        """Keep what the venue said about when to come back."""
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.maintenance = maintenance
        self.fresh_nonce = fresh_nonce
        self.credentials = credentials


class VenueRefused(VenueError):  # noqa: N818
    """The venue refuses the credentials or the request for good."""


class FrameInvalid(VenueError):  # noqa: N818
    """A frame, or some balances in it, cannot be read.

    Attributes:
        reason: short code for metrics and dead letters, such as ``invalid_json``.
        names: the balances that cannot be read, as the venue names them; empty where
            not even that is known.
    """

    def __init__(
        self, reason: str, message: str, names: frozenset[str] = frozenset()
    ) -> None:
        """Keep the code apart from what was found."""
        super().__init__(message)
        self.reason = reason
        self.names = names


class PictureNeeded(VenueError):  # noqa: N818
    """The balances are in doubt until a new picture is in.

    Attributes:
        reason: short code for metrics, such as ``scope_unknown`` or ``silence``.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Keep the code apart from what was found."""
        super().__init__(message)
        self.reason = reason


class SequenceGap(PictureNeeded):
    """Frames of the venue are missing."""

    def __init__(self, message: str) -> None:
        """Say which numbers were expected and found."""
        super().__init__("sequence_gap", message)


class BusInterrupted(BalanceBusError):  # noqa: N818
    """The bus did not take what was published; what was in flight is given up."""


class PublishError(BalanceBusError):
    """The bus does not take our records and will not."""


class RecordInvalid(BalanceBusError):  # noqa: N818
    """A record on the bus cannot be read."""


class NotDelivered(BalanceBusError):  # noqa: N818
    """A route did not take an alert.

    Attributes:
        refused: it answered that it will not; else it could not.
    """

    def __init__(self, message: str | None = None, *, refused: bool = False) -> None:
        """Keep whether there was an answer."""
        super().__init__(message)
        self.refused = refused


class ExitCode(IntEnum):
    """Exit codes of every command, part of the contract."""

    DONE = 0
    BUG = 1
    SETTINGS = 2
    REFUSED = 3
    BUS_LOST = 4


class Verdict(Enum):
    """What to do about an error."""

    RETRY = "retry"
    """Back off, then try again."""
    RESUBSCRIBE = "resubscribe"
    """Connect again for a full picture."""
    DEAD_LETTER = "dead_letter"
    """Put it aside with its bytes and go on."""
    STOP = "stop"
    """End the process with `exit_code`."""


_VERDICTS: dict[type[BalanceBusError], Verdict] = {
    SettingsError: Verdict.STOP,
    VenueUnavailable: Verdict.RETRY,
    VenueRefused: Verdict.STOP,
    FrameInvalid: Verdict.RESUBSCRIBE,
    PictureNeeded: Verdict.RESUBSCRIBE,
    SequenceGap: Verdict.RESUBSCRIBE,
    BusInterrupted: Verdict.RESUBSCRIBE,
    PublishError: Verdict.STOP,
    RecordInvalid: Verdict.DEAD_LETTER,
    NotDelivered: Verdict.RETRY,
}

_EXIT_CODES: dict[type[BalanceBusError], ExitCode] = {
    SettingsError: ExitCode.SETTINGS,
    VenueRefused: ExitCode.REFUSED,
    PublishError: ExitCode.BUS_LOST,
}


def classify(error: BaseException) -> Verdict:
    """Return what to do about an error; anything that is not ours stops the process."""
    return _VERDICTS.get(type(error), Verdict.STOP)  # type: ignore[arg-type]


def text_of(error: BaseException) -> str:
    """Return what an error says, and of one without words which it is."""
    return str(error) or type(error).__name__


def exit_code(error: BaseException) -> ExitCode:
    """Return the exit code of a process that ends with this error."""
    return _EXIT_CODES.get(type(error), ExitCode.BUG)  # type: ignore[arg-type]
