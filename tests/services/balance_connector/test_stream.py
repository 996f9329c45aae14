"""The stream runner: what is published, and what each fault leads to."""

from itertools import pairwise

import pytest
from conversation import asset, entry, frame
from harness import TOKEN, Bench

from balance_connector.opening import AFTER, OPENING, digest, opening_in
from balance_connector.tell import PART_BYTES_MAX
from balance_connector.venue import Response
from balance_schemas.topics import FRAMES, LATEST
from balance_shared.errors import BusInterrupted, VenueRefused
from balance_shared.testing import ScriptedSocket

USD = asset("USD", "100", ("spot", "main", "100"))
BTC = asset("BTC", "1", ("spot", "main", "1"))
PICTURE = frame("snapshot", [BTC, USD], 1)
HEARTBEAT = b'{"channel":"heartbeat"}'
ACK = b'{"method":"subscribe","success":true,"result":{"channel":"balances"}}'


def update(sequence: int, balance: str, amount: str = "1") -> bytes:
    """Return an update of USD."""
    row = entry("USD", amount, balance, ledger_id=f"L{sequence}")
    return frame("update", [row], sequence)


async def test_picture_and_updates_reach_every_topic():
    """Events in order, latest by key, frames as received and numbered."""
    socket = ScriptedSocket(ACK, PICTURE, HEARTBEAT, update(2, "101"))
    bench = Bench(socket)
    async with bench.running():
        await bench.clock.advance(1)

    assert ["snapshot", "snapshot", "update"] == [e.kind for e in bench.events()]
    assert {
        "kraken|main||spot/main|BTC": "1",
        "kraken|main||spot/main|USD": "101",
    } == bench.latest()
    assert [(0, ACK), (1, PICTURE), (2, update(2, "101"))] == [
        (each.index, each.payload) for each in bench.frames()
    ]
    assert ["connecting", "syncing", "live"] == bench.states()
    assert b'"token":"T"' in socket.sent[0]


async def test_gap_is_stale_then_a_new_picture():
    """A lost frame ends the connection; the next picture puts all right."""
    second = ScriptedSocket(frame("snapshot", [USD], 1))
    bench = Bench(ScriptedSocket(PICTURE, update(3, "103")), second)
    async with bench.running():
        await bench.clock.advance(1)

    assert [
        "connecting",
        "syncing",
        "live",
        "stale",
        "connecting",
        "syncing",
        "live",
    ] == bench.states()
    assert "sequence 3 came where 2 was due" in bench.reasons()
    assert {
        "kraken|main||spot/main|BTC": "0",
        "kraken|main||spot/main|USD": "100",
    } == bench.latest()
    epochs = [event.epoch for event in bench.events()]
    assert sorted(epochs) == epochs
    assert 2 == len(set(epochs))
    assert 2 == len(bench.rest.requests)


async def test_history_is_owed_from_the_first_picture_on():
    """Also where that one could be read in part only: the rest of it was told."""
    unreadable = PICTURE.replace(b'"balance":100', b'"balance":"NaN"')
    bench = Bench(ScriptedSocket(unreadable), ScriptedSocket(PICTURE))
    began_at = bench.clock.now()
    async with bench.running():
        await bench.clock.advance(1)

    assert PICTURE != unreadable
    assert ["BTC", "BTC", "USD"] == [event.asset for event in bench.events()]
    assert began_at == bench.stretches.owed_since


async def test_silence_is_broken_off():
    """Two heartbeats missed: stale; no frame for over five seconds: a new connection."""
    first = ScriptedSocket(PICTURE)
    bench = Bench(first, ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(1.5)
        before = bench.states()[-1]
        await bench.clock.advance(0.5)
        missed = bench.states()[-1], bench.connects
        await bench.clock.advance(4.0)

    assert "live" == before
    assert ("stale", 1) == missed
    assert first.aborted
    assert any(reason.startswith("no frame for 5.") for reason in bench.reasons())
    assert 2 == bench.connects


async def test_heartbeats_keep_it_up():
    """A quiet account is not a dead one."""
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket)
    async with bench.running():
        for _ in range(60):
            socket.say(HEARTBEAT)
            await bench.clock.advance(1)

    assert 1 == bench.connects
    assert "live" == bench.states()[-1]
    assert b'{"method":"ping"}' in socket.sent


