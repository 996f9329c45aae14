"""Telling late what a stream missed: once each, never as a current balance."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from harness import Bench, ScriptedRest

from balance_connector.backfill import Backfiller
from balance_connector.books import SAME_FACT, Fact
from balance_connector.memory import Memory
from balance_connector.stretches import MARGIN
from balance_connector.venue import Response, Stretch
from balance_connector.venues.kraken import KRAKEN
from balance_schemas.records import RawFrame
from balance_schemas.topics import FRAMES, LATEST
from balance_shared.errors import BusInterrupted, VenueUnavailable

HTML = Response(200, b"<html>no names</html>")
ENTRY = {
    "refid": "R",
    "time": 1767225600.5,
    "type": "deposit",
    "asset": "XXBT",
    "amount": "1.0",
    "fee": "0",
    "balance": "3.0",
}


def page(*ids: str) -> Response:
    """Return an answer of Ledgers, of entries from the oldest on: newest first."""
    ledger = dict.fromkeys(reversed(ids), ENTRY)
    body = {"error": [], "result": {"ledger": ledger}}
    return Response(200, msgspec.json.encode(body))


class BackfillBench(Bench):
    """A backfiller with everything around it; names are never to be had."""

    def __init__(
        self,
        *answers: Response | VenueUnavailable,
        updates_without_ids: bool = False,
    ) -> None:
        super().__init__()
        self.history = ScriptedRest(self.clock, HTML, HTML, *answers)
        feed = self.feed(self.board_of("rest"), self.history)
        venue = replace(feed.venue, updates_without_ids=updates_without_ids)
        feed = replace(feed, venue=venue)
        self.memory = Memory(self.recall, self.clock)
        self.backfiller = Backfiller(feed, self.memory, self.stretches)

    async def play(self, stretches: int = 1, seconds: float = 30) -> None:
        """Have it fetch stretches of an hour."""
        now = self.clock.now()
        told_before = dict(self.memory.recent)
        await self.memory.known(0)
        self.memory.recent |= told_before
        async with self.running(), self.also(self.backfiller.run()):
            for _ in range(stretches):
                self.stretches.close(Stretch(now - timedelta(hours=1), now))
            await self.clock.advance(seconds)

    def told(self) -> list[tuple[str, str]]:
        """Return kind and id of all events."""
        return [(event.kind, event.event_id) for event in self.events()]


async def test_missed_facts_are_told_late():
    """With the ids that the stream would have told, and no current balance."""
    bench = BackfillBench(page("A", "B"))
    await bench.play()

    assert [("backfill", "kraken|main||A"), ("backfill", "kraken|main||B")] == (
        bench.told()
    )
    assert [] == bench.bus.records[LATEST.name]
    sources = [frame.source for frame in bench.bus.read(FRAMES, RawFrame)]
    assert "Ledgers" == sources[-1]
    assert {"rest"} == {event.feed for event in bench.events()}


async def test_what_the_stream_told_is_left_out():
    """An id that was told is not told again, by whichever way it comes."""
    bench = BackfillBench(page("A", "B"))
    bench.memory.recent["kraken|main||A"] = Fact(bench.clock.now())
    await bench.play(stretches=2, seconds=60)

    assert [("backfill", "kraken|main||B")] == bench.told()


async def test_stretch_is_widened():
    """Clocks differ, and frames take time."""
    bench = BackfillBench(page())
    start = int(bench.clock.now().timestamp()) - 3600 - MARGIN.seconds
    await bench.play()
    request = bench.history.requests[-1]

    assert f"start={start}".encode() in request.body


@pytest.mark.parametrize("without_ids", [False, True])
async def test_present_is_not_asked_for_where_updates_have_no_id(without_ids):
    """A line that the history knows first would be told again as an update."""
    bench = BackfillBench(page("A"), updates_without_ids=without_ids)
    picture_at = bench.clock.now()
    await bench.play(seconds=40)

    waited = bench.history.asked_at[0] - picture_at
    due = MARGIN + SAME_FACT if without_ids else timedelta(0)
    assert due == pytest.approx(waited, abs=timedelta(milliseconds=1))
    assert [("backfill", "kraken|main||A")] == bench.told()


async def test_calls_that_fail_keep_the_pace():
    """What was not answered counts at the venue all the same."""
    bench = BackfillBench(*[VenueUnavailable("no answer")] * 3, page("A"))
    await bench.play(seconds=60)

    asked_at = bench.history.asked_at
    assert len(asked_at) > 3
    pauses = {later - before for before, later in pairwise(asked_at)}
    assert min(pauses) > timedelta(seconds=KRAKEN.history_interval_s - 0.1)


async def test_what_kafka_did_not_take_is_still_owed():
    """Lines are told when they are acknowledged, not when they were handed over."""
    bench = BackfillBench(page("A"), HTML, HTML, page("A"))
    now = bench.clock.now()
    await bench.memory.known(0)
    bench.bus.pause()
    async with bench.running(), bench.also(bench.backfiller.run()):
        bench.stretches.close(Stretch(now - timedelta(hours=1), now))
        await bench.clock.advance(20)
        asked, owed_since = (
            bench.history.requests[-1].source,
            bench.stretches.owed_since,
        )
        bench.bus.fail(BusInterrupted("a broker went away"))
        bench.bus.resume()
        await bench.clock.advance(1)
        await bench.memory.known(bench.outbox.losses)
        await bench.clock.advance(60)

    assert ("Ledgers", now - timedelta(hours=1)) == (asked, owed_since)
    assert [("backfill", "kraken|main||A")] == bench.told()
    assert bench.stretches.owed_since is None


async def test_failed_call_is_repeated():
    """An outage delays the facts and loses none."""
    down = Response(200, b'{"error":["EService:Unavailable"]}')
    bench = BackfillBench(down, HTML, HTML, page("A"))
    await bench.play(seconds=60)

    assert [("backfill", "kraken|main||A")] == bench.told()


async def test_missing_permission_ends_only_the_history():
    """The balances go on; the log says which permission is missing."""
    denied = Response(200, b'{"error":["EGeneral:Permission denied"]}')
    bench = BackfillBench(denied, HTML, HTML, page("A"))
    await bench.play(stretches=2, seconds=60)

    assert [("backfill", "kraken|main||A")] == bench.told()


async def test_answer_after_a_loss_is_asked_for_again():
    """Its lines would count as told, and be left out for good."""
    bench = BackfillBench(page("A"))
    plain = bench.history.call

    async def call(nonces, make):
        answer = await plain(nonces, make)
        if not bench.outbox.losses and b"html" not in answer.response.body:
            bench.outbox.losses = 1
            await bench.memory.known(1)
        return answer

    bench.history.call = call
    await bench.play(seconds=60)
    assert [("backfill", "kraken|main||A")] == bench.told()


async def test_history_waits_until_losses_are_known():
    """What was dropped on its way counts as told until the bus is read back."""
    bench = BackfillBench(page("A"))
    bench.outbox.losses = 1
    await bench.play(seconds=20)
    assert [] == bench.told()

    await bench.memory.known(1)
    async with bench.running(), bench.also(bench.backfiller.run()):
        await bench.clock.advance(60)
    assert [("backfill", "kraken|main||A")] == bench.told()
