"""The poll runner: as primary feed, as second feed, through faults."""

from dataclasses import replace
from itertools import pairwise

import pytest
from harness import Bench, ScriptedRest

from balance_connector.poll import PollRunner
from balance_connector.venue import Picture, Request, Response, Step
from balance_schemas.records import ConnectorStatus
from balance_schemas.topics import STATUS
from balance_shared.errors import VenueRefused

HTML = Response(200, b"<html>no names</html>")


def balance(usd: str) -> Response:
    """Return an answer of Balance."""
    return Response(200, f'{{"error":[],"result":{{"ZUSD":"{usd}"}}}}'.encode())


def failed(text: str) -> Response:
    """Return an error answer."""
    return Response(200, f'{{"error":["{text}"]}}'.encode())


class Mute:
    """A witness that hears everything and wants no more."""

    async def hear(self, answered):
        """Take in an answer."""
        return False


class PollBench(Bench):
    """A poll runner with everything around it; names are never to be had."""

    def __init__(self, *answers: Response, primary: bool = True) -> None:
        super().__init__()
        self.rest = ScriptedRest(self.clock, HTML, HTML, *answers)
        self.board = self.board_of("rest")
        witness = None if primary else Mute()
        self.runner = PollRunner(self.feed(self.board), 60, witness)


async def test_first_answer_is_a_picture_then_changes():
    """As primary feed the polls own the balances."""
    bench = PollBench(balance("1"), balance("1"), balance("2"))
    async with bench.running():
        await bench.clock.advance(150)

    assert [("snapshot", "rest"), ("update", "rest")] == [
        (event.kind, event.feed) for event in bench.events()
    ]
    assert {"kraken|main||spot/main|USD": "2"} == bench.latest()
    assert ["Assets", "Assets", "Balance", "Balance", "Balance"] == [
        each.source for each in bench.frames()
    ]
    assert [0, 1, 2, 3, 4] == [each.index for each in bench.frames()]
    assert [
        "GET /0/public/Assets",
        "GET /0/public/Assets?assetVersion=1",
        "POST /0/private/Balance",
    ] == [each.attributes["asked"] for each in bench.frames()[:3]]
    assert ["connecting", "syncing", "live"][-1] == bench.states()[-1]


class Torn:
    """Polls whose second answer does not tell every balance."""

    def __init__(self) -> None:
        self._round = 0
        self._asked = False

    def begin(self, now):
        """Start a round."""
        self._round, self._asked = self._round + 1, False

    def request(self, nonce, now):
        """Ask once in a round."""
        asked, self._asked = self._asked, True
        return None if asked else Request("GET", "/accounts", "accounts")

    def receive(self, response, received_at):
        """Tell nothing, and of the second time that something was not told."""
        spared = {("", "BTC")} if self._round == 2 else ()
        return Step(picture=Picture((), spared))


async def test_answer_that_leaves_something_open_confirms_nothing():
    """Balances are confirmed by an answer that tells all of them."""
    bench = PollBench(*[balance("1")] * 3)
    venue = replace(bench.runner._feed.venue, poll=lambda *_: Torn())
    bench.runner._feed = replace(bench.runner._feed, venue=venue)
    async with bench.running():
        await bench.clock.advance(1)
        first = bench.board.confirmed_at
        await bench.clock.advance(60)
        assert first == bench.board.confirmed_at
        await bench.clock.advance(60)
    assert first < bench.board.confirmed_at


async def test_first_live_is_confirmed():
    """A whole answer proves the balances it tells, from the first on."""
    bench = PollBench(balance("1"))
    async with bench.running():
        await bench.clock.advance(1)

    told = bench.bus.read(STATUS, ConnectorStatus)
    first = next(status for status in told if status.state == "live")
    assert bench.board.confirmed_at == first.confirmed_at is not None


