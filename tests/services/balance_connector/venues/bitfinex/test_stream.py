"""What each frame means, one connection at a time."""

import hashlib
import hmac
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from bitfinex_conversation import (
    BOTH,
    MTS,
    NOW,
    array,
    conf,
    conf_answer,
    connection,
    fresh,
    hb,
    row,
    seed,
    told,
    ws,
    wu,
)

from balance_connector.books import Holding
from balance_connector.venue import Note, Response, State
from balance_connector.venues.bitfinex.observing import time_of
from balance_schemas.records import BalanceEvent, Movement
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    SequenceGap,
    VenueRefused,
    VenueUnavailable,
)

BTC = row("exchange", "BTC", "1.5")
USD = row("margin", "USD", "100.25")
META = (
    '{"reason":"TRADE","order_id":34988418651,"trade_amount":"-0.5","order_gid":null}'
)


@pytest.fixture(name="stream")
def _stream():
    """Return a connection with a picture of BTC and USD under number 1."""
    stream = connection()
    list(stream.receive(ws([BTC, USD], 1), NOW).events)
    return stream


class TestOpening:
    """From the maps to the login."""

    def test_maps_are_asked_for_without_a_key(self):
        """The names come from a public call that is kept for replay."""
        request = fresh().login(1, NOW)

        assert ("GET", "conf", False) == (
            request.method,
            request.source,
            request.secret,
        )
        assert {} == request.headers
        assert (
            "/v2/conf/pub:map:currency:sym,pub:map:currency:undl,pub:list:currency"
            == request.path
        )

    def test_configuration_comes_before_the_login(self):
        """Numbers and times on each frame, wallets only, and never a dead man switch."""
        first, second = map(json.loads, fresh().open(None, 1767322445000000, NOW).send)
        payload = "AUTH1767322445000000"
        signature = hmac.new(b"secret", payload.encode(), hashlib.sha384).hexdigest()

        assert {"event": "conf", "flags": 98304} == first
        assert {
            "event": "auth",
            "apiKey": "key",
            "authSig": signature,
            "authNonce": 1767322445000000,
            "authPayload": payload,
            "filter": ["wallet"],
        } == second

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            Response(500, b'["error",20060,"maintenance"]'),
            Response(429, b'{"error":"ERR_RATE_LIMIT"}'),
            Response(200, b"<html>"),
            Response(200, b"[[],[]]"),
            Response(200, b"[5,[],[]]"),
            Response(200, b""),
        ],
    )
    def test_failed_maps_do_not_stop_the_stream(self, answer):
        """The static table serves: Tether is found without the venue's help."""
        stream = connection(answer=answer)
        step = stream.receive(ws([row("exchange", "UST", "1")], 1), NOW)

        assert [("snapshot", "spot", "exchange", "USDT", "1")] == told(step)

    def test_names_told_before_serve_without_maps(self):
        """A balance keeps its key while the venue does not say what its code is."""
        known: dict[str, Holding] = {}
        maps = json.dumps([[["ABX", "ABCOIN"]], [["ABXF0", "ABX"]], []]).encode()
        rows = [row("exchange", "ABX", "1"), row("margin", "ABXF0", "2")]
        first = connection(known, answer=Response(200, maps))
        before = told(first.receive(ws(rows, 1), NOW))
        second = connection(known, epoch=2, answer=Response(503, b""))

        assert before == told(second.receive(ws(rows, 1), NOW))
        assert ("snapshot", "derivatives", "margin", "ABCOIN", "2") == before[1]

    def test_login_alone_is_not_live(self):
        """Live means that the picture is in."""
        stream = connection()

        assert State.SYNCING is stream.health.state
        assert not stream.synced

    @pytest.mark.parametrize("version", ["1", '"3"', "3", '"x"', "2.5"])
    def test_other_version_is_refused(self, version):
        """Another protocol cannot be read."""
        greeting = f'{{"event":"info","version":{version}}}'.encode()

        assert isinstance(fresh().receive(greeting, NOW).demand, VenueRefused)

    @pytest.mark.parametrize("status", ["0", '"0"'])
    def test_platform_in_maintenance_is_told(self, status):
        """The greeting says so; the connection is tried again with back-off."""
        greeting = f'{{"event":"info","version":2,"platform":{{"status":{status}}}}}'
        step = fresh().receive(greeting.encode(), NOW)

        assert isinstance(step.demand, VenueUnavailable)
        assert step.demand.maintenance

    @pytest.mark.parametrize("status", ["FAILED", "FAIL", "ok", ""])
    def test_configuration_that_fails_is_degraded(self, status):
        """Balances are told without numbers, and that a lost one would not be seen."""
        stream = fresh()
        assert stream.receive(conf(BOTH, status), NOW).demand is None
        stream.receive(seed("ws_auth"), NOW)
        list(stream.receive(ws([BTC], None), NOW).events)

        assert State.DEGRADED is stream.health.state
        assert "numbers no frames" in stream.health.reason

    @pytest.mark.parametrize("status", ["FAIL", "FAILED", "DENIED", "", None])
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (10100, VenueRefused),
            ("10100", VenueRefused),
            (10114, VenueUnavailable),
            ("10114", VenueUnavailable),
            (20060, VenueUnavailable),
            (12345, VenueUnavailable),
            (None, VenueUnavailable),
        ],
    )
    def test_failed_login_is_told_by_its_code(self, status, code, error):
        """Whatever word the status is, the code decides; without one it is retried."""
        frame = {"event": "auth", "status": status, "code": code, "msg": "x"}
        step = fresh().receive(json.dumps(frame).encode(), NOW)

        assert error is type(step.demand)

    def test_refused_key_is_named(self):
        """Who has to act is told what is wrong."""
        frame = (
            b'{"event":"auth","status":"FAILED","code":10100,"msg":"apikey: invalid"}'
        )

        assert "API key" in str(fresh().receive(frame, NOW).demand)

    def test_small_nonce_waits(self):
        """The captured refusal is tried again after a while, not at once for ever."""
        demand = fresh().receive(seed("ws_auth_failed"), NOW).demand

        assert (10.0, True) == (demand.retry_after_s, demand.fresh_nonce)

    @pytest.mark.parametrize(
        ("code", "text", "error"),
        [
            (10100, "apikey: invalid", VenueRefused),
            (10100, "auth: invalid", VenueUnavailable),
            (10114, "nonce: small", VenueUnavailable),
            (10000, "event: unknown", VenueRefused),
            (10020, "flags: invalid", VenueRefused),
            ("10305", "x", VenueUnavailable),
            (99999, "x", VenueUnavailable),
        ],
    )
    def test_error_event_is_told_by_its_code(self, code, text, error):
        """A login may fail by an event of another name."""
        frame = {"code": code, "event": "error", "msg": text}
        step = fresh().receive(json.dumps(frame).encode(), NOW)

        assert error is type(step.demand)

    @pytest.mark.parametrize(
        "caps",
        [
            '{"wallets":{"read":1,"write":0}}',
            '{"wallets":{"read":"1"}}',
            '{"wallets":{"read":true}}',
            r'"{\"wallets\":{\"read\":\"1\",\"write\":\"0\"}}"',
        ],
    )
    def test_permission_in_any_spelling(self, caps):
        """Objects and JSON in a text, numbers and texts."""
        frame = f'{{"event":"auth","status":"OK","chanId":0,"caps":{caps}}}'

        assert fresh().receive(frame.encode(), NOW).demand is None

    @pytest.mark.parametrize(
        "caps",
        [
            "{}",
            '{"wallets":{"read":0,"write":1}}',
            '{"wallets":{}}',
            '{"wallets":5}',
            '{"wallets":{"read":"0"}}',
            '{"wallets":{"read":false}}',
            r'"{\"orders\":{\"read\":\"1\"}}"',
        ],
    )
    def test_missing_permission_is_named(self, caps):
        """A key that may not read wallets logs in fine and would tell nothing."""
        frame = f'{{"event":"auth","status":"OK","chanId":0,"caps":{caps}}}'
        demand = fresh().receive(frame.encode(), NOW).demand

        assert isinstance(demand, VenueRefused)
        assert "wallets: read" in str(demand)

    @pytest.mark.parametrize("caps", ["", ',"caps":null', ',"caps":"{"', ',"caps":5'])
    def test_unknown_permission_is_shown_by_the_first_wallet(self, caps):
        """An empty picture of a key that may read nothing must not zero the books."""
        known: dict[str, Holding] = {}
        list(connection(known).receive(ws([BTC], 1), NOW).events)
        frame = f'{{"event":"auth","status":"OK","chanId":0{caps}}}'.encode()
        stream = fresh(known, epoch=2)
        stream.receive(conf(BOTH), NOW)

        assert stream.receive(frame, NOW).demand is None
        step = stream.receive(ws([], 1), NOW)
        assert isinstance(step.demand, VenueUnavailable)
        assert [] == list(step.events)
        assert not stream.synced
        assert ["1.5"] == [str(held.balance) for held in known.values()]

        stream = fresh(known, epoch=3)
        stream.receive(conf(BOTH), NOW)
        stream.receive(frame, NOW)
        assert told(stream.receive(ws([BTC], 1), NOW))
        assert [("absent", "spot", "exchange", "BTC", "0")] == told(
            stream.receive(ws([], 2), NOW)
        )
        assert State.LIVE is stream.health.state

    def test_wallets_before_the_login_are_in_doubt(self):
        """An empty picture before the permission is known says nothing."""
        stream = fresh()
        stream.receive(conf(BOTH), NOW)

        assert "not_admitted" == stream.receive(ws([], 1), NOW).demand.reason


