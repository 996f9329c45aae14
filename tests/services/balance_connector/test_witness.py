"""What follows from comparing polls with the stream."""

from decimal import Decimal

import pytest
from harness import Bench, ScriptedRest

from balance_connector.poll import PollRunner
from balance_connector.venue import Response
from balance_connector.witness import SETTLE_S, StreamWitness
from balance_schemas.records import Reconciliation
from balance_schemas.topics import RECONCILIATIONS
from balance_shared.telemetry import RECONCILIATIONS as RECONCILIATIONS_MADE
from balance_shared.testing import ScriptedSocket

HTML = Response(200, b"<html>no names</html>")
PICTURE = (
    b'{"channel":"balances","type":"snapshot","sequence":1,"data":['
    b'{"asset":"USD","balance":5,"wallets":[{"type":"spot","id":"main","balance":5}]}]}'
)
POLL_S = 4


def balance(usd: str, btc: str = "") -> Response:
    """Return an answer of Balance."""
    held = f'"ZUSD":"{usd}"' + (f',"XXBT":"{btc}"' if btc else "")
    return Response(200, f'{{"error":[],"result":{{{held}}}}}'.encode())


class WitnessBench(Bench):
    """A stream and its polls, with fakes around them."""

    def __init__(self, *answers: Response, pictures: int = 4) -> None:
        super().__init__(*(ScriptedSocket(PICTURE) for _ in range(pictures)))
        self.stream_board, stream = self.board, self.runner
        rest = ScriptedRest(self.clock, HTML, HTML, *answers)
        polls = self.feed(self.board_of("rest"), rest)
        self.witness = StreamWitness(polls, stream._feed, stream)
        self.polls = PollRunner(polls, POLL_S, self.witness, again_s=1)
        self.stream = stream

    async def play(self, seconds: int) -> None:
        """Run both, with heartbeats, for some seconds."""
        async with self.running(), self.also(self.polls.run()):
            for _ in range(seconds):
                await self.clock.advance(1)
                for socket in self.open:
                    socket.say(b'{"channel":"heartbeat"}')
            await self.clock.advance(0.1)

    def found(self) -> list[Reconciliation]:
        """Return what was published."""
        return self.bus.read(RECONCILIATIONS, Reconciliation)


async def test_agreement_confirms_as_of_the_request():
    """The balances were right when the question was asked, not when it was settled."""
    counter = RECONCILIATIONS_MADE.labels("kraken", "main", "consistent")
    before = counter._value.get()
    bench = WitnessBench(balance("5"))
    await bench.play(6)
    assert before < counter._value.get()
    first = bench.found()[0]

    assert ("consistent", 1, ()) == (first.verdict, first.checked, first.differences)
    assert first.requested_at == bench.stream_board.confirmed_at
    assert first.requested_at < first.answered_at


async def test_confirmed_difference_takes_one_new_picture_then_degrades():
    """A new picture that says the same leaves the dispute standing, without a storm."""
    bench = WitnessBench(balance("7"))
    await bench.play(40)
    found = bench.found()

    assert {"inconsistent"} == {each.verdict for each in found}
    assert Decimal(2) == found[0].differences[0].residual
    assert 2 == bench.connects
    assert "degraded" == bench.states()[-1]
    assert "USD 7 (streamed 5)" in bench.stream_board.health.reason
    assert bench.stream_board.confirmed_at < found[-1].requested_at


async def test_confirmed_difference_does_not_wait_for_an_open_one():
    """What a busy balance leaves undecided holds up no new picture."""
    busy = [balance("7", btc) for btc in "2345"]
    bench = WitnessBench(balance("7"), *busy, balance("5"))
    await bench.play(10)
    first = bench.found()[0]

    assert "inconsistent" == first.verdict
    assert [("USD", 2), ("BTC", 3)] == [
        (each.asset, each.residual) for each in first.differences
    ]


async def test_dispute_ends_when_both_agree():
    """Live again with the first agreement."""
    bench = WitnessBench(*[balance("7")] * 6, balance("5"))
    await bench.play(60)

    assert "degraded" in bench.states()
    assert "live" == bench.states()[-1]
    assert "consistent" == bench.found()[-1].verdict


async def test_nothing_is_compared_with_a_stream_that_never_told():
    """There is no word of it that could be wrong."""
    bench = WitnessBench(balance("7"), pictures=0)
    await bench.play(20)

    assert [] == bench.found()


@pytest.mark.parametrize(
    ("usd", "differences"), [("7", [(5, 7, 2, "stale_stream")]), ("5", [])]
)
async def test_stream_that_went_away_is_neither_confirmed_nor_accused(usd, differences):
    """How far its last word is from the polls is told; nothing follows."""
    bench = WitnessBench(balance("5"), balance(usd), pictures=1)
    async with bench.running(), bench.also(bench.polls.run()):
        for _ in range(30):
            await bench.clock.advance(1)
    found = bench.found()

    assert {"inconclusive"} == {each.verdict for each in found}
    assert len(found) > 1
    assert differences == [
        (row.streamed, row.observed, row.residual, row.cause)
        for row in found[-1].differences
    ]
    assert bench.stream_board.confirmed_at < found[-1].requested_at
    assert "inconsistent" not in bench.stream_board.health.reason


def test_settling_is_shorter_than_a_heartbeat_limit():
    """The wait after an answer is no longer than readers expect a figure to lag."""
    assert 0 < SETTLE_S <= 5
