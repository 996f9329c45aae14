"""One connection to the private stream: picture, updates, pings, faults."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from accounts_feed import (
    KEY,
    NOW,
    SUB,
    connection,
    live,
    message,
    moved,
    picture,
    row,
    seed,
    told,
    update,
)

from balance_connector.books import Account, Books, Pocket
from balance_connector.venue import Note, State
from balance_connector.venues.zerohash import ZEROHASH
from balance_connector.venues.zerohash.options import ZeroHashOptions
from balance_schemas.records import BalanceEvent, Movement
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    VenueRefused,
    VenueUnavailable,
)

COMMON = {
    "venue": "zerohash",
    "account": "main",
    "subaccount": SUB,
    "feed": "ws",
    "wallet": "spot",
    "wallet_id": "available",
    "nature": "asset",
    "asset": "BTC",
    "venue_asset": "BTC",
    "asset_class": "currency",
    "network": "",
    "balance_scope": "wallet",
    "received_at": NOW,
    "epoch": 1,
}


class TestDocumentedFrames:
    """The samples of the page "Balances", whole."""

    def test_picture(self):
        """One account gives one event, with all that was told of it."""
        step = connection().receive(seed("ws_initial_balance"), NOW)

        assert [
            BalanceEvent(
                event_id="zerohash|main|ws|1|f1|0",
                kind="snapshot",
                balance=Decimal("1.00"),
                reported_balance=Decimal("1.00"),
                snapshot_id="zerohash|main|ws|1|f1",
                snapshot_index=0,
                snapshot_size=1,
                attributes={
                    "account_id": "12345",
                    "run_id": "1",
                    "run_type": "unknown",
                },
                **COMMON,
            )
        ] == list(step.events)
        assert step.confirmed

    def test_update(self):
        """The balance is the venue's, though 1.00 and 123.123 do not make 1.01."""
        stream = connection()
        list(stream.receive(seed("ws_initial_balance"), NOW).events)
        step = stream.receive(seed("ws_balance_updated"), NOW)
        reference = "deposit 123"

        assert [
            BalanceEvent(
                event_id="zerohash|main|ABC123%2FXXX456%2Fgeneral|available%2FBTC%2F1",
                kind="update",
                balance=Decimal("1.01"),
                delta=Decimal("123.123"),
                reported_balance=Decimal("1.01"),
                movements=(
                    Movement(
                        movement_id="EFG456",
                        type="final_settlement",
                        change=Decimal("123.123"),
                        occurred_at=datetime(2022, 11, 4, 2, 50, 16, 202915, UTC),
                        occurred_at_text="2022-11-04T02:50:16.202915702Z",
                        attributes={
                            "deposit_reference_id": reference,
                            "source": f"{reference} sending address",
                            "received_address": f"{reference} received address",
                        },
                    ),
                ),
                venue_time=datetime(2022, 11, 4, 2, 51, 16, 202911, UTC),
                attributes={
                    "account_id": "12345",
                    "run_id": "1",
                    "run_type": "settlement",
                    "run_timestamp": "2022-11-04T02:51:16.202911633Z",
                },
                **COMMON,
            )
        ] == list(step.events)
        assert (None, State.LIVE) == (step.demand, stream.health.state)

    def test_pong_is_not_kept(self):
        """It shows that the venue is there, and nothing else."""
        step = live().receive(seed("ws_pong"), NOW)

        assert (False, None, None) == (step.keep, step.invalid, step.demand)

    def test_acknowledgement_is_tolerated(self):
        """It alone does not make the feed live."""
        stream = connection()
        step = stream.receive(seed("ws_subscribe_ack"), NOW)

        assert (None, None, False) == (step.invalid, step.demand, stream.synced)


