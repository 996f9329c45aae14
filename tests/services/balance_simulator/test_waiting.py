"""What waits for a client."""

import pytest

from balance_simulator.waiting import Waiting


class _Peer(Waiting):
    """A client that reads nothing, at a time that the test sets."""

    def __init__(self, queue_max: int = 2) -> None:
        self.now_us = 0.0
        self.aborted = False
        super().__init__(lambda: int(self.now_us), queue_max)

    @property
    def gone(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def peer() -> _Peer:
    """Give a client for whom two frames may wait."""
    return _Peer()


def test_frames_wait_up_to_the_limit_and_one_more_cuts_off(peer):
    """A client that reads too slowly loses its connection, not memory."""
    peer.now_us = 5
    peer.send("a")
    peer.send("b")
    assert (peer.queued, peer.last_sent_us, peer.cut_off) == (2, 5, False)
    peer.send("c")
    assert (peer.queued, peer.cut_off, peer.gone) == (2, True, True)


def test_nothing_is_queued_for_who_is_gone(peer):
    """Frames for a connection that is over go nowhere."""
    peer.abort()
    peer.send("a")
    assert peer.queued == 0


@pytest.mark.parametrize(("lose", "queued"), [(False, 1), (True, 0)])
def test_frames_of_a_silence_follow_or_are_lost(peer, lose, queued):
    """A silence keeps what is sent meanwhile, or loses it if so asked."""
    peer.silence(10, lose=lose)
    peer.send("a")
    assert (peer.silent, peer.queued) == (True, queued)
    peer.now_us = 11
    assert not peer.silent
    peer.send("b")
    assert peer.queued == queued + 1


@pytest.mark.parametrize(
    "act",
    [
        lambda peer: peer.send("a"),
        lambda peer: peer.silence(1, lose=False),
        lambda peer: peer.close(1000, "bye"),
    ],
)
def test_whatever_is_new_is_told_to_the_writer(peer, act):
    """A frame, a silence and a close each set the event that a writer waits for."""
    act(peer)
    assert peer.changed.is_set()