class TestPicture:
    """``ws``."""

    def test_documented_picture(self):
        """The documentation's example, as one whole event."""
        stream = connection(flags=0)
        (event,) = stream.receive(seed("ws_wallets_snapshot"), NOW).events

        assert event == BalanceEvent(
            event_id="bitfinex|main|ws|1|f1|0",
            venue="bitfinex",
            account="main",
            subaccount="",
            feed="ws",
            wallet="spot",
            wallet_id="exchange",
            nature="asset",
            asset="SAN",
            venue_asset="SAN",
            asset_class="currency",
            network="",
            kind="snapshot",
            balance=Decimal("19.76"),
            available=None,
            delta=None,
            reported_balance=Decimal("19.76"),
            balance_scope="wallet",
            movements=(),
            venue_time=None,
            received_at=NOW,
            epoch=1,
            sequence=None,
            snapshot_id="bitfinex|main|ws|1|f1",
            snapshot_index=0,
            snapshot_size=1,
            attributes={"unsettled_interest": "0"},
        )

    def test_numbers_and_times_are_the_frames(self):
        """MSG_SEQ is the sequence, MTS the venue's time."""
        step = connection().receive(ws([BTC, USD], 5, account=15214), NOW)
        events = list(step.events)

        assert [(5, time_of(MTS), 0, 2), (5, time_of(MTS), 1, 2)] == [
            (e.sequence, e.venue_time, e.snapshot_index, e.snapshot_size)
            for e in events
        ]
        assert ["bitfinex|main|ws|1|5|0", "bitfinex|main|ws|1|5|1"] == [
            event.event_id for event in events
        ]
        assert step.confirmed

    def test_last_change_in_a_picture_is_no_news(self):
        """Description and META of a picture are attributes, not ledger lines."""
        one = row("exchange", "BTC", "1", "1", "Exchange 0.01 BTC for USD", META)
        (event,) = connection().receive(ws([one], 1), NOW).events

        assert () == event.movements
        assert {
            "unsettled_interest": "0",
            "description": "Exchange 0.01 BTC for USD",
            "meta": META,
        } == event.attributes
        assert Decimal(1) == event.available

    def test_empty_picture_is_an_empty_account(self):
        """No wallets is an answer: what was known is gone."""
        known: dict[str, Holding] = {}
        list(connection(known).receive(ws([BTC], 1), NOW).events)
        stream = connection(known, epoch=2)
        step = stream.receive(ws([], 1), NOW)

        assert [("absent", "spot", "exchange", "BTC", "0")] == told(step)
        assert State.LIVE is stream.health.state
        assert stream.synced

    def test_each_picture_replaces_the_one_before(self, stream):
        """A second picture on the connection is as full as the first."""
        step = stream.receive(ws([BTC], 2), NOW)

        assert [
            ("snapshot", "spot", "exchange", "BTC", "1.5"),
            ("absent", "margin", "margin", "USD", "0"),
        ] == told(step)
        assert State.LIVE is stream.health.state

    def test_one_flat_array_is_a_picture_of_one(self):
        """Some servers leave the outer list away."""
        step = connection().receive(array("ws", BTC, 1), NOW)

        assert [("snapshot", "spot", "exchange", "BTC", "1.5")] == told(step)

    @pytest.mark.parametrize(
        ("word", "code", "expected"),
        [
            ("exchange", "UST", ("spot", "exchange", "USDT")),
            ("margin", "UDC", ("margin", "margin", "USDC")),
            ("trading", "BTC", ("margin", "margin", "BTC")),
            ("funding", "EUT", ("funding", "funding", "EURT")),
            ("deposit", "USD", ("funding", "funding", "USD")),
            ("margin", "USTF0", ("derivatives", "margin", "USDT")),
            ("margin", "BTCF0", ("derivatives", "margin", "BTC")),
            ("exchange", "TERRAUST", ("spot", "exchange", "USTC")),
            ("vault", "BTC", ("unspecified", "vault", "BTC")),
        ],
    )
    def test_wallets_and_assets_in_our_words(self, word, code, expected):
        """Wallet words and whole currency codes; the venue's code stays beside."""
        stream = connection(answer=conf_answer())
        (event,) = stream.receive(ws([row(word, code, "1")], 1), NOW).events

        assert expected == (event.wallet, event.wallet_id, event.asset)
        assert code == event.venue_asset

    def test_old_word_is_kept_beside_the_new_one(self):
        """The pocket is the same; what was sent is not lost."""
        (event,) = connection().receive(ws([row("trading", "BTC", "1")], 1), NOW).events

        assert "trading" == event.attributes["wallet_type"]

    def test_collateral_does_not_merge_with_the_margin_wallet(self):
        """UST and USTF0 are both Tether, in two pockets."""
        rows = [row("margin", "UST", "1"), row("margin", "USTF0", "11.960650700086292")]
        step = connection().receive(ws(rows, 1), NOW)

        assert [
            ("snapshot", "margin", "margin", "USDT", "1"),
            ("snapshot", "derivatives", "margin", "USDT", "11.960650700086292"),
        ] == told(step)
        assert () == step.notes

    def test_clash_is_counted(self):
        """Two codes of one name never share a key."""
        rows = [row("exchange", "BAB", "1"), row("exchange", "BCHN", "2")]
        step = connection().receive(ws(rows, 1), NOW)
        assets = [event.asset for event in step.events]

        assert ["BCH", "BCHN"] == assets
        assert (Note.ASSET_CLASH,) == step.notes

    def test_unknown_word_and_code_are_counted(self):
        """Both pass through; a code is counted once for a connection."""
        rows = [row("vault", "QQQ", "1"), row("exchange", "QQQ", "1")]
        stream = connection()
        step = stream.receive(ws(rows, 1), NOW)

        assert (Note.UNKNOWN_WORD, Note.UNMAPPED_ASSET) == step.notes
        assert "unknown" == next(iter(step.events)).nature
        assert () == stream.receive(wu(row("funding", "QQQ", "1"), 2), NOW).notes

    def test_alias_wins(self):
        """What the user says counts more than every table."""
        stream = connection(answer=conf_answer(), aliases={"UST": "Tether"})
        step = stream.receive(ws([row("exchange", "UST", "1")], 1), NOW)

        assert [("snapshot", "spot", "exchange", "Tether", "1")] == told(step)

    @pytest.mark.parametrize(
        "bad",
        [
            '["exchange","BTC",NaN,0,null]',
            '["exchange","BTC",Infinity,0,null]',
            '["exchange","BTC",0.1234567890123456789,0,null]',
            '["exchange","BTC",true,0,null]',
            '["exchange","BTC"]',
        ],
    )
    def test_one_unreadable_row_does_not_hide_the_others(self, bad):
        """The rest is told; the unreadable balance is neither changed nor absent."""
        known: dict[str, Holding] = {}
        list(connection(known).receive(ws([BTC, USD], 1), NOW).events)
        stream = connection(known, epoch=2)
        step = stream.receive(ws([bad, USD], 1), NOW)

        assert [("snapshot", "margin", "margin", "USD", "100.25")] == told(step)
        assert frozenset({"|exchange/BTC"}) == step.invalid.names
        assert step.demand is step.invalid
        assert not step.confirmed
        assert State.STALE is stream.health.state
        assert 2 == len(known)

    def test_row_that_stays_unreadable_degrades(self):
        """Told twice unreadable, the feed goes on without it and says so."""
        bad = '["exchange","BTC",0.1234567890123456789,0,null]'
        first = connection().receive(ws([bad, USD], 1), NOW)
        stream = connection(tolerated=first.invalid.names)
        step = stream.receive(ws([bad, USD], 1), NOW)

        assert step.demand is None
        assert step.invalid is not None
        assert State.DEGRADED is stream.health.state
        assert "BTC" in stream.health.reason
        assert stream.receive(wu(bad, 2), NOW).demand is None
        list(stream.receive(ws([BTC, USD], 3), NOW).events)
        assert State.LIVE is stream.health.state

    def test_row_without_a_name_spares_everything(self):
        """Where it cannot be told whose row it is, nothing is called absent."""
        known: dict[str, Holding] = {}
        list(connection(known).receive(ws([BTC], 1), NOW).events)
        step = connection(known, epoch=2).receive(ws([USD, "5"], 1), NOW)

        assert [("snapshot", "margin", "margin", "USD", "100.25")] == told(step)

    def test_second_telling_of_a_wallet_is_unreadable(self):
        """Two rows of one wallet are not merged, in old words neither."""
        rows = [row("margin", "BTC", "1"), row("trading", "BTC", "2")]
        step = connection().receive(ws(rows, 1), NOW)

        assert [("snapshot", "margin", "margin", "BTC", "1")] == told(step)
        assert "told twice" in str(step.invalid)