class TestOpen:
    """Subscription and pings."""

    def test_there_is_no_login(self):
        """Each message is signed for itself."""
        assert connection().login(1, NOW) is None

    def test_subscription_without_filter_has_an_empty_body(self):
        """The body must be there."""
        stream = connection(multi_chain_assets=False, filter_asset="")
        sent = msgspec.json.decode(stream.open(None, 1, NOW).send[0])

        assert ({}, False) == (sent["body"], sent["useMultiChainAssetFormat"])

    def test_all_filters(self):
        """In the words of the documentation."""
        stream = connection(
            filter_account_owner="O",
            filter_account_group="G",
            filter_account_type="T",
            filter_asset="A",
        )
        sent = msgspec.json.decode(stream.open(None, 1, NOW).send[0])

        assert {
            "account_owner": "O",
            "account_group": "G",
            "account_type": "T",
            "asset": "A",
        } == sent["body"]["filter"]

    @pytest.mark.parametrize(
        ("pong_s", "pinged_s"),
        [
            (0.1, [0, 10, 20]),
            (1.6, [0, 1.5, 11.5, 21.5]),
            (4.5, [0, 1.5, 3, 13]),
        ],
    )
    def test_pings_are_frequent_until_the_first_word(self, pong_s, pinged_s):
        """One is due at once; until the venue is heard nothing says that it is there."""
        stream = connection(ping_interval_s=10)
        stream.open(None, 1, NOW)
        pinged = []
        for tenth in range(230):
            at = NOW + timedelta(seconds=tenth / 10)
            if tenth / 10 == pong_s:
                stream.receive(b'{"messageType":"pong"}', at)
            if stream.due(at):
                pinged.append(tenth / 10)
        assert pinged_s == pinged

    def test_late_picture_is_no_reason_for_doubt(self):
        """Once it is there pongs say that the venue is, and no more."""
        stream = connection()
        stream.open(None, 1, NOW)
        late = NOW + timedelta(seconds=20)
        stream.receive(b'{"messageType":"pong"}', late)
        stream.receive(picture(row()), late + timedelta(seconds=2))
        step = stream.receive(b'{"messageType":"pong"}', late + timedelta(seconds=9))
        assert (None, True) == (step.demand, stream.synced)

    def test_pings_count_from_open_and_are_signed_afresh(self):
        """They go out after the picture too, each with its own time."""
        stream = connection(ping_interval_s=10)
        before = stream.due(NOW)
        stream.open(None, 1, NOW)
        stream.receive(picture(row()), NOW)
        times = [NOW + timedelta(seconds=s) for s in (0, 9, 10, 19, 20)]
        sent = [stream.due(time) for time in times]
        pings = [msgspec.json.decode(frame) for frames in sent for frame in frames]

        assert () == before
        assert [1, 0, 1, 0, 1] == [len(frames) for frames in sent]
        assert [("ping", f"17673230{second}") for second in (45, 55, 65)] == [
            (ping["messageType"], ping["timestamp"]) for ping in pings
        ]
        assert 3 == len({ping["signature"] for ping in pings})

    def test_bare_ping(self):
        """As the guide pages show it."""
        stream = connection(ping_form="bare")
        stream.open(None, 1, NOW)

        assert (b'{"messageType":"ping"}',) == stream.due(NOW + timedelta(seconds=15))

    def test_clock_that_went_back_does_not_stop_the_pings(self):
        """The venue would close after 20 s."""
        stream = connection()
        stream.open(None, 1, NOW)

        assert 1 == len(stream.due(NOW - timedelta(hours=1)))


