"""What every service answers over HTTP: /metrics, /healthz and /readyz."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from balance_shared.errors import SettingsError
from balance_shared.settings import ServiceSettings

NOT_READY = 503

Readiness = Callable[[], Mapping[str, str]]
"""Returns the parts that are not ready, each with why; empty when all are."""

Health = Callable[[], str | None]
"""Returns why the process cannot work any more, or None."""


@asynccontextmanager
async def serve(
    settings: ServiceSettings, *, health: Health, readiness: Readiness
) -> AsyncIterator[str]:
    """Serve the three pages while the context lasts; yields the base URL.

    Raises:
        SettingsError: the port is taken.
    """

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        return web.Response(body=generate_latest(), headers=headers)

    async def healthz(_: web.Request) -> web.Response:
        reason = health()
        if reason is None:
            return web.json_response({"status": "ok"})
        return web.json_response({"status": reason}, status=NOT_READY)

    async def readyz(_: web.Request) -> web.Response:
        missing = dict(readiness())
        body = {"ready": not missing, "not_ready": missing}
        return web.json_response(body, status=NOT_READY if missing else 200)

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.http_host, settings.http_port)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"BALANCEBUS_HTTP_PORT: cannot listen on {settings.http_host}:"
                f"{settings.http_port}: {error.strerror}"
            ) from error
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
