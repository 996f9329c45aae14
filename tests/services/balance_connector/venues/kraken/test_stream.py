"""What each frame means, one connection at a time."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from conversation import NOW, asset, connection, entry, frame, seed, told

from balance_connector.books import RECENT_MAX, Holding, Observed, Pocket, Told
from balance_connector.venue import Note, Response, State
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    SequenceGap,
    VenueRefused,
    VenueUnavailable,
)
from balance_shared.remembered import Remembered

BTC = asset("BTC", "1.5", ("spot", "main", "1.0"), ("earn", "liquid", "0.5"))
HEARTBEAT = b'{"channel":"heartbeat"}'
PONG = b'{"method":"pong","req_id":101,"time_in":"x","time_out":"y"}'
USD = asset("USD", "100.0000", ("spot", "main", "100.0000"))


@pytest.fixture(name="stream")
def _stream():
    """Return a connection with a picture of BTC in two wallets and USD in one."""
    stream = connection()
    list(stream.receive(frame("snapshot", [BTC, USD], 1), NOW).events)
    return stream


def asked():
    """Return a connection whose subscription is out."""
    stream = connection()
    answer = Response(200, b'{"error":[],"result":{"token":"T"}}')
    stream.open(answer, 1, NOW)
    return stream


class TestOpening:
    """From the token to the acknowledgement."""

    def test_token_is_asked_for_and_used(self):
        """Each connection subscribes with a fresh token and says how to rebase."""
        stream = connection(rebased=False)
        request = stream.login(7, NOW)
        answer = Response(200, b'{"error":[],"result":{"token":"T","expires":900}}')
        (subscription,) = stream.open(answer, 8, NOW).send

        assert "/0/private/GetWebSocketsToken" == request.path
        assert request.secret
        assert {
            "method": "subscribe",
            "params": {
                "channel": "balances",
                "rebased": False,
                "snapshot": True,
                "token": "T",
            },
            "req_id": 1,
        } == msgspec.json.decode(subscription)

    @pytest.mark.parametrize(
        "told", [{"success": True}, {"success": False, "error": "token T is odd"}]
    )
    def test_answer_that_repeats_the_token_is_not_kept(self, told):
        """Frames hold no credential."""
        answer = {"method": "subscribe", "result": {"token": "Secret"}} | told
        stream = connection()
        stream.open(Response(200, b'{"error":[],"result":{"token":"Secret"}}'), 1, NOW)
        plain = msgspec.json.encode({"method": "subscribe"} | told)

        assert not stream.receive(msgspec.json.encode(answer), NOW).keep
        assert stream.receive(plain, NOW).keep

    def test_users_all_asks_for_no_picture(self):
        """The venue gives none, so none is asked for."""
        stream = connection(users_all=True)
        answer = Response(200, b'{"error":[],"result":{"token":"T"}}')
        params = msgspec.json.decode(stream.open(answer, 1, NOW).send[0])["params"]

        assert "all" == params["users"]
        assert "snapshot" not in params

    @pytest.mark.parametrize(
        ("answer", "answered"),
        [
            (b'{"channel":"heartbeat"}', False),
            (b'{"method":"pong"}', False),
            (b'{"channel":"status","data":[{"system":"online"}]}', False),
            (b'{"method":"subscribe","success":true,"result":{}}', True),
        ],
    )
    def test_sign_of_life_is_no_answer(self, answer, answered):
        """Only its own answer shows that the venue took the subscription."""
        stream = asked()
        stream.receive(answer, NOW)

        assert answered is stream.answered

    def test_missing_permission_is_named(self):
        """A key without the WebSocket permission is refused by name."""
        answer = Response(200, b'{"error":["EGeneral:Permission denied"]}')

        with pytest.raises(VenueRefused, match="WebSocket interface - On"):
            connection().open(answer, 1, NOW)

    @pytest.mark.parametrize(
        "body", [b"<html>", b'{"error":[],"result":{}}', b'{"result":{"token":5}}']
    )
    def test_answer_without_a_token_is_retried_and_not_shown(self, body):
        """What should hold the token is never repeated in an error."""
        with pytest.raises(VenueUnavailable) as raised:
            connection().open(Response(200, body), 1, NOW)

        assert body.decode() not in str(raised.value)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("EGeneral:Permission denied", VenueRefused),
            ("ESession:Invalid session", PictureNeeded),
            ("EService:Unavailable", VenueUnavailable),
            ("Something new", VenueUnavailable),
            (
                "Private data and trading are unavailable on this endpoint.",
                VenueRefused,
            ),
        ],
    )
    def test_failed_acknowledgement_demands_what_its_text_means(self, text, error):
        """The error of an acknowledgement is classified as REST errors are."""
        ack = msgspec.json.encode(
            {"method": "subscribe", "success": False, "error": text, "req_id": 1}
        )

        assert error is type(connection().receive(ack, NOW).demand)

    @pytest.mark.parametrize("success", ["", ',"success":null', ',"success":"true"'])
    def test_acknowledgement_without_success_is_a_failure(self, success):
        """Only `true` is success."""
        ack = f'{{"method":"subscribe"{success}}}'.encode()

        assert isinstance(connection().receive(ack, NOW).demand, VenueUnavailable)

    def test_already_subscribed_is_harmless(self):
        """A second subscription's answer changes nothing."""
        ack = b'{"method":"subscribe","success":false,"error":"Already subscribed"}'

        assert connection().receive(ack, NOW).demand is None

    def test_acknowledgement_alone_is_not_live(self):
        """Live means that the picture is in, before or after the acknowledgement."""
        stream = connection()
        stream.receive(seed("ws_subscribe_ack"), NOW)
        before = stream.health.state
        list(stream.receive(seed("ws_balances_snapshot"), NOW).events)

        assert State.SYNCING is before
        assert State.LIVE is stream.health.state


