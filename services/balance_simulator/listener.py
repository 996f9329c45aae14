"""One HTTP and WebSocket server on a port that may be chosen by the system."""

from aiohttp import web


class Listener:
    """A server for one application.

    Args:
        host: address to listen on.
        port: port to listen on; 0 takes a free one, see ``port`` after ``start``.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self, application: web.Application) -> None:
        """Listen from now on."""
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port)
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and end what still runs."""
        if self._runner:
            await self._runner.cleanup()
        self._runner = None