class TestIdentity:
    """Names of the venue in our words."""

    @pytest.mark.parametrize(
        ("word", "wallet", "nature", "notes"),
        [
            ("available", "spot", "asset", ()),
            ("collateral", "collateral", "asset", ()),
            ("staked", "staked", "asset", ()),
            ("payable", "payable", "liability", ()),
            ("receivable", "receivable", "claim", ()),
            ("collateral_deficiency", "collateral_deficiency", "liability", ()),
            ("vault", "unspecified", "unknown", (Note.UNKNOWN_WORD,)),
        ],
    )
    def test_account_types(self, word, wallet, nature, notes):
        """Known words are wallets; an unknown one is passed on and counted."""
        step = connection().receive(picture(row(account_type=word)), NOW)
        (event,) = step.events

        assert (wallet, word, nature) == (event.wallet, event.wallet_id, event.nature)
        assert notes == step.notes

    def test_unknown_word_of_an_update_is_counted(self):
        """As in a picture."""
        step = live().receive(update(account_type="vault"), NOW)

        assert (Note.UNKNOWN_WORD,) == step.notes

    def test_parts_are_encoded(self):
        """Separators inside of names cannot make two accounts one."""
        rows = [
            row(participant_code="A/B", account_group="C", account_label="L|%"),
            row(participant_code="A", account_group="B/C", account_label="L|%"),
        ]
        events = list(connection().receive(picture(*rows), NOW).events)

        assert ["A%2FB/C/L|%25", "A/B%2FC/L|%25"] == [e.subaccount for e in events]
        assert (
            "zerohash|main|A%252FB%2FC%2FL%7C%2525|spot/available|BTC" == events[0].key
        )

    @pytest.mark.parametrize("label", [None, "general"])
    def test_missing_label_is_general(self, label):
        """Labels were added later."""
        (event,) = connection().receive(picture(row(account_label=label)), NOW).events

        assert SUB == event.subaccount

    def test_chain(self):
        """The asset keeps the whole code; the chain is the part after the last dot."""
        (event,) = connection().receive(picture(row("a.USDC.SOL")), NOW).events

        assert ("a.USDC.SOL", "a.USDC.SOL", "SOL", "a.USDC") == (
            event.asset,
            event.venue_asset,
            event.network,
            event.attributes["base_asset"],
        )

    @pytest.mark.parametrize("code", ["BTC", "e₹", "USDC.", ".SOL", "BTC.x"])
    def test_no_chain(self, code):
        """Without chains in codes, or without two parts, a dot means nothing."""
        multi_chain = code != "BTC.x"
        stream = connection(multi_chain_assets=multi_chain)
        (event,) = stream.receive(picture(row(code)), NOW).events

        assert (code, "") == (event.asset, event.network)
        assert "base_asset" not in event.attributes

    def test_alias(self):
        """The user's names win; the code stays beside."""
        stream = connection(aliases={"UST": "TERRA"})
        (event,) = stream.receive(picture(row("UST")), NOW).events

        assert ("TERRA", "UST") == (event.asset, event.venue_asset)

    def test_number_of_the_account_is_remembered_for_updates(self):
        """Updates leave it out; it is told on, and asked for in the history."""
        known = {}
        stream = live(row(account_id="77"), known=known)
        (event,) = stream.receive(update(), NOW).events

        assert "77" == event.attributes["account_id"]
        assert ["77"] == [holding.pocket.reference for holding in known.values()]

    def test_number_is_remembered_over_an_empty_picture(self):
        """An account that became empty is not in the picture; its number stays."""
        known = {}
        live(row(account_id="77"), known=known)
        stream = connection(known, epoch=2)
        list(stream.receive(picture(), NOW).events)
        (event,) = stream.receive(update(), NOW).events

        assert "77" == event.attributes["account_id"]

    def test_number_of_an_update(self):
        """Some updates tell it."""
        (event,) = live().receive(update(account_id=88), NOW).events

        assert "88" == event.attributes["account_id"]