class TestPicture:
    """Snapshots."""

    def test_documented_picture(self):
        """The documentation's example gives one event for each wallet, in order."""
        events = list(connection().receive(seed("ws_balances_snapshot"), NOW).events)

        assert [
            ("kraken|main||spot/main|BTC", "1.2"),
            ("kraken|main||spot/main|MATIC", "300"),
            ("kraken|main||earn/flex|MATIC", "200"),
            ("kraken|main||spot/main|USD", "80595.4943"),
        ] == [(event.key, str(event.balance)) for event in events]
        assert [(0, 4), (1, 4), (2, 4), (3, 4)] == [
            (event.snapshot_index, event.snapshot_size) for event in events
        ]
        assert 1 == len({event.snapshot_id for event in events})
        assert 4 == len({event.event_id for event in events})
        assert {("wallet", None, 1, "asset")} == {
            (event.balance_scope, event.delta, event.sequence, event.nature)
            for event in events
        }

    @pytest.mark.parametrize("wallets", ["", ',"wallets":[]', ',"wallets":null'])
    def test_row_without_wallets_is_unspecified(self, wallets):
        """Where only the total is told, the total is told on."""
        row = f'{{"asset":"BTC","balance":1.5{wallets}}}'
        step = connection().receive(frame("snapshot", [row], 1), NOW)
        (event,) = step.events

        assert ("unspecified", "", "asset") == (
            event.wallet,
            event.wallet_id,
            event.nature,
        )
        assert Decimal("1.5") == event.balance
        assert "currency" == event.asset_class

    def test_total_unlike_its_wallets_is_kept_and_counted(self):
        """Wallets are told as sent, the total beside them."""
        row = asset("BTC", "9.50", ("spot", "main", "1.0"))
        step = connection().receive(frame("snapshot", [row], 1), NOW)
        (event,) = step.events

        assert Decimal("1.0") == event.balance
        assert {"account_balance": "9.50"} == event.attributes
        assert (Note.PICTURE_DIFFERENCE,) == step.notes

    def test_what_vanished_is_absent(self):
        """Balances known before and missing now are told as zero."""
        known: dict[str, Holding] = {}
        first = connection(known)
        list(first.receive(frame("snapshot", [BTC, USD], 1), NOW).events)
        second = connection(known, epoch=2)
        step = second.receive(frame("snapshot", [USD], 1), NOW)

        assert [
            ("snapshot", "spot", "main", "USD", "100.0000"),
            ("absent", "earn", "liquid", "BTC", "0"),
            ("absent", "spot", "main", "BTC", "0"),
        ] == told(step)
        assert {"kraken|main||spot/main|USD"} == set(known)

    def test_unknown_fields_are_kept_verbatim(self):
        """Nothing that the venue sent is dropped."""
        row = (
            '{"asset":"BTC","balance":1.50,"new":{"a":1.10},"wallets":['
            '{"type":"spot","id":"main","balance":1.50,"held":"0.10"}]}'
        )
        (event,) = connection().receive(frame("snapshot", [row], 1), NOW).events

        assert {"new": '{"a":1.10}', "held": "0.10"} == event.attributes

    def test_unknown_wallet_word_is_counted(self):
        """An unknown wallet is told under its own words, with nature unknown."""
        row = asset("BTC", "1", ("vault", "cold", "1"))
        step = connection().receive(frame("snapshot", [row], 1), NOW)
        (event,) = step.events

        assert ("unspecified", "vault:cold", "unknown") == (
            event.wallet,
            event.wallet_id,
            event.nature,
        )
        assert (Note.UNKNOWN_WORD,) == step.notes

    @pytest.mark.parametrize(
        "bad",
        [
            '{"asset":"BTC","balance":NaN,"wallets":[]}',
            '{"asset":"BTC","balance":"NaN"}',
            '{"asset":"BTC","balance":Infinity}',
            '{"asset":"BTC","balance":0.1234567890123456789}',
            '{"asset":"BTC","balance":123456789012345678901}',
            '{"asset":"BTC","balance":1e400}',
            '{"asset":"BTC","balance":true}',
            '{"asset":"BTC","balance":null}',
            '{"asset":"BTC"}',
            '{"asset":"BTC","balance":[1]}',
            '{"asset":"BTC","balance":1,"wallets":{"a":1}}',
            '{"asset":"BTC","balance":1,"wallets":[{"type":"spot","id":5,"balance":1}]}',
            '{"asset":"BTC","balance":1,"wallets":[{"type":"spot","id":"main"}]}',
            asset("BTC", "2", ("spot", "main", "1"), ("spot", "main", "1")),
        ],
    )
    def test_one_unreadable_row_does_not_hide_the_others(self, bad):
        """The rest is told; the unreadable asset is neither changed nor absent."""
        known: dict[str, Holding] = {}
        list(connection(known).receive(frame("snapshot", [BTC, USD], 1), NOW).events)
        stream = connection(known, epoch=2)
        step = stream.receive(frame("snapshot", [bad, USD], 1), NOW)

        assert [("snapshot", "spot", "main", "USD", "100.0000")] == told(step)
        assert "invalid_row" == step.invalid.reason
        assert step.demand is step.invalid
        assert not step.confirmed
        assert 3 == len(known)

    def test_row_that_stays_unreadable_degrades(self):
        """Told twice unreadable, the feed goes on without it and says so."""
        bad = '{"asset":"BTC","balance":NaN}'
        first = connection().receive(frame("snapshot", [bad, USD], 1), NOW)
        stream = connection(tolerated=first.invalid.names)
        step = stream.receive(frame("snapshot", [bad, USD], 1), NOW)

        assert step.demand is None
        assert step.invalid is not None
        assert State.DEGRADED is stream.health.state
        assert "BTC" in stream.health.reason

    def test_row_without_a_name_spares_everything(self):
        """Where it cannot be told whose row it is, nothing is called absent."""
        known: dict[str, Holding] = {}
        list(connection(known).receive(frame("snapshot", [BTC], 1), NOW).events)
        stream = connection(known, epoch=2)
        step = stream.receive(frame("snapshot", ["5", USD], 1), NOW)

        assert [("snapshot", "spot", "main", "USD", "100.0000")] == told(step)
        assert step.demand is not None

    def test_second_telling_of_an_asset_is_unreadable(self):
        """Two rows of one asset are not merged."""
        step = connection().receive(frame("snapshot", [USD, USD], 1), NOW)

        assert 1 == len(told(step))
        assert "told twice" in str(step.invalid)

    def test_row_without_a_name_that_stays_degrades(self):
        """Nameless rows do not make it connect for ever either."""
        first = connection().receive(frame("snapshot", ["5", USD], 1), NOW)
        stream = connection(tolerated=first.invalid.names)
        step = stream.receive(frame("snapshot", ["5", USD], 1), NOW)

        assert step.demand is None
        assert State.DEGRADED is stream.health.state

    def test_sum_of_wallets_that_does_not_fit_is_unreadable(self):
        """Wallets may each fit and their sum not."""
        most = "99999999999999999999"
        row = asset("BTC", "1", ("spot", "main", most), ("earn", "liquid", most))
        step = connection().receive(frame("snapshot", [row, USD], 1), NOW)

        assert [("snapshot", "spot", "main", "USD", "100.0000")] == told(step)
        assert frozenset({"|BTC"}) == step.invalid.names

    @pytest.mark.parametrize("amount", ['"1_0"', '" 1"', '"\u0661"', '"0x1"', '""'])
    def test_text_that_is_no_plain_number_is_unreadable(self, amount):
        """Python reads more as a number than any venue writes."""
        row = f'{{"asset":"BTC","balance":{amount}}}'
        step = connection().receive(frame("snapshot", [row, USD], 1), NOW)

        assert frozenset({"|BTC"}) == step.invalid.names

    @pytest.mark.parametrize("amount", ['"1.50"', '".5"', '"-1e-8"', "1E+5"])
    def test_text_that_is_a_number_is_read(self, amount):
        """Numbers and texts are both in use."""
        row = f'{{"asset":"BTC","balance":{amount}}}'
        (event,) = connection().receive(frame("snapshot", [row], 1), NOW).events

        assert Decimal(amount.strip('"')) == event.balance

    def test_row_too_long_for_a_record_is_unreadable(self):
        """A row of megabytes costs its own balance only."""
        row = f'{{"asset":"BTC","balance":1,"more":"{"x" * 2_000_000}"}}'
        step = connection().receive(frame("snapshot", [row, USD], 1), NOW)

        assert [("snapshot", "spot", "main", "USD", "100.0000")] == told(step)
        assert len(str(step.invalid)) < 2000

    def test_number_that_no_record_holds_is_unreadable(self):
        """A sequence of more than 63 bits is no sequence."""
        step = connection().receive(frame("snapshot", [USD], 2**63), NOW)

        assert isinstance(step.demand, FrameInvalid)

    def test_other_picture_under_an_old_number_is_in_doubt(self, stream):
        """One number, one picture."""
        step = stream.receive(frame("snapshot", [USD], 1), NOW)

        assert "sequence_reused" == step.demand.reason

    def test_late_duplicate_of_the_picture_changes_nothing(self, stream):
        """The picture told again under its old number does not roll back."""
        stream.receive(frame("update", [entry("USD", "5", "105")], 2), NOW)
        step = stream.receive(frame("snapshot", [BTC, USD], 1), NOW)

        assert [] == told(step)
        assert (Note.DUPLICATE,) == step.notes
        assert step.demand is None


