"""Every error has one consequence, and a message even where none was given."""

import pytest

from balance_shared.errors import (
    BalanceBusError,
    BusInterrupted,
    ExitCode,
    FrameInvalid,
    NotDelivered,
    PictureNeeded,
    PublishError,
    RecordInvalid,
    SequenceGap,
    SettingsError,
    VenueError,
    VenueRefused,
    VenueUnavailable,
    Verdict,
    classify,
    exit_code,
)

TABLE = {
    BalanceBusError: (Verdict.STOP, ExitCode.BUG),
    SettingsError: (Verdict.STOP, ExitCode.SETTINGS),
    VenueError: (Verdict.STOP, ExitCode.BUG),
    VenueUnavailable: (Verdict.RETRY, ExitCode.BUG),
    VenueRefused: (Verdict.STOP, ExitCode.REFUSED),
    FrameInvalid: (Verdict.RESUBSCRIBE, ExitCode.BUG),
    PictureNeeded: (Verdict.RESUBSCRIBE, ExitCode.BUG),
    SequenceGap: (Verdict.RESUBSCRIBE, ExitCode.BUG),
    BusInterrupted: (Verdict.RESUBSCRIBE, ExitCode.BUG),
    PublishError: (Verdict.STOP, ExitCode.BUS_LOST),
    RecordInvalid: (Verdict.DEAD_LETTER, ExitCode.BUG),
    NotDelivered: (Verdict.RETRY, ExitCode.BUG),
}
"""What each error means to a runner, and to the process that it ends."""

ARGUMENTS = {FrameInvalid: ("invalid_json", "text"), PictureNeeded: ("silence", "text")}


def family(error):
    """Return a class of errors and all below it, in this project's packages."""
    found = [error]
    for child in error.__subclasses__():
        found += family(child)
    return [one for one in found if one.__module__.startswith("balance_")]


def made(kind):
    """Return an error of a class, with the least that it takes."""
    return kind(*ARGUMENTS.get(kind, ("text",)))


def test_table_holds_the_whole_tree():
    """A new class of errors has to say what it means."""
    assert set(TABLE) == set(family(BalanceBusError))


@pytest.mark.parametrize("kind", TABLE)
def test_error_has_one_consequence(kind):
    """Runners ask `classify`, processes ask `exit_code`; nothing else decides."""
    error = made(kind)
    assert TABLE[kind] == (classify(error), exit_code(error))
    assert "text" == str(error)


@pytest.mark.parametrize("error", [ValueError(), OSError(), KeyboardInterrupt()])
def test_error_of_others_is_a_bug(error):
    """What is not in the tree ends the process with 1."""
    assert (Verdict.STOP, ExitCode.BUG) == (classify(error), exit_code(error))


@pytest.mark.parametrize("kind", set(TABLE) - set(ARGUMENTS) - {SequenceGap})
def test_message_is_the_docstrings_first_line(kind):
    """An error without words says in one line what its class says."""
    message = str(kind())
    assert kind.__doc__.startswith(message)
    assert message.endswith(".")
    assert "\n" not in message


def test_error_without_docstring_has_an_empty_message():
    """It is not the text None."""
    silent = type("Silent", (BalanceBusError,), {"__module__": "elsewhere"})
    assert str(silent()) == ""


def test_errors_carry_what_runners_need():
    """Waiting times, reasons and names are attributes, not text."""
    busy = VenueUnavailable(retry_after_s=3, maintenance=True)
    assert (3, True, False) == (busy.retry_after_s, busy.maintenance, busy.fresh_nonce)
    unreadable = FrameInvalid("too_precise", "text", frozenset({"BTC"}))
    assert ("too_precise", {"BTC"}) == (unreadable.reason, unreadable.names)
    assert SequenceGap("2 after 0").reason == "sequence_gap"


def test_exit_codes_are_those_of_the_contract():
    """Orchestrators rely on them."""
    codes = {"DONE": 0, "BUG": 1, "SETTINGS": 2, "REFUSED": 3, "BUS_LOST": 4}
    assert codes == {code.name: int(code) for code in ExitCode}