async def test_second_feed_publishes_frames_only():
    """Beside a stream the polls tell no balances."""
    bench = PollBench(balance("1"), primary=False)
    async with bench.running():
        await bench.clock.advance(61)

    assert [] == bench.events()
    assert {} == bench.latest()
    assert "Balance" in {each.source for each in bench.frames()}


async def test_failure_is_stale_and_recovers():
    """An outage is told; nothing is taken for an empty account."""
    bench = PollBench(balance("1"), failed("EGeneral:Internal error"), balance("1"))
    async with bench.running():
        await bench.clock.advance(130)

    assert ["snapshot"] == [event.kind for event in bench.events()]
    assert "stale" in bench.states()
    assert "live" == bench.states()[-1]


@pytest.mark.parametrize(("primary", "seconds"), [(True, 3), (False, 8)])
async def test_failures_leave_some_of_the_limit(primary, seconds):
    """The key's limit is the stream's too: calls that fail are not repeated in haste."""
    down = [failed("EService:Unavailable")] * 99
    bench = PollBench(*down, primary=primary)
    async with bench.running():
        await bench.clock.advance(120)

    failed_at = bench.rest.asked_at[2:]
    waits = [(after - at).total_seconds() for at, after in pairwise(failed_at)]
    assert len(waits) > 3
    assert min(waits) >= seconds - 0.001
    assert max(waits) <= max(seconds, 5) + 1


async def test_refused_nonce_is_tried_once_more_at_once():
    """One fresh nonce, no waiting."""
    bench = PollBench(failed("EAPI:Invalid nonce"), balance("1"))
    async with bench.running():
        await bench.clock.advance(0.1)

    assert {"kraken|main||spot/main|USD": "1"} == bench.latest()


async def test_unreadable_answer_is_a_dead_letter():
    """A page instead of balances is kept for people to look at."""
    bench = PollBench(HTML, balance("1"))
    async with bench.running():
        await bench.clock.advance(5)

    assert {"not_json"} == {letter.reason for letter in bench.letters()}
    assert {"kraken|main||spot/main|USD": "1"} == bench.latest()


async def test_refusal_ends_the_runner():
    """Missing permission: named, and not tried again."""
    bench = PollBench(failed("EGeneral:Permission denied"))
    async with bench.running() as task:
        with pytest.raises(VenueRefused, match="Query Funds"):
            await task


async def test_polls_are_made_with_what_readers_believe_in():
    """A new process has it from the bus."""
    bench = PollBench(balance("1"))
    async with bench.running():
        await bench.clock.advance(1)
    again, given = PollBench(balance("1")), []
    again.recall.bus = bench.bus
    feed = again.runner._feed

    def poll(key, options, known):
        given.append([holding.pocket.venue_asset for holding in known])
        return feed.venue.poll(key, options, known)

    again.runner._feed = replace(feed, venue=replace(feed.venue, poll=poll))
    async with again.running():
        await again.clock.advance(1)

    assert [["ZUSD"]] == given


async def test_restart_tells_what_vanished_meanwhile():
    """What latest still has and the first answer has not is absent."""
    bench = PollBench(balance("1"))
    async with bench.running():
        await bench.clock.advance(1)
    empty = PollBench(Response(200, b'{"error":[],"result":{}}'))
    empty.bus = empty.recall.bus = bench.bus
    empty.outbox._publisher = bench.bus
    async with empty.running():
        await empty.clock.advance(1)

    assert {"kraken|main||spot/main|USD": "0"} == bench.latest()
    assert "absent" == bench.events()[-1].kind


@pytest.mark.parametrize("primary", [True, False])
async def test_bus_that_loses_all_records_makes_no_storm(primary):
    """The venue limits calls, and its key serves the stream as well."""
    bench = PollBench(balance("1"), primary=primary)
    call = bench.rest.call

    async def losing(nonces, make):
        answer = await call(nonces, make)
        bench.outbox.losses += answer is not None
        return answer

    bench.rest.call = losing
    async with bench.running():
        await bench.clock.advance(60)

    assert 10 <= len(bench.rest.requests) <= 40