class TestUpdate:
    """Updates: amounts, scope, identity."""

    @pytest.mark.parametrize("amount", ["5", '"5"', "5.0", "50e-1", '"5.00"'])
    def test_amount_is_the_same_however_it_is_written(self, stream, amount):
        """Whole numbers, fractions and texts are all in use."""
        row = f'{{"asset":"USD","amount":{amount},"balance":105,"fee":0}}'
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert (Decimal(105), Decimal(5)) == (event.balance, event.delta)

    @pytest.mark.parametrize(
        "amount", ["true", "null", '"1_0"', '"NaN"', "[]", "1e400", "9e999999999999999"]
    )
    def test_amount_that_is_no_number_is_unreadable(self, stream, amount):
        """The entry is no silent balance: it is told and a new picture demanded."""
        row = f'{{"asset":"USD","amount":{amount},"balance":105,"fee":0}}'
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [] == told(step)
        assert step.demand is step.invalid
        assert frozenset({"|USD"}) == step.invalid.names

    def test_fee_is_outside_the_amount(self, stream):
        """The change is amount less fee, and the movement tells both."""
        row = entry("USD", "132.9995", "232.6537", fee="0.3458")
        (event,) = stream.receive(frame("update", [row], 2), NOW).events
        (movement,) = event.movements

        assert Decimal("132.6537") == event.delta
        assert Decimal("232.6537") == event.balance
        assert Decimal("132.9995") == movement.amount
        assert Decimal("0.3458") == movement.fee
        assert Decimal("132.6537") == movement.change
        assert "2026-01-02T03:04:05.678901Z" == movement.occurred_at_text
        assert 678901 == event.venue_time.microsecond
        assert "kraken|main||L1" == event.event_id

    def test_figure_of_the_wallet(self, stream):
        """A figure that fits the wallet is the wallet's."""
        row = entry("BTC", "0.25", "1.25")
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert ("wallet", "1.25", "1.25") == (
            event.balance_scope,
            str(event.balance),
            str(event.reported_balance),
        )

    def test_figure_of_the_account(self, stream):
        """A figure that fits all wallets is told as such; the wallet's is computed."""
        row = entry("BTC", "0.25", "1.75")
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert "account" == event.balance_scope
        assert Decimal("1.25") == event.balance
        assert Decimal("1.75") == event.reported_balance

    def test_scopes_hold_over_several_entries(self, stream):
        """Auto-earn moves between wallets: the account's figure stands still."""
        rows = [
            entry("BTC", "-0.25", "1.25", ledger_id="L1"),
            entry("BTC", "0.25", "1.5", ledger_id="L2", wallet=("earn", "liquid")),
        ]
        events = list(stream.receive(frame("update", rows, 2), NOW).events)

        assert ["account", "account"] == [event.balance_scope for event in events]
        assert ["0.75", "0.75"] == [str(event.balance) for event in events]

    def test_figure_that_fits_nothing_is_in_doubt(self, stream):
        """Previous plus change is told, the scope is unknown, a picture is needed."""
        row = entry("BTC", "0.25", "7")
        step = stream.receive(frame("update", [row], 2), NOW)
        (event,) = step.events

        assert ("unknown", "1.25", "7") == (
            event.balance_scope,
            str(event.balance),
            str(event.reported_balance),
        )
        assert "scope_unknown" == step.demand.reason
        assert State.STALE is stream.health.state

    def test_documented_deposit_is_in_doubt(self):
        """The documentation's own chain does not hold, and that is seen."""
        stream = connection()
        list(stream.receive(seed("ws_balances_snapshot"), NOW).events)
        step = stream.receive(seed("ws_balances_deposit"), NOW)
        (event,) = step.events

        assert Decimal("1.21") == event.balance
        assert Decimal("0.02") == event.reported_balance
        assert "unknown" == event.balance_scope
        assert isinstance(step.demand, PictureNeeded)

    def test_new_asset_starts_from_nothing(self, stream):
        """An asset that the picture does not list was zero."""
        row = entry("ETH", "2", "1.9", fee="0.1")
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert ("wallet", Decimal("1.9")) == (event.balance_scope, event.balance)

    def test_new_asset_with_another_figure_is_in_doubt(self, stream):
        """Where nothing is known before, the figure is told as it is."""
        step = stream.receive(frame("update", [entry("ETH", "2", "5")], 2), NOW)
        (event,) = step.events

        assert ("unknown", Decimal(5)) == (event.balance_scope, event.balance)
        assert step.demand is not None

    def test_figure_of_an_account_whose_picture_named_no_wallet(self):
        """It is told of what the picture told, and no wallet goes below zero for it."""
        stream = connection()
        five = frame("snapshot", ['{"asset":"BTC","balance":5}'], 1)
        list(stream.receive(five, NOW).events)
        entries = [
            entry("BTC", "-2", "2.999", fee="0.001"),
            entry("BTC", "1", "1", ledger_id="L2", wallet=("earn", "liquid")),
            entry("BTC", "0.5", "4.499", ledger_id="L3"),
        ]
        steps = [
            stream.receive(frame("update", [each], number), NOW)
            for number, each in enumerate(entries, start=2)
        ]
        events = [event for step in steps for event in step.events]

        assert [
            ("unspecified", "", "2.999", "-2.001", "account"),
            ("earn", "liquid", "1", "1", "wallet"),
            ("unspecified", "", "3.499", "0.5", "account"),
        ] == [
            (e.wallet, e.wallet_id, str(e.balance), str(e.delta), e.balance_scope)
            for e in events
        ]
        assert {"wallet_type": "spot", "wallet_id": "main"} == events[0].attributes
        assert State.LIVE is stream.health.state

    def test_figure_of_an_account_whose_picture_was_empty(self):
        """All of its wallets were at zero, so that each is known."""
        stream = connection()
        none = frame("snapshot", ['{"asset":"BTC","balance":0.0,"wallets":[]}'], 1)
        list(stream.receive(none, NOW).events)
        entries = [
            entry("BTC", "1", "1"),
            entry("BTC", "0.5", "1.5", ledger_id="L2", wallet=("earn", "liquid")),
        ]
        (main, liquid) = [
            event
            for number, each in enumerate(entries, start=2)
            for event in stream.receive(frame("update", [each], number), NOW).events
        ]

        assert ("main", Decimal(1)) == (main.wallet_id, main.balance)
        assert ("liquid", Decimal("0.5")) == (liquid.wallet_id, liquid.balance)

    def test_entry_without_a_wallet_goes_to_the_only_one(self, stream):
        """USD has one wallet, so that is meant."""
        row = entry("USD", "1", "101", wallet=None)
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert ("spot", "main") == (event.wallet, event.wallet_id)

    def test_entry_without_a_wallet_of_an_unknown_asset_is_unspecified(self, stream):
        """With no wallet known it goes where nothing is named."""
        row = entry("ETH", "1", "1", wallet=None)
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert ("unspecified", "") == (event.wallet, event.wallet_id)

    def test_entry_without_a_wallet_among_several_cannot_be_placed(self, stream):
        """BTC has two wallets: dead letter and a new picture."""
        row = entry("BTC", "1", "2.5", wallet=None)
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [] == told(step)
        assert step.invalid is not None
        assert step.demand is step.invalid

    def test_entry_without_an_id_is_named_by_its_place(self, stream):
        """No ledger id: feed, epoch, sequence and position name the fact."""
        row = entry("USD", "1", "101").replace('"ledger_id": "L1", ', "")
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert "kraken|main|ws|1|2|0" == event.event_id

    @pytest.mark.parametrize(
        ("field", "value", "kept"),
        [("type", "5", "5"), ("subtype", "null", None), ("category", '{"a":1}', "")],
    )
    def test_odd_descriptions_are_kept(self, stream, field, value, kept):
        """Words that describe never cost a balance."""
        row = entry("USD", "1", "101")
        row = f'{row[:-1]},"{field}":{value}}}'
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert Decimal(101) == event.balance
        assert str(kept or "") in str(getattr(event.movements[0], field) or "")

    @pytest.mark.parametrize(
        "bad",
        [
            entry("USD", "NaN", "101"),
            entry("USD", "1", "0.1234567890123456789"),
            entry("USD", "1", "true"),
            entry("USD", "[]", "101"),
            entry("USD", "1", "101", ledger_id=5),
            entry("", "1", "101"),
            '{"asset":"USD","balance":101}',
            "[]",
        ],
    )
    def test_unreadable_entry_is_a_dead_letter_and_a_new_picture(self, stream, bad):
        """No balance is skipped silently."""
        good = entry("BTC", "0.25", "1.25", ledger_id="L2")
        step = stream.receive(frame("update", [bad, good], 2), NOW)

        assert ["BTC"] == [event.asset for event in step.events]
        assert isinstance(step.demand, FrameInvalid)
        assert State.STALE is stream.health.state

    def test_unreadable_entry_costs_no_second_picture_soon(self):
        """The feed is degraded by it, and names it: no storm of pictures."""
        stream = connection(tolerated={"|USD"})
        list(stream.receive(frame("snapshot", [USD], 1), NOW).events)
        assert State.LIVE is stream.health.state
        bad = entry("USD", "0.1234567890123456789", "1")
        step = stream.receive(frame("update", [bad], 2), NOW)

        assert step.invalid is not None
        assert step.demand is None
        assert State.DEGRADED is stream.health.state
        assert "USD" in stream.health.reason

    def test_unreadable_entry_of_an_unreadable_row_is_tolerated(self):
        """The feed is degraded by that asset already, and says so."""
        unreadable = '{"asset":"BTC","balance":NaN}'
        stream = connection(tolerated={"|BTC"})
        list(stream.receive(frame("snapshot", [unreadable, USD], 1), NOW).events)
        step = stream.receive(frame("update", [entry("BTC", "NaN", "1")], 2), NOW)

        assert step.invalid is not None
        assert step.demand is None
        assert State.DEGRADED is stream.health.state

    def test_sum_that_does_not_fit_is_unreadable(self):
        """Amounts that fit but whose sum does not are refused, not rounded."""
        most = "99999999999999999999"
        stream = connection()
        row = asset("X", most, ("spot", "main", most))
        list(stream.receive(frame("snapshot", [row], 1), NOW).events)
        step = stream.receive(frame("update", [entry("X", most, most)], 2), NOW)

        assert isinstance(step.demand, FrameInvalid)

    def test_entry_too_long_for_a_record_is_unreadable(self, stream):
        """A ledger id of megabytes is a dead letter, not the end of the process."""
        row = entry("USD", "1", "101", ledger_id="L" * 2_000_000)
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [] == told(step)
        assert isinstance(step.demand, FrameInvalid)

    def test_eighteen_digits_arrive(self, stream):
        """All 18 fraction digits are kept."""
        exact = "0.123456789012345678"
        row = entry("WEI", exact, exact)
        (event,) = stream.receive(frame("update", [row], 2), NOW).events

        assert exact == str(event.balance)


