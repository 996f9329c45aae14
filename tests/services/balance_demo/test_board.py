"""What the bus says, as rows."""

from decimal import Decimal

from balance_demo.board import Board, newest


def test_a_change_is_told_with_its_size_and_time(event, at):
    """Change and its time come from the event that changed the figure."""
    board = Board()
    board.take_event(event("1.5", kind="snapshot"))
    board.take_event(event("1.25", seconds=4))
    (row,) = board.rows()
    assert (Decimal("1.25"), Decimal("-0.25")) == (row.balance, row.change)
    assert (at(4), at(0)) == (row.changed_at, row.confirmed_at)


def test_a_new_picture_confirms_and_changes_nothing(event, at):
    """The same figure in a later picture is confirmed then, not changed."""
    board = Board()
    board.take_event(event("1.5", seconds=1))
    board.take_event(event("1.50", kind="snapshot", seconds=9, epoch=2))
    (row,) = board.rows()
    assert (at(1), at(9)) == (row.changed_at, row.confirmed_at)


def test_an_older_connection_is_not_heard(event):
    """A record of a smaller epoch changes nothing."""
    board = Board()
    board.take_event(event("2", epoch=2))
    board.take_event(event("1", epoch=1))
    assert [Decimal(2)] == [row.balance for row in board.rows()]


def test_state_and_confirmation_come_from_the_feed_of_the_balance(event, status, at):
    """The status of another feed of the account is not taken for it."""
    board = Board()
    board.take_event(event("1"))
    board.take_status(status("live", feed="rest", confirmed_at=at(50)))
    board.take_status(status("stale", confirmed_at=at(7)))
    (row,) = board.rows()
    assert ("stale", at(7)) == (row.state, row.confirmed_at)
    assert ["ws"] == [feed.feed for feed in board.feeds()]
    assert not board.owns_balances(status("live", feed="rest"))


def test_the_newest_rows_keep_their_places(event):
    """Rows are chosen by their time and stay in order of their key."""
    board = Board()
    for asset, seconds in (("A", 3), ("B", 1), ("C", 2)):
        board.take_event(event("1", asset=asset, seconds=seconds))
    assert ["A", "C"] == [row.asset for row in newest(board.rows(), 2)]
    assert [] == newest(board.rows(), -1)