class TestUpdate:
    """``wu``."""

    def test_documented_update(self):
        """The documentation's example, as one whole event with one ledger line."""
        stream = connection(flags=0)
        list(stream.receive(ws([BTC], None), NOW).events)
        (event,) = stream.receive(seed("ws_wallets_update_trade"), NOW).events

        assert event == BalanceEvent(
            event_id="bitfinex|main|ws|1|f2|0",
            venue="bitfinex",
            account="main",
            subaccount="",
            feed="ws",
            wallet="spot",
            wallet_id="exchange",
            nature="asset",
            asset="BTC",
            venue_asset="BTC",
            asset_class="currency",
            network="",
            kind="update",
            balance=Decimal("1.61169184"),
            reported_balance=Decimal("1.61169184"),
            balance_scope="wallet",
            movements=(
                Movement(
                    movement_id="",
                    type="TRADE",
                    attributes={
                        "order_id": "34988418651",
                        "order_id_oppo": "34990541044",
                        "trade_price": "7804.6",
                        "trade_amount": "0.01",
                        "description": "Exchange 0.01 BTC for USD @ 7804.6",
                    },
                ),
            ),
            received_at=NOW,
            epoch=1,
            attributes={"unsettled_interest": "0"},
        )

    def test_captured_frames_of_a_transfer(self):
        """The notice and the update after it, numbers as they were captured."""
        stream = connection()
        list(stream.receive(ws([USD], 142), NOW).events)
        notice = stream.receive(seed("ws_notice"), NOW)
        step = stream.receive(seed("ws_wallets_update_transfer"), NOW)
        (event,) = step.events

        assert (None, None, False) == (notice.demand, notice.invalid, notice.keep)
        assert ("update", "USDT", Decimal("28435.19117142"), 144, None) == (
            event.kind,
            event.asset,
            event.balance,
            event.sequence,
            event.delta,
        )
        assert time_of(1786327545453) == event.venue_time
        assert () == event.movements
        assert "15215" == event.attributes["account_sequence"]
        assert "bitfinex|main|ws|1|144|0" == event.event_id

    def test_null_is_unknown_and_never_zero(self, stream):
        """What is available of a new balance is not known until it is calculated."""
        (event,) = stream.receive(wu(row("exchange", "BTC", "1"), 2), NOW).events

        assert event.available is None

    @pytest.mark.parametrize(
        ("description", "meta", "expected"),
        [
            ("Trading fees for 0.4 LTC", "null", [("", "Trading fees for 0.4 LTC")]),
            (None, '{"reason":"FEE"}', [("FEE", None)]),
            (None, '"odd"', [("", None)]),
            (None, "{}", []),
            (None, "null", []),
        ],
    )
    def test_description_and_meta_are_one_movement(
        self, stream, description, meta, expected
    ):
        """What the frame does not tell of the ledger line is left open."""
        one = row("exchange", "BTC", "1", "null", description, meta)
        (event,) = stream.receive(wu(one, 2), NOW).events

        assert expected == [
            (line.type, line.attributes.get("description")) for line in event.movements
        ]
        assert not any(
            line.amount or line.change or line.fee for line in event.movements
        )

    @pytest.mark.parametrize(
        "meta",
        [
            '{"a":"\\ud800", "b":"\\ud83d\\ude00"}',
            '{"\\ud800":1}',
            '"\\ud800"',
            "[" * 9 + "]" * 9,
        ],
    )
    def test_odd_meta_hides_no_balance(self, stream, meta):
        """Words about a balance are kept as sent where they are no texts."""
        update = wu(row("exchange", "BTC", "1", "null", None, meta), 2)
        step = stream.receive(update, NOW)
        (event,) = step.events

        assert step.invalid is None
        assert 1 == len(event.movements)

    def test_bytes_that_are_no_text_make_a_bad_row(self, stream):
        """They could not be kept as sent."""
        update = wu(row("exchange", "BTC", "1", "null", None, '{"a":"?"}'), 2)
        step = stream.receive(update.replace(b"?", b"\xff"), NOW)

        assert step.demand is not None
        assert [] == list(step.events)

    def test_trade_and_fee_leg_are_two_updates(self, stream):
        """The balance steps twice, each step is told."""
        list(stream.receive(wu(row("exchange", "BTC", "1.4"), 2), NOW).events)
        step = stream.receive(wu(row("exchange", "BTC", "1.3992"), 3), NOW)

        assert [("update", "spot", "exchange", "BTC", "1.3992")] == told(step)

    def test_negative_dust_is_told(self, stream):
        """Less than nothing occurs."""
        step = stream.receive(wu(row("exchange", "JPY", "-1e-08"), 2), NOW)

        assert [("update", "spot", "exchange", "JPY", "-1E-8")] == told(step)

    def test_answer_to_a_calc_is_no_ledger_entry(self, stream):
        """The same balance with a figure of what is available: told, not booked."""
        one = row("exchange", "BTC", "1.50", "1.25", "the last change", META)
        (event,) = stream.receive(wu(one, 2), NOW).events

        assert (Decimal("1.25"), (), "update") == (
            event.available,
            event.movements,
            event.kind,
        )
        assert "the last change" == event.attributes["description"]
        assert "7" == event.attributes["account_sequence"]
        assert {} == stream._books.recent

    def test_new_balance_with_what_is_available_is_a_change(self, stream):
        """A ledger entry may come with the figure."""
        one = row("exchange", "BTC", "1.75", "1.25", "a deposit")
        (event,) = stream.receive(wu(one, 2), NOW).events

        assert 1 == len(event.movements)
        assert 1 == len(stream._books.recent)

    def test_answer_with_another_balance_is_no_ledger_entry(self, stream):
        """Its update was lost, and history has the line."""
        one, other = '["exchange","BTC",1.75,0,1.75]', '["exchange","BTC",2,0,2]'
        (event,) = stream.receive(wu(one, 2), NOW).events

        assert ("update", Decimal("1.75"), ()) == (
            event.kind,
            event.balance,
            event.movements,
        )
        assert {} == stream._books.recent

        list(stream.receive(wu(other, 3), NOW).events)

        assert [Decimal(2)] == [fact.balance for fact in stream._books.recent.values()]

    def test_equal_balance_without_the_figure_is_a_change(self, stream):
        """Entries that cancel each other out are two entries."""
        one = row("exchange", "BTC", "1.5", "null", "in and out")
        (event,) = stream.receive(wu(one, 2), NOW).events

        assert 1 == len(event.movements)

    def test_update_before_the_picture_is_in_doubt(self):
        """Without a picture the account is not known."""
        step = connection().receive(wu(BTC, 1), NOW)

        assert "no_picture" == step.demand.reason
        assert [] == list(step.events)

    def test_unreadable_update_puts_balances_in_doubt(self, stream):
        """What cannot be read told a balance."""
        step = stream.receive(wu('["exchange","BTC",NaN,0,null]', 2), NOW)

        assert frozenset({"|exchange/BTC"}) == step.invalid.names
        assert step.demand is step.invalid
        assert State.STALE is stream.health.state

    def test_update_of_nothing_is_invalid(self, stream):
        """A frame without its one wallet is not as documented."""
        assert isinstance(stream.receive(wu("[]", 2), NOW).demand, FrameInvalid)