class TestSequence:
    """Numbers: every one counts."""

    def test_gap_is_seen(self, stream):
        """A number left out puts all balances in doubt; nothing of it is told."""
        step = stream.receive(frame("update", [entry("USD", "1", "101")], 3), NOW)

        assert isinstance(step.demand, SequenceGap)
        assert [] == told(step)
        assert State.STALE is stream.health.state

    def test_same_frame_twice_changes_nothing(self, stream):
        """A repetition is dropped and counted."""
        update = frame("update", [entry("USD", "1", "101")], 2)
        stream.receive(update, NOW)
        step = stream.receive(update, NOW)

        assert ([], (Note.DUPLICATE,), None) == (told(step), step.notes, step.demand)

    def test_same_entry_under_a_new_number_changes_nothing(self, stream):
        """One ledger id, one fact."""
        row = entry("USD", "1", "101")
        stream.receive(frame("update", [row], 2), NOW)
        step = stream.receive(frame("update", [row], 3), NOW)

        assert ([], (Note.DUPLICATE,), None) == (told(step), step.notes, step.demand)

    def test_same_entry_with_other_figures_is_in_doubt(self, stream):
        """One ledger id with two contents cannot be right."""
        stream.receive(frame("update", [entry("USD", "1", "101")], 2), NOW)
        step = stream.receive(frame("update", [entry("USD", "2", "103")], 3), NOW)

        assert "ledger_entry_changed" == step.demand.reason

    def test_new_entry_under_an_old_number_is_in_doubt(self, stream):
        """An old number with new content cannot be right either."""
        stream.receive(frame("update", [entry("USD", "1", "101")], 2), NOW)
        row = entry("USD", "1", "102", ledger_id="L2")
        step = stream.receive(frame("update", [row], 2), NOW)

        assert "sequence_reused" == step.demand.reason

    @pytest.mark.parametrize("sequence", [3, None])
    def test_second_picture_with_another_number_is_a_gap(self, stream, sequence):
        """The balances would be right, and what lies between never told."""
        step = stream.receive(frame("snapshot", [BTC], sequence), NOW)

        assert isinstance(step.demand, SequenceGap)

    def test_update_before_the_picture_is_in_doubt(self):
        """Without a picture an update cannot be placed."""
        step = connection().receive(frame("update", [entry("USD", "1", "1")], 1), NOW)

        assert "no_picture" == step.demand.reason

    def test_number_left_out_after_numbered_frames_is_a_gap(self, stream):
        """Once numbered, always numbered."""
        step = stream.receive(frame("update", [entry("USD", "1", "101")], None), NOW)

        assert isinstance(step.demand, SequenceGap)

    def test_picture_may_begin_at_any_number(self):
        """The first number is taken as it comes."""
        stream = connection()
        list(stream.receive(frame("snapshot", [USD], 41), NOW).events)
        step = stream.receive(frame("update", [entry("USD", "1", "101")], 42), NOW)

        assert step.demand is None


