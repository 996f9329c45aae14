"""Times as people give them to commands."""

from collections.abc import Iterator
from datetime import UTC, datetime

from balance_shared.errors import SettingsError

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""Kafka knows no times before 1970, and looks are cast back from what is asked for."""


def time_of(option: str, text: str | None) -> datetime | None:
    """Return a time; one without an offset is in UTC.

    Raises:
        SettingsError: it is none; the text names the option.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        own = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{option}: {text!r} is not a time such as 2026-03-01T12:00:00Z"
        ) from None
    if own < EARLIEST:
        raise SettingsError(f"{option}: {text!r} is before {EARLIEST:%Y-%m-%d}")
    return own


def ahead(
    at: datetime | None, known_at: datetime | None, now: datetime
) -> Iterator[str]:
    """Yield what to say of times that have not come."""
    for option, time in (("--at", at), ("--known-at", known_at)):
        if time is not None and time > now:
            came = time.isoformat()
            yield f"{option}: {came} is in the future: shown is what is known now"
