"""What can go wrong with the local stack, told in one line each."""

from collections.abc import Collection


class StackError(Exception):
    """The local stack could not do what was asked.

    The text is one line for the user: what was found, and what to do.

    Attributes:
        exit_code: What a command line program should end with: 1 when something
            broke, 2 when the user asked for something that cannot be had.
    """

    exit_code = 1


class StackRefused(StackError):  # noqa: N818 - named for what happened
    """The request itself cannot be met: a port is taken, an option contradicts."""

    exit_code = 2


def require_part(part: str, parts: Collection[str]) -> None:
    """Check that a stack has a part.

    Args:
        part: What somebody named.
        parts: What there is.

    Raises:
        StackRefused: If it is none of them; the text lists them.
    """
    if part not in parts:
        raise StackRefused(
            f"there is no part {part!r}: choose one of {', '.join(parts)}"
        )


class DownloadFailed(StackError):  # noqa: N818 - named for what happened
    """An artifact could not be fetched, or is not the one that the lock names."""


class PartFailed(StackError):  # noqa: N818 - named for what happened
    """A part ended, or did not answer in time, while it was being started."""