LATER = {"timestamp": "2026-01-02T03:05:00Z"}


class TestEntryOfBeforeThePicture:
    """Entries that a connection before told, and that come again on a new one."""

    @pytest.fixture(name="again")
    def _again(self):
        """Return how a connection begins with a picture, after those before it."""
        known, recent = {}, Remembered(RECENT_MAX)

        def begin(*rows, entries=()):
            stream = connection(known, recent=recent)
            list(stream.receive(frame("snapshot", [*rows], 1), NOW).events)
            for sequence, row in enumerate(entries, start=2):
                step = stream.receive(frame("update", [row], sequence), NOW)
                assert step.demand is None
                assert [] != list(step.events)
            return stream

        return begin

    def test_what_the_picture_holds_is_not_told_again(self, again):
        """The balance stood still: all that was told is in it; what is new goes on."""
        entries = [
            entry("USD", "1", "101", ledger_id="L1"),
            entry("USD", "2", "103", ledger_id="L2"),
        ]
        again(USD, entries=entries)
        stream = again(asset("USD", "103", ("spot", "main", "103")))
        new = entry("USD", "4", "107", ledger_id="L3")
        steps = [
            stream.receive(frame("update", [row], sequence), NOW)
            for sequence, row in enumerate([entries[1], new, *entries], start=2)
        ]

        assert [[], [("update", "spot", "main", "USD", "107")], [], []] == [
            told(step) for step in steps
        ]
        assert [None] * 4 == [step.demand for step in steps]
        assert (Note.DUPLICATE,) == steps[0].notes
        assert State.LIVE is stream.health.state

    def test_leg_of_a_transfer_is_not_taken_for_an_account_figure(self, again):
        """Told twice, the figure of the wallet is what the account would then have."""
        leg = entry("BTC", "-0.5", "0.5", ledger_id="L1")
        other = entry("BTC", "0.5", "1.0", ledger_id="L2", wallet=("earn", "liquid"))
        again(BTC, entries=[leg, other])
        moved = asset("BTC", "1.5", ("spot", "main", "0.5"), ("earn", "liquid", "1.0"))
        step = again(moved).receive(frame("update", [leg], 2), NOW)

        assert ([], (Note.DUPLICATE,), None) == (told(step), step.notes, step.demand)

    @pytest.mark.parametrize("pictures", [1, 2])
    def test_what_the_picture_lacks_is_told_again(self, again, pictures):
        """A picture may be late, and the one after it too: the figure fits then."""
        row = entry("USD", "1", "101")
        again(USD, entries=[row])
        for _ in range(pictures):
            stream = again(USD)
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [("update", "spot", "main", "USD", "101")] == told(step)

    @pytest.mark.parametrize(
        ("balance", "more"), [("150", {}), ("101", LATER)], ids=["moved", "other time"]
    )
    def test_what_fits_neither_is_in_doubt(self, again, balance, more):
        """One id never has two balances: a new picture decides."""
        again(USD, entries=[entry("USD", "1", "101")])
        stream = again(asset("USD", balance, ("spot", "main", balance)))
        row = entry("USD", "1", "101", **more)
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [] == told(step)
        assert "ledger_entry_changed" == step.demand.reason
        assert State.STALE is stream.health.state

    def test_what_only_a_history_told_is_told(self, again):
        """It may know an entry before the stream does: that is no picture."""
        stream = again(USD)
        row = entry("USD", "1", "101")
        pocket = Pocket("", "spot", "main", "USD", "USD")
        line = Observed(pocket, Decimal(101), venue_id="L1", venue_time=NOW)
        list(stream._books.backfill([line], Told(NOW, None, "c0")))
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [("update", "spot", "main", "USD", "101")] == told(step)

    def test_account_figure_of_what_only_a_history_told_is_told(self, again):
        """Whichever way the figure is meant."""
        stream = again(BTC)
        row = entry("BTC", "1", "2.5")
        pocket = Pocket("", "spot", "main", "BTC", "BTC")
        line = Observed(pocket, Decimal("2.5"), venue_id="L1", venue_time=NOW)
        list(stream._books.backfill([line], Told(NOW, None, "c0")))
        step = stream.receive(frame("update", [row], 2), NOW)

        assert [("update", "spot", "main", "BTC", "2.0")] == told(step)