class TestPicture:
    """The first answer, and what follows from what it leaves out."""

    @pytest.mark.parametrize(
        ("balance", "expected"),
        [
            ("1.00", "1.00"),
            (".25", "0.25"),
            ("0", "0"),
            ("-3.5", "-3.5"),
            ("5091.100000000000000001", "5091.100000000000000001"),
            ("1360000", "1360000"),
            (12, "12"),
        ],
    )
    def test_forms_of_balances(self, balance, expected):
        """Every digit arrives."""
        (event,) = connection().receive(picture(row(balance=balance)), NOW).events

        assert expected == str(event.balance)

    def test_what_is_not_listed_is_zero(self):
        """The feed lists no empty accounts."""
        known = {}
        live(row("BTC"), row("ETH"), known=known)
        step = connection(known, epoch=2).receive(picture(row("ETH", "2")), NOW)

        assert [
            ("snapshot", SUB, "available", "ETH", "2"),
            ("absent", SUB, "available", "BTC", "0"),
        ] == told(step.events)

    def test_empty_account_that_is_listed(self):
        """A row of zero is told as zero."""
        step = connection().receive(picture(row(balance="0.00")), NOW)

        assert [("snapshot", SUB, "available", "BTC", "0.00")] == told(step.events)

    @pytest.mark.parametrize(
        ("options", "gone"),
        [
            ({"filter_asset": "ETH"}, []),
            ({"filter_asset": "BTC"}, ["BTC"]),
            ({"filter_account_type": "collateral"}, []),
            ({"filter_account_type": "available"}, ["BTC"]),
            ({"filter_account_owner": "ABC123"}, ["BTC"]),
            ({"filter_account_owner": "XXX456"}, []),
            ({"filter_account_group": "XXX456", "filter_asset": "BTC"}, ["BTC"]),
            ({"filter_account_group": "ABC123"}, []),
        ],
    )
    def test_filter_bounds_what_can_vanish(self, options, gone):
        """What the subscription does not cover is left alone, and is ours no longer."""
        known = {}
        live(row("BTC"), known=known)
        step = connection(known, epoch=2, **options).receive(picture(), NOW)

        assert gone == [event.asset for event in step.events]
        assert {} == known

    def test_unknown_fields_are_kept(self):
        """Nothing that the venue sent is dropped."""
        stream = connection()
        given = row(new={"a": 1.1}, run_type=5, run_id="x", account_id=12)
        event, _ = stream.receive(picture(given, row("ETH")), NOW).events

        assert {
            "new": '{"a": 1.1}',
            "run_type": "5",
            "run_id": "x",
            "account_id": "12",
        } == event.attributes

    @pytest.mark.parametrize(
        "bad",
        [
            {"balance": "NaN"},
            {"balance": float("nan")},
            {"balance": "Infinity"},
            {"balance": "0.1234567890123456789"},
            {"balance": "123456789012345678901"},
            {"balance": "1_0"},
            {"balance": " 1"},
            {"balance": True},
            {"balance": [1]},
            {"balance": None},
            {"run_type": "x" * 60_000},
            {"x": "x" * 60_000},
        ],
    )
    def test_one_unreadable_row_does_not_hide_the_others(self, bad):
        """The rest is told; the unreadable balance is neither changed nor absent."""
        known = {}
        live(row("BTC"), row("ETH"), row("XRP"), known=known)
        stream = connection(known, epoch=2)
        step = stream.receive(
            picture(row("BTC", **{"balance": "1", **bad}), row("ETH")), NOW
        )

        assert [("snapshot", "ETH"), ("absent", "XRP")] == [
            (event.kind, event.asset) for event in step.events
        ]
        assert frozenset({f"{SUB}|available/BTC"}) == step.invalid.names
        assert (step.invalid, False) == (step.demand, step.confirmed)
        assert State.STALE is stream.health.state

    @pytest.mark.parametrize(
        "bad",
        [
            {"participant_code": None},
            {"participant_code": 5},
            {"participant_code": ""},
            {"account_group": None},
            {"account_type": None},
            {"account_label": 5},
            {"asset": ""},
            {"asset": 5},
            {"account_owner": "other"},
        ],
    )
    def test_row_without_a_name_spares_what_it_may_be(self, bad):
        """Where it cannot be told whose balance it is, none may be called zero."""
        known = {}
        live(row("BTC"), row("ETH"), known=known)
        stream = connection(known, epoch=2)
        step = stream.receive(picture(row("BTC") | bad), NOW)

        assert [] == [e for e in step.events if e.asset == "BTC"]
        assert step.demand is step.invalid is not None
        assert f"zerohash|main|{SUB.replace('/', '%2F')}|spot/available|BTC" in known

    def test_account_beside_an_unreadable_one_is_gone_if_it_is(self):
        """A row that cannot be read says nothing of the same asset's other types."""
        known = {}
        live(row("ETH"), row("ETH", "5", account_type="collateral"), known=known)
        stream = connection(known, epoch=2)
        step = stream.receive(picture(row("ETH", "0." + "1" * 19)), NOW)

        assert [("absent", SUB, "collateral", "ETH", "0")] == told(step.events)

    def test_row_that_is_no_object(self):
        """It names nothing: everything else is spared."""
        known = {}
        live(row("BTC"), known=known)
        step = connection(known, epoch=2).receive(message("initial-balance", [5]), NOW)

        assert ([], frozenset({"?"})) == (list(step.events), step.invalid.names)
        assert 1 == len(known)

    def test_account_told_twice_is_not_known(self):
        """Two rows may be two chains under one name: neither merged nor chosen."""
        known = {}
        live(row("USDC", "5"), row("BTC"), known=known)
        rows = row("USDC", "1"), row("BTC"), row("USDC", "1", account_id="2")
        stream = connection(known, epoch=2, multi_chain_assets=False)
        step = stream.receive(picture(*rows), NOW)

        assert [("snapshot", SUB, "available", "BTC", "1.00")] == told(step.events)
        assert "told twice" in str(step.demand)
        assert frozenset({f"{SUB}|available/USDC"}) == step.invalid.names

    def test_row_that_stays_unreadable_degrades(self):
        """The feed goes on without it, says so, and takes no picture for it."""
        rows = row("BTC", "NaN"), row("ETH")
        first = connection().receive(picture(*rows), NOW)
        stream = connection(tolerated=first.invalid.names)
        step = stream.receive(picture(*rows), NOW)
        list(step.events)
        later = stream.receive(update("BTC", "NaN"), NOW)
        state = stream.health.state
        other = stream.receive(update("ETH", "NaN"), NOW)

        assert (None, State.DEGRADED) == (step.demand, state)
        assert (None, "invalid_row") == (later.demand, later.invalid.reason)
        assert isinstance(other.demand, FrameInvalid)

    def test_second_picture_is_doubted_unless_it_is_the_same(self):
        """One picture a connection: another one may be a part, or a replacement."""
        stream = live(row("BTC"))
        same = stream.receive(picture(row("BTC")), NOW)
        other = stream.receive(picture(row("BTC", "2")), NOW)

        assert (Note.DUPLICATE,) == same.notes
        assert "second_picture" == other.demand.reason
        assert [] == list(other.events)

    @pytest.mark.parametrize("name", ["account_group", "asset", "participant_code"])
    def test_names_that_are_too_long(self, name):
        """A key of any length would fit no record."""
        given = row() | {name: "x" * 2_000}
        step = connection().receive(picture(given), NOW)

        assert isinstance(step.demand, FrameInvalid)

    @pytest.mark.parametrize("body", [None, {}, "x", 5])
    def test_picture_that_is_no_list(self, body):
        """It is no empty account."""
        step = connection().receive(message("initial-balance", body), NOW)

        assert isinstance(step.demand, FrameInvalid)
        assert step.invalid is step.demand

    def test_clash_is_counted(self):
        """Two codes of one name keep their own keys."""
        stream = connection(aliases={"XBT": "BTC"})
        step = stream.receive(picture(row("XBT", "2"), row("BTC")), NOW)

        assert ["XBT", "BTC"] == [event.asset for event in step.events]
        assert (Note.ASSET_CLASH,) == step.notes