class TestNumbers:
    """MSG_SEQ."""

    def test_gap_is_seen(self, stream):
        """A number that is left out is a frame that was lost."""
        step = stream.receive(wu(BTC, 3), NOW)

        assert isinstance(step.demand, SequenceGap)
        assert [] == list(step.events)
        assert State.STALE is stream.health.state

    def test_heartbeats_and_other_frames_count(self, stream):
        """Every array frame of the socket has its number, whatever its channel."""
        frames = [
            hb(2),
            array("bu", "[4131,4131.85]", 3),
            array("n", "[1]", 4),
            f"[17,[1],5,{MTS}]".encode(),
            f'[17,"hb",6,{MTS}]'.encode(),
            array("zz", "[]", 7),
            wu(BTC, 8),
        ]

        assert [None] * 7 == [stream.receive(each, NOW).demand for each in frames]
        assert 8 == stream.sequence
        assert isinstance(stream.receive(hb(10), NOW).demand, SequenceGap)

    def test_number_of_the_account_is_no_number_of_frames(self, stream):
        """ACCOUNT_SEQ jumps, repeats and starts at 0."""
        for number, account in enumerate([15214, 15214, 0, 99999], start=2):
            assert stream.receive(wu(BTC, number, account), NOW).demand is None

    def test_same_frame_again_is_a_duplicate(self, stream):
        """What was told is not told again."""
        update = wu(row("exchange", "BTC", "2"), 2)
        list(stream.receive(update, NOW).events)
        list(stream.receive(wu(row("exchange", "BTC", "3"), 3), NOW).events)
        step = stream.receive(update, NOW)

        assert ([], (Note.DUPLICATE,), None) == (
            list(step.events),
            step.notes,
            step.demand,
        )
        assert 3 == stream.sequence

    def test_old_number_with_new_content_is_in_doubt(self, stream):
        """One of the two must be wrong."""
        step = stream.receive(ws([USD], 1), NOW)

        assert "sequence_reused" == step.demand.reason

    def test_frame_that_is_long_forgotten_is_in_doubt(self, stream):
        """What cannot be known for a repetition is none."""
        update = wu(row("exchange", "BTC", "2"), 2)
        list(stream.receive(update, NOW).events)
        for number in range(3, 1_100):
            stream.receive(hb(number), NOW)

        assert "sequence_reused" == stream.receive(update, NOW).demand.reason

    def test_data_without_a_number_is_a_gap(self, stream):
        """Once numbered, always numbered."""
        assert isinstance(stream.receive(wu(BTC, None), NOW).demand, SequenceGap)

    @pytest.mark.parametrize("odd", ['[0,"hb"]', '[0,"n",[1]]', f'[0,"n",[1],{MTS}]'])
    def test_frames_that_may_lack_a_number(self, stream, odd):
        """The next frame says whether they were counted."""
        assert stream.receive(odd.encode(), NOW).demand is None
        assert stream.receive(wu(BTC, 2), NOW).demand is None

    @pytest.mark.parametrize("flags", [0, 32_768])
    def test_without_numbers_the_feed_is_degraded(self, flags):
        """A lost frame would not be seen: the balances are told, not trusted."""
        stream = connection(flags=flags)
        tail = f",{MTS}" if flags else ""
        list(stream.receive(f'[0,"ws",[{BTC}]{tail}]'.encode(), NOW).events)
        step = stream.receive(f'[0,"wu",{BTC}{tail}]'.encode(), NOW)
        (event,) = step.events

        assert State.DEGRADED is stream.health.state
        assert (time_of(MTS) if flags else None) == event.venue_time
        assert event.sequence is None

    @pytest.mark.parametrize("tail", ["", f",{MTS}"])
    def test_numbers_acknowledged_and_never_sent(self, tail):
        """They are told and not trusted, as without the flag; no endless new picture."""
        stream = connection()
        list(stream.receive(f'[0,"ws",[{BTC}]{tail}]'.encode(), NOW).events)
        step = stream.receive(f'[0,"wu",{BTC}{tail}]'.encode(), NOW)
        (event,) = step.events

        assert (None, None) == (step.demand, event.sequence)
        assert (time_of(MTS) if tail else None) == event.venue_time
        assert State.DEGRADED is stream.health.state
        assert "numbers no frames" in stream.health.reason

    def test_numbers_that_begin_after_the_picture_are_followed(self):
        """From the first one on a missing one is a gap."""
        stream = connection()
        list(stream.receive(ws([BTC], None), NOW).events)
        list(stream.receive(wu(BTC, 5), NOW).events)

        assert isinstance(stream.receive(wu(BTC, None), NOW).demand, SequenceGap)
        assert isinstance(stream.receive(wu(BTC, 7), NOW).demand, SequenceGap)

    def test_numbers_that_come_late_make_it_live(self):
        """Live from the acknowledgement on."""
        stream = connection(flags=0)
        list(stream.receive(ws([BTC], None), NOW).events)
        stream.receive(conf(BOTH), NOW)

        assert State.LIVE is stream.health.state
        assert stream.receive(wu(BTC, 2), NOW).demand is None
        assert isinstance(stream.receive(wu(BTC, 4), NOW).demand, SequenceGap)

    def test_acknowledgement_without_flags_is_of_all(self):
        """Older pages show none."""
        stream = fresh()
        stream.receive(b'{"event":"conf","status":"OK"}', NOW)

        assert BOTH == stream._numbers.flags