class TestUsersAll:
    """Master and sub-accounts on one stream, without a picture."""

    @pytest.fixture(name="everyone")
    def _everyone(self):
        stream = connection(users_all=True)
        stream.receive(b'{"method":"subscribe","success":true}', NOW)
        return stream

    def test_live_once_subscribed(self, everyone):
        """No picture comes, so the acknowledgement is all there is."""
        assert State.LIVE is everyone.health.state
        assert everyone.synced

    def test_user_is_the_subaccount_and_the_scope_stays_unknown(self, everyone):
        """Figures are told as they come; nothing says what they cover."""
        row = entry("USD", "1", "101", user="AA96N74GCGEFN8KI")
        step = everyone.receive(frame("update", [row], 7), NOW)
        (event,) = step.events

        assert "kraken|main|AA96N74GCGEFN8KI|spot/main|USD" == event.key
        assert ("unknown", Decimal(101)) == (event.balance_scope, event.balance)
        assert "kraken|main|AA96N74GCGEFN8KI|L1" == event.event_id
        assert step.demand is None

    def test_picture_is_no_word_of_the_other_users(self):
        """None is promised; one that comes all the same takes nobody's balance away."""
        pocket = Pocket("AA96N74GCGEFN8KI", "spot", "main", "BTC", "BTC")
        key = "kraken|main|AA96N74GCGEFN8KI|spot/main|BTC"
        stream = connection({key: Holding(pocket, Decimal(1), NOW)}, users_all=True)
        stream.receive(b'{"method":"subscribe","success":true}', NOW)
        step = stream.receive(frame("snapshot", [USD], 1), NOW)

        assert [("snapshot", "spot", "main", "USD", "100.0000")] == told(step)
        assert (State.DEGRADED, False) == (stream.health.state, step.confirmed)

    def test_gap_is_seen_from_the_second_number_on(self, everyone):
        """The first number is the baseline."""
        everyone.receive(frame("update", [entry("USD", "1", "101")], 7), NOW)
        row = entry("USD", "1", "102", ledger_id="L2")
        step = everyone.receive(frame("update", [row], 9), NOW)

        assert isinstance(step.demand, SequenceGap)