@pytest.mark.parametrize(("answers", "limits_s"), [([], (6, 18)), ([ACK], (30, 30))])
async def test_picture_has_a_time_limit(answers, limits_s):
    """Heartbeats without a picture: connect again, and wait longer for an answer then."""
    sockets = [ScriptedSocket(*answers) for _ in limits_s]
    bench = Bench(*sockets)
    ended = []
    async with bench.running():
        for second in range(120):
            for socket in bench.open:
                socket.say(HEARTBEAT)
            await bench.clock.advance(1)
            if len(ended) < sum(socket.aborted for socket in sockets):
                ended.append(second)

    first_s, second_s = limits_s
    assert ended[0] == pytest.approx(first_s, abs=2)
    assert ended[1] - ended[0] == pytest.approx(second_s, abs=2)
    assert any(reason.startswith("no picture within") for reason in bench.reasons())


@pytest.mark.parametrize("answers", [[], [ACK]])
async def test_wait_for_a_picture_grows_no_longer_than_it_may_take(answers):
    """A venue that is well again after minutes is not found out minutes later."""
    sockets = [ScriptedSocket(*answers) for _ in range(12)]
    bench = Bench(*sockets)
    ended = [0]
    async with bench.running():
        for second in range(240):
            for socket in bench.open:
                socket.say(HEARTBEAT)
            await bench.clock.advance(1)
            if len(ended) <= sum(socket.aborted for socket in sockets):
                ended.append(second)

    waits_s = [after - before for before, after in pairwise(ended)]
    assert len(waits_s) >= 7
    assert max(waits_s) <= 32


async def test_feed_that_ends_with_its_answer_is_silent():
    """Heartbeats are owed from the answer on, though the picture is still to come."""
    first, second = ScriptedSocket(ACK), ScriptedSocket(PICTURE)
    bench = Bench(first, second)
    async with bench.running():
        await bench.clock.advance(10)

    assert first.aborted
    assert "live" in bench.states()
    assert any(reason.startswith("no frame for 5.") for reason in bench.reasons())


async def test_paused_process_does_not_speak_late():
    """A frame that is read after a long pause is not published."""
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket, ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(1)
        bench.clock._move(bench.clock.monotonic() + 60)
        socket.say(update(2, "101"))
        await bench.clock.advance(1)

    assert "update" not in {event.kind for event in bench.events()}
    assert any(reason.startswith("no frame for") for reason in bench.reasons())


async def test_closed_connection_is_stale_and_comes_back():
    """A close is not the end."""
    first = ScriptedSocket(PICTURE)
    first.close()
    bench = Bench(first, ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(1)

    assert "stale" in bench.states()
    assert "live" == bench.states()[-1]


async def test_close_before_the_subscription_is_tried_again():
    """A venue that closes while we fetch the token is no reason to end."""

    class Closed(ScriptedSocket):
        async def send(self, message, *, text=None):
            self.close()
            await self.recv(decode=False)

    bench = Bench(Closed(), ScriptedSocket(PICTURE))
    async with bench.running() as task:
        await bench.clock.advance(1)

        assert not task.done()
    assert "live" == bench.states()[-1]


async def test_refusal_ends_the_runner():
    """Credentials that are refused are not tried again."""
    bench = Bench(rest=[Response(200, b'{"error":["EAPI:Invalid key"]}')])
    async with bench.running() as task:
        with pytest.raises(VenueRefused, match="EAPI:Invalid key"):
            await task


async def test_refused_nonce_is_tried_once_more_at_once():
    """One fresh nonce, without a new connection."""
    refused = Response(200, b'{"error":["EAPI:Invalid nonce"]}')
    bench = Bench(ScriptedSocket(PICTURE), rest=[refused, TOKEN])
    async with bench.running():
        await bench.clock.advance(0.5)

    assert 1 == bench.connects
    assert 2 == len({request.body for request in bench.rest.requests})
    assert "live" == bench.states()[-1]


async def test_outage_backs_off_and_never_gives_up():
    """Ten minutes of outage: some attempts, far below the venue's limit."""
    down = Response(200, b'{"error":["EService:Unavailable"]}')
    bench = Bench(rest=[down], connect_interval_s=4.5)
    async with bench.running():
        await bench.clock.advance(600)

    assert 20 < bench.connects < 150
    assert "maintenance" in bench.states()


async def test_heartbeat_that_was_late_leads_to_a_new_picture():
    """It has no number: what was told meanwhile and lost would never be seen."""
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket, ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(3.0)
        socket.say(HEARTBEAT)
        await bench.clock.advance(0.5)

    assert ["live", "stale"] == bench.states()[2:4]
    assert "live" not in bench.states()[4:-1]
    assert "live" == bench.states()[-1]
    assert 2 == bench.connects


async def test_number_that_was_due_ends_the_doubt():
    """Nothing was lost before it, so what is known is good."""
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket)
    async with bench.running():
        await bench.clock.advance(3.0)
        socket.say(update(2, "101"))
        await bench.clock.advance(0.5)
        socket.say(HEARTBEAT)
        await bench.clock.advance(0.5)

    assert ["live", "stale", "live"] == bench.states()[-3:]
    assert 1 == bench.connects