class TestOtherFrames:
    """Frames without balances."""

    @pytest.mark.parametrize(
        "alive",
        [
            hb(2),
            b'{"event":"pong","ts":1511545528111,"cid":1234}',
            array("ps", "[]", 2),
        ],
    )
    def test_signs_of_life_are_not_kept(self, stream, alive):
        """Heartbeats, pongs and other people's news are no part of the story."""
        step = stream.receive(alive, NOW)

        assert (False, None, None) == (step.keep, step.invalid, step.demand)

    @pytest.mark.parametrize("code", ["20060", '"20060"'])
    def test_maintenance_is_a_state(self, stream, code):
        """The connection stays, and figures are not trusted meanwhile."""
        info = f'{{"event":"info","code":{code},"msg":"x"}}'.encode()
        step = stream.receive(info, NOW)

        assert step.demand is None
        assert State.MAINTENANCE is stream.health.state
        list(stream.receive(ws([BTC], 2), NOW).events)
        assert State.MAINTENANCE is stream.health.state
        assert () == stream.due(NOW)

    @pytest.mark.parametrize("code", ["20061", '"20061"'])
    @pytest.mark.parametrize("name", ["info", "error"])
    def test_end_of_maintenance_is_a_new_connection(self, stream, code, name):
        """Balances of before are not trusted after it."""
        stream.receive(b'{"event":"info","code":20060}', NOW)
        over = f'{{"event":"{name}","code":{code}}}'.encode()

        assert "maintenance_over" == stream.receive(over, NOW).demand.reason

    def test_maintenance_without_an_end_ends(self, stream):
        """Two minutes are the most; then a new connection tells."""
        stream.receive(b'{"event":"info","code":20060}', NOW)
        early = stream.receive(hb(2), NOW + timedelta(seconds=120))
        late = stream.receive(hb(3), NOW + timedelta(seconds=121))

        assert early.demand is None
        assert "maintenance_over" == late.demand.reason

    @pytest.mark.parametrize("code", ["20051", '"20051"'])
    def test_restart_is_a_new_connection(self, stream, code):
        """The venue says so before it goes."""
        info = f'{{"event":"info","code":{code}}}'.encode()

        assert "server_restart" == stream.receive(info, NOW).demand.reason

    def test_unknown_code_is_counted(self, stream):
        """News of a kind that nobody documented."""
        step = stream.receive(b'{"event":"info","code":20077}', NOW)

        assert ((Note.UNKNOWN_WORD,), None) == (step.notes, step.demand)

    def test_end_of_the_login_is_a_new_connection(self, stream):
        """Without a login no wallets come."""
        step = stream.receive(b'{"event":"unauth","status":"OK"}', NOW)

        assert isinstance(step.demand, PictureNeeded)

    @pytest.mark.parametrize(
        ("odd", "reason"),
        [
            (b'{"event":"subscribed"}', "unknown_event"),
            (b"{}", "unknown_event"),
            (f"[17,[1],2,{MTS}]".encode(), "unknown_channel"),
        ],
    )
    def test_unknown_frame_is_a_dead_letter_only(self, stream, odd, reason):
        """What we did not ask for says nothing of balances."""
        step = stream.receive(odd, NOW)

        assert reason == step.invalid.reason
        assert step.demand is None
        assert State.LIVE is stream.health.state

    @pytest.mark.parametrize(
        "unreadable",
        [
            b"",
            b"[",
            b'[0,"wu",["exch',
            b"\xff\xfe\x00",
            b"5",
            b'"text"',
            b"[" * 100_000,
            b'{"event":5}',
            b'[0,"wu",5,2,7,1]',
            b'[0,"ws",null,2,7,1]',
            b'[0,"wu"]',
            b'[0,"\xff",[],2,7,1]',
            b"[]",
        ],
    )
    def test_unreadable_frame_puts_balances_in_doubt(self, stream, unreadable):
        """What cannot be read may have told a balance."""
        step = stream.receive(unreadable, NOW)

        assert step.invalid is not None
        assert isinstance(step.demand, FrameInvalid)
        assert State.STALE is stream.health.state


