"""Who is told what about the ledger's lines."""

import json

_DEPOSIT = {"asset": "BTC", "amount": "0.01"}


async def test_subaccounts_are_told_with_users_all_only(running):
    """Their events carry the user, and reach nobody who did not ask for all."""
    async with running(subaccounts=1) as caller:
        everyone = await caller.subscribe(users="all")
        master = await caller.subscribe()
        caller.venue.operate("deposit", _DEPOSIT | {"user": 1})
        caller.venue.operate("deposit", _DEPOSIT)
        first, second = [json.loads(await everyone.recv()) for _ in range(2)]
        only = json.loads(await master.recv())
        users = list(caller.venue.ledger.users)
        assert [first["data"][0]["user"], second["data"][0]["user"]] == users[::-1]
        assert [first["sequence"], second["sequence"], only["sequence"]] == [1, 2, 2]
        assert "user" not in only["data"][0]
        assert only["data"][0]["ledger_id"] == second["data"][0]["ledger_id"]


async def test_lines_may_share_a_frame(caller):
    """Together the two legs of a move are two rows of one frame."""
    socket = await caller.subscribe()
    body = {"asset": "BTC", "amount": "1", "together": True}
    caller.venue.operate("allocate", body)
    frame = json.loads(await socket.recv())
    assert [row["wallet_id"] for row in frame["data"]] == ["main", "liquid"]


async def test_silent_changes_are_told_to_nobody(caller):
    """An operation that is not announced moves the books and no sequence."""
    socket = await caller.subscribe()
    caller.venue.operate("deposit", _DEPOSIT | {"announce": False})
    caller.venue.operate("deposit", _DEPOSIT)
    frame = json.loads(await socket.recv())
    assert frame["sequence"] == 2
    assert caller.venue.truth()["lines"] == 27


async def test_account_scope_tells_the_total(running):
    """With scope account the update's balance covers all wallets of the asset."""
    async with running(balance_scope="account") as caller:
        socket = await caller.subscribe()
        caller.venue.operate("reward", {"asset": "DOT", "amount": "0.5"})
        assert '"balance":25303.7500000000' in await socket.recv()


async def test_load_traffic_reaches_every_kind_of_subscriber(caller):
    """Prepared rows are told with a user to those who see all users."""
    everyone, master = await caller.subscribe(users="all"), await caller.subscribe()
    caller.venue.traffic({"count": 30, "load": True})
    for number in range(30):
        told, plain = json.loads(await everyone.recv()), json.loads(await master.recv())
        assert told["sequence"] == number + 1
        assert plain["sequence"] == number + 2
        user = told["data"][0].pop("user")
        assert user == caller.venue.state.user(None)
        assert told["data"] == plain["data"]
