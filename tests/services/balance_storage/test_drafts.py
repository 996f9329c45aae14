"""What is drafted ahead is what would be stored one batch after the other."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from balance_storage import facts, rows
from balance_storage.chain import End
from balance_storage.drafts import Ground, drafted, drafting
from balance_storage.facts import Head
from balance_storage.lines import Numbers

PLACE = ("t", 0)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
ASSETS = ("BTC", "ETH", "SOL")


def key(asset):
    """Return the key of a balance of the account."""
    return f"kraken|main||spot/main|{asset}"


NUMBERS = Numbers(
    {key(asset): at for at, asset in enumerate(ASSETS)},
    {key(asset): 7 for asset in ASSETS},
    {PLACE: 9},
)


def draft_of(batch, ground):
    """Return the draft of a batch whose ids are new, and let the ground be so."""
    draft = drafted(drafting(batch, NUMBERS, ground, {}, NOW))
    ground.advance(draft)
    return draft


def start():
    """Return the ground of an account of which nothing is stored."""
    return Ground({7: End()}, dict.fromkeys(map(key, ASSETS)))


TOLD = st.lists(
    st.tuples(
        st.sampled_from(ASSETS),
        st.sampled_from(["update", "backfill", "snapshot", "absent"]),
        st.integers(0, 3),
        st.integers(0, 50),
    ),
    max_size=12,
)


@given(TOLD, st.integers(0, 12))
def test_two_drafts_are_one(make_event, told, middle):
    """Wherever a history is cut, the second draft goes on where the first one ends."""
    batch = []
    for at, (asset, kind, epoch, hour) in enumerate(told):
        happened = NOW - timedelta(hours=hour)
        event = make_event(
            event_id=f"id-{at}",
            asset=asset,
            kind=kind,
            epoch=epoch,
            venue_time=happened,
            received_at=NOW,
        )
        batch.append(rows.row_of(rows.Placed(event, *PLACE, at)))
    whole, parts = start(), start()
    one = draft_of(batch, whole)
    first, second = draft_of(batch[:middle], parts), draft_of(batch[middle:], parts)
    assert whole == parts
    assert one.tellings == first.tellings + second.tellings
    assert one.beside.ids == first.beside.ids + second.beside.ids
    assert first.after.get(7, End()) == second.before.get(7, first.after.get(7, End()))


def row(make_event, at=0, **fields):
    """Return the row of an event of its own id."""
    event = make_event(**({"event_id": f"id-{at}"} | fields))
    return rows.row_of(rows.Placed(event, *PLACE, at))


def test_draft_says_on_what_it_stands_and_what_is_so_after_it(make_event):
    """The end before is compared under its lock, the end after is written."""
    ground = start()
    ground.ends[7] = End(4, b"x" * 16)
    draft = draft_of([row(make_event)], ground)
    assert {7: End(4, b"x" * 16)} == draft.before
    assert [5] == [end.number for end in draft.after.values()]
    assert ground.ends == draft.after
    assert Head(1, row(make_event).placed.event.received_at) == ground.heads[key("BTC")]


def test_ground_covers_what_it_was_told_of(make_event):
    """A balance or a partition that is new has to be asked for."""
    known, ground = row(make_event), start()
    assert ground.covers([known], NUMBERS)
    assert ground.covers([], NUMBERS)
    assert not ground.covers([known, row(make_event, asset="DOT")], NUMBERS)
    assert not ground.covers([known], Numbers(NUMBERS.balances, NUMBERS.accounts))


def test_what_is_found_adds_to_what_is_known():
    """Other balances of the account are as they were."""
    ground, found = start(), Ground({7: End()}, {key("DOT"): None})
    ground.learn(found)
    assert {key(asset) for asset in (*ASSETS, "DOT")} == ground.heads.keys()


def test_what_others_have_stored_makes_all_that_is_known_doubtful():
    """An end that we did not write: what holds of the account may have changed."""
    ground, head = start(), facts.Head(1, NOW)
    found = Ground({7: End(1, b"y" * 16)}, {key("BTC"): head})
    ground.learn(found)
    assert found == ground
