"""A web page that notes what it is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Page:
    """Takes any JSON.

    Attributes:
        told: (the id in the header, body) of each, in order.
        url: where it is.
    """

    def __init__(self) -> None:
        self.told = told = list[tuple[str | None, Any]]()

        class Handler(BaseHTTPRequestHandler):
            """Takes any POST."""

            def do_POST(self) -> None:
                """Note it."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append((self.headers["X-Balancebus-Id"], json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def bodies(self) -> list[Any]:
        """What it was told, without the ids."""
        return [body for _, body in self.told]

    def stop(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
