"""Reading the arguments of an operation."""

from decimal import Decimal

import pytest

from balance_simulator.arguments import Arguments, prepared


def test_arguments_are_read_by_kind():
    """Texts, exact amounts, flags and defaults come as they were given."""
    arguments = Arguments({"asset": "BTC", "amount": "1e-19"}, frozenset({"announce"}))
    assert "BTC" == arguments.text("asset")
    assert Decimal("1e-19") == arguments.amount("amount")
    assert arguments.flag("automatic", default=True)
    arguments.finish()


@pytest.mark.parametrize("value", [None, "much", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(value):
    """A missing, unreadable or endless amount is an error, not zero."""
    with pytest.raises(ValueError, match="decimal number"):
        Arguments({"amount": value}, frozenset()).amount("amount")


def test_unread_arguments_and_wrong_kinds_are_refused():
    """A misspelt name is an error, and so is a number for a text."""
    with pytest.raises(ValueError, match="not taken: amuont"):
        Arguments({"amuont": "1"}, frozenset()).finish()
    with pytest.raises(TypeError):
        Arguments({"asset": 1}, frozenset()).text("asset")


def test_an_operation_has_taken_all_its_arguments():
    """A wrong name or a leftover argument is refused before anything is done."""
    operations = {"say": lambda state, arguments: f"{state} {arguments.text('what')}"}
    given = {"what": "so"}
    assert prepared(operations, "say", "I", Arguments(given, frozenset())) == "I so"
    with pytest.raises(ValueError, match="no operation 'sing'; there are: say"):
        prepared(operations, "sing", "I", Arguments(given, frozenset()))
    with pytest.raises(ValueError, match="not taken: how"):
        prepared(operations, "say", "I", Arguments(given | {"how": "x"}, frozenset()))