class TestCalc:
    """What is available, asked for."""

    def test_picture_is_asked_about(self, stream):
        """Every wallet with something in it whose free part is unknown."""
        rows = [
            BTC,
            row("margin", "USTF0", "1"),
            row("funding", "USD", "0"),
            row("exchange", "ETH", "1", "0.5"),
            row("vault", "BTC", "1"),
        ]
        list(stream.receive(ws(rows, 2), NOW).events)
        (request,) = stream.due(NOW)

        assert [
            0,
            "calc",
            None,
            [["wallet_exchange_BTC"], ["wallet_margin_USTF0"]],
        ] == json.loads(request)
        assert () == stream.due(NOW)

    def test_answer_is_not_asked_for_again(self, stream):
        """Asked once, answered, done."""
        stream.due(NOW)
        for number, answer in enumerate(
            [row("exchange", "BTC", "1.5", "1"), row("margin", "USD", "100.25", "0")],
            start=2,
        ):
            list(stream.receive(wu(answer, number), NOW).events)

        assert () == stream.due(NOW + timedelta(minutes=1))

    def test_null_update_is_asked_about(self, stream):
        """A change makes the free part unknown again."""
        self.test_answer_is_not_asked_for_again(stream)
        list(stream.receive(wu(row("exchange", "BTC", "2"), 4), NOW).events)
        (request,) = stream.due(NOW + timedelta(minutes=2))

        assert [["wallet_exchange_BTC"]] == json.loads(request)[3]

    def test_setting_turns_it_off(self):
        """Then nothing is asked."""
        stream = connection(calc=False)
        list(stream.receive(ws([BTC], 1), NOW).events)

        assert () == stream.due(NOW)

    def test_nothing_is_asked_before_the_picture(self):
        """There is nothing to ask about."""
        assert () == connection().due(NOW)

    def test_error_ends_the_questions_not_the_feed(self, stream):
        """Once the picture is in, questions are all we send, so the error is theirs."""
        step = stream.receive(b'{"event":"error","code":10020,"msg":"calc"}', NOW)

        assert ("calc_refused", None) == (step.invalid.reason, step.demand)
        assert State.LIVE is stream.health.state
        assert () == stream.due(NOW)

    def test_error_that_is_not_theirs_ends_the_connection(self):
        """Without questions an error is about the feed."""
        stream = connection(calc=False)
        list(stream.receive(ws([BTC], 1), NOW).events)
        step = stream.receive(b'{"event":"error","code":10305,"msg":"x"}', NOW)

        assert isinstance(step.demand, VenueUnavailable)


def test_numbers_of_frames_that_are_not_kept_are_no_gap():
    """A replay says which number passed; what is missing after it still is."""
    stream = connection()
    list(stream.receive(ws([BTC, USD], 1), NOW).events)
    stream.passed(4)
    assert [*stream.receive(wu(row("exchange", "BTC", "2"), 5), NOW).events]
    step = stream.receive(wu(row("exchange", "BTC", "3"), 7), NOW)
    assert isinstance(step.demand, SequenceGap)