class TestUpdates:
    """Runs."""

    def test_update_before_the_picture(self):
        """It is told late if the picture says the same, else both are in doubt."""
        found = []
        for balance in ("1.00", "1.01"):
            stream = connection()
            early = stream.receive(update(), NOW)
            step = stream.receive(picture(row(balance=balance)), NOW)
            reason = step.demand and step.demand.reason
            found.append((reason, [event.kind for event in step.events]))
            assert (None, []) == (early.demand, list(early.events))
        assert [(None, ["snapshot", "backfill"]), ("no_picture", [])] == found

    def test_delta_is_the_sum_of_changes(self):
        """Both legs of a withdrawal leave the balance, and are a real event."""
        stream = live(row(balance="0.35"))
        legs = [moved("0.1"), moved("-.1", movement_type="withdrawal")]
        step = stream.receive(update(balance="0.35", movements=legs), NOW)
        (event,) = step.events

        assert (Decimal("0.35"), Decimal(0)) == (event.balance, event.delta)
        assert ["M1", "M1"] == [line.movement_id for line in event.movements]
        assert () == step.notes

    @pytest.mark.parametrize(
        ("movements", "count"),
        [
            ([], 0),
            (None, 0),
            ([moved("1"), {"movement_id": "M2"}], 2),
            ([moved("NaN")], 1),
            ([moved("1"), 5], 2),
            ([moved("99999999999999999999"), moved("99999999999999999999")], 2),
            ("x", 0),
        ],
    )
    def test_delta_is_unknown_where_a_change_is(self, movements, count):
        """The balance stands all the same."""
        step = live().receive(update(balance="9", movements=movements), NOW)
        (event,) = step.events

        assert (Decimal(9), None, count) == (
            event.balance,
            event.delta,
            len(event.movements),
        )
        assert step.demand is None

    def test_nothing_of_a_movement_is_dropped(self):
        """What cannot be read is kept as text."""
        given = [moved("x", movement_timestamp=1767323045123, n=None), [1]]
        (event,) = live().receive(update(movements=given), NOW).events
        first, second = event.movements

        assert {"change": "x", "n": "null"} == first.attributes
        assert "1767323045123" == first.occurred_at_text
        assert NOW + timedelta(milliseconds=123) == first.occurred_at
        assert {"movement": "[1]"} == second.attributes

    def test_run_of_several_accounts_has_an_id_for_each(self):
        """One run id, two legs: two facts."""
        stream = live()
        legs = [
            stream.receive(update(account_type=word), NOW)
            for word in ("available", "collateral")
        ]
        ids = [event.event_id for step in legs for event in step.events]

        assert 2 == len(set(ids))

    @pytest.mark.parametrize("run_id", [7, "7"])
    def test_run_id_is_a_text(self, run_id):
        """Number or text, it is the same run."""
        (event,) = live().receive(update(run_id=run_id), NOW).events

        assert event.event_id.endswith("|available%2FBTC%2F7")
        assert "7" == event.attributes["run_id"]

    def test_update_without_a_run_id_is_named_by_its_place(self):
        """It cannot be told from a repetition, so it is none."""
        stream = live()
        steps = [stream.receive(update(run_id=None), NOW) for _ in range(2)]

        assert ["zerohash|main|ws|1|f2|0", "zerohash|main|ws|1|f3|0"] == [
            event.event_id for step in steps for event in step.events
        ]

    def test_run_told_again_is_a_duplicate(self):
        """The same fact is told once."""
        stream = live()
        first = stream.receive(update(), NOW)
        again = stream.receive(update(), NOW)

        assert (1, []) == (len(list(first.events)), list(again.events))
        assert ((Note.DUPLICATE,), None) == (again.notes, again.demand)

    @pytest.mark.parametrize(
        "other",
        [
            {"balance": "2"},
            {"movements": [moved("0.6")]},
            {"at": "2026-01-02T03:04:07Z"},
        ],
    )
    def test_run_told_again_with_other_content_is_doubted(self, other):
        """Which of the two is right, nobody knows."""
        stream = live()
        list(stream.receive(update(), NOW).events)
        step = stream.receive(update(**other), NOW)

        assert ("run_changed", []) == (step.demand.reason, list(step.events))
        assert State.STALE is stream.health.state

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("2026-01-02T03:04:06.000002Z", "2026-01-02T03:04:06.000001Z"),
            ("2026-01-02T03:04:06.123456789Z", "2026-01-02T03:04:06.123455999Z"),
            ("2026-01-02T03:04:06Z", "2026-01-02T05:04:05+02:00"),
        ],
    )
    def test_overtaken_run_is_told_but_never_current(self, first, second):
        """Its balance is older than the one told: backfill, and a new picture."""
        known = {}
        stream = live(known=known)
        list(stream.receive(update(balance="2", run_id=2, at=first), NOW).events)
        step = stream.receive(update(balance="1", run_id=1, at=second), NOW)

        assert [("backfill", SUB, "available", "BTC", "1")] == told(step.events)
        assert "run_overtaken" == step.demand.reason
        assert State.STALE is stream.health.state
        assert [Decimal(2)] == [holding.balance for holding in known.values()]

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("2026-01-02T03:04:06.000001Z", "2026-01-02T03:04:06.000001000Z"),
            ("2026-01-02T03:04:06.000001001Z", "2026-01-02T03:04:06.000001Z"),
            ("2026-01-02T03:04:06.000001001Z", "2026-01-02T03:04:06.000001000Z"),
            ("2026-01-02T03:04:06.000001Z", None),
            (None, "2026-01-02T03:04:06.000001Z"),
            ("2026-01-02T03:04:06.000001Z", "yesterday"),
        ],
    )
    def test_runs_of_equal_or_unknown_time_come_in_their_order(self, first, second):
        """By time where there is one, else by arrival; run ids say nothing."""
        stream = live()
        list(stream.receive(update(balance="2", run_id=9, at=first), NOW).events)
        step = stream.receive(update(balance="1", run_id=8, at=second), NOW)

        assert [("update", SUB, "available", "BTC", "1")] == told(step.events)
        assert step.demand is None

    @pytest.mark.parametrize(
        ("at", "time"),
        [
            (1767323045123, NOW.replace(microsecond=123_000)),
            ("1767323045123", NOW.replace(microsecond=123_000)),
            (1767323045, None),
            (0, None),
            (-1, None),
            (1767323045123456, None),
            (1767323045123456789, None),
            ("2026-01-02T03:04:05", None),
        ],
    )
    def test_number_is_a_time_in_milliseconds_or_none(self, at, time):
        """In seconds it is no time of 1970, older than every other run: it is kept."""
        stream = live()
        list(stream.receive(update(run_id=1, at="2026-01-02T03:04:05Z"), NOW).events)
        movements = [moved("0.5", movement_timestamp=at)]
        step = stream.receive(update(run_id=2, at=at, movements=movements), NOW)
        (event,) = step.events
        (movement,) = event.movements

        assert ("update", None) == (event.kind, step.demand)
        assert (time, str(at)) == (event.venue_time, event.attributes["run_timestamp"])
        assert (time, str(at)) == (movement.occurred_at, movement.occurred_at_text)

    def test_times_of_other_accounts_do_not_matter(self):
        """Order is looked at for each account alone."""
        stream = live()
        list(stream.receive(update("ETH", at="2026-01-02T04:00:00Z"), NOW).events)

        assert stream.receive(update("BTC"), NOW).demand is None

    @pytest.mark.parametrize("body", [{}, [], 5, None, {"balance": "1"}])
    def test_update_that_cannot_be_read(self, body):
        """The balance it carried is unknown: a new picture."""
        step = live().receive(message("balance-updated", body), NOW)

        assert isinstance(step.demand, FrameInvalid)
        assert ([], step.demand) == (list(step.events), step.invalid)

    def test_update_too_large_for_a_record(self):
        """It is a dead letter, and the picture tells the balance."""
        movements = [moved("1", note="x" * 1000)] * 400
        step = live().receive(update(movements=movements), NOW)

        assert isinstance(step.demand, FrameInvalid)

    def test_memory_of_runs_is_bounded(self, monkeypatch):
        """The oldest are forgotten."""
        name = "balance_connector.venues.zerohash.runs.RUNS_MAX"
        monkeypatch.setattr(name, 2)
        stream = live()
        steps = [stream.receive(update(run_id=r, at=None), NOW) for r in (1, 2, 3, 1)]

        assert [(), (), (), ()] == [step.notes for step in steps]

    def test_clash_of_an_update_is_counted(self):
        """As in a picture."""
        stream = live(row("BTC"), aliases={"XBT": "BTC"})
        step = stream.receive(update("XBT"), NOW)

        assert (["XBT"], (Note.ASSET_CLASH,)) == (
            [e.asset for e in step.events],
            step.notes,
        )


