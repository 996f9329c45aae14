"""Times as people give them to commands."""

from datetime import UTC, datetime

from balance_shared.errors import SettingsError


def time_of(option: str, text: str | None) -> datetime | None:
    """Return a time; one without an offset is in UTC.

    Raises:
        SettingsError: it is none; the text names the option.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"{option}: {text!r} is not a time such as 2026-03-01T12:00:00Z"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
