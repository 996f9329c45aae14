"""Times on the command line."""

from datetime import UTC, datetime

import pytest

from balance_cli.times import ahead, time_of
from balance_shared.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00+01:00", datetime(2026, 3, 1, 11, tzinfo=UTC)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ],
)
def test_times_are_in_utc_unless_they_say_otherwise(text, expected):
    """Nobody's local time decides what was true."""
    assert expected == time_of("--at", text)


@pytest.mark.parametrize(
    "text", ["noon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-10:00"]
)
def test_no_time_names_the_option(text):
    """One clear line, also for what UTC has no year for."""
    with pytest.raises(SettingsError, match=r"^--at: '.+' is not a time such as "):
        time_of("--at", text)


def test_time_before_all_records_is_refused():
    """A day may be taken from any time that is let through."""
    with pytest.raises(SettingsError, match=r"^--from: '0001-01-01' is before 1971"):
        time_of("--from", "0001-01-01")


def test_time_that_has_not_come_is_told():
    """Today's figure is not passed off as that of another day."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert [] == list(ahead(None, now, now))
    later = datetime(2030, 1, 1, tzinfo=UTC)
    said = "2030-01-01T00:00:00+00:00 is in the future: shown is what is known now"
    assert [f"--at: {said}"] == list(ahead(later, now, now))
    assert [f"--known-at: {said}"] == list(ahead(now, later, now))
