"""Amounts, durations, globs and names are what was written, or refused."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from balance_alerting.figures import Glob, Name, amount, duration, written


@given(
    st.decimals(
        allow_nan=False,
        allow_infinity=False,
        min_value=-(10**20) + 1,
        max_value=10**20 - 1,
        places=18,
    )
)
def test_every_digit_of_an_amount_is_kept(value):
    """No figure goes through a binary float."""
    assert value == amount(f"{value:f}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.1234567890123456789", "has 19 fraction digits"),
        ("100000000000000000000", "has 21 integer digits"),
        ("1e5", "plain number"),
        ("1_000", "plain number"),
        (".nan", "plain number"),
        ("", "plain number"),
        (None, "plain number"),
        (1.5, "plain number"),
    ],
)
def test_what_is_no_exact_amount_is_refused(text, why):
    """Nothing is rounded, and a float has lost its digits before."""
    with pytest.raises(ValueError, match=why):
        amount(text)


def test_zeros_at_the_end_are_no_digits():
    """They change nothing."""
    assert Decimal("0.5") == amount("0.50000000000000000000000")


@given(st.integers(0, 30 * 86_400_000))
def test_durations_are_read_as_they_are_written(milliseconds):
    """In the largest unit that says it exactly."""
    length = timedelta(milliseconds=milliseconds)
    assert length == duration(written(length))


@pytest.mark.parametrize(
    "text", ["5", "5 m", "m", "1.5h", "-5m", "31d", "1y", None, "9" * 70 + "d"]
)
def test_what_is_no_duration_is_refused(text):
    """A number without a unit is a guess."""
    with pytest.raises(ValueError, match=r"duration|at most 30d"):
        duration(text)


@pytest.mark.parametrize("text", ["", "[BT", "a[", "[!", "[]", "a\n"])
def test_bad_globs_are_refused(text):
    """An open bracket would be taken for a letter."""
    with pytest.raises(ValidationError):
        TypeAdapter(Glob).validate_python(text)


@pytest.mark.parametrize("text", ["*", "USD*", "[BE]TH", "[!x]", "[]]", "spot/main"])
def test_globs_are_taken(text):
    """As the shell knows them."""
    assert text == TypeAdapter(Glob).validate_python(text)


@pytest.mark.parametrize("text", ["Low", "a b", "-a", "a-", "", "x" * 65])
def test_bad_names_are_refused(text):
    """Names are labels, keys and words of people."""
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(text)