class TestOtherFrames:
    """Frames without balances."""

    @pytest.mark.parametrize(
        "alive",
        [
            HEARTBEAT,
            PONG,
        ],
    )
    def test_signs_of_life_are_not_kept(self, stream, alive):
        """Heartbeats and pongs are no part of the story."""
        step = stream.receive(alive, NOW)

        assert (False, None, None) == (step.keep, step.invalid, step.demand)

    def test_pong_is_no_sign_of_a_subscription(self):
        """Heartbeats come for as long as there is one, pongs without one too."""
        stream = connection()
        before = stream.receive(PONG, NOW).alive
        list(stream.receive(frame("snapshot", [USD], 1), NOW).events)

        assert (True, False) == (before, stream.receive(PONG, NOW).alive)
        assert stream.receive(HEARTBEAT, NOW).alive

    def test_pings_go_out_with_heartbeats_now_and_then(self):
        """The connection is not idle, and no pong puts off a heartbeat for long."""
        stream = connection()
        list(stream.receive(frame("snapshot", [USD], 1), NOW).events)
        seconds = [
            at
            for at in range(70)
            if stream.receive(HEARTBEAT, NOW + timedelta(seconds=at)).send
        ]

        assert [0, 30, 60] == seconds
        assert () == stream.due(NOW + timedelta(seconds=100))

    def test_maintenance_needs_no_heartbeats(self):
        """Pings ask then whether the venue is there, and pongs say so."""
        stream = connection()
        stream.receive(b'{"channel":"status","data":[{"system":"maintenance"}]}', NOW)
        list(stream.receive(frame("snapshot", [USD], 1), NOW).events)
        times = [NOW + timedelta(seconds=at) for at in (0, 0.5, 1, 1.5, 2)]

        assert [1, 0, 1, 0, 1] == [len(stream.due(time)) for time in times]
        assert stream.receive(PONG, NOW).alive

    def test_maintenance_is_a_state_and_its_end_a_new_picture(self, stream):
        """Figures from a venue that is being mended are not trusted."""
        maintenance = (
            b'{"channel":"status","type":"update","data":[{"system":"maintenance"}]}'
        )
        stream.receive(maintenance, NOW)
        during = stream.health.state
        step = stream.receive(maintenance.replace(b"maintenance", b"online"), NOW)

        assert State.MAINTENANCE is during
        assert "maintenance_over" == step.demand.reason

    def test_picture_during_maintenance_is_not_live(self):
        """A picture taken meanwhile is told, but not trusted."""
        stream = connection()
        stream.receive(b'{"channel":"status","data":[{"system":"maintenance"}]}', NOW)
        list(stream.receive(frame("snapshot", [USD], 1), NOW).events)

        assert State.MAINTENANCE is stream.health.state

    @pytest.mark.parametrize("system", ["online", "cancel_only", "post_only"])
    def test_other_systems_change_nothing(self, stream, system):
        """Balances are right while orders are restricted."""
        status = (
            f'{{"channel":"status","data":[{{"system":"{system}",'
            f'"connection_id":18446744073709551615}}],"type":"update"}}'
        ).encode()
        step = stream.receive(status, NOW)

        assert (None, None, ()) == (step.demand, step.invalid, step.notes)
        assert State.LIVE is stream.health.state

    @pytest.mark.parametrize(
        "odd", [b'{"channel":"executions","data":[]}', b'{"method":"x"}', b"{}"]
    )
    def test_unknown_frame_is_a_dead_letter_only(self, stream, odd):
        """A channel that we did not ask for says nothing of balances."""
        step = stream.receive(odd, NOW)

        assert "unknown_channel" == step.invalid.reason
        assert step.demand is None
        assert State.LIVE is stream.health.state

    @pytest.mark.parametrize(
        "unreadable",
        [
            b"",
            b"{",
            b'{"channel":"balances","type":"upd',
            b"\xff\xfe\x00",
            b"[]",
            b'"text"',
            b"[" * 100_000,
            b'{"channel":"balances","type":"reset","data":[],"sequence":2}',
            b'{"channel":"balances","type":"update","data":5,"sequence":2}',
            b'{"channel":"balances","type":"update","sequence":2}',
            b'{"channel":"balances","type":"update","data":[],"sequence":"2"}',
            b'{"channel":5}',
        ],
    )
    def test_unreadable_frame_puts_balances_in_doubt(self, stream, unreadable):
        """What cannot be read may have told a balance."""
        step = stream.receive(unreadable, NOW)

        assert step.invalid is not None
        assert isinstance(step.demand, FrameInvalid)
        assert State.STALE is stream.health.state

    def test_rate_abuse_backs_off(self, stream):
        """The capital E of this frame is the venue's."""
        step = stream.receive(b'{"Error":"Exceeded msg rate"}', NOW)

        assert isinstance(step.demand, VenueUnavailable)
        assert 15 == step.demand.retry_after_s
