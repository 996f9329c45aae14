"""A venue that pushes prepared frames as fast as they are read, and nothing else.

Run as a process: ``python feeder.py PORT UPDATES ASSETS RATE``. It answers the token
call, and to a subscription sends a picture of ASSETS wallets and then UPDATES update
frames; RATE is frames a second, 0 as fast as possible. ``ts`` of an update is the time
at which it was sent where RATE is given.
"""

import asyncio
import sys
from datetime import UTC, datetime

from aiohttp import web
from websockets.asyncio.server import serve

TOKEN = b'{"error":[],"result":{"token":"benchmark","expires":900}}'


def picture(assets: int) -> bytes:
    """Return a picture of so many assets with one wallet each."""
    rows = ",".join(
        f'{{"asset":"A{n}","asset_class":"currency","balance":1000.00000000,"wallets":'
        f'[{{"type":"spot","id":"main","balance":1000.00000000}}]}}'
        for n in range(assets)
    )
    return (
        f'{{"channel":"balances","type":"snapshot","data":[{rows}],"sequence":1}}'
    ).encode()


def update(number: int, assets: int, time: str) -> bytes:
    """Return update frame `number` (from 0): one ledger entry of one asset."""
    cents = 100_000 + number // assets + 1
    return (
        '{"channel":"balances","type":"update","data":[{"ledger_id":"'
        f'L{number:07d}-BENCH-AAAAAA","ref_id":"T{number:07d}-BENCH-AAAAAA",'
        f'"timestamp":"{time}","type":"trade",'
        f'"asset":"A{number % assets}","asset_class":"currency","category":"trade",'
        '"wallet_type":"spot","wallet_id":"main","amount":0.02000000,'
        f'"fee":0.01000000,"balance":{cents // 100}.{cents % 100:02d}000000}}],'
        f'"sequence":{number + 2}}}'
    ).encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def main(port: int, updates: int, assets: int, rate: float) -> None:
    """Serve until killed: REST on `port`, the stream on `port` + 1."""
    first = picture(assets)
    start = _now()
    frames = [] if rate else [update(n, assets, start) for n in range(updates)]

    async def token(_: web.Request) -> web.Response:
        return web.Response(body=TOKEN, content_type="application/json")

    async def feed(socket) -> None:
        await socket.recv()
        await socket.send(b'{"method":"subscribe","success":true}', text=True)
        await socket.send(first, text=True)
        await asyncio.sleep(1)
        for frame in frames:
            await socket.send(frame, text=True)
        if rate:
            await _paced(socket, updates, assets, rate)
        await asyncio.Future()

    app = web.Application()
    app.add_routes([web.post("/0/private/GetWebSocketsToken", token)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with serve(feed, "127.0.0.1", port + 1, compression=None, ping_interval=None):
        print("ready", flush=True)
        await asyncio.Future()


async def _paced(socket, updates: int, assets: int, rate: float) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(updates):
        due = start + number / rate
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        await socket.send(update(number, assets, _now()), text=True)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4]), float(sys.argv[4])))