async def test_picture_without_a_number_is_degraded_for_good():
    """A lost frame would not be seen; a new picture would be no better."""
    socket = ScriptedSocket(frame("snapshot", [BTC, USD], None))
    bench = Bench(socket)
    async with bench.running():
        for _ in range(400):
            socket.say(HEARTBEAT)
            await bench.clock.advance(1)

    assert "degraded" == bench.states()[-1]
    assert 1 == bench.connects


async def test_maintenance_whose_end_was_lost_is_not_believed_for_ever():
    """After five minutes a new connection asks."""
    told = b'{"channel":"status","data":[{"system":"maintenance"}]}'
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket, ScriptedSocket(PICTURE))
    connects = []
    async with bench.running():
        for second in range(800):
            socket.say(told if second == 400 else HEARTBEAT)
            await bench.clock.advance(1)
            connects.append(bench.connects)
            if bench.connects > 1:
                break

    assert 700 <= len(connects) <= 703


async def test_records_lost_while_the_bus_is_read_back_are_read_back_too():
    """Else what was told would count as unknown for as long as the stream lives."""
    bench = Bench(ScriptedSocket(PICTURE), ScriptedSocket(PICTURE))
    read = bench.recall.latest

    async def losing():
        bench.recall.latest = read
        bench.outbox.losses += 1
        return await read()

    bench.recall.latest = losing
    async with bench.running():
        await bench.clock.advance(1.5)

    assert "live" == bench.states()[-1]
    assert any("read back" in reason for reason in bench.reasons())
    assert [1] == [bench.outbox.losses]


async def test_update_that_could_not_be_read_is_asked_of_the_history():
    """A degraded feed goes on after it, and later frames do not make up for it."""
    bad = frame("snapshot", ['{"asset":"BTC","balance":NaN}', USD], 1)
    odd = frame("update", [entry("BTC", "1", "NaN", ledger_id="L2")], 2)
    socket = ScriptedSocket(bad)
    bench = Bench(ScriptedSocket(bad), socket, ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(1.5)
        assert "degraded" == bench.states()[-1]
        unread_at = bench.clock.now()
        socket.say(odd)
        await bench.clock.advance(1)
        socket.say(update(3, "101"))
        await bench.clock.advance(1)
        socket.close()
        await bench.clock.advance(1.5)

    assert "live" == bench.states()[-1]
    assert 3 == bench.connects
    owed = []
    while bench.stretches.owed_since is not None:
        owed.append(await bench.stretches.first())
        bench.stretches.told()
    assert owed[-1].since <= unread_at


async def test_pause_of_our_own_is_no_silence_of_the_venue():
    """What came meanwhile lies there unread, and is read before anything is said."""
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket)
    async with bench.running():
        await bench.clock.advance(1.0)
        bench.clock._move(bench.clock.monotonic() + 3)
        socket.say(HEARTBEAT)
        await bench.clock.advance(1.0)

    assert "live" == bench.states()[-1]
    assert 1 == bench.states().count("live")
    assert 1 == bench.connects


async def test_lockout_is_waited_out():
    """A hard ban is not prolonged by knocking."""
    locked = Response(200, b'{"error":["EGeneral:Temporary lockout"]}')
    bench = Bench(rest=[locked])
    async with bench.running():
        await bench.clock.advance(890)

    assert 1 == bench.connects


