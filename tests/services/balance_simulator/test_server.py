"""The sockets: WebSocket v2, REST and control on one port."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def test_client_sees_the_whole_conversation(caller):
    """Status, ack, snapshot, updates, pong and unsubscribe come in their order."""
    async with connect(caller.venue.ws_url) as socket:
        status = json.loads(await socket.recv())
        assert status["data"][0]["system"] == "online"
        assert status["data"][0]["connection_id"] > (1 << 63) - 1
        token = await caller.token()
        ack = await caller.ask(socket, "subscribe", channel="balances", token=token)
        assert ack["success"] is True
        assert json.loads(await socket.recv())["type"] == "snapshot"
        trade = {"base": "BTC", "quote": "USD", "volume": "-0.005", "price": "26599.9"}
        caller.venue.operate("trade", trade)
        legs = [json.loads(await socket.recv()) for _ in range(2)]
        assert [leg["sequence"] for leg in legs] == [2, 3]
        assert len({leg["data"][0]["ref_id"] for leg in legs}) == 1
        assert (await caller.ask(socket, "ping"))["method"] == "pong"
        gone = await caller.ask(socket, "unsubscribe", channel="balances", token=token)
        assert gone["success"] is True
        caller.venue.operate("trade", trade)
        assert (await caller.ask(socket, "ping"))["method"] == "pong"


async def test_heartbeats_come_only_when_quiet_and_subscribed(running):
    """Nothing before the subscription; then one for each quiet period."""
    async with running(heartbeat_s=0.1) as caller:
        socket = await caller.connect()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
        await caller.ask(
            socket, "subscribe", channel="balances", token=await caller.token()
        )
        await socket.recv()
        beat = await asyncio.wait_for(socket.recv(), 1)
        assert json.loads(beat) == {"channel": "heartbeat"}


async def test_rest_checks_form_and_json_alike(caller):
    """Both body formats are signed over their exact bytes."""
    status, text = await caller.raw("/0/private/Balance")
    assert status == 200
    assert json.loads(text) == await caller.rest("Balance")
    forged = {"API-Sign": "bm90IGEgc2lnbmF0dXJl"}
    _, text = await caller.raw("/0/private/Balance", headers=forged)
    assert json.loads(text) == {"error": ["EAPI:Invalid signature"]}
    unnamed = {"User-Agent": ""}
    assert (await caller.raw("/0/private/Balance", headers=unnamed))[0] == 403


async def test_public_assets_need_no_key(caller):
    """The name lists are open to everybody."""
    url = f"{caller.venue.rest_url}/0/public/Assets"
    async with caller.http.get(url, params={"assetVersion": "1"}) as answer:
        assert (await answer.json())["result"]["BTC"]["altname"] == "XBT"


async def test_connection_attempts_are_limited(running):
    """Above the limit the handshake is refused with 429, and counted."""
    async with running(connections_max=1) as caller:
        await caller.connect()
        with pytest.raises(InvalidStatus) as refused:
            await caller.connect()
        assert refused.value.response.status_code == 429
        stats = caller.venue.statistics()
        assert stats["connection_attempts_10min"] == 2
        assert stats["connections"] == 1


async def test_stop_says_goodbye(running):
    """A stopped venue closes its connections with 1001."""
    async with running() as caller:
        socket = await caller.subscribe()
        await caller.venue.stop()
        await socket.wait_closed()
        assert socket.close_code == 1001