class TestOtherMessages:
    """What carries no balances."""

    @pytest.mark.parametrize(
        ("frame", "error"),
        [
            (b'{"messageType":"error","body":"Invalid API key"}', VenueRefused),
            (b'{"messageType":"error","body":"Unknown topic"}', VenueUnavailable),
            (b'{"messageType":"error"}', VenueUnavailable),
            (b'{"messageType":"error","message":"Forbidden"}', VenueRefused),
            (b'{"error":"Invalid signature"}', VenueRefused),
            (b'{"error":true,"message":"Invalid passphrase"}', VenueRefused),
            (b'{"error":{"code":5}}', VenueUnavailable),
            (b'{"errors":["no such permission"]}', VenueRefused),
            (b'{"errors":["a","b"]}', VenueUnavailable),
            (b'{"message":"Forbidden"}', VenueRefused),
            (b'{"messageType":"subscribe","body":"Invalid signature"}', VenueRefused),
            (b'{"messageType":"error","body":"timestamp too old"}', VenueUnavailable),
        ],
    )
    def test_errors(self, frame, error):
        """Only clear words refuse; all else is tried again, with the text."""
        stream = connection()
        step = stream.receive(frame, NOW)

        assert error is type(step.demand)
        assert State.STALE is stream.health.state

    @pytest.mark.parametrize(
        "frame", [b"pong", b'"PONG"\n', b'{"type":"pong"}', b'{"event":"Pong","t":1}']
    )
    def test_pong_of_another_form_is_a_pong(self, frame):
        """No page prints the one of NDAX."""
        stream = live()
        step = stream.receive(frame, NOW)

        assert (None, None, False) == (step.demand, step.invalid, step.keep)

    @pytest.mark.parametrize(
        "frame", [b'{"pong":1,"balance":"1"}', b'{"error":"no pong"}', b'{"type":"po']
    )
    def test_what_only_resembles_a_pong_is_none(self, frame):
        """It may be a balance or an error."""
        assert live().receive(frame, NOW).demand is not None

    @pytest.mark.parametrize("kind", ["info", "price-updated", "ping"])
    def test_unknown_type_is_a_dead_letter(self, kind):
        """It can carry no balance: the feed goes on."""
        stream = live()
        step = stream.receive(message(kind, {}), NOW)

        assert ("unknown_message", None) == (step.invalid.reason, step.demand)
        assert State.LIVE is stream.health.state

    @pytest.mark.parametrize(
        "frame",
        [
            b'{"messageType":"initial-balances","body":[]}',
            b'{"messageType":"balance-removed","body":{}}',
            b'{"body":[]}',
            b"{}",
            b"[]",
            b"",
            b"\xff",
            b'{"messageType":5}',
            b'{"messageType":"balance-updated"',
        ],
    )
    def test_what_may_be_a_balance_is_doubted(self, frame):
        """A message that cannot be read may have been one."""
        step = live().receive(frame, NOW)

        assert isinstance(step.demand, FrameInvalid)
        assert step.invalid is step.demand


def test_same_frames_give_the_same_events():
    """Replay needs nothing but the frames."""
    frames = [picture(row("BTC"), row("ETH")), update("BTC", "3"), update("XRP", "4")]

    def events():
        books = Books(Account("zerohash", "main"), "ws", 5, {})
        stream = ZEROHASH.stream(KEY, ZeroHashOptions(), books, frozenset())
        return [e for frame in frames for e in stream.receive(frame, NOW).events]

    assert events() == events()


def test_pocket_is_complete():
    """Every field of a balance's identity comes from the row."""
    known = {}
    live(row("USDC.SOL", account_type="staked"), known=known)

    assert [
        Pocket(
            SUB, "staked", "staked", "USDC.SOL", "USDC.SOL", "currency", "SOL", "12345"
        )
    ] == [holding.pocket for holding in known.values()]


def test_demands_are_of_the_known_kinds():
    """What a protocol demands is classified by one function."""
    step = live(row()).receive(picture(row(balance="2")), NOW)
    assert isinstance(step.demand, PictureNeeded)