async def test_row_that_stays_unreadable_does_not_storm():
    """One resync, then degraded, naming the row; its dead letters tell why."""
    bad = frame("snapshot", ['{"asset":"BTC","balance":NaN}', USD], 1)
    bench = Bench(ScriptedSocket(bad), ScriptedSocket(bad))
    async with bench.running():
        await bench.clock.advance(1.5)

    assert 2 == bench.connects
    assert "degraded" == bench.states()[-1]
    assert "BTC" in bench.reasons()[-1]
    assert ["invalid_row", "invalid_row"] == [each.reason for each in bench.letters()]
    assert bad == bench.letters()[0].payload
    assert 0 == bench.letters()[0].index
    assert {"kraken|main||spot/main|USD": "100"} == bench.latest()


async def test_unreadable_frame_is_kept_with_its_bytes():
    """A cut frame is a dead letter, and the balances are asked for anew."""
    cut = PICTURE[:40]
    bench = Bench(ScriptedSocket(PICTURE, cut), ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(1)
    (letter,) = bench.letters()

    assert ("invalid_json", cut, len(cut), "connector") == (
        letter.reason,
        letter.payload,
        letter.payload_size,
        letter.service,
    )
    assert 2 == bench.connects


async def test_large_frame_comes_in_parts():
    """Parts put together are the frame."""
    rows = [asset(f"A{n}", "1", ("spot", "main", "1")) for n in range(12_000)]
    large = frame("snapshot", rows, 1)
    bench = Bench(ScriptedSocket(large))
    async with bench.running():
        await bench.clock.advance(1)
    parts = bench.frames()

    assert len(large) > PART_BYTES_MAX
    assert large == b"".join(part.payload for part in parts)
    assert [(0, 2), (1, 2)] == [(part.part, part.parts) for part in parts]
    assert {0} == {part.index for part in parts}
    assert 12_000 == len(bench.latest())


async def test_lost_records_lead_to_a_new_picture_from_the_bus():
    """What the bus did not take is told anew; absents too."""
    socket = ScriptedSocket(PICTURE)
    bench = Bench(socket, ScriptedSocket(frame("snapshot", [USD], 1)))
    async with bench.running():
        await bench.clock.advance(1)
        bench.bus.fail(BusInterrupted("gone"))
        socket.say(update(2, "101"))
        await bench.clock.advance(3)

    assert 2 == bench.connects
    assert "update" not in {event.kind for event in bench.events()}
    assert {
        "kraken|main||spot/main|BTC": "0",
        "kraken|main||spot/main|USD": "100",
    } == bench.latest()


async def test_every_record_of_an_account_has_its_account_key():
    """The partition follows from the account alone."""
    bench = Bench(ScriptedSocket(PICTURE, update(2, "101")))
    async with bench.running():
        await bench.clock.advance(1)

    records = [record for topic in bench.bus.records.values() for record in topic]
    assert {"kraken|main"} == {record.account for record in records}
    assert {"kraken|main"} == {r.key for r in bench.bus.records[FRAMES.name]}
    assert 3 == len(bench.bus.records[LATEST.name])


async def test_first_frame_of_an_epoch_says_what_was_known():
    """The process, and a digest of the balances; only the first had read them back."""
    bench = Bench(ScriptedSocket(PICTURE, update(3, "103")), ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(1)
        known = digest(bench.runner._memory.balances)

    first, gap, second = bench.frames()
    assert OPENING not in gap.attributes
    before, after = opening_in(first), opening_in(second)
    assert ("stream", True, digest({})) == (before.of, before.read, before.known)
    assert ("stream", False, known) == (after.of, after.read, after.known)
    assert before.run == after.run


async def test_what_was_read_for_an_epoch_without_frames_is_told_by_the_next():
    """A connection that ended at once leaves no frame to say it with."""
    first = ScriptedSocket(HEARTBEAT)
    first.close()
    bench = Bench(first, ScriptedSocket(PICTURE))
    async with bench.running():
        await bench.clock.advance(2)

    assert 2 == bench.connects
    assert opening_in(bench.frames()[0]).read


async def test_frame_says_which_number_of_no_frame_came_before_it():
    """Numbers of frames that are kept need no saying."""
    bench = Bench(ScriptedSocket(PICTURE, HEARTBEAT, update(2, "101")))
    async with bench.running():
        await bench.clock.advance(1)

    assert [False, False] == [AFTER in each.attributes for each in bench.frames()]
